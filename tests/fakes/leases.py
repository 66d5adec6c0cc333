"""The leadership tables in memory, one per database, shared by every instance of a test."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from bot.domain.errors import ActivationRefused, StorageUnavailable
from bot.domain.ids import Epoch, InstanceId, Scope
from bot.domain.leadership import (
    ALIVE_US,
    OPERATOR,
    Acquisition,
    Candidate,
    InstanceRow,
    InstanceState,
    LeaseRow,
    Predecessor,
    Reading,
    Renewal,
    Roster,
    next_epoch,
)
from bot.kit.clock import Clock

_FREE = LeaseRow(
    epoch=Epoch(0),
    holder=None,
    generation=0,
    renew_seq=0,
    acquired_us=None,
    renewed_us=None,
    expires_us=0,
    clean_release=True,
    stood_down=False,
)


class MemoryLeases:
    """Rows and the rules that triggers keep in the real databases."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.deployments: dict[tuple[Scope, str], int] = {}
        self.rows: dict[InstanceId, InstanceRow] = {}
        self.leases: dict[Scope, LeaseRow] = {}
        self.listeners: list[Callable[[], None]] = []
        self.is_mute = False
        """Hints get lost; polling must do."""

    def change(self, instance_id: InstanceId, **values: object) -> None:
        self.rows[instance_id] = replace(self.rows[instance_id], **values)

    def active(self, scope: Scope) -> InstanceRow | None:
        wanted = [row for row in self.rows.values() if row.scope == scope and row.is_active]
        assert len(wanted) <= 1
        return wanted[0] if wanted else None

    def type_active(self, instance_id: InstanceId, is_active: bool) -> None:
        """A person's UPDATE of one row."""
        row, now_us = self.rows[instance_id], self.clock.now_us()
        if row.is_active == is_active:
            return
        if not is_active:
            self.change(instance_id, is_active=False, decided_by=OPERATOR)
            lease = self.leases[row.scope]
            if lease.holder == instance_id:
                lease = replace(lease, expires_us=min(lease.expires_us, now_us))
            self.leases[row.scope] = replace(lease, stood_down=True)
        else:
            if row.stopped_us is not None or row.heartbeat_us < now_us - ALIVE_US:
                raise ActivationRefused(f"activation refused: {instance_id} is not alive")
            newest = max(
                rank for (scope, _), rank in self.deployments.items() if scope == row.scope
            )
            self.want(row.scope, instance_id)
            self.change(instance_id, decided_by=OPERATOR, generation=newest)
        self.notify()

    def want(self, scope: Scope, me: InstanceId) -> None:
        active = self.active(scope)
        if active is not None:
            self.change(active.instance_id, is_active=False, decided_by=me)
        self.change(me, is_active=True, decided_by=me)
        self.leases[scope] = replace(self.leases[scope], stood_down=False)
        self.notify()

    def notify(self) -> None:
        for wake in [] if self.is_mute else self.listeners:
            wake()


class MemoryLeaseStore:
    """One process's connection to :class:`MemoryLeases`, which can be cut."""

    def __init__(self, tables: MemoryLeases) -> None:
        self.tables = tables
        self.is_cut = False
        """Statements hang, as against a network that drops everything."""
        self.is_refused = False
        """Statements fail at once, as against a server that is down."""
        self.reads = 0

    async def register(self, candidate: Candidate) -> InstanceRow:
        await self._reach()
        tables, key = self.tables, (candidate.scope, candidate.deployment_id)
        generation = tables.deployments.setdefault(key, len(tables.deployments) + 1)
        tables.leases.setdefault(candidate.scope, _FREE)
        now_us = tables.clock.now_us()
        row = InstanceRow(
            instance_id=candidate.instance_id,
            scope=candidate.scope,
            deployment_id=candidate.deployment_id,
            generation=generation,
            replica_id=candidate.replica_id,
            host=candidate.host,
            pid=candidate.pid,
            code_version=candidate.code_version,
            state=InstanceState.STANDBY,
            is_active=False,
            decided_by=candidate.instance_id,
            epoch=None,
            started_us=now_us,
            heartbeat_us=now_us,
            stopped_us=None,
            stop_reason=None,
        )
        return tables.rows.setdefault(candidate.instance_id, row)

    async def read(self, scope: Scope, me: InstanceId) -> Reading:
        self.reads += 1
        await self._reach()
        tables = self.tables
        if me in tables.rows:
            tables.change(me, heartbeat_us=tables.clock.now_us())
        return Reading(
            lease=tables.leases[scope],
            me=tables.rows.get(me),
            active=tables.active(scope),
            database_now_us=tables.clock.now_us(),
        )

    async def claim(self, scope: Scope, me: InstanceId, instead_of: InstanceId | None) -> bool:
        await self._reach()
        active = self.tables.active(scope)
        if (active.instance_id if active else None) != instead_of:
            return False
        if self.tables.rows[me].stopped_us is not None:
            return False
        self.tables.want(scope, me)
        return True

    async def acquire(
        self, scope: Scope, me: InstanceId, seen: LeaseRow, lease_us: int
    ) -> Acquisition | None:
        await self._reach()
        tables, now_us = self.tables, self.tables.clock.now_us()
        lease, row = tables.leases[scope], tables.rows.get(me)
        key = (seen.epoch, seen.renew_seq, seen.holder)
        if row is None or not row.is_active or (lease.epoch, lease.renew_seq, lease.holder) != key:
            return None
        predecessor = next(
            (
                Predecessor(instance_id=one.instance_id, end=one.stop_reason)
                for one in tables.rows.values()
                if one.scope == scope and one.epoch == lease.epoch
            ),
            None,
        )
        epoch = next_epoch(lease.epoch, now_us)
        tables.leases[scope] = LeaseRow(
            epoch=epoch,
            holder=me,
            generation=row.generation,
            renew_seq=lease.renew_seq + 1,
            acquired_us=now_us,
            renewed_us=now_us,
            expires_us=now_us + lease_us,
            clean_release=False,
            stood_down=False,
        )
        tables.change(me, epoch=epoch, state=InstanceState.ACTIVATING, heartbeat_us=now_us)
        tables.notify()
        return Acquisition(
            epoch=epoch, previous=lease, database_now_us=now_us, predecessor=predecessor
        )

    async def renew(self, scope: Scope, me: InstanceId, epoch: Epoch, lease_us: int) -> Renewal:
        await self._reach()
        tables, now_us = self.tables, self.tables.clock.now_us()
        lease, row, active = tables.leases[scope], tables.rows.get(me), tables.active(scope)
        is_holder = lease.holder == me and lease.epoch == epoch
        is_kept = is_holder and lease.expires_us > now_us
        if row is not None:
            tables.change(me, heartbeat_us=now_us)
        if is_kept:
            tables.leases[scope] = replace(
                lease,
                renew_seq=lease.renew_seq + 1,
                renewed_us=now_us,
                expires_us=now_us + lease_us,
            )
        return Renewal(
            is_kept=is_kept,
            is_holder=is_holder,
            is_active=row is not None and row.is_active,
            active_id=active.instance_id if active else None,
        )

    async def release(
        self, scope: Scope, me: InstanceId, epoch: Epoch, *, is_clean: bool, is_leaving: bool
    ) -> bool:
        await self._reach()
        tables, now_us = self.tables, self.tables.clock.now_us()
        if me in tables.rows:
            tables.change(me, state=InstanceState.RELEASED, heartbeat_us=now_us)
        if is_leaving:
            self._unwant(me)
        lease = tables.leases[scope]
        if lease.holder != me or lease.epoch != epoch:
            return False
        tables.leases[scope] = replace(
            lease, holder=None, expires_us=now_us, clean_release=is_clean
        )
        tables.notify()
        return True

    async def mark(self, me: InstanceId, state: InstanceState) -> None:
        await self._reach()
        if me in self.tables.rows:
            self.tables.change(me, state=state, heartbeat_us=self.tables.clock.now_us())

    async def retire(self, me: InstanceId, reason: str) -> None:
        await self._reach()
        if me not in self.tables.rows:
            return
        self._unwant(me)
        stopped_us = self.tables.clock.now_us()
        self.tables.change(
            me, state=InstanceState.STOPPED, stopped_us=stopped_us, stop_reason=reason
        )

    async def bury(self, scope: Scope, dead: InstanceId, reason: str) -> bool:
        await self._reach()
        tables, now_us = self.tables, self.tables.clock.now_us()
        self._unwant(dead)
        row = tables.rows.get(dead)
        if row is not None and row.stopped_us is None:
            tables.change(dead, state=InstanceState.STOPPED, stopped_us=now_us, stop_reason=reason)
        lease = tables.leases[scope]
        if lease.holder != dead:
            return False
        expires_us = min(lease.expires_us, now_us)
        tables.leases[scope] = replace(
            lease, holder=None, expires_us=expires_us, clean_release=False
        )
        tables.notify()
        return True

    async def hear(self, scope: Scope, wake: Callable[[], None]) -> None:
        self.tables.listeners.append(wake)
        try:
            await asyncio.Event().wait()
        finally:
            self.tables.listeners.remove(wake)

    async def roster(self, scope: Scope, limit: int) -> Roster:
        now_us = self.tables.clock.now_us()
        rows = [row for row in self.tables.rows.values() if row.scope == scope]
        roster = Roster(
            rows=tuple(rows), lease=self.tables.leases.get(scope), database_now_us=now_us
        )
        rows.sort(
            key=lambda row: (roster.is_alive(row), row.started_us, row.instance_id), reverse=True
        )
        return replace(roster, rows=tuple(rows[:limit]))

    async def last_led(self, scope: Scope) -> Roster:
        roster = await self.roster(scope, len(self.tables.rows))
        led = [row for row in roster.rows if row.epoch is not None]
        led.sort(key=lambda row: row.epoch or 0, reverse=True)
        return replace(roster, rows=tuple(led[:1]))

    async def activate(self, instance_id: InstanceId) -> None:
        if instance_id not in self.tables.rows:
            raise ActivationRefused(f"activation refused: no instance {instance_id}")
        self.tables.type_active(instance_id, True)

    async def deactivate_all(self, scope: Scope | None) -> list[InstanceId]:
        wanted = [
            row.instance_id
            for row in self.tables.rows.values()
            if row.is_active and scope in (None, row.scope)
        ]
        for instance_id in wanted:
            self.tables.type_active(instance_id, False)
        return wanted

    def _unwant(self, me: InstanceId) -> None:
        if me in self.tables.rows and self.tables.rows[me].is_active:
            self.tables.change(me, is_active=False, decided_by=me)
            self.tables.notify()

    async def _reach(self) -> None:
        if self.is_refused:
            raise StorageUnavailable("connection refused")
        if self.is_cut:
            await asyncio.Event().wait()
