"""What keeps two leaders from trading, each of which a run may go without.

Nothing of the bot is patched: a defence is left out by the parts a run is built
from - other terms, a weaker store, a gate with one clock, a lease given up early.
"""

from dataclasses import dataclass, fields, replace
from enum import StrEnum

from bot.domain.ids import Epoch, InstanceId, Scope
from bot.domain.leadership import Acquisition, Candidate, InstanceRow, LeaseRow, Reading
from bot.domain.orders import Purpose
from bot.engine.groups import OrderGroups
from bot.kit.clock import Clock
from bot.leadership.elector import Elector
from bot.leadership.gate import LeaderGate, Moment
from bot.leadership.lease import LeaseTerms
from tests.fakes.leases import MemoryLeases, MemoryLeaseStore


class Defence(StrEnum):
    """One thing that a run can do without."""

    GATE_DEADLINE = "the gate shuts gate_s after the last renewal"
    GATE_AT_SEND = "the gate is asked again between the commit and the send"
    GATE_CLOCKS = "the gate believes whichever clock says later"
    SENT_TIME = "a renewal counts from when it was sent, not answered"
    STOP = "a leader without renewal demotes itself after stop_s"
    WATCHDOG = "a thread ends the process after watchdog_s"
    STATEMENT_LIMIT = "a lease statement is given up after database_timeout_s"
    ORDER_LIMIT = "an order call is given up after order_timeout_s"
    DATABASE_FENCE = "the database refuses a stale epoch"
    VENUE_FENCE = "a successor triggers the older epochs' entry groups"
    OWN_EXITS = "only exits of the leadership that released are adopted"
    OWN_OBSERVATION = "death is what was watched, not the age of a row"
    SEEN_ROW = "the lease is taken only as it was seen"
    DRAIN_FIRST = "the lease is released after the drain"
    GENERATIONS = "an older deployment never replaces a newer one"
    EPOCH_BY_TIME = "a new epoch is never below the time"
    RESTORED_SAFE = "a restored database names no holder and is halted"
    UNKNOWN_IS_A_STATE = "an order whose answer was lost is not sent again"
    COMMIT_FIRST = "an intent is durable before its order leaves"
    HALT_IN_DATABASE = "the database refuses an entry while halted"
    RECONCILED = "a new leader loads what was stored before it trades"


Removed = frozenset[Defence]
NOTHING: Removed = frozenset()
_NEVER_US = 3_600_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class WeakTerms(LeaseTerms):
    """Terms that break the inequalities."""

    def __post_init__(self) -> None:
        """Anything goes."""


def terms_without(removed: Removed) -> LeaseTerms:
    """The lease's terms, less what is removed."""
    good = LeaseTerms()
    weak = {
        Defence.STOP: "stop_us",
        Defence.STATEMENT_LIMIT: "database_timeout_us",
        Defence.ORDER_LIMIT: "order_timeout_us",
    }
    changes = {name: _NEVER_US for defence, name in weak.items() if defence in removed}
    if not changes:
        return good
    return WeakTerms(**{one.name: getattr(good, one.name) for one in fields(good)} | changes)


class WeakGate(LeaderGate):
    """Open for as long as the lease is not given up, or fresh from the answer on."""

    def __init__(self, terms: LeaseTerms, clock: Clock, removed: Removed) -> None:
        clock = OneClock(clock) if Defence.GATE_CLOCKS in removed else clock
        super().__init__(terms, clock)
        self._own_clock = clock
        self._removed = removed

    def is_held(self) -> bool:
        if Defence.GATE_DEADLINE in self._removed:
            return self._renewed is not None
        return super().is_held()

    def hold(self, epoch: Epoch, sent: Moment) -> None:
        if Defence.SENT_TIME in self._removed:
            sent = Moment.of(self._own_clock)
        super().hold(epoch, sent)


class OneClock:
    """Every time from the monotonic clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._base_us = clock.now_us() - clock.monotonic_us()

    def now_us(self) -> int:
        return self._base_us + self._clock.monotonic_us()

    def monotonic_us(self) -> int:
        return self._clock.monotonic_us()

    def boottime_us(self) -> int:
        return self._clock.monotonic_us()


class EarlyGate:
    """Answers as it was when the intent was handed to the database."""

    def __init__(self, gate: LeaderGate) -> None:
        self._gate = gate
        self._answer = False

    def ask(self) -> None:
        self._answer = self._gate.may_trade()

    def may_trade(self) -> bool:
        return self._answer


class ReleasesFirst(Elector):
    """Gives the lease away before the orders in the air have ended."""

    async def drain(self) -> None:
        await super().drain()
        await self.release(is_clean=True, is_leaving=False)


class LeavesGroups(OrderGroups):
    """Takes over without a word to the exchange."""

    async def fence_predecessors(self, *, clean: Epoch | None) -> int:
        return 0


class AdoptsAnything(OrderGroups):
    """Takes any exit group for wanted once the last leadership released properly."""

    async def fence_predecessors(self, *, clean: Epoch | None) -> int:
        triggered = 0
        for group in await self._store.open_groups():
            if clean is not None and group.purpose is Purpose.TAKE_PROFIT:
                self._groups[group.purpose, group.exchange_index] = group.order_group_id
            elif group.epoch < self._epoch:
                await self.trigger(group.order_group_id)
                triggered += 1
        return triggered


def groups_without(removed: Removed) -> type[OrderGroups]:
    """The order groups of one leadership."""
    if Defence.VENUE_FENCE in removed:
        return LeavesGroups
    return AdoptsAnything if Defence.OWN_EXITS in removed else OrderGroups


class WeakLeaseStore(MemoryLeaseStore):
    """The server's side of the lease statements, less what is removed."""

    def __init__(self, tables: MemoryLeases, removed: Removed) -> None:
        super().__init__(tables)
        self._removed = removed

    async def register(self, candidate: Candidate) -> InstanceRow:
        if Defence.GENERATIONS in self._removed:
            candidate = replace(candidate, deployment_id=candidate.instance_id)
        return await super().register(candidate)

    async def read(self, scope: Scope, me: InstanceId) -> Reading:
        reading = await super().read(scope, me)
        lease, active = reading.lease, reading.active
        is_old = lease.holder is not None and lease.expires_us <= reading.database_now_us
        if Defence.OWN_OBSERVATION not in self._removed or not is_old:
            return reading
        is_other = active is not None and active.instance_id != me
        return replace(
            reading, lease=replace(lease, holder=None), active=None if is_other else active
        )

    async def claim(self, scope: Scope, me: InstanceId, instead_of: InstanceId | None) -> bool:
        active = self.tables.active(scope)
        if Defence.OWN_OBSERVATION in self._removed and active is not None:
            instead_of = active.instance_id
        return await super().claim(scope, me, instead_of)

    async def acquire(
        self, scope: Scope, me: InstanceId, seen: LeaseRow, lease_us: int
    ) -> Acquisition | None:
        before = self.tables.leases[scope]
        is_believed = {Defence.SEEN_ROW, Defence.OWN_OBSERVATION} & self._removed
        won = await super().acquire(scope, me, before if is_believed else seen, lease_us)
        if won is None or Defence.EPOCH_BY_TIME not in self._removed:
            return won
        epoch = Epoch(before.epoch + 1)
        self.tables.leases[scope] = replace(self.tables.leases[scope], epoch=epoch)
        self.tables.change(me, epoch=epoch)
        return replace(won, epoch=epoch)
