"""When a job is due, as arithmetic.

A slot is a fixed moment, the same for every process and after every restart,
because its number is what makes a job run once across a fail-over. A period is
therefore aligned to the epoch, not to when somebody started.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.kit.times import to_datetime

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Every:
    """Each multiple of ``period_us`` since the Unix epoch, plus ``offset_us``."""

    period_us: int
    offset_us: int = 0

    def __post_init__(self) -> None:
        if self.period_us <= 0:
            raise ValueError(f"period_us: must be above 0, not {self.period_us}")
        if not 0 <= self.offset_us < self.period_us:
            raise ValueError(
                f"offset_us: must be at least 0 and below the period, {self.period_us}"
            )

    def last(self, at_us: int) -> int:
        """The latest slot that is not after ``at_us``."""
        return at_us - (at_us - self.offset_us) % self.period_us

    def following(self, at_us: int) -> int:
        """The earliest slot after ``at_us``."""
        return self.last(at_us) + self.period_us


@dataclass(frozen=True, slots=True)
class Daily:
    """Once a day at a wall-clock time of a zone.

    A time that the spring change skips is due when it would have been without
    the change; one that the autumn change repeats is due the first time.
    """

    hour: int
    minute: int = 0
    zone: str = "UTC"

    def __post_init__(self) -> None:
        if not (0 <= self.hour < 24 and 0 <= self.minute < 60):  # noqa: PLR2004 - a clock's face
            raise ValueError(f"{self.hour}:{self.minute:02d} is no time of day")
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError) as fault:
            raise ValueError(
                f"zone: {self.zone!r} is unknown; use e.g. America/New_York"
            ) from fault

    def last(self, at_us: int) -> int:
        """The latest slot that is not after ``at_us``."""
        return max(slot for slot in self._around(at_us) if slot <= at_us)

    def following(self, at_us: int) -> int:
        """The earliest slot after ``at_us``."""
        return min(slot for slot in self._around(at_us) if slot > at_us)

    def _around(self, at_us: int) -> list[int]:
        today = to_datetime(at_us).astimezone(ZoneInfo(self.zone)).date()
        return [self._on(today + timedelta(days=offset)) for offset in (-1, 0, 1)]

    def _on(self, day: date) -> int:
        local = datetime.combine(day, time(self.hour, self.minute), ZoneInfo(self.zone))
        return (local - _EPOCH) // timedelta(microseconds=1)


Trigger: TypeAlias = Every | Daily
