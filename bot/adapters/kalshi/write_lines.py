"""Kept-alive HTTP/1.1 connections for orders and other writes, one request at a time on each.

A library's client costs more than all that is decided before an order. This does
less: no redirects, no compression, no retry. Until the first byte is written
nothing has happened; from then on only a whole answer is certain.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, cast
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

    def __init__(self, loop: asyncio.AbstractEventLoop, ended: Callable[["Line"], None]) -> None:
        self._loop = loop
        self._ended = ended
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
        self._ended(self)
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
        self._connections = connections
        self._lines: set[Line] = set()
        self._connecting = 0
        self._idle: deque[Line] = deque()
        self._asking: set[Line] = set()
        self._freed = asyncio.Event()

    def is_ready(self) -> bool:
        """Whether a connection waits."""
        now_s = asyncio.get_running_loop().time()
        while self._idle:
            line = self._idle[-1]
            if line.is_free and now_s - line.used_s < _IDLE_MAX_S:
                return True
            self._idle.pop().abort()
        return False

    def take(self) -> Line:
        """A connection that waits, the one used last: the others may grow stale and go."""
        return self._idle.pop()

    async def line(self, deadline_s: float) -> Line:
        """A connection for one request: one that waits, a new one, or the next that is free.

        Raises:
            ExchangeUnavailable: there is none by ``deadline_s`` (loop time).
        """
        while True:
            if self.is_ready():
                return self.take()
            if self._connecting + len(self._lines) < self._connections:
                return await self._connect(deadline_s)
            self._freed.clear()
            try:
                async with asyncio.timeout_at(deadline_s):
                    await self._freed.wait()
            except TimeoutError as late:
                raise ExchangeUnavailable("not sent: every connection is in use") from late

    def ask(self, line: Line, request: bytes, deadline_s: float) -> Coroutine[Any, Any, Answer]:
        """Write the request now, once; await the answer.

        Raises:
            OutcomeUnknown: there is no whole answer.
            TimeoutError: nor will there be by ``deadline_s`` (loop time).
        """
        asked = line.ask(request)
        self._asking.add(line)
        return self._answer(line, asked, deadline_s)

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
        for line in tuple(self._lines):
            line.abort()
        self._idle.clear()

    async def _answer(
        self, line: Line, asked: "asyncio.Future[Answer]", deadline_s: float
    ) -> Answer:
        try:
            async with asyncio.timeout_at(deadline_s):
                answer = await asked
        except (ConnectionEnded, InvalidMessage) as fault:
            raise OutcomeUnknown(f"{type(fault).__name__}: {fault}") from fault
        finally:
            self._asking.discard(line)
            if line.is_free:
                self._idle.append(line)
                self._freed.set()
            else:
                line.abort()
        return answer

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
        self._connecting += 1
        try:
            async with asyncio.timeout_at(deadline_s):
                _, line = await loop.create_connection(
                    lambda: Line(loop, self._on_end), self._host, self._port, ssl=self._tls
                )
        except TimeoutError as late:
            raise ExchangeUnavailable(f"not sent: no connection to {self._host} in time") from late
        except OSError as fault:
            raise ExchangeUnavailable(f"not sent: {fault}") from fault
        finally:
            self._connecting -= 1
            self._freed.set()
        self._lines.add(line)
        return line

    def _on_end(self, line: Line) -> None:
        self._lines.discard(line)
        self._freed.set()
