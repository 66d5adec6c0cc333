"""May entries be sent, and if not, the first reason that would have to change."""

from dataclasses import dataclass

from bot.domain.events import Role
from bot.domain.ids import Epoch
from bot.domain.operations import StopKind, StopReason
from bot.domain.records import HaltRecord
from bot.risk.breakers import BreakerState, Rearm, breaker_named

_ROLE_WORDS = {
    Role.STANDBY: (StopKind.OFF, "this instance is standby", "the leader trades; ask it"),
    Role.ACTIVATING: (StopKind.ACTIVATING, "taking over", "wait for the account to be reconciled"),
    Role.DRAINING: (StopKind.DRAINING, "handing over", "the successor trades next"),
    Role.RELEASED: (StopKind.DRAINING, "the lead was handed over", "the successor trades next"),
}
_DOUBTED = StopReason(
    kind=StopKind.ACTIVATING,
    why="the database does not confirm the lead",
    remedy="wait for the database",
)

_WATCHES = StopReason(
    kind=StopKind.OFF,
    why="the account is only watched",
    remedy="set trading.read_only to false",
)


_SWITCHED_OFF = StopReason(
    kind=StopKind.OFF, why="every strategy is switched off", remedy="/strategy on"
)


@dataclass(slots=True)
class Stance:
    """Everything that can stand between a signal and an order, but for the order's own checks."""

    entries_on: bool
    is_read_only: bool = False
    are_strategies_off: bool = False
    """A person has switched every one off."""
    role: Role = Role.STANDBY
    epoch: Epoch = Epoch(0)  # noqa: RUF009 - NewType of a constant
    role_since_us: int = 0
    halt: HaltRecord | None = None
    """``None`` until the store has been read: not known counts as halted."""
    is_halt_saved: bool = True
    is_doubted: bool = False
    """The lead was not confirmed in time; it may come back within seconds, or be lost."""
    is_reconciled: bool = False
    is_exchange_active: bool = True
    is_trading_active: bool = True
    paused_since_us: int | None = None
    breakers: tuple[BreakerState, ...] = ()

    @property
    def is_paused(self) -> bool:
        """Whether the exchange itself does not trade."""
        return not (self.is_exchange_active and self.is_trading_active)

    @property
    def may_exit(self) -> bool:
        """Whether protective orders may be sent. A halt or a breaker never stops those."""
        is_able = self.is_reconciled and not self.is_paused and not self.is_read_only
        return self.role is Role.LEADING and is_able

    @property
    def may_enter(self) -> bool:
        """Whether entries may be sent."""
        return self.why_not_trading() is None

    def why_not_trading(self) -> StopReason | None:
        """The first reason, in the order in which they would have to change."""
        if self.is_read_only:
            return _WATCHES
        return (
            self._why_halted()
            or self._why_not_leading()
            or self._why_tripped()
            or self._why_paused()
            or self._why_off()
        )

    def _why_halted(self) -> StopReason | None:
        if self.halt is None:
            return StopReason(
                kind=StopKind.HALTED, why="the stored halt is not known yet", remedy="wait"
            )
        if not self.halt.halted:
            return None
        return StopReason(
            kind=StopKind.HALTED,
            why=self.halt.reason,
            remedy="/unhalt",
            since_us=self.halt.changed_us,
        )

    def _why_not_leading(self) -> StopReason | None:
        if self.role is Role.LEADING and self.is_reconciled:
            return _DOUBTED if self.is_doubted else None
        words = _ROLE_WORDS[Role.ACTIVATING if self.role is Role.LEADING else self.role]
        kind, why, remedy = words
        return StopReason(kind=kind, why=why, remedy=remedy, since_us=self.role_since_us)

    def _why_tripped(self) -> StopReason | None:
        tripped = next((state for state in self.breakers if state.is_tripped), None)
        if tripped is None:
            return None
        breaker = breaker_named(tripped.name)
        rearm = breaker.rearm if breaker is not None else Rearm.PERSON
        return StopReason(
            kind=StopKind.TRIPPED,
            name=tripped.name,
            why=tripped.reason,
            remedy=f"re-arms {rearm}; /reset_breaker {tripped.name}",
            since_us=tripped.changed_us,
        )

    def _why_paused(self) -> StopReason | None:
        if not self.is_paused:
            return None
        return StopReason(
            kind=StopKind.PAUSED,
            why="the exchange does not trade now",
            remedy="everything re-arms when it opens",
            since_us=self.paused_since_us,
        )

    def _why_off(self) -> StopReason | None:
        if self.entries_on:
            return _SWITCHED_OFF if self.are_strategies_off else None
        return StopReason(
            kind=StopKind.OFF, why="entries are off by configuration", remedy="turn them on there"
        )
