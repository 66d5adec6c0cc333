"""Snapshots as rows: written a page at a time, read back whole, removed when they are old.

A page's payloads are divided in a thread, as a page of a thousand markets would
hold up whatever else runs. On PostgreSQL a save and a removal exclude each other
by an advisory lock, so that no payload is removed between the moment it is found
and the moment a row points at it; on SQLite there is one writer anyway.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.adapters.storage.payloads import POINTER, SplitPayload, split_payload
from bot.adapters.storage.urls import Dialect
from bot.domain.ids import EventTicker, MarketTicker, SeriesTicker
from bot.domain.money import Price, Quantity
from bot.ports.collection import Pruned, PruneRule, Snapshot

_COLUMNS = {
    "market_id": "text",
    "snapshot_hour_utc": "text",
    "payload_json": "text",
    "created_at_utc": "text",
    "event_ticker": "text",
    "series_ticker": "text",
    "macro_event_type": "text",
    "probability_bucket": "text",
    "yes_bid_e4": "bigint",
    "yes_ask_e4": "bigint",
    "volume_24h_e2": "bigint",
    "open_interest_e2": "bigint",
    "close_us": "bigint",
}
_COLUMN_LIST = ", ".join(_COLUMNS)
_IN_A_THREAD_FROM = 50
# Any number that nothing else locks; see the module's text.
PAYLOADS_LOCK = 7_364_120_252

_TEMPLATE = (
    "INSERT INTO snapshot_templates (digest, body) VALUES (?, ?) ON CONFLICT (digest) DO NOTHING"
)
_PAYLOAD = (
    "INSERT INTO snapshot_payloads (digest, template_id, held)"
    " SELECT ?, template_id, ? FROM snapshot_templates WHERE digest = ?"
    " ON CONFLICT (digest) DO NOTHING"
)
_SNAPSHOT = (
    f"INSERT INTO market_snapshots ({_COLUMN_LIST}, payload_id)"  # noqa: S608 - column names of this module
    f" VALUES ({', '.join('?' for _ in _COLUMNS)},"
    " (SELECT payload_id FROM snapshot_payloads WHERE digest = ?))"
    " ON CONFLICT (market_id, snapshot_hour_utc) DO NOTHING"
)
_UNUSED_PAYLOAD = (
    "DELETE FROM snapshot_payloads WHERE digest = ? AND NOT EXISTS (SELECT 1 FROM market_snapshots"
    " WHERE market_snapshots.payload_id = snapshot_payloads.payload_id)"
)
_UNUSED_TEMPLATE = (
    "DELETE FROM snapshot_templates WHERE digest = ? AND NOT EXISTS"
    " (SELECT 1 FROM snapshot_payloads"
    " WHERE snapshot_payloads.template_id = snapshot_templates.template_id)"
)

_SHARE_PAYLOADS = text(f"SELECT pg_advisory_xact_lock_shared({PAYLOADS_LOCK})")
_KNOWN_TEMPLATES = text(
    "SELECT digest FROM snapshot_templates WHERE digest = ANY(CAST(:digests AS bytea[]))"
)
_TEMPLATES = text(
    "INSERT INTO snapshot_templates (digest, body)"
    " SELECT * FROM unnest(CAST(:digests AS bytea[]), CAST(:bodies AS text[]))"
    " ON CONFLICT (digest) DO NOTHING"
)
_PAYLOADS = text(
    "INSERT INTO snapshot_payloads (digest, template_id, held)"
    " SELECT given.digest, template_id, given.held"
    " FROM unnest(CAST(:digests AS bytea[]), CAST(:helds AS text[]), CAST(:templates AS bytea[]))"
    " AS given(digest, held, template)"
    " JOIN snapshot_templates ON snapshot_templates.digest = given.template"
    " ORDER BY given.digest ON CONFLICT (digest) DO NOTHING"
)
_SNAPSHOTS = text(
    f"INSERT INTO market_snapshots ({_COLUMN_LIST}, payload_id)"  # noqa: S608 - column names of this module
    " SELECT "
    + ", ".join(f"given.{name}" for name in _COLUMNS)
    + ", payload_id FROM unnest("
    + ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in _COLUMNS.items())
    + ", CAST(:digests AS bytea[])) AS given("
    + _COLUMN_LIST
    + ", digest) LEFT JOIN snapshot_payloads ON snapshot_payloads.digest = given.digest"
    " ORDER BY given.market_id ON CONFLICT (market_id, snapshot_hour_utc) DO NOTHING"
)
_UNUSED_PAYLOADS = text(
    "DELETE FROM snapshot_payloads WHERE digest = ANY(CAST(:digests AS bytea[])) AND NOT EXISTS"
    " (SELECT 1 FROM market_snapshots"
    " WHERE market_snapshots.payload_id = snapshot_payloads.payload_id)"
)
_UNUSED_TEMPLATES = text(
    "DELETE FROM snapshot_templates WHERE digest = ANY(CAST(:digests AS bytea[])) AND NOT EXISTS"
    " (SELECT 1 FROM snapshot_payloads"
    " WHERE snapshot_payloads.template_id = snapshot_templates.template_id)"
)

SNAPSHOT_BYTES = {
    "sqlite": text(
        "SELECT (page_count - freelist_count) * page_size"
        " FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
    ),
    "postgresql": text(
        "SELECT pg_total_relation_size('market_snapshots')"
        " + pg_total_relation_size('snapshot_payloads')"
        " + pg_total_relation_size('snapshot_templates')"
    ),
}

_SNAPSHOTS_OF = text(
    "SELECT * FROM snapshots WHERE market_id = :market AND snapshot_hour_utc"
    " BETWEEN :first AND :last ORDER BY snapshot_hour_utc DESC LIMIT :limit"
)
_FIRST_HOUR = text(
    "SELECT min(snapshot_hour_utc) FROM market_snapshots"
    " WHERE snapshot_hour_utc >= :from_hour AND snapshot_hour_utc < :before_hour"
)
_PRUNE = text(
    "DELETE FROM market_snapshots WHERE id IN (SELECT m.id FROM market_snapshots m"
    " WHERE m.snapshot_hour_utc = :hour AND (m.series_ticker IS NOT NULL) = :is_of_series"
    " AND (NOT :keeps_last OR m.probability_bucket IS NULL OR EXISTS (SELECT 1"
    " FROM market_snapshots newer WHERE newer.market_id = m.market_id"
    " AND newer.snapshot_hour_utc > m.snapshot_hour_utc"
    " AND newer.probability_bucket IS NOT NULL)) ORDER BY m.id LIMIT :batch)"
    " RETURNING payload_id"
)
_KEEP_PAYLOADS = text(f"SELECT pg_advisory_xact_lock({PAYLOADS_LOCK})")
_IN_LIST = {
    "sqlite": "IN (SELECT value FROM json_each(:ids))",
    "postgresql": "IN (SELECT CAST(value AS bigint) FROM json_array_elements_text(:ids))",
}
_PRUNE_PAYLOADS = (
    "DELETE FROM snapshot_payloads WHERE payload_id {listed} AND NOT EXISTS"
    " (SELECT 1 FROM market_snapshots"
    " WHERE market_snapshots.payload_id = snapshot_payloads.payload_id) RETURNING template_id"
)
_PRUNE_TEMPLATES = (
    "DELETE FROM snapshot_templates WHERE template_id {listed} AND NOT EXISTS"
    " (SELECT 1 FROM snapshot_payloads"
    " WHERE snapshot_payloads.template_id = snapshot_templates.template_id)"
)


@dataclass(frozen=True, slots=True)
class SnapshotRows:
    """A page, ready for the driver: rows in key order, each payload and template once."""

    snapshots: list[tuple[object, ...]]
    payloads: dict[bytes, SplitPayload]
    templates: dict[bytes, str]


async def prepared(snapshots: Sequence[Snapshot]) -> SnapshotRows:
    """A page as rows; no transaction should be open meanwhile."""
    if len(snapshots) < _IN_A_THREAD_FROM:
        return _rows_of(snapshots)
    return await asyncio.to_thread(_rows_of, snapshots)


async def insert_snapshots(
    connection: AsyncConnection, dialect: Dialect, rows: SnapshotRows
) -> int:
    """Store a page; returns how many rows are new. Rows of a market and hour that exist stay."""
    if not rows.snapshots:
        return 0
    if dialect == "postgresql":
        return await _insert_arrays(connection, rows)
    return await _insert_one_by_one(connection, rows)


async def snapshots_of(
    connection: AsyncConnection, market: MarketTicker, hour: str | None, limit: int
) -> list[Snapshot]:
    """The stored snapshots of a market, newest first."""
    bounds = {"first": hour or "", "last": hour or "9999", "limit": limit}
    found = await connection.execute(_SNAPSHOTS_OF, bounds | {"market": market})
    return [_snapshot_of(row) for row in found.mappings()]


async def prune_snapshots(
    connection: AsyncConnection, dialect: Dialect, rule: PruneRule, from_hour: str, batch: int
) -> Pruned | None:
    """One batch; see the port."""
    window = {"from_hour": from_hour, "before_hour": rule.before_hour}
    hour: str | None = (await connection.execute(_FIRST_HOUR, window)).scalar()
    if hour is None:
        return None
    if dialect == "postgresql":
        await connection.execute(_KEEP_PAYLOADS)
    given = {
        "hour": hour,
        "is_of_series": rule.is_of_series,
        "keeps_last": rule.keeps_last,
        "batch": batch,
    }
    removed = (await connection.execute(_PRUNE, given)).scalars().all()
    payloads = await _delete_listed(connection, _PRUNE_PAYLOADS, dialect, removed)
    await _delete_listed(connection, _PRUNE_TEMPLATES, dialect, payloads)
    return Pruned(hour=hour, snapshots=len(removed), payloads=len(payloads))


async def _delete_listed(
    connection: AsyncConnection, statement: str, dialect: Dialect, ids: Sequence[int | None]
) -> Sequence[int]:
    """Delete those of ``ids`` that nothing needs; returns what the statement gives back."""
    listed = json.dumps(sorted({one for one in ids if one is not None}))
    done = await connection.execute(
        text(statement.format(listed=_IN_LIST[dialect])), {"ids": listed}
    )
    return done.scalars().all() if done.returns_rows else ()


async def _insert_one_by_one(connection: AsyncConnection, rows: SnapshotRows) -> int:
    payloads = [(one.digest, one.held, one.template_digest) for one in rows.payloads.values()]
    if payloads:
        await connection.exec_driver_sql(_TEMPLATE, list(rows.templates.items()))
        await connection.exec_driver_sql(_PAYLOAD, payloads)
    new = (await connection.exec_driver_sql(_SNAPSHOT, rows.snapshots)).rowcount
    if payloads and new < len(rows.snapshots):
        # A row that existed keeps its own payload, so that ours may be nobody's.
        await connection.exec_driver_sql(_UNUSED_PAYLOAD, [(one,) for one in rows.payloads])
        await connection.exec_driver_sql(_UNUSED_TEMPLATE, [(one,) for one in rows.templates])
    return new


async def _insert_arrays(connection: AsyncConnection, rows: SnapshotRows) -> int:
    payloads = list(rows.payloads.values())
    if payloads:
        await connection.execute(_SHARE_PAYLOADS)
        await _insert_templates(connection, rows.templates)
        arrays = {
            "digests": list(rows.payloads),
            "helds": [one.held for one in payloads],
            "templates": [one.template_digest for one in payloads],
        }
        await connection.execute(_PAYLOADS, arrays)
    names = (*_COLUMNS, "digests")
    columns = {
        name: list(values)
        for name, values in zip(names, zip(*rows.snapshots, strict=True), strict=True)
    }
    new = (await connection.execute(_SNAPSHOTS, columns)).rowcount
    if payloads and new < len(rows.snapshots):
        await connection.execute(_UNUSED_PAYLOADS, {"digests": list(rows.payloads)})
        await connection.execute(_UNUSED_TEMPLATES, {"digests": list(rows.templates)})
    return new


async def _insert_templates(connection: AsyncConnection, templates: dict[bytes, str]) -> None:
    """Only those that are not there travel: they are most of a page."""
    known = await connection.execute(_KNOWN_TEMPLATES, {"digests": list(templates)})
    missing = sorted(templates.keys() - set(known.scalars()))
    if missing:
        bodies = [templates[digest] for digest in missing]
        await connection.execute(_TEMPLATES, {"digests": missing, "bodies": bodies})


def _rows_of(snapshots: Sequence[Snapshot]) -> SnapshotRows:
    rows = SnapshotRows([], {}, {})
    # In key order two writers of the same markets wait for each other instead of deadlocking.
    for snapshot in sorted(snapshots, key=_market_of):
        split = split_payload(snapshot.payload_json)
        if split is not None:
            rows.payloads[split.digest] = split
            rows.templates[split.template_digest] = split.template
        rows.snapshots.append(_row_of(snapshot, split))
    return rows


def _market_of(snapshot: Snapshot) -> str:
    return snapshot.market_id


def _row_of(one: Snapshot, split: SplitPayload | None) -> tuple[object, ...]:
    return (
        one.market_id,
        one.snapshot_hour_utc,
        one.payload_json if split is None else POINTER,
        one.created_at_utc,
        one.event_ticker,
        one.series_ticker,
        one.macro_event_type,
        one.probability_bucket,
        one.yes_bid,
        one.yes_ask,
        one.volume_24h,
        one.open_interest,
        one.close_us,
        None if split is None else split.digest,
    )


def _snapshot_of(row: RowMapping) -> Snapshot:
    bid, ask, series = row["yes_bid_e4"], row["yes_ask_e4"], row["series_ticker"]
    return Snapshot(
        market_id=MarketTicker(row["market_id"]),
        snapshot_hour_utc=row["snapshot_hour_utc"],
        payload_json=row["payload_json"],
        created_at_utc=row["created_at_utc"],
        event_ticker=EventTicker(row["event_ticker"]),
        series_ticker=None if series is None else SeriesTicker(series),
        macro_event_type=row["macro_event_type"],
        probability_bucket=row["probability_bucket"],
        yes_bid=None if bid is None else Price(bid),
        yes_ask=None if ask is None else Price(ask),
        volume_24h=Quantity(row["volume_24h_e2"]),
        open_interest=Quantity(row["open_interest_e2"]),
        close_us=row["close_us"],
    )
