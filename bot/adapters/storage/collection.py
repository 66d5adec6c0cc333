"""``CollectionStore`` on SQLite and PostgreSQL.

The counts are exact because the databases say how many rows a statement
inserted: SQLite sums it over an ``executemany``, PostgreSQL over one
``INSERT ... SELECT FROM unnest``.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.adapters.storage.database import Database
from bot.adapters.storage.snapshot_rows import (
    SNAPSHOT_BYTES,
    insert_snapshots,
    prepared,
    prune_snapshots,
    snapshots_of,
)
from bot.domain.errors import CycleTakenOver, InvariantBroken
from bot.domain.ids import MarketTicker, SeriesTicker
from bot.kit.threads import in_thread
from bot.kit.times import format_seconds
from bot.ports.collection import (
    Cycle,
    CycleOutcome,
    Pruned,
    PruneRule,
    QuarantinedItem,
    SeriesProgress,
    Snapshot,
)

INSERT_QUARANTINE = text(
    "INSERT INTO quarantine (cycle_id, name, reason, raw, at_us)"
    " VALUES (:cycle_id, :name, :reason, :raw, :at_us)"
)

# Nobody can resume a cycle once its hour is over.
CLOSE_EARLIER_CYCLES = text(
    "UPDATE collect_cycles SET outcome = 'interrupted', finished_us = :at_us"
    " WHERE mode = :mode AND outcome = 'running' AND snapshot_hour_utc < :hour"
)

TAKE_CYCLE_OVER = text(
    "UPDATE collect_cycles SET attempt = attempt + 1, filter_fingerprint = :filter_fingerprint"
    " WHERE mode = :mode AND snapshot_hour_utc = :hour AND outcome = 'running' RETURNING *"
)

INSERT_CYCLE = text(
    "INSERT INTO collect_cycles (cycle_id, mode, snapshot_hour_utc, attempt, outcome, scanned,"
    " inserted, errors, started_us, progress_json, filter_fingerprint)"
    " VALUES (:cycle_id, :mode, :hour, :attempt, 'running', :scanned, :inserted, :errors,"
    " :started_us, :progress_json, :filter_fingerprint)"
    " ON CONFLICT (mode, snapshot_hour_utc) WHERE outcome = 'running' DO NOTHING"
)

# The fence of a cycle: only its last attempt, and only while it runs.
ADVANCE_CYCLE = text(
    "UPDATE collect_cycles SET scanned = :scanned, errors = :errors,"
    " inserted = inserted + :new, progress_json = :progress_json"
    " WHERE cycle_id = :cycle_id AND attempt = :attempt AND outcome = 'running'"
)

FINISH_CYCLE = text(
    "UPDATE collect_cycles SET scanned = :scanned, errors = :errors,"
    " progress_json = :progress_json, outcome = :outcome, finished_us = :finished_us,"
    " error = :error"
    " WHERE cycle_id = :cycle_id AND attempt = :attempt AND outcome = 'running'"
)

CYCLES_OF_HOURS = text(
    "SELECT * FROM collect_cycles WHERE snapshot_hour_utc BETWEEN :first AND :last"
    " ORDER BY started_us, cycle_id"
)

PUT_STATUS = text(
    "INSERT INTO status (key, value, updated_at_utc) VALUES (:key, :value, :at)"
    " ON CONFLICT (key) DO UPDATE SET value = excluded.value,"
    " updated_at_utc = excluded.updated_at_utc"
)

COUNT_CYCLE = text(
    "INSERT INTO status (key, value, updated_at_utc) VALUES ('cycle_count', '1', :at)"
    " ON CONFLICT (key) DO UPDATE SET"
    " value = CAST(CAST(status.value AS BIGINT) + 1 AS TEXT),"
    " updated_at_utc = excluded.updated_at_utc"
)

ALL_STATUS = text("SELECT key, value FROM status ORDER BY key")

# Two subqueries, each answered from one end of the index.
SPAN = text(
    "SELECT (SELECT MIN(snapshot_hour_utc) FROM market_snapshots) AS first,"
    " (SELECT MAX(snapshot_hour_utc) FROM market_snapshots) AS last"
)
SPAN_OF_SERIES = text(
    "SELECT (SELECT MIN(snapshot_hour_utc) FROM market_snapshots WHERE series_ticker = :series)"
    " AS first, (SELECT MAX(snapshot_hour_utc) FROM market_snapshots"
    " WHERE series_ticker = :series) AS last"
)

# One look into the index for each hour; DISTINCT would read an entry for each snapshot.
_HOURS = """
WITH RECURSIVE held(hour) AS (
  SELECT min(snapshot_hour_utc) FROM market_snapshots
  WHERE {only}snapshot_hour_utc BETWEEN :first AND :last
  UNION ALL
  SELECT (SELECT min(snapshot_hour_utc) FROM market_snapshots
    WHERE {only}snapshot_hour_utc > held.hour AND snapshot_hour_utc <= :last)
  FROM held WHERE held.hour IS NOT NULL
)
SELECT hour FROM held WHERE hour IS NOT NULL ORDER BY hour"""
HOURS = text(_HOURS.format(only=""))
HOURS_OF_SERIES = text(_HOURS.format(only="series_ticker = :series AND "))

EMPTY_HOURS = text(
    "SELECT DISTINCT snapshot_hour_utc FROM collect_cycles"
    " WHERE snapshot_hour_utc BETWEEN :first AND :last AND outcome = 'complete' AND scanned = 0"
    " ORDER BY snapshot_hour_utc"
)

PRUNE_QUARANTINE = text("DELETE FROM quarantine WHERE at_us < :before_us")


class SqlCollectionStore:
    """See :class:`bot.ports.collection.CollectionStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open_cycle(self, fresh: Cycle) -> Cycle:
        """See the port."""
        key = {
            "mode": fresh.mode,
            "hour": fresh.snapshot_hour_utc,
            "filter_fingerprint": fresh.filter_fingerprint,
        }
        new = key | _counts(fresh) | {"inserted": 0, "started_us": fresh.started_us}
        async with self._database.begin() as connection:
            await connection.execute(CLOSE_EARLIER_CYCLES, key | {"at_us": fresh.started_us})
            for _ in range(2):
                taken = (await connection.execute(TAKE_CYCLE_OVER, key)).mappings().one_or_none()
                if taken is not None:
                    return _cycle_of(taken)
                # Inserts nothing where another run opened the hour a moment ago.
                if (await connection.execute(INSERT_CYCLE, new)).rowcount:
                    return fresh
        raise InvariantBroken(f"no cycle of {fresh.snapshot_hour_utc} could be opened")

    async def save_page(
        self, cycle: Cycle, snapshots: Sequence[Snapshot], quarantined: Sequence[QuarantinedItem]
    ) -> int:
        """See the port."""
        items = [asdict(item) | {"cycle_id": cycle.cycle_id} for item in quarantined]
        rows = await prepared(snapshots)
        async with self._database.begin() as connection:
            new = await insert_snapshots(connection, self._database.dialect, rows)
            if items:
                await connection.execute(INSERT_QUARANTINE, items)
            advanced = await connection.execute(ADVANCE_CYCLE, _counts(cycle) | {"new": new})
            _require_ours(advanced.rowcount, cycle)
        return new

    async def finish_cycle(
        self, cycle: Cycle, status: Mapping[str, str], at_us: int
    ) -> dict[str, str]:
        """See the port."""
        end = {"outcome": cycle.outcome, "finished_us": at_us, "error": cycle.error}
        async with self._database.begin() as connection:
            finished = await connection.execute(FINISH_CYCLE, _counts(cycle) | end)
            _require_ours(finished.rowcount, cycle)
            await _put(connection, status, at_us)
            await connection.execute(COUNT_CYCLE, {"at": format_seconds(at_us)})
            return await _status(connection)

    async def cycles(self, first_hour: str, last_hour: str) -> Sequence[Cycle]:
        """See the port."""
        window = {"first": first_hour, "last": last_hour}
        async with self._database.read() as connection:
            found = (await connection.execute(CYCLES_OF_HOURS, window)).mappings().all()
        # A year of them is a second's work, and whoever trades may share the loop.
        return await in_thread(lambda: [_cycle_of(row) for row in found])

    async def hours_without_market(self, first_hour: str, last_hour: str) -> Sequence[str]:
        """See the port."""
        window = {"first": first_hour, "last": last_hour}
        async with self._database.read() as connection:
            return list((await connection.execute(EMPTY_HOURS, window)).scalars())

    async def snapshot_span(self, series: SeriesTicker | None = None) -> tuple[str, str] | None:
        """See the port."""
        async with self._database.read() as connection:
            if series is None:
                row = (await connection.execute(SPAN)).one()
            else:
                row = (await connection.execute(SPAN_OF_SERIES, {"series": series})).one()
        return None if row.first is None else (row.first, row.last)

    async def snapshot_hours(
        self, first_hour: str, last_hour: str, series: SeriesTicker | None = None
    ) -> Sequence[str]:
        """See the port."""
        window: dict[str, str] = {"first": first_hour, "last": last_hour}
        statement = HOURS
        if series is not None:
            window["series"] = series
            statement = HOURS_OF_SERIES
        async with self._database.read() as connection:
            return list((await connection.execute(statement, window)).scalars())

    async def read_snapshots(
        self, market: MarketTicker, hour: str | None = None, limit: int = 1
    ) -> Sequence[Snapshot]:
        """See the port."""
        async with self._database.read() as connection:
            return await snapshots_of(connection, market, hour, limit)

    async def snapshot_bytes(self) -> int:
        """See the port."""
        async with self._database.read() as connection:
            found = await connection.execute(SNAPSHOT_BYTES[self._database.dialect])
            return int(found.scalar_one())

    async def prune_snapshots(self, rule: PruneRule, from_hour: str, batch: int) -> Pruned | None:
        """See the port."""
        async with self._database.begin() as connection:
            return await prune_snapshots(connection, self._database.dialect, rule, from_hour, batch)

    async def status(self) -> dict[str, str]:
        """See the port."""
        async with self._database.read() as connection:
            return await _status(connection)

    async def put_status(self, rows: Mapping[str, str], at_us: int) -> None:
        """See the port."""
        async with self._database.begin() as connection:
            await _put(connection, rows, at_us)

    async def prune_quarantine(self, before_us: int) -> int:
        """See the port."""
        async with self._database.begin() as connection:
            return (await connection.execute(PRUNE_QUARANTINE, {"before_us": before_us})).rowcount


def _require_ours(changed: int, cycle: Cycle) -> None:
    if not changed:
        raise CycleTakenOver(f"cycle {cycle.cycle_id}, attempt {cycle.attempt}")


def _counts(cycle: Cycle) -> dict[str, object]:
    return {
        "cycle_id": cycle.cycle_id,
        "attempt": cycle.attempt,
        "scanned": cycle.scanned,
        "errors": cycle.errors,
        "progress_json": json.dumps({"series": [asdict(each) for each in cycle.progress]}),
    }


def _cycle_of(row: RowMapping) -> Cycle:
    progress: list[dict[str, Any]] = json.loads(row["progress_json"])["series"]
    return Cycle(
        cycle_id=row["cycle_id"],
        mode=row["mode"],
        snapshot_hour_utc=row["snapshot_hour_utc"],
        attempt=row["attempt"],
        outcome=CycleOutcome(row["outcome"]),
        started_us=row["started_us"],
        inserted=row["inserted"],
        progress=tuple(SeriesProgress(**each) for each in progress),
        finished_us=row["finished_us"],
        error=row["error"],
        filter_fingerprint=row["filter_fingerprint"],
    )


async def _put(connection: AsyncConnection, rows: Mapping[str, str], at_us: int) -> None:
    at = format_seconds(at_us)
    # In key order: two writers wait for each other instead of deadlocking.
    given = [{"key": key, "value": value, "at": at} for key, value in sorted(rows.items())]
    if given:
        await connection.execute(PUT_STATUS, given)


async def _status(connection: AsyncConnection) -> dict[str, str]:
    return {row.key: row.value for row in await connection.execute(ALL_STATUS)}
