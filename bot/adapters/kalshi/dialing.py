"""One WebSocket connection, whichever library makes it.

What arrives is handed over in the library's own callback: no task, queue or
await stands between the socket and the session. ``picows`` is used where it is
installed, ``websockets`` elsewhere; both pass the same tests.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

_UNAUTHORIZED = frozenset({401, 403})


class DialFailed(Exception):
    """No connection; the text says why, and never holds our headers."""


class Line(Protocol):
    """An open connection."""

    def send(self, frame: bytes) -> None:
        """Send a text message. One that is closing takes it and does nothing."""
        ...

    def hold(self, *, is_held: bool) -> None:
        """Leave the socket unread, or read on."""
        ...

    def abort(self) -> None:
        """Close at once: the handshake of a dead peer would be waited for."""
        ...

    async def gone(self) -> None:
        """Return once the connection is closed."""
        ...


class Ear(Protocol):
    """Who is told what arrives. May not raise."""

    def connected(self, line: Line) -> None:
        """The handshake is done. Said first."""
        ...

    def frame(self, data: bytes) -> None:
        """A whole message."""
        ...

    def batch_ended(self) -> None:
        """All frames of one read from the socket are handled, pings and pongs included."""
        ...

    def ended(self, reason: str) -> None:
        """The connection is gone. Said last."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Whom to dial, and how."""

    url: str
    headers: Mapping[str, str]
    frame_bytes_max: int
    timeout_s: float


Dial: TypeAlias = Callable[[Call, Ear], Awaitable[None]]
"""Connects and returns, having told the ear; raises ``DialFailed`` or ``OSError``."""


def fastest() -> Dial:
    """The best way there is on this machine."""
    try:
        from bot.adapters.kalshi.dial_picows import dial  # noqa: PLC0415 - it may not be installed
    except ImportError:
        from bot.adapters.kalshi.dial_websockets import dial  # noqa: PLC0415 - not needed otherwise
    return dial


def refused(status: int) -> DialFailed:
    """The answer to the handshake was no."""
    if status in _UNAUTHORIZED:
        return DialFailed(
            f"the exchange refuses our API key (HTTP {status}): check "
            "KALSHI_API_KEY_ID, its private key and KALSHI_ENVIRONMENT"
        )
    return DialFailed(f"handshake refused: HTTP {status}")


def goodbye(code: int | None, text: str) -> str:
    """Why a connection ended, from its close frame, if there was one."""
    if code is None:
        return "connection lost"
    return f"closed by the exchange: {code} {text}".rstrip()
