"""What is due when: a heap of timers, equal times in the order they were set.

A timer is never withdrawn. Whoever runs it checks that it still holds, because
closes move and orders go.
"""

import heapq
from dataclasses import dataclass
from enum import Enum, auto

from bot.domain.ids import MarketTicker, OrderId
from bot.venue.accounts import AccountId


class TimerKind(Enum):
    """What a timer is for."""

    OPEN = auto()
    CLOSE = auto()
    CLOSE_CANCEL = auto()
    EXPIRE = auto()
    SETTLE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    """One thing due. ``account`` and ``order_id`` are there for an expiry only."""

    due_us: int
    kind: TimerKind
    ticker: MarketTicker
    account: AccountId | None = None
    order_id: OrderId | None = None


class Timers:
    """All that is due."""

    __slots__ = ("_heap", "_sequence")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Timer]] = []
        self._sequence = 0

    def set(self, timer: Timer) -> None:
        """Add a timer."""
        self._sequence += 1
        heapq.heappush(self._heap, (timer.due_us, self._sequence, timer))

    def next_due_us(self) -> int | None:
        """When the first is due."""
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now_us: int) -> Timer | None:
        """The first that is due by now, once."""
        if not self._heap or self._heap[0][0] > now_us:
            return None
        return heapq.heappop(self._heap)[2]
