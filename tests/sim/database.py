"""One database: lease rows, the trading store behind the fence, and what an observer sees."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from bot.domain.errors import NotLeader
from bot.domain.ids import Epoch, InstanceId, Scope
from bot.domain.leadership import (
    Acquisition,
    InstanceRow,
    InstanceState,
    LeaseRow,
    Reading,
    Renewal,
)
from bot.domain.orders import OrderIntent, OrderStatus, Purpose
from bot.domain.records import HaltRecord, OrderRecord, Record, StoredState
from bot.kit.times import SECOND_US
from bot.leadership.lease import LeaseTerms
from bot.ports.messages import AuditEntry, OutgoingMessage
from tests.fakes.leases import MemoryLeases
from tests.fakes.trading import MemoryTradingStore
from tests.sim.defences import Defence, Removed, WeakLeaseStore
from tests.sim.world import World
from tests.support.trading import START_US

SCOPE = Scope("paper:main:0")


class DatabaseClock:
    """The server's own idea of the time."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.step_us = 0

    def now_us(self) -> int:
        return START_US + self._world.now_us + self.step_us

    def monotonic_us(self) -> int:
        return self._world.now_us


@dataclass(frozen=True, slots=True)
class Won:
    """A lease that was won, as the database saw it."""

    at_us: int
    epoch: Epoch
    instance_id: InstanceId
    generation: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """One instance became the wanted one in place of another."""

    by: InstanceId
    instead_of: InstanceId
    silent_us: int
    """For how long, in true time, the other had not been heard of when it was decided.

    It may be heard again while the statement is on its way.
    """


@dataclass(frozen=True, slots=True)
class HaltChange:
    """A halt or its end became durable."""

    at_us: int
    halted: bool
    by: str
    reason: str


class Database:
    """Everything that survives a process."""

    def __init__(self, world: World, removed: Removed) -> None:
        self._world = world
        self._removed = removed
        self.clock = DatabaseClock(world)
        self.leases = MemoryLeases(self.clock)
        self.trading = FencedStore(world, self.leases, removed)
        self.won: list[Won] = []
        self.claimed: list[Claimed] = []
        self.heard: dict[InstanceId, int] = {}
        """When each instance's last heartbeat arrived, in true time."""
        self.looked: dict[InstanceId, tuple[int, int]] = {}
        """When each instance last looked, and for how long the wanted one was silent then."""
        self._backup: tuple[object, ...] | None = None

    def silent_us(self, other: InstanceRow | None) -> int:
        """For how long nothing was heard of it."""
        heard_us = self.heard.get(other.instance_id, 0) if other is not None else 0
        return self._world.now_us - heard_us

    def lease_store(self) -> "ObservedLeaseStore":
        """The server's side of one connection."""
        return ObservedLeaseStore(self._world, self, self._removed)

    @property
    def lease(self) -> LeaseRow | None:
        """The lease row, once there is one."""
        return self.leases.leases.get(SCOPE)

    def back_up(self) -> None:
        """Keep a copy, as every night."""
        leases, trading = self.leases, self.trading
        kept = (leases.deployments, leases.rows, leases.leases)
        stored = (trading.tables.copy(), dict(trading.groups), trading.stored_halt)
        self._backup = (*(copy.copy(one) for one in kept), *stored)

    def restore(self) -> bool:
        """Put the copy back, and make it safe as every restore does."""
        if self._backup is None:
            return False
        leases, trading = self.leases, self.trading
        deployments, rows, lease_rows, tables, groups, halt = self._backup
        leases.deployments, leases.rows = dict(deployments), dict(rows)  # type: ignore[call-overload]
        leases.leases = dict(lease_rows)  # type: ignore[call-overload]
        trading.tables, trading.groups = tables.copy(), dict(groups)  # type: ignore[attr-defined, call-overload]
        trading.stored_halt = halt  # type: ignore[assignment]
        if Defence.RESTORED_SAFE not in self._removed:
            self._make_safe()
        return True

    def _make_safe(self) -> None:
        now_us = self.clock.now_us()
        for name in self.leases.rows:
            self.leases.change(
                name,
                is_active=False,
                decided_by="restore",
                stopped_us=now_us,
                state=InstanceState.STOPPED,
            )
        for scope, lease in self.leases.leases.items():
            self.leases.leases[scope] = replace(
                lease,
                holder=None,
                expires_us=0,
                clean_release=False,
                stood_down=False,
                renew_seq=lease.renew_seq + 1,
                epoch=Epoch(max(lease.epoch + 1, now_us // SECOND_US)),
            )
        self.trading.set_halt(
            HaltRecord(halted=True, reason="restored", set_by="restore", changed_us=now_us)
        )


class ObservedLeaseStore(WeakLeaseStore):
    """Writes down who was heard of, who replaced whom, and who won."""

    def __init__(self, world: World, database: Database, removed: Removed) -> None:
        super().__init__(database.leases, removed)
        self._world = world
        self._database = database

    async def read(self, scope: Scope, me: InstanceId) -> Reading:
        self._database.heard[me] = self._world.now_us
        reading = await super().read(scope, me)
        self._database.looked[me] = (self._world.now_us, self._database.silent_us(reading.active))
        return reading

    async def renew(self, scope: Scope, me: InstanceId, epoch: Epoch, lease_us: int) -> Renewal:
        self._database.heard[me] = self._world.now_us
        return await super().renew(scope, me, epoch, lease_us)

    async def claim(self, scope: Scope, me: InstanceId, instead_of: InstanceId | None) -> bool:
        before = self.tables.active(scope)
        is_done = await super().claim(scope, me, instead_of)
        if is_done and before is not None:
            looked_us, silent_us = self._database.looked.get(me, (0, 0))
            if self._world.now_us - looked_us > LeaseTerms().database_timeout_us:
                silent_us = self._database.silent_us(before)
            self._database.claimed.append(Claimed(me, before.instance_id, silent_us))
        return is_done

    async def acquire(
        self, scope: Scope, me: InstanceId, seen: LeaseRow, lease_us: int
    ) -> Acquisition | None:
        found = await super().acquire(scope, me, seen, lease_us)
        if found is not None:
            generation = self.tables.rows[me].generation
            self._database.won.append(Won(self._world.now_us, found.epoch, me, generation))
        return found


class FencedStore(MemoryTradingStore):
    """The trading store behind the triggers of the real one."""

    def __init__(self, world: World, leases: MemoryLeases, removed: Removed) -> None:
        super().__init__(None)
        self._world = world
        self._leases = leases
        self._removed = removed
        self.entries: list[tuple[int, OrderIntent]] = []
        """When the intent of each entry became durable."""
        self.halts: list[HaltChange] = []
        self.stale_commits: list[str] = []
        self.blind_unhalts: list[str] = []

    def set_halt(self, record: HaltRecord) -> None:
        """A person's statement, or a restore's."""
        self.stored_halt = record
        self.halts.append(
            HaltChange(self._world.now_us, record.halted, record.set_by, record.reason)
        )

    async def save_halt(
        self, halt: HaltRecord, act: AuditEntry | None = None, *, ends: HaltRecord | None = None
    ) -> HaltRecord:
        before = self.stored_halt
        stored = await super().save_halt(halt, act, ends=ends)
        if stored is halt and halt != before:
            if ends is not None and before is not None and ends != before:
                self.blind_unhalts.append(f"{halt.set_by} ended the halt of {before.set_by} unseen")
            self.set_halt(halt)
        return stored

    async def load(self, now_us: int) -> StoredState:
        state = await super().load(now_us)
        if Defence.RECONCILED in self._removed:
            return replace(state, brackets=(), orders=(), positions=(), recent_fills=())
        return state

    async def commit(
        self,
        epoch: Epoch,
        records: Sequence[Record],
        messages: Sequence[OutgoingMessage],
        now_us: int,
    ) -> None:
        await super().commit(epoch, records, messages, now_us)
        self.entries += [
            (self._world.now_us, one)
            for one in records
            if isinstance(one, OrderIntent) and one.purpose is Purpose.ENTRY
        ]

    def _check(self, epoch: Epoch) -> None:
        lease = self._leases.leases[SCOPE]
        is_held = lease.holder is not None and lease.expires_us > self._leases.clock.now_us()
        if lease.epoch == epoch and is_held:
            return
        if Defence.DATABASE_FENCE not in self._removed:
            raise NotLeader(f"stale leader epoch {epoch}")
        self.stale_commits.append(f"epoch {epoch} wrote under {lease.epoch}")

    def _write(self, tables, epoch: Epoch, record: Record) -> None:
        if isinstance(record, OrderIntent) and Defence.HALT_IN_DATABASE in self._removed:
            tables.intents[record.client_order_id] = msgspec.structs.replace(record, epoch=epoch)
            tables.progress[record.client_order_id] = OrderRecord(
                client_order_id=record.client_order_id,
                status=OrderStatus.SUBMITTING,
                order_id=None,
                filled=record.quantity.__class__(0),
                reason="",
                updated_us=record.decided_us,
            )
            return
        super()._write(tables, epoch, record)
