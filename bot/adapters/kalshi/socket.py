"""The WebSocket under a session: connects, signs, reconnects for ever.

It understands no message. Pings count as life, because the venue sends nothing
else on a quiet feed. Reading happens inside the consumer's ``async for``: a slow
consumer slows the socket, it never loses a frame in between.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from random import Random
from urllib.parse import urlsplit

from typing_extensions import override
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException
from websockets.frames import Frame

from bot.adapters.kalshi.session import FeedSession
from bot.adapters.kalshi.settings import StreamSettings
from bot.adapters.kalshi.signing import Signer
from bot.domain.errors import InvalidMessage
from bot.domain.ids import MarketTicker
from bot.kit.backoff import Backoff
from bot.kit.clock import Clock
from bot.kit.times import SECOND_US
from bot.ports.exchange import FeedEvent

logger = logging.getLogger(__name__)

# How many frames are handled before the loop is given to others.
_BURST_MAX = 256
_UNAUTHORIZED = frozenset({401, 403})


class _Connection(ClientConnection):
    """The library answers pings itself and tells nobody; we need to know of them."""

    heard_frames = 0

    @override
    def process_event(self, event: object) -> None:
        if isinstance(event, Frame):
            self.heard_frames += 1
        super().process_event(event)  # type: ignore[arg-type]  # the library's Event alias is private


@dataclass(slots=True, kw_only=True)
class _Life:
    """When one connection was last heard and last looked after, on the monotonic clock."""

    heard_us: int
    ticked_us: int
    heard_frames: int = 0


class StreamSocket:
    """One WebSocket at a time, replaced whenever it dies.

    After ``failure_threshold`` failures in a row the breaker is open: from then on
    one ``failure_cooldown_s`` passes before each try, until one lives.
    """

    def __init__(
        self,
        url: str,
        settings: StreamSettings,
        *,
        signer: Signer,
        clock: Clock,
        random: Random,
    ) -> None:
        self._url = url
        self._path = urlsplit(url).path
        self._settings = settings
        self._signer = signer
        self._clock = clock
        self._random = random
        self._session = FeedSession(settings.session)
        self._connection: _Connection | None = None
        self._failures = 0
        self.reconnects = 0
        self.invalid_frames = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[AsyncIterator[FeedEvent]]:
        """See :meth:`MarketFeed.open`."""
        events = self._events()
        try:
            yield events
        finally:
            await events.aclose()

    async def watch(self, tickers: Sequence[MarketTicker]) -> None:
        """See :meth:`MarketFeed.watch`."""
        self._session.watch(tickers, self._clock.now_us())
        if self._connection is not None:
            try:
                await self._flush(self._connection)
            except (WebSocketException, OSError) as error:
                # The reader of the same socket meets the same end and reconnects.
                logger.debug("websocket send failed", extra={"reason": _text(error)})

    def refresh(self, tickers: Sequence[MarketTicker]) -> None:
        """See :meth:`MarketFeed.refresh`."""
        self._session.refresh(tickers, self._clock.now_us())

    async def _events(self) -> AsyncGenerator[FeedEvent, None]:
        waits = self._waits()
        while True:
            began_us = self._clock.monotonic_us()
            try:
                connection = await self._connect()
            except (WebSocketException, OSError) as error:
                reason = _text(error)
            else:
                self._connection = connection
                reason = ""
                try:
                    try:
                        async with aclosing(self._conversation(connection)) as events:
                            async for event in events:
                                yield event
                    except (WebSocketException, OSError) as error:
                        reason = _text(error)
                    # Said before the closing handshake, which a dead peer lets time out.
                    for event in self._session.disconnected(self._clock.now_us(), reason):
                        yield event
                    await connection.close()
                finally:
                    self._connection = None
                    # Whoever stops us has no time for the handshake of a dead peer: the process
                    # would be taken for one that does not end.
                    connection.transport.abort()
            lived_us = self._clock.monotonic_us() - began_us
            if lived_us > self._settings.steady_after_s * SECOND_US:
                self._failures = 0
                waits = self._waits()
            await self._pause(waits, reason)

    async def _connect(self) -> _Connection:
        headers = self._signer.headers(self._clock.now_us() // 1_000, "GET", self._path)
        connection = await connect(
            self._url,
            additional_headers=dict(headers),
            create_connection=_Connection,
            compression=None,
            open_timeout=self._settings.connect_timeout_s,
            close_timeout=self._settings.close_timeout_s,
            # The venue pings us; our own silence limit is stricter than a ping of ours.
            ping_interval=None,
            max_size=self._settings.frame_bytes_max,
            max_queue=self._settings.frames_max,
        )
        assert isinstance(connection, _Connection)
        logger.info("websocket connected", extra={"reconnects": self.reconnects})
        return connection

    async def _conversation(self, connection: _Connection) -> AsyncGenerator[FeedEvent, None]:
        """Everything from one connection, until it ends or must be ended."""
        now_us = self._clock.monotonic_us()
        life = _Life(heard_us=now_us, ticked_us=now_us)
        began = self._session.connected(self._clock.now_us())
        # Before anybody is told: what the consumer does next must find us subscribing.
        await self._flush(connection)
        for event in began:
            yield event
        for number in count(1):
            await self._flush(connection)
            frame = await self._frame(connection)
            for event in self._read(frame) if frame else ():
                yield event
            for event in self._look_after(connection, life, is_heard=frame is not None):
                yield event
            if number % _BURST_MAX == 0:
                # A full buffer never suspends us, and others need the loop as well.
                await asyncio.sleep(0)

    def _look_after(
        self, connection: _Connection, life: "_Life", *, is_heard: bool
    ) -> list[FeedEvent]:
        """Note signs of life, let the session check what is overdue, end a dead connection."""
        events: list[FeedEvent] = []
        now_us = self._clock.monotonic_us()
        if is_heard or connection.heard_frames != life.heard_frames:
            life.heard_frames, life.heard_us = connection.heard_frames, now_us
            events += self._session.heard(self._clock.now_us())
        if now_us - life.ticked_us >= self._settings.tick_s * SECOND_US:
            life.ticked_us = now_us
            self._session.tick(self._clock.now_us())
        if now_us - life.heard_us > self._settings.silence_max_s * SECOND_US:
            raise TimeoutError(f"silent for {self._settings.silence_max_s} s")
        if self._session.reconnect_reason is not None:
            raise TimeoutError(self._session.reconnect_reason)
        return events

    async def _frame(self, connection: _Connection) -> bytes | None:
        """The next frame, or none when it is time to look after the session."""
        try:
            async with asyncio.timeout(self._settings.tick_s):
                return await connection.recv(decode=False)
        except TimeoutError:
            return None

    def _read(self, frame: bytes) -> Sequence[FeedEvent]:
        try:
            return self._session.receive(frame, self._clock.now_us())
        except InvalidMessage as error:
            self.invalid_frames += 1
            extra = {"reason": str(error), "count": self.invalid_frames, "bytes": len(frame)}
            logger.warning("websocket frame unreadable", extra=extra)
            return ()

    async def _flush(self, connection: _Connection) -> None:
        for trouble in self._session.troubles():
            logger.warning(trouble.phrase, extra=dict(trouble.facts))
        for frame in self._session.frames_to_send():
            await connection.send(frame, text=True)

    def _waits(self) -> Iterator[float]:
        settings = self._settings
        return Backoff(settings.backoff_base_s, settings.backoff_cap_s).waits(self._random)

    async def _pause(self, waits: Iterator[float], reason: str) -> None:
        self._failures += 1
        self.reconnects += 1
        wait_s = next(waits)
        is_open = self._failures >= self._settings.failure_threshold
        if is_open:
            wait_s = max(wait_s, self._settings.failure_cooldown_s)
        logger.warning(
            "websocket breaker open" if is_open else "websocket reconnect",
            extra={
                "metric": "ws.reconnect",
                "reason": reason,
                "failures": self._failures,
                "wait_s": round(wait_s, 3),
            },
        )
        await asyncio.sleep(wait_s)


def _text(error: Exception) -> str:
    if isinstance(error, InvalidStatus) and error.response.status_code in _UNAUTHORIZED:
        return (
            f"the exchange refuses our API key (HTTP {error.response.status_code}): check "
            "KALSHI_API_KEY_ID, its private key and KALSHI_ENVIRONMENT"
        )
    if isinstance(error, InvalidHandshake):
        # Its text may quote the response, never our headers.
        return f"handshake refused: {error}"
    return f"{type(error).__name__}: {error}".rstrip(": ")
