"""The gate every order passes: open only while the last good renewal still covers it.

Synchronous and without I/O, so that it can be asked immediately before a send.
It compares three clocks, and whichever says *later* is believed: the monotonic one
stands still while the machine sleeps, the boot-time one does not but may not exist
or be that of another machine after a migration, the wall clock may be set back.
"""

from dataclasses import dataclass

from bot.domain.ids import Epoch
from bot.kit.clock import Clock
from bot.leadership.lease import LeaseTerms, may_act


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """All clocks at once."""

    monotonic_us: int
    boottime_us: int
    wall_us: int

    @staticmethod
    def of(clock: Clock) -> "Moment":
        """Now."""
        return Moment(
            monotonic_us=clock.monotonic_us(),
            boottime_us=clock.boottime_us(),
            wall_us=clock.now_us(),
        )

    def elapsed_us(self, clock: Clock) -> int:
        """The longest of the three times since then."""
        return max(
            clock.monotonic_us() - self.monotonic_us,
            clock.boottime_us() - self.boottime_us,
            clock.now_us() - self.wall_us,
        )


class LeaderGate:
    """Answers for the whole bot whether this process may send orders now."""

    def __init__(self, terms: LeaseTerms, clock: Clock) -> None:
        self._terms = terms
        self._clock = clock
        self._epoch: Epoch | None = None
        self._renewed: Moment | None = None
        self._is_leading = False

    @property
    def epoch(self) -> Epoch | None:
        """The epoch every write of ours carries; ``None`` without the lease."""
        return self._epoch

    def may_trade(self) -> bool:
        """Whether an order may be sent now: leading, and the lease certainly still ours."""
        return self._is_leading and self.is_held()

    def is_held(self) -> bool:
        """Whether the lease is certainly ours, also while activating or draining."""
        if self._renewed is None:
            return False
        return may_act(self._renewed.elapsed_us(self._clock), self._terms.gate_us)

    def since_renewal_us(self) -> int:
        """How old the last good renewal is, from its sending; 0 without the lease."""
        return 0 if self._renewed is None else self._renewed.elapsed_us(self._clock)

    def hold(self, epoch: Epoch, sent: Moment) -> None:
        """A lease was won or renewed by a statement sent at ``sent``."""
        self._epoch = epoch
        self._renewed = sent

    def open(self) -> None:
        """Activation is complete."""
        self._is_leading = self._epoch is not None

    def shut(self) -> None:
        """No more orders under this epoch; the lease stays."""
        self._is_leading = False

    def clear(self) -> None:
        """The lease is gone."""
        self._is_leading = False
        self._epoch = None
        self._renewed = None
