"""Requests that are made like real ones, by a client that has no key and no connection.

Everything between an order and the socket is the real code; the socket is nothing. The
client, its signatures and its budget are the rehearsal's own.
"""

import asyncio
from collections.abc import Coroutine, Generator
from dataclasses import replace
from random import Random
from typing import Any, cast

from typing_extensions import override

from bot.adapters.kalshi.rest import RestClient
from bot.adapters.kalshi.settings import RestSettings
from bot.adapters.kalshi.signing import Headers, Signer
from bot.adapters.kalshi.wire.http_answer import Answer
from bot.adapters.kalshi.write_lines import Line, WriteLines
from bot.kit.clock import Clock

_HEADERS: Headers = {
    "KALSHI-ACCESS-KEY": "rehearsal",
    "KALSHI-ACCESS-TIMESTAMP": "0",
    "KALSHI-ACCESS-SIGNATURE": "none",
}


class RequestRehearsal:
    """Makes requests and throws them away. Use on a running event loop."""

    def __init__(self, base_url: str, settings: RestSettings, clock: Clock) -> None:
        self._rest = _Client(
            base_url,
            replace(settings, is_read_only=False),
            signer=_NoKey(),
            clock=clock,
            random=Random(0),  # noqa: S311 - nothing is drawn
        )

    @property
    def made(self) -> bytes:
        """The last request, as it would have been written."""
        return self._rest.nowhere.written

    def make(self, body: bytes) -> None:
        """Go the way of a create up to its last byte."""
        self._rest.refresh_signatures()
        self._rest.nowhere.renew()
        # What would wait for the answer is never begun.
        self._rest.create_order(body).close()


class _Client(RestClient):
    """A client whose connections lead nowhere."""

    def __init__(self, base_url: str, settings: RestSettings, **parts: Any) -> None:
        super().__init__(base_url, settings, **parts)
        self._writes = self.nowhere = _Nowhere(base_url, 1)


class _NoKey(Signer):
    """Signs nothing."""

    def __init__(self) -> None:
        """There is no key."""

    @override
    def headers(self, timestamp_ms: int, method: str, path: str) -> Headers:
        return _HEADERS


class _Nowhere(WriteLines):
    """Connections to nobody, each for one request."""

    def __init__(self, base_url: str, connections: int) -> None:
        super().__init__(base_url, connections)
        self.written = b""
        self._loop = asyncio.get_running_loop()

    def renew(self) -> None:
        """Have one connection ready."""
        line = Line(self._loop, lambda _: None)
        line.connection_made(cast("asyncio.Transport", self))
        self._idle.clear()
        self._idle.append(line)

    @override
    def ask(self, line: Line, request: bytes, deadline_s: float) -> Coroutine[Any, Any, Answer]:
        line.ask(request)
        return cast("Coroutine[Any, Any, Answer]", _NoAnswer())

    # --- as the transport of its lines -------------------------------------------------------

    def write(self, data: bytes) -> None:
        """The end of the way."""
        self.written = data

    def is_closing(self) -> bool:
        """There is nothing to close."""
        return False

    def abort(self) -> None:
        """There is nothing to end."""


class _NoAnswer:
    """What nobody waits for."""

    def __await__(self) -> Generator[Any, None, Answer]:
        raise AssertionError("a rehearsal has no answer")
