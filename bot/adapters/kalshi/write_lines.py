"""Kept-alive HTTP/1.1 connections for orders and other writes, one request at a time on each.

A library's client costs more than all that is decided before an order. This does
less: no redirects, no compression, no retry. Until the first byte is written
nothing has happened; from then on only a whole answer is certain.
"""

import asyncio
import ssl
from collections import deque
from typing import cast
from urllib.parse import urlsplit

from typing_extensions import override

from bot.adapters.kalshi.wire.http_answer import Answer, read_answer
from bot.domain.errors import ExchangeUnavailable, InvalidMessage, OutcomeUnknown

_IDLE_MAX_S = 20.0
"""A connection unused for longer is replaced: the other side may be about to close it."""


class ConnectionEnded(Exception):
    """The connection is gone, and with it the answer that was waited for."""


class Line(asyncio.Protocol):
    """One connection. Usable while ``is_free``; whatever is unexpected on it ends it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._asked: asyncio.Future[Answer] | None = None
        self.used_s = loop.time()

    @property
    def is_free(self) -> bool:
        """Whether a request may be written to it."""
        transport = self._transport
        return transport is not None and not transport.is_closing() and self._asked is None

    def ask(self, request: bytes) -> "asyncio.Future[Answer]":
        """Write a request now. The future raises ``ConnectionEnded`` or ``InvalidMessage``."""
        assert self.is_free
        assert self._transport is not None
        self.used_s = self._loop.time()
        self._buffer = b""
        self._asked = asked = self._loop.create_future()
        self._transport.write(request)
        return asked

    def abort(self) -> None:
        """End it at once."""
        if self._transport is not None:
            self._transport.abort()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # The fast loop's transports are no subclasses of the library's.
        self._transport = cast("asyncio.Transport", transport)

    @override
    def data_received(self, data: bytes) -> None:
        if self._asked is None:
            self.abort()  # it talks out of turn
            return
        self._buffer += data
        try:
            answer = read_answer(self._buffer)
        except InvalidMessage as fault:
            self._settle(fault)
            self.abort()
            return
        if answer is not None:
            if not answer.keeps_open:
                self.abort()
            self._settle(answer)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._settle(ConnectionEnded(str(exc or "the exchange closed the connection")))

    def _settle(self, outcome: Answer | Exception) -> None:
        asked, self._asked = self._asked, None
        if asked is None or asked.done():
            return
        if isinstance(outcome, Answer):
            asked.set_result(outcome)
        else:
            asked.set_exception(outcome)


class WriteLines:
    """The connections to one host; made on demand, and one ahead of demand by ``warm``."""

    def __init__(self, base_url: str, connections: int) -> None:
        parts = urlsplit(base_url)
        self._host = parts.hostname or ""
        self._is_tls = parts.scheme == "https"
        self._port = parts.port or (443 if self._is_tls else 80)
        self._tls: ssl.SSLContext | None = None
        self._idle: deque[Line] = deque()
        self._turns = asyncio.Semaphore(connections)
        self._asking: set[Line] = set()

    async def ask(self, request: bytes, deadline_s: float) -> Answer:
        """Write the request once, on a connection of its own until the answer is complete.

        Raises:
            ExchangeUnavailable: nothing was written.
            OutcomeUnknown: it was, and there is no whole answer by ``deadline_s`` (loop time).
            TimeoutError: the same, because the time is over.
        """
        try:
            async with asyncio.timeout_at(deadline_s):
                await self._turns.acquire()
        except TimeoutError as late:
            raise ExchangeUnavailable("not sent: every connection is in use") from late
        try:
            return await self._ask(
                self._ready() or await self._connect(deadline_s), request, deadline_s
            )
        finally:
            self._turns.release()

    async def _ask(self, line: Line, request: bytes, deadline_s: float) -> Answer:
        asked = line.ask(request)
        self._asking.add(line)
        try:
            async with asyncio.timeout_at(deadline_s):
                answer = await asked
        except (ConnectionEnded, InvalidMessage) as fault:
            raise OutcomeUnknown(f"{type(fault).__name__}: {fault}") from fault
        finally:
            self._asking.discard(line)
            if not line.is_free:
                line.abort()
        if line.is_free:
            self._idle.append(line)
        return answer

    async def warm(self, within_s: float) -> None:
        """See that a fresh connection waits for the next request.

        Raises:
            ExchangeUnavailable: none can be made.
        """
        self._drop_stale()
        if not self._idle and not self._asking:
            deadline_s = asyncio.get_running_loop().time() + within_s
            self._idle.append(await self._connect(deadline_s))

    def close(self) -> None:
        """End every connection; what was asked on them is unknown."""
        for line in (*self._idle, *self._asking):
            line.abort()
        self._idle.clear()

    def _ready(self) -> Line | None:
        """The connection used last: the others may grow stale and go."""
        now_s = asyncio.get_running_loop().time()
        while self._idle:
            line = self._idle.pop()
            if line.is_free and now_s - line.used_s < _IDLE_MAX_S:
                return line
            line.abort()
        return None

    def _drop_stale(self) -> None:
        now_s = asyncio.get_running_loop().time()
        for line in tuple(self._idle):
            # Half the time, so that no request finds only connections that are too old.
            if not line.is_free or now_s - line.used_s > _IDLE_MAX_S / 2:
                self._idle.remove(line)
                line.abort()

    async def _connect(self, deadline_s: float) -> Line:
        loop = asyncio.get_running_loop()
        if self._is_tls and self._tls is None:
            self._tls = ssl.create_default_context()
        try:
            async with asyncio.timeout_at(deadline_s):
                _, line = await loop.create_connection(
                    lambda: Line(loop), self._host, self._port, ssl=self._tls
                )
        except TimeoutError as late:
            raise ExchangeUnavailable(f"not sent: no connection to {self._host} in time") from late
        except OSError as fault:
            raise ExchangeUnavailable(f"not sent: {fault}") from fault
        return line
