"""Alerts against a real web server: what it is sent, and what its answers mean."""

import asyncio
import base64
import hashlib
import hmac
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from bot.adapters.webhook.carrier import WebhookCarrier, open_web
from bot.adapters.webhook.settings import WebhookSettings
from bot.ports.carriers import Receipt, Verdict
from bot.ports.messages import Channel
from tests.fakes.clock import ManualClock
from tests.fakes.scripted_http import ScriptedServer, answer, drop, hang, scripted_server
from tests.support.certificates import certified
from tests.support.parcels import SCOPE, banner, parcel, waiting

pytestmark = pytest.mark.looptime(False)

KEY = "a-key-that-is-long-enough"
MESSAGE = parcel(waiting(channel=Channel.WEBHOOK, recipient="hooks.example.com"))


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as running:
        running.answers(answer())
        yield running


async def post(url: str, **changes: Any) -> Receipt:
    settings: dict[str, Any] = {"url": f"{url}/hook/s3cret?token=s3cret", "key": KEY}
    async with open_web() as session:
        carrier = WebhookCarrier(
            session, WebhookSettings(**(settings | changes)), SCOPE, banner, ManualClock()
        )
        receipt = await carrier.carry(MESSAGE)
    assert "s3cret" not in receipt.reason
    return receipt


async def test_the_body_says_what_happened_and_the_signature_proves_who_says_it(server):
    assert (await post(server.base_url)).verdict is Verdict.DELIVERED
    (seen,) = server.seen
    assert seen.method == "POST"
    assert seen.path.endswith("/hook/s3cret")
    assert json.loads(seen.body) == {
        "schema": 1,
        "id": "paper:main:0:7.1795245300000007",
        "alert": "a1b2c3",
        "kind": "breaker_tripped",
        "severity": "critical",
        "text": "Breaker tripped: daily_loss < -5 %",
        "facts": {"name": "daily_loss", "loss_e6": -5_000_000},
        "mode": "paper",
        "scope": "paper:main:0",
        "instance": "bot-1",
        "instance_name": "bot-1",
        "at": "2026-11-21T07:15:00.000007+00:00",
        "at_us": 1_795_245_300_000_007,
    }
    headers = {name.lower(): value for name, value in seen.headers.items()}
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + seen.body
    expected = base64.b64encode(hmac.new(KEY.encode(), signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-id"] == "paper:main:0:7.1795245300000007"
    assert headers["webhook-timestamp"] == "1795245300"
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["content-type"] == "application/json"


async def test_a_key_in_the_form_of_the_specification_signs_with_its_bytes(server):
    await post(server.base_url, key="whsec_" + base64.b64encode(KEY.encode()).decode())
    await post(server.base_url)
    one, two = (seen.headers["webhook-signature"] for seen in server.seen)
    assert one == two


async def test_another_attempt_has_the_same_id(server):
    server.answers(answer(status=500), answer())
    assert (await post(server.base_url)).verdict is Verdict.LATER
    assert (await post(server.base_url)).verdict is Verdict.DELIVERED
    assert len({seen.headers["webhook-id"] for seen in server.seen}) == 1


@pytest.mark.parametrize(
    ("status", "headers", "verdict", "retry_after_s"),
    [
        (204, {}, Verdict.DELIVERED, 0),
        (429, {"Retry-After": "7"}, Verdict.LATER, 7),
        (429, {"Retry-After": "Sat, 21 Nov 2026 07:15:30 GMT"}, Verdict.LATER, 30),
        (503, {"Retry-After": "nonsense"}, Verdict.LATER, 0),
        (503, {"Retry-After": "999999"}, Verdict.LATER, 3_600),
        (400, {}, Verdict.NEVER, 0),
        (413, {}, Verdict.NEVER, 0),
        (401, {}, Verdict.SHUT, 0),
        (404, {}, Verdict.SHUT, 0),
    ],
)
async def test_an_answer_means(server, status, headers, verdict, retry_after_s):
    server.answers(answer(status=status, **headers))
    receipt = await post(server.base_url)
    assert (receipt.verdict, receipt.retry_after_s) == (verdict, retry_after_s)
    assert verdict is Verdict.DELIVERED or str(status) in receipt.reason


async def test_a_redirect_is_not_followed(server):
    server.answers(web.Response(status=302, headers={"Location": "/elsewhere"}))
    receipt = await post(server.base_url)
    assert receipt.verdict is Verdict.SHUT
    assert "a redirect, which is not followed: set ALERT_WEBHOOK_URL to its end" in receipt.reason
    assert len(server.seen) == 1


async def test_a_slow_server_is_tried_again_later(server):
    server.answers(hang)
    receipt = await post(server.base_url, request_s=0.2)
    assert (receipt.verdict, "in time" in receipt.reason) == (Verdict.LATER, True)


async def test_a_connection_that_ends_is_tried_again_later(server):
    server.answers(drop)
    receipt = await post(server.base_url)
    assert (receipt.verdict, "closed the connection" in receipt.reason) == (Verdict.LATER, True)


async def test_a_refused_port_and_an_unknown_name_are_tried_again_later():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        receipt = await post(f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert receipt.verdict is Verdict.LATER
    assert "nobody answers at 127.0.0.1" in receipt.reason
    receipt = await post("https://hooks.invalid")
    assert receipt == Receipt(
        verdict=Verdict.LATER,
        reason="the name hooks.invalid is not found: check ALERT_WEBHOOK_URL",
    )


async def test_a_certificate_of_a_stranger_gets_nothing(tmp_path):
    taken: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(await reader.read())
        writer.close()

    shown = certified(tmp_path)
    stranger = await asyncio.start_server(serve, "localhost", 0, ssl=shown.context)
    async with stranger:
        receipt = await post(f"https://localhost:{stranger.sockets[0].getsockname()[1]}")
    assert receipt.verdict is Verdict.SHUT
    assert "is not trusted (self-signed certificate)" in receipt.reason
    assert taken == []


async def test_http_where_https_is_expected_is_told(server):
    receipt = await post(server.base_url.replace("http://", "https://"))
    assert receipt.verdict is Verdict.SHUT
    assert "does not speak https" in receipt.reason


async def test_a_probe_posts_nothing(server):
    async with open_web() as session:
        settings = WebhookSettings(url=f"{server.base_url}/hook", key=KEY)
        carrier = WebhookCarrier(session, settings, SCOPE, banner, ManualClock())
        assert (await carrier.probe()).verdict is Verdict.DELIVERED
    assert [seen.method for seen in server.seen] == ["HEAD"]
