"""``LeaseStore`` and ``InstanceDesk`` on SQLite and PostgreSQL.

Times come from the database's clock alone, read when a statement runs and not
when its transaction began. Rows are always locked in the order instance, lease,
as the triggers on ``is_active`` do, so that a heartbeat and a typed statement
cannot wait for each other. Claims and acquisitions of a scope queue on one lock.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.adapters.storage import lease_sql as sql
from bot.adapters.storage.database import Database
from bot.adapters.storage.ddl_leadership import CHANNEL
from bot.adapters.storage.sql_terms import NOW_US
from bot.domain.errors import ActivationRefused
from bot.domain.ids import Epoch, InstanceId, Scope
from bot.domain.leadership import (
    ALIVE_US,
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


class SqlLeaseStore:
    """See :class:`bot.ports.leadership.LeaseStore` and ``InstanceDesk``."""

    def __init__(self, database: Database) -> None:
        self._database = database
        is_postgres = database.dialect == "postgresql"
        self._is_postgres = is_postgres
        self._words = {
            "@now": NOW_US[database.dialect],
            "@lock": " FOR UPDATE" if is_postgres else "",
            "@greatest": "GREATEST" if is_postgres else "MAX",
            "@least": "LEAST" if is_postgres else "MIN",
        }

    # --- LeaseStore ------------------------------------------------------------------------

    async def register(self, candidate: Candidate) -> InstanceRow:
        """See the port."""
        given = {
            "instance_id": candidate.instance_id,
            "scope": candidate.scope,
            "deployment_id": candidate.deployment_id,
            "replica_id": candidate.replica_id,
            "host": candidate.host,
            "pid": candidate.pid,
            "code_version": candidate.code_version,
        }
        async with self._database.begin() as connection:
            await self._queue(connection, candidate.scope)
            for statement, names in (
                (sql.RANK_DEPLOYMENT, ("scope", "deployment_id")),
                (sql.OPEN_SCOPE, ("scope",)),
                (sql.ADD_INSTANCE, tuple(given)),
            ):
                await self._run(connection, statement, {name: given[name] for name in names})
            found = await self._run(connection, sql.INSTANCE, {"me": candidate.instance_id})
            return _instance(found.mappings().one())

    async def read(self, scope: Scope, me: InstanceId) -> Reading:
        """See the port."""
        async with self._database.begin() as connection:
            await self._run(connection, sql.BEAT, {"me": me})
            lease = await self._lease(connection, scope)
            found = await self._run(connection, sql.CONCERNED, {"scope": scope, "me": me})
            rows = [_instance(row) for row in found.mappings()]
            return Reading(
                lease=_lease(lease),
                me=next((row for row in rows if row.instance_id == me), None),
                active=next((row for row in rows if row.is_active), None),
                database_now_us=lease["now_us"],
            )

    async def claim(self, scope: Scope, me: InstanceId, instead_of: InstanceId | None) -> bool:
        """See the port."""
        given = {"scope": scope, "me": me}
        async with self._database.begin() as connection:
            await self._queue(connection, scope)
            wanted = await self._run(connection, f"{sql.WANTED}@lock", {"scope": scope})
            if wanted.scalar_one_or_none() != instead_of:
                return False
            await self._run(connection, sql.UNWANT_OTHERS, given)
            changed = await self._run(connection, sql.WANT_ME, {"me": me})
            is_wanted: bool = changed.rowcount == 1
            return is_wanted

    async def acquire(
        self, scope: Scope, me: InstanceId, seen: LeaseRow, lease_us: int
    ) -> Acquisition | None:
        """See the port."""
        async with self._database.begin() as connection:
            await self._queue(connection, scope)
            mine = await self._run(connection, f"{sql.INSTANCE}@lock", {"me": me})
            own = mine.mappings().one_or_none()
            found = await self._lease(connection, scope, "@lock")
            previous = _lease(found)
            is_as_seen = (previous.epoch, previous.renew_seq, previous.holder) == (
                seen.epoch,
                seen.renew_seq,
                seen.holder,
            )
            if own is None or not own["is_active"] or not is_as_seen:
                return None
            predecessor = await self._predecessor(connection, scope, previous.epoch)
            epoch = next_epoch(previous.epoch, found["now_us"])
            await self._run(connection, sql.BEGIN_TERM, {"me": me, "epoch": epoch})
            await self._run(
                connection,
                sql.TAKE,
                {
                    "scope": scope,
                    "me": me,
                    "epoch": epoch,
                    "generation": own["generation"],
                    "lease_us": lease_us,
                },
            )
            await self._notify(connection, scope)
            return Acquisition(
                epoch=epoch,
                previous=previous,
                database_now_us=found["now_us"],
                predecessor=predecessor,
            )

    async def renew(self, scope: Scope, me: InstanceId, epoch: Epoch, lease_us: int) -> Renewal:
        """See the port."""
        is_kept, is_active = await self._extend(scope, me, epoch, lease_us)
        if is_kept and is_active:
            return Renewal(is_kept=True, is_holder=True, is_active=True, active_id=me)
        async with self._database.read() as connection:
            lease = await self._lease(connection, scope)
            wanted = await self._run(connection, sql.WANTED, {"scope": scope})
            return Renewal(
                is_kept=is_kept,
                is_holder=lease["holder"] == me and lease["epoch"] == epoch,
                is_active=is_active,
                active_id=wanted.scalar_one_or_none(),
            )

    async def _extend(
        self, scope: Scope, me: InstanceId, epoch: Epoch, lease_us: int
    ) -> tuple[bool, bool]:
        """Beat and extend; whether the lease was kept, and whether we are wanted."""
        given = {"scope": scope, "me": me, "epoch": epoch, "lease_us": lease_us}
        if self._is_postgres:
            async with self._database.single() as connection:
                found = (await self._run(connection, sql.RENEW_AT_ONCE, given)).one()
                return found.kept == 1, bool(found.is_active)
        async with self._database.begin() as connection:
            is_active = (await self._run(connection, sql.BEAT, {"me": me})).scalar_one_or_none()
            extended = await self._run(connection, sql.EXTEND, given)
            return extended.rowcount == 1, bool(is_active)

    async def release(
        self, scope: Scope, me: InstanceId, epoch: Epoch, *, is_clean: bool, is_leaving: bool
    ) -> bool:
        """See the port."""
        given = {"scope": scope, "me": me, "epoch": epoch, "is_clean": is_clean}
        async with self._database.begin() as connection:
            await self._run(connection, sql.END_TERM, {"me": me})
            if is_leaving:
                await self._run(connection, sql.UNWANT_ME, {"me": me})
            released = await self._run(connection, sql.RELEASE, given)
            await self._notify(connection, scope)
            was_ours: bool = released.rowcount == 1
            return was_ours

    async def mark(self, me: InstanceId, state: InstanceState) -> None:
        """See the port."""
        async with self._database.begin() as connection:
            await self._run(connection, sql.MARK, {"me": me, "state": state.value})

    async def retire(self, me: InstanceId, reason: str) -> None:
        """See the port."""
        async with self._database.begin() as connection:
            await self._run(connection, sql.UNWANT_ME, {"me": me})
            await self._run(connection, sql.RETIRE, {"me": me, "reason": reason})

    async def bury(self, scope: Scope, dead: InstanceId, reason: str) -> bool:
        """See the port."""
        async with self._database.begin() as connection:
            await self._run(connection, sql.UNWANT_ME, {"me": dead})
            await self._run(connection, sql.RETIRE_DEAD, {"me": dead, "reason": reason})
            released = await self._run(connection, sql.RELEASE_DEAD, {"scope": scope, "me": dead})
            await self._notify(connection, scope)
            held_it: bool = released.rowcount == 1
            return held_it

    async def hear(self, scope: Scope, wake: Callable[[], None]) -> None:
        """See the port."""

        def heard(payload: str) -> None:
            if payload == scope:
                wake()

        async with self._database.listening(CHANNEL, heard):
            await asyncio.Event().wait()

    # --- InstanceDesk ----------------------------------------------------------------------

    async def roster(self, scope: Scope, limit: int) -> Roster:
        """See the port."""
        async with self._database.read() as connection:
            now_us = (await self._run(connection, "SELECT @now", {})).scalar_one()
            given = {"scope": scope, "limit": limit, "alive_us": now_us - ALIVE_US}
            return await self._roster(connection, sql.LISTED, given, now_us)

    async def last_led(self, scope: Scope) -> Roster:
        """See the port."""
        async with self._database.read() as connection:
            now_us = (await self._run(connection, "SELECT @now", {})).scalar_one()
            return await self._roster(connection, sql.LAST_LED, {"scope": scope}, now_us)

    async def activate(self, instance_id: InstanceId) -> None:
        """See the port."""
        async with self._database.begin() as connection:
            found = await self._run(connection, sql.INSTANCE, {"me": instance_id})
            row = found.mappings().one_or_none()
            if row is None:
                raise ActivationRefused(
                    f"activation refused: no instance {instance_id};"
                    " see python instance_manager.py --list"
                )
            now_us = (await self._run(connection, "SELECT @now", {})).scalar_one()
            if row["stopped_us"] is not None or row["heartbeat_us"] < now_us - ALIVE_US:
                silent_s = (now_us - row["heartbeat_us"]) // 1_000_000
                raise ActivationRefused(
                    f"activation refused: instance {instance_id} is not alive"
                    f" (last heartbeat {silent_s} s ago); whoever leads goes on"
                )
            await self._run(connection, sql.ACTIVATE, {"me": instance_id})

    async def deactivate_all(self, scope: Scope | None) -> list[InstanceId]:
        """See the port."""
        async with self._database.begin() as connection:
            found = await self._run(connection, sql.DEACTIVATE, {"scope": scope or ""})
            return [InstanceId(one) for one in found.scalars()]

    # --- helpers ---------------------------------------------------------------------------

    async def _roster(
        self, connection: AsyncConnection, query: str, given: Mapping[str, object], now_us: int
    ) -> Roster:
        lease = await self._run(connection, sql.LEASE, {"scope": given["scope"]})
        held = lease.mappings().one_or_none()
        found = await self._run(connection, query, given)
        return Roster(
            rows=tuple(_instance(row) for row in found.mappings()),
            lease=_lease(held) if held else None,
            database_now_us=now_us,
        )

    async def _run(
        self, connection: AsyncConnection, statement: str, given: Mapping[str, object]
    ) -> Any:
        for word, meaning in self._words.items():
            statement = statement.replace(word, meaning)
        return await connection.execute(text(statement), given)

    async def _lease(
        self, connection: AsyncConnection, scope: Scope, lock: str = ""
    ) -> Mapping[str, Any]:
        found = await self._run(connection, sql.LEASE + lock, {"scope": scope})
        row: Mapping[str, Any] = found.mappings().one()
        return row

    async def _predecessor(
        self, connection: AsyncConnection, scope: Scope, epoch: Epoch
    ) -> Predecessor | None:
        found = await self._run(connection, sql.LEADER_OF_EPOCH, {"scope": scope, "epoch": epoch})
        row = found.first()
        return row and Predecessor(instance_id=InstanceId(row[0]), end=row[1])

    async def _queue(self, connection: AsyncConnection, scope: Scope) -> None:
        if self._is_postgres:
            await connection.execute(text(sql.QUEUE), {"scope": scope})

    async def _notify(self, connection: AsyncConnection, scope: Scope) -> None:
        if self._is_postgres:
            await connection.execute(text(sql.NOTIFY), {"channel": CHANNEL, "scope": scope})


def _instance(row: Mapping[str, Any]) -> InstanceRow:
    converted = {"state": InstanceState(row["state"]), "is_active": bool(row["is_active"])}
    return InstanceRow(**(dict(row) | converted))


def _lease(row: Mapping[str, Any]) -> LeaseRow:
    values = {name: value for name, value in row.items() if name != "now_us"}
    flags = {name: bool(values[name]) for name in ("clean_release", "stood_down")}
    return LeaseRow(**(values | flags))
