"""Calls over real sockets: what is tried again, what never, and what each failure means."""

import asyncio
import base64
import logging
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from random import Random

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bot.adapters.kalshi.budget import Cost, Lane, Priority
from bot.adapters.kalshi.rest import CREATE_ORDER_PATH, Call, RestClient
from bot.adapters.kalshi.settings import RestSettings
from bot.adapters.kalshi.signing import load_signer
from bot.domain.errors import (
    BotError,
    CredentialsRefused,
    ExchangeUnavailable,
    OrderRejected,
    OutcomeUnknown,
    RateLimited,
    RequestRefused,
)
from bot.kit.clock import SystemClock
from bot.kit.logs import LogSettings, TextFormatter
from tests.fakes.scripted_http import ScriptedServer, answer, drop, hang, scripted_server

pytestmark = pytest.mark.looptime(False)

KEY = Ed25519PrivateKey.generate()
SIGNER = load_signer(
    "key-id", KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
)
SETTINGS = RestSettings(
    requests_per_second=1_000,
    request_timeout_s=0.3,
    write_timeout_s=0.3,
    read_deadline_s=10,
    backoff_base_s=0.01,
    backoff_cap_s=0.02,
)
READ = Call(method="GET", path="/markets", params=(("limit", "2"),))
CREATE = Call(
    method="POST",
    path=CREATE_ORDER_PATH,
    body=b'{"a":1}',
    cost=Cost(lane=Lane.WRITE),
    priority=Priority.ORDER,
)
CANCEL = Call(method="DELETE", path=f"{CREATE_ORDER_PATH}/o1", cost=Cost(lane=Lane.WRITE, tokens=2))


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as running:
        yield running


def client(
    server: ScriptedServer, settings: RestSettings = SETTINGS, **other: object
) -> RestClient:
    given = {"signer": SIGNER, "clock": SystemClock(), "random": Random(1)} | other
    return RestClient(server.base_url, settings, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "fault", [answer(status=503), answer(status=429), answer(status=408), drop, hang]
)
async def test_a_read_is_tried_until_it_is_answered(server: ScriptedServer, fault: object) -> None:
    server.answers(fault, fault, answer(b'{"ok":1}'))  # type: ignore[arg-type]
    rest = client(server)
    async with rest.open():
        reply = await rest.read(READ)
    assert reply.body == b'{"ok":1}'
    assert len(server.seen) == 3
    assert server.seen[0].query == {"limit": "2"}


@pytest.mark.parametrize(
    "fault, raised",
    [
        (answer(status=500), ExchangeUnavailable),
        (answer(status=429), RateLimited),
        (drop, ExchangeUnavailable),
    ],
)
async def test_a_read_is_given_up_after_five_tries(
    server: ScriptedServer, fault: object, raised: type[BotError], caplog: pytest.LogCaptureFixture
) -> None:
    server.answers(fault)  # type: ignore[arg-type]
    rest = client(server)
    with caplog.at_level(logging.INFO):
        async with rest.open():
            with pytest.raises(ExchangeUnavailable) as caught:
                await rest.read(READ)
    assert type(caught.value) is raised
    assert len(server.seen) == 5
    lines = [
        TextFormatter(LogSettings()).format(record)
        for record in caplog.records
        if record.name.startswith("bot")
    ]
    assert all("api error" in line for line in lines)
    retries = [line for line in lines if "metric=kalshi.retry method=GET path=" in line]
    assert [f" attempt={number} " in line for number, line in enumerate(retries, 1)] == [True] * 4
    assert sum(record.levelno == logging.WARNING for record in caplog.records) == 1


async def test_a_read_ends_at_its_deadline(server: ScriptedServer) -> None:
    server.answers(hang)
    rest = client(server, replace(SETTINGS, read_deadline_s=0.4, request_timeout_s=0.3))
    async with rest.open():
        with pytest.raises(ExchangeUnavailable):
            await rest.read(READ)
    assert 1 <= len(server.seen) <= 2


@pytest.mark.parametrize(
    "status, raised", [(400, RequestRefused), (404, RequestRefused), (401, CredentialsRefused)]
)
async def test_a_refused_read_is_not_tried_again(
    server: ScriptedServer, status: int, raised: type[BotError]
) -> None:
    server.answers(answer(b'{"error":{"code":"x","message":"y"}}', status))
    rest = client(server)
    async with rest.open():
        with pytest.raises(raised, match="x"):
            await rest.read(READ)
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    "fault, raised",
    [
        (answer(status=400), OrderRejected),
        (answer(status=403), OrderRejected),
        (answer(status=404), OrderRejected),
        (answer(status=409), OrderRejected),
        (answer(status=410), OrderRejected),
        (answer(status=429), OrderRejected),
        (answer(status=401), CredentialsRefused),
        (answer(status=408), OutcomeUnknown),
        (answer(status=500), OutcomeUnknown),
        (answer(status=503), OutcomeUnknown),
        (answer(status=302, Location="/"), OutcomeUnknown),
        (drop, OutcomeUnknown),
        (hang, OutcomeUnknown),
    ],
)
@pytest.mark.parametrize("call", [CREATE, CANCEL], ids=["create", "cancel"])
async def test_a_write_is_sent_once_whatever_comes_back(
    server: ScriptedServer, fault: object, raised: type[BotError], call: Call
) -> None:
    server.answers(fault)  # type: ignore[arg-type]
    rest = client(server)
    async with rest.open():
        with pytest.raises(BotError) as caught:
            await rest.write_order(call)
    assert type(caught.value) is raised
    assert len(server.seen) == 1


async def test_a_cancel_on_a_dead_kept_connection_is_not_sent_twice(server: ScriptedServer) -> None:
    server.answers(answer(), drop)
    rest = client(server)
    async with rest.open():
        await rest.write_order(CANCEL)
        with pytest.raises(OutcomeUnknown):
            await rest.write_order(CANCEL)
    assert len(server.seen) == 2


async def test_an_unreachable_exchange_means_the_write_was_not_sent() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    rest = RestClient(
        f"http://127.0.0.1:{port}/trade-api/v2",
        SETTINGS,
        signer=SIGNER,
        clock=SystemClock(),
        random=Random(1),
    )
    async with rest.open():
        with pytest.raises(ExchangeUnavailable, match="not sent"):
            await rest.write_order(CREATE)


async def test_a_write_without_a_request_left_is_not_sent(server: ScriptedServer) -> None:
    server.answers(answer())
    rest = client(server, replace(SETTINGS, requests_per_second=1, write_timeout_s=0.2))
    async with rest.open():
        await rest.write_order(CREATE)
        with pytest.raises(RateLimited, match="not sent"):
            await rest.write_order(CREATE)
    assert len(server.seen) == 1


async def test_every_request_is_signed_over_time_method_and_path(server: ScriptedServer) -> None:
    server.answers(answer())
    rest = client(server)
    rest.refresh_signatures()
    async with rest.open():
        await rest.read(READ)
        await rest.write_order(CREATE)
        await rest.write_order(CANCEL)
    for seen in server.seen:
        message = seen.headers["KALSHI-ACCESS-TIMESTAMP"] + seen.method + seen.path
        signature = base64.b64decode(seen.headers["KALSHI-ACCESS-SIGNATURE"])
        KEY.public_key().verify(signature, message.encode())
    assert rest.signed_inline == 0
    assert server.seen[1].body == b'{"a":1}'
    assert server.seen[1].headers["Content-Type"] == "application/json"


async def test_without_a_key_private_calls_are_refused_and_public_ones_go_unsigned(
    server: ScriptedServer,
) -> None:
    server.answers(answer())
    rest = client(server, signer=None)
    async with rest.open():
        await rest.read(replace(READ, is_signed=False))
        with pytest.raises(CredentialsRefused):
            await rest.write_order(CREATE)
        with pytest.raises(CredentialsRefused):
            await rest.read(READ)
    (seen,) = server.seen
    assert "KALSHI-ACCESS-KEY" not in seen.headers


async def test_a_put_without_a_body_sends_an_empty_object(server: ScriptedServer) -> None:
    server.answers(answer())
    rest = client(server)
    async with rest.open():
        await rest.write(Call(method="PUT", path="/portfolio/order_groups/g/trigger"))
    assert server.seen[0].body == b"{}"


@pytest.mark.parametrize(
    "date, age, server_us",
    [
        ("Sat, 21 Nov 2026 07:15:00 GMT", None, 1_795_245_300_000_000),
        ("Sat, 21 Nov 2026 07:15:00 GMT", "7", 1_795_245_307_000_000),
        ("yesterday", None, None),
    ],
)
async def test_the_servers_clock_is_kept(
    server: ScriptedServer, date: str, age: str | None, server_us: int | None
) -> None:
    headers = {"Date": date} | ({"Age": age} if age else {})
    server.answers(answer(b"{}", 200, **headers))
    rest = client(server)
    async with rest.open():
        assert (await rest.read(READ)).server_us == server_us


async def test_failures_are_counted_by_class_and_refusals_are_no_failures(
    server: ScriptedServer,
) -> None:
    rest = client(server, replace(SETTINGS, tries=1))
    async with rest.open():
        for fault in (
            answer(),
            answer(status=404),
            answer(status=429),
            answer(status=503),
            drop,
            hang,
        ):
            server.answers(fault)
            try:
                await rest.read(READ)
            except BotError:
                continue
    assert dict(rest.counter.totals) == {
        "ok": 1,
        "http_404": 1,
        "http_429": 1,
        "http_503": 1,
        "connection": 1,
        "timeout": 1,
    }
    assert rest.counter.take() == (6, 3)
    assert rest.counter.take() == (0, 0)


async def test_a_closed_client_is_unavailable(server: ScriptedServer) -> None:
    rest = client(server, replace(SETTINGS, tries=1))
    with pytest.raises(ExchangeUnavailable):
        await rest.read(READ)


async def test_an_order_leaves_in_the_call_when_a_connection_waits(server: ScriptedServer) -> None:
    server.answers(answer())
    rest = client(server)
    async with rest.open():
        await rest.warm()
        answered = rest.write_order(CREATE)
        async with asyncio.timeout(5):
            while not server.seen:  # noqa: ASYNC110 - two sides of a socket
                await asyncio.sleep(0.005)
        assert (await answered).status == 200
    assert len(server.seen) == 1


async def test_a_client_that_only_reads_makes_no_connection_for_writes(
    server: ScriptedServer,
) -> None:
    server.answers(answer())
    rest = client(server, replace(SETTINGS, is_read_only=True))
    async with rest.open():
        await rest.warm()
        with pytest.raises(ExchangeUnavailable, match="read only"):
            await rest.write_order(CREATE)
    assert server.seen == []
