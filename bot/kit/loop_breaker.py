"""A breaker for a loop that asks somebody who does not answer: stop asking, then try once.

After ``threshold`` failures in a row it is open, and nothing is tried for ``cooldown_us``.
Then it is half open: the next try decides. A success closes it, a failure opens it for
another cool-down. The caller does the waiting; times are monotonic microseconds.
"""

from dataclasses import dataclass
from enum import StrEnum


class BreakerState(StrEnum):
    """What may be tried now."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(slots=True)
class LoopBreaker:
    """The failures in a row of one loop, and until when it is to rest."""

    threshold: int
    cooldown_us: int
    failures: int = 0
    """In a row, up to now."""
    openings: int = 0
    """How often it opened, since the start."""
    _rests_until_us: int = 0

    def __post_init__(self) -> None:
        if self.threshold < 1 or self.cooldown_us < 0:
            raise ValueError("a loop breaker needs a threshold of at least 1 and a cool-down")

    def state(self, now_us: int) -> BreakerState:
        """Closed, open while it rests, half open once it has rested."""
        if self.failures < self.threshold:
            return BreakerState.CLOSED
        return BreakerState.OPEN if self.rest_us(now_us) else BreakerState.HALF_OPEN

    def rest_us(self, now_us: int) -> int:
        """How long nothing should be tried; 0 when a try is due."""
        if self.failures < self.threshold:
            return 0
        return max(0, self._rests_until_us - now_us)

    def failed(self, now_us: int) -> bool:
        """Count a failure; whether it opened the breaker (again)."""
        self.failures += 1
        if self.failures < self.threshold:
            return False
        self.openings += 1
        self._rests_until_us = now_us + self.cooldown_us
        return True

    def succeeded(self) -> bool:
        """Count a success; whether it closed a breaker that was not closed."""
        was_closed = self.failures < self.threshold
        self.failures = 0
        return not was_closed
