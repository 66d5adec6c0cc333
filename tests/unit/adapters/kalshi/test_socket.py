"""The socket against real servers that behave badly."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from random import Random
from typing import Protocol
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from websockets.asyncio.server import Request, Response, ServerConnection, serve

from bot.adapters.kalshi.settings import SessionSettings, StreamSettings
from bot.adapters.kalshi.signing import load_signer
from bot.adapters.kalshi.socket import StreamSocket
from bot.domain.ids import MarketTicker
from bot.domain.quotes import BookDelta, BookSnapshot
from bot.kit.clock import SystemClock
from bot.kit.frames import NOTE, SAID
from bot.kit.logs import LogSettings, TextFormatter
from bot.ports.exchange import FeedAlive, FeedDown, FeedEvent, FeedNews, FeedUp, KeptBook
from tests.fakes.tapes import MemoryTapes
from tests.support.blackhole import BlackHole
from tests.support.feeds import opened

pytestmark = pytest.mark.looptime(False)

SIGNER = load_signer(
    "key-id",
    Ed25519PrivateKey.generate()
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode(),
)
A = MarketTicker("A")
SETTINGS = StreamSettings(
    backoff_base_s=0.01,
    backoff_cap_s=0.02,
    silence_max_s=0.5,
    tick_s=0.05,
    connect_timeout_s=1,
    failure_cooldown_s=0.01,
    session=SessionSettings(wants_private=False, wants_trades=False),
)
Handler = Callable[[ServerConnection], Awaitable[None]]


def frame(kind: str, **fields: object) -> str:
    return json.dumps({"type": kind, **fields}) + "\n"


def snapshot(seq: int) -> str:
    msg = {"market_ticker": "A", "yes_dollars_fp": [["0.4700", "3.00"]]}
    return frame("orderbook_snapshot", sid=9, seq=seq, msg=msg)


def delta(seq: int) -> str:
    msg = {"market_ticker": "A", "price_dollars": "0.4600", "delta_fp": "1.00", "side": "yes"}
    return frame("orderbook_delta", sid=9, seq=seq, msg=msg)


async def confirm_book(connection: ServerConnection) -> None:
    """Answer commands until the book is subscribed."""
    sid = 20
    while True:
        command = json.loads(await connection.recv())
        channel = command["params"]["channels"][0]
        sid += 1
        given = 9 if channel == "orderbook_delta" else sid
        await connection.send(
            frame("subscribed", id=command["id"], msg={"channel": channel, "sid": given})
        )
        if channel == "orderbook_delta":
            return


@asynccontextmanager
async def serving(
    handler: Handler, refuse: Callable[[ServerConnection, Request], Response | None] | None = None
) -> AsyncIterator[str]:
    async with serve(
        handler, "127.0.0.1", 0, process_request=refuse, ping_interval=None, close_timeout=0.1
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/trade-api/ws/v2"


class Streams(Protocol):
    def __call__(
        self, url: str, settings: StreamSettings = SETTINGS, tapes: MemoryTapes | None = None
    ) -> StreamSocket: ...


@pytest.fixture(params=["picows", "websockets"])
def stream(request: pytest.FixtureRequest) -> Streams:
    """A socket over each of the libraries."""
    name = f"bot.adapters.kalshi.dial_{request.param}"
    library = pytest.importorskip(name, reason=f"{request.param} is not installed here")

    def make(
        url: str, settings: StreamSettings = SETTINGS, tapes: MemoryTapes | None = None
    ) -> StreamSocket:
        return StreamSocket(
            url,
            settings,
            signer=SIGNER,
            clock=SystemClock(),
            random=Random(1),
            dial=library.dial,
            tapes=tapes,
        )

    return make


async def take(
    events: AsyncIterator[FeedEvent], until: Callable[[list[FeedEvent]], bool]
) -> list[FeedEvent]:
    seen: list[FeedEvent] = []
    async with asyncio.timeout(10):
        async for event in events:
            if not isinstance(event, FeedAlive):
                seen.append(event)
                if until(seen):
                    break
    return seen


async def test_a_lost_connection_is_told_and_made_again(
    stream: Streams, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(connection: ServerConnection) -> None:
        await confirm_book(connection)
        await connection.send(snapshot(1))
        await connection.send(delta(2))
        connection.transport.abort()

    with caplog.at_level(logging.INFO):
        async with serving(handler) as url:
            socket = stream(url)
            await socket.watch([A])
            async with opened(socket) as events:
                seen = await take(events, lambda seen: len(seen) >= 6)
    assert [type(event) for event in seen] == [
        FeedUp,
        BookSnapshot,
        BookDelta,
        FeedDown,
        FeedUp,
        BookSnapshot,
    ]
    (record,) = [one for one in caplog.records if one.message == "metric=ws.reconnect"]
    told = record.__dict__
    assert (told["errors_total"], told["consecutive_failures"], told["breaker"]) == (1, 1, "closed")
    assert [one.message for one in caplog.records].count("metric=ws.connected") == 2
    told = [one for one in caplog.records if one.message.startswith("metric=ws")]
    lines = [TextFormatter(LogSettings()).format(one) for one in told]
    assert all("websocket" in line for line in lines), "what people grep"
    assert "key-id" not in caplog.text


async def test_a_tape_holds_what_was_said_and_heard_of_each_connection(stream: Streams) -> None:
    async def handler(connection: ServerConnection) -> None:
        await confirm_book(connection)
        await connection.send(snapshot(1))
        await connection.send(delta(2))
        await connection.send(delta(4))
        connection.transport.abort()

    tapes = MemoryTapes()
    async with serving(handler) as url:
        socket = stream(url, tapes=tapes)
        await socket.watch([A])
        async with opened(socket) as events:
            await take(events, lambda seen: len(seen) >= 6)
    first = tapes.made[0]
    assert first.turns == [
        {"uses_yes_price": True, "wants_private": False, "wants_trades": False, "subscriptions": []}
    ]
    assert first.kept[0] == first.turns[0], "what follows is read with it"
    heard = [json.loads(one)["type"] for one in first.frames]
    assert heard[-3:] == ["orderbook_snapshot", "orderbook_delta", "orderbook_delta"]
    assert first.frames[-1] == delta(4).encode()
    said = [json.loads(one.data) for one in first.told if one.kind == SAID]
    assert [one["params"].get("channels", ["?"])[0] for one in said[:3]] == [
        "market_lifecycle_v2", "ticker", "orderbook_delta",
    ]  # fmt: skip
    (gap,) = [json.loads(one.data) for one in first.told if one.kind == NOTE]
    assert (gap["note"], gap["reason"]) == ("gap", "orderbook_delta: expected message 3, got 4")
    stamps = [one for one in first.kept if isinstance(one, int)]
    assert stamps == sorted(stamps)
    assert first.ended == "connection lost"


async def test_a_new_file_begins_with_the_subscriptions_and_soon_shows_the_books(
    stream: Streams,
) -> None:
    asked = asyncio.Event()

    async def handler(connection: ServerConnection) -> None:
        await confirm_book(connection)
        await connection.send(snapshot(1))
        while not asked.is_set():
            command = json.loads(await connection.recv())
            if command["params"].get("action") == "get_snapshot":
                asked.set()
        await connection.send(snapshot(2))
        await connection.wait_closed()

    settings = replace(
        SETTINGS, silence_max_s=20, session=replace(SETTINGS.session, markets_per_subscription=1)
    )
    tapes = MemoryTapes()
    async with serving(handler) as url:
        socket = stream(url, settings, tapes)
        await socket.watch([A])
        async with opened(socket) as events:
            await take(events, lambda seen: isinstance(seen[-1], BookSnapshot))
            (tape,) = tapes.made
            tape.is_hour_over = True
            seen = await take(events, lambda seen: isinstance(seen[-1], BookSnapshot))
            assert asked.is_set()
    assert not any(isinstance(event, FeedDown) for event in seen), "the book stayed trusted"
    held = tape.turns[1]["subscriptions"]
    assert {"channel": "orderbook_delta", "sid": 9, "last_seq": 1, "tickers": ["A"]} in held


async def test_the_handshake_is_signed_for_the_path(stream: Streams) -> None:
    seen: list[Request] = []

    def look(_: ServerConnection, request: Request) -> Response | None:
        seen.append(request)
        return None

    async def handler(connection: ServerConnection) -> None:
        await connection.wait_closed()

    async with serving(handler, look) as url, opened(stream(url)) as events:
        await anext(events)
    (request,) = seen
    assert request.path == "/trade-api/ws/v2"
    assert request.headers["KALSHI-ACCESS-KEY"] == "key-id"
    assert request.headers["KALSHI-ACCESS-TIMESTAMP"].isdigit()


async def test_pings_alone_keep_a_quiet_feed_alive_and_silence_ends_it(stream: Streams) -> None:
    async def handler(connection: ServerConnection) -> None:
        for _ in range(8):
            await connection.ping(b"heartbeat")
            await asyncio.sleep(0.2)
        await connection.wait_closed()

    settings = replace(SETTINGS, session=replace(SETTINGS.session, command_timeout_us=60_000_000))
    async with serving(handler) as url, opened(stream(url, settings)) as events:
        assert isinstance(await anext(events), FeedUp)
        began = asyncio.get_running_loop().time()
        alive = 0
        async with asyncio.timeout(10):
            async for event in events:
                alive += isinstance(event, FeedAlive)
                if isinstance(event, FeedDown):
                    break
        lasted = asyncio.get_running_loop().time() - began
    assert event.reason == "silent for 0.5 s"
    assert lasted > 1.5
    assert alive >= 2


async def test_refused_handshakes_open_the_breaker_and_never_end_the_feed(
    stream: Streams, caplog: pytest.LogCaptureFixture
) -> None:
    calls = 0

    def refuse(connection: ServerConnection, _: Request) -> Response | None:
        nonlocal calls
        calls += 1
        return connection.respond(401, "no") if calls <= 4 else None

    async def handler(connection: ServerConnection) -> None:
        await connection.wait_closed()

    settings = replace(SETTINGS, failure_threshold=3, steady_after_s=0.2, silence_max_s=9)
    async with asyncio.timeout(10), serving(handler, refuse) as url:
        socket = stream(url, settings)
        async with opened(socket) as events:
            assert isinstance(await anext(events), FeedUp)
            assert socket.breaker.failures == 4
            while socket.breaker.failures:  # noqa: ASYNC110 - a connection that lives closes it
                await asyncio.sleep(0.02)
    told = [record.__dict__ for record in caplog.records if record.message == "metric=ws.reconnect"]
    assert "check KALSHI_API_KEY_ID" in told[0]["reason"]
    assert [one["breaker"] for one in told] == ["closed"] * 2 + ["open"] * 2
    assert [one["consecutive_failures"] for one in told] == [1, 2, 3, 4]


async def test_watching_while_connected_subscribes_at_once(stream: Streams) -> None:
    asked: asyncio.Queue[list[str]] = asyncio.Queue()

    async def handler(connection: ServerConnection) -> None:
        async for data in connection:
            command = json.loads(data)
            if command["params"].get("channels") == ["orderbook_delta"]:
                asked.put_nowait(command["params"]["market_tickers"])

    async with serving(handler) as url:
        socket = stream(url)
        async with opened(socket) as events:
            assert isinstance(await anext(events), FeedUp)
            await socket.watch([A])
            async with asyncio.timeout(5):
                assert await asked.get() == ["A"]


async def test_an_unreadable_frame_is_counted_and_the_feed_goes_on(stream: Streams) -> None:
    async def handler(connection: ServerConnection) -> None:
        await confirm_book(connection)
        await connection.send("{not json")
        await connection.send(b"\xff\xfe")
        await connection.send(snapshot(1))
        await connection.wait_closed()

    async with serving(handler) as url:
        socket = stream(url)
        await socket.watch([A])
        async with opened(socket) as events:
            seen = await take(events, lambda seen: isinstance(seen[-1], BookSnapshot))
    assert [type(event) for event in seen] == [FeedUp, BookSnapshot]
    assert socket.invalid_frames == 2


async def test_a_burst_of_ten_thousand_frames_loses_nothing(stream: Streams) -> None:
    async def handler(connection: ServerConnection) -> None:
        await confirm_book(connection)
        await connection.send(snapshot(1))
        for seq in range(2, 10_002):
            await connection.send(delta(seq))
        await connection.wait_closed()

    async with serving(handler) as url:
        socket = stream(url, replace(SETTINGS, silence_max_s=10))
        await socket.watch([A])
        async with opened(socket) as events:
            seen = await take(events, lambda seen: len(seen) >= 10_002)
    assert [type(event) for event in seen] == [FeedUp, BookSnapshot] + [BookDelta] * 10_000


async def test_leaving_the_context_closes_the_socket(stream: Streams) -> None:
    closed = asyncio.Event()

    async def handler(connection: ServerConnection) -> None:
        await connection.wait_closed()
        closed.set()

    async with serving(handler) as url:
        async with opened(stream(url)) as events:
            await anext(events)
        async with asyncio.timeout(5):
            await closed.wait()


async def test_being_stopped_waits_for_no_closing_handshake_of_a_dead_peer(stream: Streams) -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.wait_closed()

    async def read(socket: StreamSocket, is_up: asyncio.Event) -> None:
        async with opened(socket) as events:
            async for _ in events:
                is_up.set()

    async with (
        serving(handler) as url,
        BlackHole.running(urlsplit(url).port or 0) as relay,
    ):
        patient = replace(SETTINGS, silence_max_s=3600)
        socket, is_up = stream(f"ws://127.0.0.1:{relay.port}/", patient), asyncio.Event()
        reading = asyncio.create_task(read(socket, is_up))  # noqa: TID251 - cancelled below
        await is_up.wait()
        relay.is_open = False
        reading.cancel()
        _, waiting = await asyncio.wait({reading}, timeout=10)
        assert not waiting


async def test_a_message_in_pieces_is_put_together(stream: Streams) -> None:
    async def handler(connection: ServerConnection) -> None:
        await confirm_book(connection)
        await connection.send(
            part for part in (snapshot(1)[:20], snapshot(1)[20:50], snapshot(1)[50:])
        )
        await connection.ping()
        await connection.send(delta(2))
        await connection.wait_closed()

    async with serving(handler) as url:
        socket = stream(url)
        await socket.watch([A])
        async with opened(socket) as events:
            seen = await take(events, lambda seen: isinstance(seen[-1], BookDelta))
    assert [type(event) for event in seen] == [FeedUp, BookSnapshot, BookDelta]


async def test_why_the_exchange_closed_is_told(stream: Streams) -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.close(4001, "too slow")

    async with serving(handler) as url, opened(stream(url)) as events:
        seen = await take(events, lambda seen: isinstance(seen[-1], FeedDown))
    assert seen[-1].reason == "closed by the exchange: 4001 too slow"


async def test_a_message_beyond_the_limit_ends_the_connection_and_not_the_feed(
    stream: Streams,
) -> None:
    async def handler(connection: ServerConnection) -> None:
        await confirm_book(connection)
        await connection.send("x" * 5_000)
        await connection.wait_closed()

    async with serving(handler) as url:
        socket = stream(url, replace(SETTINGS, frame_bytes_max=4_000))
        await socket.watch([A])
        async with opened(socket) as events:
            seen = await take(events, lambda seen: len(seen) >= 3)
    assert [type(event) for event in seen] == [FeedUp, FeedDown, FeedUp]


async def test_a_server_that_never_answers_the_handshake_is_tried_again(stream: Streams) -> None:
    calls: asyncio.Queue[None] = asyncio.Queue()

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls.put_nowait(None)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = replace(SETTINGS, connect_timeout_s=0.2)
    async with server, opened(stream(f"ws://127.0.0.1:{port}/", settings)):
        async with asyncio.timeout(10):
            for _ in range(3):
                await calls.get()
    # What was given up in the middle is closed by its own timer.
    await asyncio.sleep(2 * settings.connect_timeout_s)


class Failing:
    """A listener with a defect."""

    def book(self, snapshot: BookSnapshot) -> KeptBook:
        raise LookupError("a defect")

    def news(self, event: FeedNews) -> None:
        pass

    def read_ended(self) -> None:
        pass


async def test_what_the_listener_raises_ends_the_feed(stream: Streams) -> None:
    async def handler(connection: ServerConnection) -> None:
        await confirm_book(connection)
        await connection.send(snapshot(1))
        await connection.send(snapshot(2))
        await connection.wait_closed()

    async with serving(handler) as url, asyncio.timeout(10):
        socket = stream(url)
        await socket.watch([A])
        with pytest.raises(LookupError, match="a defect"):
            await socket.run(Failing())


async def test_a_held_feed_leaves_the_socket_unread_and_loses_nothing(stream: Streams) -> None:
    is_sent = asyncio.Event()

    async def handler(connection: ServerConnection) -> None:
        await confirm_book(connection)
        await connection.send(snapshot(1))
        await held.wait()
        for seq in range(2, 1_002):
            await connection.send(delta(seq))
        is_sent.set()
        await connection.wait_closed()

    held = asyncio.Event()
    async with serving(handler) as url, asyncio.timeout(20):
        socket = stream(url)
        await socket.watch([A])
        async with opened(socket) as events:
            await take(events, lambda seen: isinstance(seen[-1], BookSnapshot))
            socket.hold(is_held=True)
            held.set()
            await is_sent.wait()
            # Longer than silence would be borne: not reading is no silence.
            await asyncio.sleep(2 * SETTINGS.silence_max_s)
            socket.hold(is_held=False)
            seen = await take(events, lambda seen: len(seen) >= 1_000)
    assert [type(event) for event in seen] == [BookDelta] * 1_000
