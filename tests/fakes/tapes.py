"""Tapes in memory."""

from collections.abc import Callable, Mapping

from bot.kit.frames import Told


class MemoryTape:
    """Keeps everything in ``kept``: stamps, frames, what was told, and turns as dicts."""

    def __init__(self) -> None:
        self.kept: list[object] = []
        self.keep: Callable[[object], None] = self.kept.append
        self.is_hour_over = False
        self.ended = ""

    @property
    def frames(self) -> list[bytes]:
        return [one for one in self.kept if isinstance(one, bytes)]

    @property
    def told(self) -> list[Told]:
        return [one for one in self.kept if isinstance(one, Told)]

    @property
    def turns(self) -> list[Mapping[str, object]]:
        return [one for one in self.kept if isinstance(one, dict)]

    def wants_turn(self, now_us: int) -> bool:
        return self.is_hour_over or not self.turns

    def turn(self, now_us: int, facts: Mapping[str, object]) -> None:
        self.is_hour_over = False
        self.kept.append(dict(facts))

    def end(self, now_us: int, reason: str) -> None:
        self.ended = reason


class MemoryTapes:
    """Makes them."""

    def __init__(self) -> None:
        self.made: list[MemoryTape] = []

    def tape(self) -> MemoryTape:
        self.made.append(MemoryTape())
        return self.made[-1]
