"""How often one kind of alert may interrupt a person. Pure.

The first one goes out at once. Repeats within the window are gathered and go
out as one message at its end: fewer interruptions, and nothing is left untold.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from bot.domain.alerts import AlertKind
from bot.kit.times import MINUTE_US

WINDOW_US = 5 * MINUTE_US
_GATHERED_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """Repeats of one kind. ``texts`` holds the first of them, ``count`` all."""

    kind: AlertKind
    texts: tuple[str, ...]
    count: int


@dataclass(slots=True)
class _Window:
    opened_us: int
    texts: list[str] = field(default_factory=list)
    count: int = 0


class Throttle:
    """One open window for each kind that was told lately."""

    def __init__(self, window_us: int = WINDOW_US) -> None:
        if window_us < 0:
            raise ValueError("window_us: must not be negative; 0 turns the limit off")
        self._window_us = window_us
        self._windows: dict[AlertKind, _Window] = {}

    def admits(self, kind: AlertKind, text: str, now_us: int) -> bool:
        """Whether to tell it now; otherwise it is kept for the window's digest."""
        window = self._windows.get(kind)
        if window is None or (self._is_over(window, now_us) and not window.count):
            self._windows[kind] = _Window(opened_us=now_us)
            return True
        # A window that is over but whose digest is not out yet is joined: order is kept.
        window.count += 1
        if len(window.texts) < _GATHERED_MAX:
            window.texts.append(text)
        return False

    def due(self, now_us: int) -> Iterator[Digest]:
        """Take the digests whose window is over. A digest opens the next window."""
        for kind, window in list(self._windows.items()):
            if not self._is_over(window, now_us):
                continue
            if window.count:
                self._windows[kind] = _Window(opened_us=now_us)
                yield Digest(kind=kind, texts=tuple(window.texts), count=window.count)
            else:
                del self._windows[kind]

    def rest(self) -> Iterator[Digest]:
        """Take every digest, however young: the process ends."""
        windows, self._windows = self._windows, {}
        for kind, window in windows.items():
            if window.count:
                yield Digest(kind=kind, texts=tuple(window.texts), count=window.count)

    def _is_over(self, window: _Window, now_us: int) -> bool:
        # A wall clock that was set back must not hold alerts for ever.
        return not 0 <= now_us - window.opened_us < self._window_us
