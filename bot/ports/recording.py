"""Keeping raw conversations, so that they can be looked at and lived through again.

Nothing here waits and nothing raises: what cannot be kept is lost and counted,
and trading goes on.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, TypeAlias

from bot.kit.frames import Item, Told

Late: TypeAlias = Callable[[], Iterable[Told]]
"""Something to keep whose wording can wait for the writer."""


class Tape(Protocol):
    """One conversation being kept, from its first word to its last."""

    keep: Callable[[Item | Late], None]
    """Keeps a stamp, a frame heard at the last stamp, or something else; in this order."""

    def wants_turn(self, now_us: int) -> bool:
        """Whether a new file is to begin, which must be readable without the last one."""
        ...

    def turn(self, now_us: int, facts: Mapping[str, object]) -> None:
        """Begin one. ``facts`` are plain values: what the conversation has come to so far."""
        ...

    def end(self, now_us: int, reason: str) -> None:
        """The last word."""
        ...


class TapeMaker(Protocol):
    """Whoever keeps conversations."""

    def tape(self) -> Tape:
        """For a new conversation. Its first word must be a turn."""
        ...
