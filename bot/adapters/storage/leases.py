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

# ``@now`` is the dialect's clock; ``@lock`` is FOR UPDATE where rows have locks.
QUEUE = "SELECT pg_advisory_xact_lock(hashtextextended(:scope, 7364120252))"
NOTIFY = "SELECT pg_notify(:channel, :scope)"

RANK_DEPLOYMENT = (
    "INSERT INTO bot_deployments (scope, deployment_id, first_seen_us)"
    " SELECT CAST(:scope AS TEXT), CAST(:deployment_id AS TEXT), @now WHERE NOT EXISTS"
    " (SELECT 1 FROM bot_deployments WHERE scope = :scope AND deployment_id = :deployment_id)"
)
OPEN_SCOPE = (
    "INSERT INTO leader_lease (scope, epoch, generation, renew_seq, expires_us,"
    " clean_release, stood_down) VALUES (:scope, 0, 0, 0, 0, TRUE, FALSE)"
    " ON CONFLICT (scope) DO NOTHING"
)
ADD_INSTANCE = (
    "INSERT INTO bot_instances (instance_id, scope, deployment_id, generation, replica_id, host,"
    " pid, code_version, state, is_active, decided_by, decided_us, started_us, heartbeat_us)"
    " SELECT CAST(:instance_id AS TEXT), scope, deployment_id, generation,"
    " CAST(:replica_id AS TEXT), CAST(:host AS TEXT), CAST(:pid AS INTEGER),"
    " CAST(:code_version AS TEXT), 'standby', FALSE, CAST(:instance_id AS TEXT), @now, @now, @now"
    " FROM bot_deployments WHERE scope = :scope AND deployment_id = :deployment_id"
    " ON CONFLICT (instance_id) DO NOTHING"
)
INSTANCE_COLUMNS = (
    "SELECT instance_id, scope, deployment_id, generation, replica_id, host, pid, code_version,"
    " state, is_active, decided_by, epoch, started_us, heartbeat_us, stopped_us, stop_reason"
    " FROM bot_instances"
)
INSTANCE = f"{INSTANCE_COLUMNS} WHERE instance_id = :me"
CONCERNED = f"{INSTANCE_COLUMNS} WHERE scope = :scope AND (instance_id = :me OR is_active)"
# The living first, so that a list cut short by restart loops never hides one.
LISTED = (
    f"{INSTANCE_COLUMNS} WHERE scope = :scope ORDER BY"
    " CASE WHEN stopped_us IS NULL AND heartbeat_us >= :alive_us THEN 0 ELSE 1 END,"
    " started_us DESC, instance_id DESC LIMIT :limit"
)
LAST_LED = (
    f"{INSTANCE_COLUMNS} WHERE scope = :scope AND epoch IS NOT NULL ORDER BY epoch DESC LIMIT 1"
)
LEASE = (
    "SELECT epoch, holder, generation, renew_seq, acquired_us, renewed_us, expires_us,"
    " clean_release, stood_down, @now AS now_us FROM leader_lease WHERE scope = :scope"
)
LED_LAST = (
    "SELECT instance_id, stop_reason FROM bot_instances WHERE scope = :scope AND epoch = :epoch"
)
BEAT = "UPDATE bot_instances SET heartbeat_us = @now WHERE instance_id = :me RETURNING is_active"
WANTED = "SELECT instance_id FROM bot_instances WHERE scope = :scope AND is_active"

UNWANT_OTHERS = (
    "UPDATE bot_instances SET is_active = FALSE, decided_by = :me,"
    " decided_us = @greatest(decided_us + 1, @now)"
    " WHERE scope = :scope AND is_active AND instance_id <> :me"
)
WANT_ME = (
    "UPDATE bot_instances SET is_active = TRUE, decided_by = :me, heartbeat_us = @now,"
    " decided_us = @greatest(decided_us + 1, @now) WHERE instance_id = :me AND stopped_us IS NULL"
)
TAKE = (
    "UPDATE leader_lease SET epoch = :epoch, holder = :me, generation = :generation,"
    " renew_seq = renew_seq + 1, acquired_us = @now, renewed_us = @now,"
    " expires_us = @now + :lease_us, clean_release = FALSE, stood_down = FALSE"
    " WHERE scope = :scope"
)
BEGIN_TERM = (
    "UPDATE bot_instances SET epoch = :epoch, state = 'activating', heartbeat_us = @now"
    " WHERE instance_id = :me"
)
EXTEND = (
    "UPDATE leader_lease SET renew_seq = renew_seq + 1, renewed_us = @now,"
    " expires_us = @now + :lease_us"
    " WHERE scope = :scope AND epoch = :epoch AND holder = :me AND expires_us > @now"
)
# Both in one round trip. The instance's row first: the subquery is evaluated before any lease
# row is looked at.
RENEW_AT_ONCE = (
    "WITH beat AS (@beat),"
    " kept AS (@extend AND (SELECT count(*) FROM beat) >= 0 RETURNING 1)"
    " SELECT (SELECT is_active FROM beat) AS is_active, (SELECT count(*) FROM kept) AS kept"
)
RENEW_AT_ONCE = RENEW_AT_ONCE.replace("@beat", BEAT).replace("@extend", EXTEND)
END_TERM = (
    "UPDATE bot_instances SET state = 'released', heartbeat_us = @now WHERE instance_id = :me"
)
UNWANT_ME = (
    "UPDATE bot_instances SET is_active = FALSE, decided_by = :me,"
    " decided_us = @greatest(decided_us + 1, @now) WHERE instance_id = :me AND is_active"
)
RELEASE = (
    "UPDATE leader_lease SET holder = NULL, expires_us = @now, clean_release = :is_clean"
    " WHERE scope = :scope AND epoch = :epoch AND holder = :me"
)
MARK = "UPDATE bot_instances SET state = :state, heartbeat_us = @now WHERE instance_id = :me"
RETIRE = (
    "UPDATE bot_instances SET state = 'stopped', stopped_us = @now, stop_reason = :reason"
    " WHERE instance_id = :me"
)
# By the name of one process start and not by its epoch: it may have won one it could not report.
RELEASE_DEAD = (
    "UPDATE leader_lease SET holder = NULL, expires_us = @least(expires_us, @now),"
    " clean_release = FALSE WHERE scope = :scope AND holder = :me"
)
RETIRE_DEAD = f"{RETIRE} AND stopped_us IS NULL"
# Typed on purpose: decided_us stands still, so the triggers treat it as the operator's.
ACTIVATE = "UPDATE bot_instances SET is_active = TRUE WHERE instance_id = :me"
DEACTIVATE = (
    "UPDATE bot_instances SET is_active = FALSE"
    " WHERE is_active AND (:scope = '' OR scope = :scope) RETURNING instance_id"
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
                (RANK_DEPLOYMENT, ("scope", "deployment_id")),
                (OPEN_SCOPE, ("scope",)),
                (ADD_INSTANCE, tuple(given)),
            ):
                await self._run(connection, statement, {name: given[name] for name in names})
            found = await self._run(connection, INSTANCE, {"me": candidate.instance_id})
            return _instance(found.mappings().one())

    async def read(self, scope: Scope, me: InstanceId) -> Reading:
        """See the port."""
        async with self._database.begin() as connection:
            await self._run(connection, BEAT, {"me": me})
            lease = await self._lease(connection, scope)
            found = await self._run(connection, CONCERNED, {"scope": scope, "me": me})
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
            wanted = await self._run(connection, f"{WANTED}@lock", {"scope": scope})
            if wanted.scalar_one_or_none() != instead_of:
                return False
            await self._run(connection, UNWANT_OTHERS, given)
            changed = await self._run(connection, WANT_ME, {"me": me})
            is_wanted: bool = changed.rowcount == 1
            return is_wanted

    async def acquire(
        self, scope: Scope, me: InstanceId, seen: LeaseRow, lease_us: int
    ) -> Acquisition | None:
        """See the port."""
        async with self._database.begin() as connection:
            await self._queue(connection, scope)
            mine = await self._run(connection, f"{INSTANCE}@lock", {"me": me})
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
            await self._run(connection, BEGIN_TERM, {"me": me, "epoch": epoch})
            await self._run(
                connection,
                TAKE,
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
            wanted = await self._run(connection, WANTED, {"scope": scope})
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
                found = (await self._run(connection, RENEW_AT_ONCE, given)).one()
                return found.kept == 1, bool(found.is_active)
        async with self._database.begin() as connection:
            is_active = (await self._run(connection, BEAT, {"me": me})).scalar_one_or_none()
            extended = await self._run(connection, EXTEND, given)
            return extended.rowcount == 1, bool(is_active)

    async def release(
        self, scope: Scope, me: InstanceId, epoch: Epoch, *, is_clean: bool, is_leaving: bool
    ) -> bool:
        """See the port."""
        given = {"scope": scope, "me": me, "epoch": epoch, "is_clean": is_clean}
        async with self._database.begin() as connection:
            await self._run(connection, END_TERM, {"me": me})
            if is_leaving:
                await self._run(connection, UNWANT_ME, {"me": me})
            released = await self._run(connection, RELEASE, given)
            await self._notify(connection, scope)
            was_ours: bool = released.rowcount == 1
            return was_ours

    async def mark(self, me: InstanceId, state: InstanceState) -> None:
        """See the port."""
        async with self._database.begin() as connection:
            await self._run(connection, MARK, {"me": me, "state": state.value})

    async def retire(self, me: InstanceId, reason: str) -> None:
        """See the port."""
        async with self._database.begin() as connection:
            await self._run(connection, UNWANT_ME, {"me": me})
            await self._run(connection, RETIRE, {"me": me, "reason": reason})

    async def bury(self, scope: Scope, dead: InstanceId, reason: str) -> bool:
        """See the port."""
        async with self._database.begin() as connection:
            await self._run(connection, UNWANT_ME, {"me": dead})
            await self._run(connection, RETIRE_DEAD, {"me": dead, "reason": reason})
            released = await self._run(connection, RELEASE_DEAD, {"scope": scope, "me": dead})
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
            return await self._roster(connection, LISTED, given, now_us)

    async def last_led(self, scope: Scope) -> Roster:
        """See the port."""
        async with self._database.read() as connection:
            now_us = (await self._run(connection, "SELECT @now", {})).scalar_one()
            return await self._roster(connection, LAST_LED, {"scope": scope}, now_us)

    async def activate(self, instance_id: InstanceId) -> None:
        """See the port."""
        async with self._database.begin() as connection:
            found = await self._run(connection, INSTANCE, {"me": instance_id})
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
            await self._run(connection, ACTIVATE, {"me": instance_id})

    async def deactivate_all(self, scope: Scope | None) -> list[InstanceId]:
        """See the port."""
        async with self._database.begin() as connection:
            found = await self._run(connection, DEACTIVATE, {"scope": scope or ""})
            return [InstanceId(one) for one in found.scalars()]

    # --- helpers ---------------------------------------------------------------------------

    async def _roster(
        self, connection: AsyncConnection, query: str, given: Mapping[str, object], now_us: int
    ) -> Roster:
        lease = await self._run(connection, LEASE, {"scope": given["scope"]})
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
        found = await self._run(connection, LEASE + lock, {"scope": scope})
        row: Mapping[str, Any] = found.mappings().one()
        return row

    async def _predecessor(
        self, connection: AsyncConnection, scope: Scope, epoch: Epoch
    ) -> Predecessor | None:
        found = await self._run(connection, LED_LAST, {"scope": scope, "epoch": epoch})
        row = found.first()
        return row and Predecessor(instance_id=InstanceId(row[0]), end=row[1])

    async def _queue(self, connection: AsyncConnection, scope: Scope) -> None:
        if self._is_postgres:
            await connection.execute(text(QUEUE), {"scope": scope})

    async def _notify(self, connection: AsyncConnection, scope: Scope) -> None:
        if self._is_postgres:
            await connection.execute(text(NOTIFY), {"channel": CHANNEL, "scope": scope})


def _instance(row: Mapping[str, Any]) -> InstanceRow:
    converted = {"state": InstanceState(row["state"]), "is_active": bool(row["is_active"])}
    return InstanceRow(**(dict(row) | converted))


def _lease(row: Mapping[str, Any]) -> LeaseRow:
    values = {name: value for name, value in row.items() if name != "now_us"}
    flags = {name: bool(values[name]) for name in ("clean_release", "stood_down")}
    return LeaseRow(**(values | flags))
