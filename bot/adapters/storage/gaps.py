"""``GapStore`` on SQLite and PostgreSQL."""

import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from sqlalchemy import Row, text

from bot.adapters.storage.database import Database
from bot.domain.ids import InstanceId, MarketTicker, SeriesTicker
from bot.kit.threads import in_thread
from bot.kit.times import HOUR_US, parse_rfc3339
from bot.ports.gaps import (
    Closure,
    ClosureKind,
    ExchangeSpell,
    ExchangeState,
    InstanceLife,
    MarketHole,
    Repair,
    RepairOutcome,
    Unreadable,
)

PROLONG = text(
    "UPDATE exchange_states SET until_us = :until_us, resume_us = :resume_us, detail = :detail"
    " WHERE since_us = (SELECT max(since_us) FROM exchange_states) AND state = :state"
    " AND until_us >= :earliest_us AND until_us <= :until_us"
)

BEGIN_SPELL = text(
    "INSERT INTO exchange_states (since_us, until_us, state, resume_us, detail)"
    " VALUES (:since_us, :until_us, :state, :resume_us, :detail)"
    " ON CONFLICT (since_us) DO NOTHING"
)

SPELLS = text(
    "SELECT * FROM exchange_states WHERE until_us >= :from_us AND since_us <= :to_us"
    " ORDER BY since_us"
)

# What has begun is history, whatever the schedule says later.
DROP_PLANS = text("DELETE FROM exchange_closures WHERE start_us > :at_us")

PLAN = text(
    "INSERT INTO exchange_closures (start_us, end_us, kind, seen_us)"
    " VALUES (:start_us, :end_us, :kind, :at_us)"
    " ON CONFLICT (start_us, end_us) DO UPDATE SET kind = excluded.kind,"
    " seen_us = excluded.seen_us"
)

CLOSURES = text(
    "SELECT * FROM exchange_closures WHERE end_us >= :from_us AND start_us <= :to_us"
    " ORDER BY start_us, end_us"
)

LIVES = text(
    "SELECT instance_id, started_us, coalesce(stopped_us, heartbeat_us) AS seen_until_us"
    " FROM bot_instances"
    " WHERE started_us <= :to_us AND coalesce(stopped_us, heartbeat_us) >= :from_us"
    " ORDER BY started_us, instance_id"
)

SERIES_KNOWN = text(
    "SELECT DISTINCT series_ticker FROM market_snapshots WHERE series_ticker IS NOT NULL"
    " ORDER BY series_ticker"
)

# Hours are numbered among those that have snapshots, so an hour that nobody has is no hole. What
# a scan of the whole exchange found names no series: it is not due every hour, so no hole either.
_HOLES = """
WITH hours AS (
  SELECT snapshot_hour_utc, row_number() OVER (ORDER BY snapshot_hour_utc) AS n
  FROM (SELECT DISTINCT snapshot_hour_utc FROM market_snapshots
        WHERE snapshot_hour_utc BETWEEN :first AND :last) AS held
), seen AS (
  SELECT m.market_id, m.series_ticker, h.n,
    lag(h.n) OVER (PARTITION BY m.market_id ORDER BY h.n) AS before,
    lag(m.series_ticker) OVER (PARTITION BY m.market_id ORDER BY h.n) AS series_before
  FROM market_snapshots m JOIN hours h ON h.snapshot_hour_utc = m.snapshot_hour_utc
)
SELECT s.market_id, s.series_ticker, h.snapshot_hour_utc
FROM seen s JOIN hours h ON h.n > s.before AND h.n < s.n
WHERE s.n - s.before > 1 AND s.series_before IS NOT NULL AND {only}
ORDER BY h.snapshot_hour_utc, s.market_id LIMIT :most"""
HOLES = text(_HOLES.format(only="s.series_ticker IS NOT NULL"))
HOLES_OF_SERIES = text(_HOLES.format(only="s.series_ticker = :series"))

# Markets known to have been open beyond their snapshots, or to have none at all.
_EDGES = """
SELECT m.ticker, m.series_ticker, m.open_us, m.close_us, s.first, s.last
FROM markets m LEFT JOIN (
  SELECT market_id, min(snapshot_hour_utc) AS first, max(snapshot_hour_utc) AS last
  FROM market_snapshots WHERE snapshot_hour_utc BETWEEN :first AND :last GROUP BY market_id
) s ON s.market_id = m.ticker
WHERE m.open_us <= :to_us AND m.close_us >= :from_us AND {only}
ORDER BY m.ticker"""
EDGES = text(
    _EDGES.format(
        only="m.series_ticker IN (SELECT DISTINCT series_ticker FROM market_snapshots"
        " WHERE snapshot_hour_utc BETWEEN :first AND :last)"
    )
)
EDGES_OF_SERIES = text(_EDGES.format(only="m.series_ticker = :series"))

HOURS = text(
    "SELECT DISTINCT snapshot_hour_utc FROM market_snapshots"
    " WHERE snapshot_hour_utc BETWEEN :first AND :last ORDER BY snapshot_hour_utc"
)

UNREADABLE = text(
    "SELECT q.name, c.snapshot_hour_utc AS hour, q.reason FROM quarantine q"
    " JOIN collect_cycles c ON c.cycle_id = q.cycle_id"
    " WHERE c.snapshot_hour_utc BETWEEN :first AND :last ORDER BY q.id"
)

RECORD_REPAIR = text(
    "INSERT INTO gap_repairs (what, subject, from_us, to_us, outcome, row_count, reason, at_us)"
    " VALUES (:what, :subject, :from_us, :to_us, :outcome, :row_count, :reason, :at_us)"
    " ON CONFLICT (what, subject, from_us, to_us) DO UPDATE SET outcome = excluded.outcome,"
    " row_count = gap_repairs.row_count + excluded.row_count, reason = excluded.reason,"
    " at_us = excluded.at_us"
)

REPAIRS = text(
    "SELECT * FROM gap_repairs WHERE to_us >= :from_us AND from_us <= :to_us"
    " ORDER BY from_us, to_us, what, subject"
)


@dataclass(frozen=True, slots=True)
class Hours:
    """The hours that have snapshots, ascending, as keys and as times."""

    keys: Sequence[str]
    starts_us: Sequence[int]

    @classmethod
    def of(cls, keys: Sequence[str]) -> "Hours":
        """These hours."""
        return cls(keys, [parse_rfc3339(key) for key in keys])

    def beyond(self, held: tuple[str, str] | None, open_us: int, close_us: int) -> Iterator[str]:
        """The hours outside ``held`` (first and last) for the whole of which a market was open."""
        first = bisect_left(self.starts_us, open_us)
        after = bisect_right(self.starts_us, close_us - HOUR_US)
        for key in self.keys[first:after]:
            if held is None or not held[0] <= key <= held[1]:
                yield key


class SqlGapStore:
    """See :class:`bot.ports.gaps.GapStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note_exchange(self, seen: ExchangeSpell, pause_us: int) -> None:
        """See the port."""
        facts = {
            "since_us": seen.since_us,
            "until_us": seen.until_us,
            "state": seen.state.value,
            "resume_us": seen.resume_us,
            "detail": seen.detail,
        }
        earliest = {"earliest_us": seen.until_us - pause_us}
        async with self._database.begin() as connection:
            prolonged = await connection.execute(PROLONG, facts | earliest)
            if not prolonged.rowcount:
                await connection.execute(BEGIN_SPELL, facts)

    async def note_closures(self, closures: Sequence[Closure], at_us: int) -> None:
        """See the port."""
        planned = [
            {
                "start_us": each.start_us,
                "end_us": each.end_us,
                "kind": each.kind.value,
                "at_us": at_us,
            }
            for each in closures
        ]
        async with self._database.begin() as connection:
            await connection.execute(DROP_PLANS, {"at_us": at_us})
            if planned:
                await connection.execute(PLAN, planned)

    async def spells(self, from_us: int, to_us: int) -> Sequence[ExchangeSpell]:
        """See the port."""
        async with self._database.read() as connection:
            found = await connection.execute(SPELLS, {"from_us": from_us, "to_us": to_us})
            return [
                ExchangeSpell(
                    state=ExchangeState(row.state),
                    since_us=row.since_us,
                    until_us=row.until_us,
                    resume_us=row.resume_us,
                    detail=row.detail,
                )
                for row in found
            ]

    async def closures(self, from_us: int, to_us: int) -> Sequence[Closure]:
        """See the port."""
        async with self._database.read() as connection:
            found = await connection.execute(CLOSURES, {"from_us": from_us, "to_us": to_us})
            return [
                Closure(start_us=row.start_us, end_us=row.end_us, kind=ClosureKind(row.kind))
                for row in found
            ]

    async def lives(self, from_us: int, to_us: int) -> Sequence[InstanceLife]:
        """See the port."""
        async with self._database.read() as connection:
            found = await connection.execute(LIVES, {"from_us": from_us, "to_us": to_us})
            return [
                InstanceLife(
                    instance_id=InstanceId(row.instance_id),
                    started_us=row.started_us,
                    seen_until_us=row.seen_until_us,
                )
                for row in found
            ]

    async def series_known(self) -> Sequence[SeriesTicker]:
        """See the port."""
        async with self._database.read() as connection:
            found = await connection.execute(SERIES_KNOWN)
            return [SeriesTicker(one) for one in found.scalars()]

    async def market_holes(
        self, first_hour: str, last_hour: str, series: SeriesTicker | None, limit: int
    ) -> Sequence[MarketHole]:
        """See the port."""
        window: dict[str, object] = {"first": first_hour, "last": last_hour}
        between, edges = HOLES, EDGES
        if series is not None:
            window["series"] = series
            between, edges = HOLES_OF_SERIES, EDGES_OF_SERIES
        span = {"from_us": parse_rfc3339(first_hour), "to_us": parse_rfc3339(last_hour) + HOUR_US}
        async with self._database.read() as connection:
            found = (await connection.execute(between, window | {"most": limit})).all()
            open_markets = (await connection.execute(edges, window | span)).all()
            hours = list((await connection.execute(HOURS, window)).scalars())
        # Thousands of markets times a week of hours, and whoever trades may share the loop.
        return await in_thread(lambda: _oldest(limit, found, open_markets, hours))

    async def unreadable(self, first_hour: str, last_hour: str) -> Sequence[Unreadable]:
        """See the port."""
        window = {"first": first_hour, "last": last_hour}
        async with self._database.read() as connection:
            found = await connection.execute(UNREADABLE, window)
            return [Unreadable(name=row.name, hour=row.hour, reason=row.reason) for row in found]

    async def record_repair(self, repair: Repair) -> None:
        """See the port."""
        row = {
            "what": repair.what,
            "subject": repair.subject,
            "from_us": repair.from_us,
            "to_us": repair.to_us,
            "outcome": repair.outcome.value,
            "row_count": repair.rows,
            "reason": repair.reason,
            "at_us": repair.at_us,
        }
        async with self._database.begin() as connection:
            await connection.execute(RECORD_REPAIR, row)

    async def repairs(self, from_us: int, to_us: int) -> Sequence[Repair]:
        """See the port."""
        async with self._database.read() as connection:
            found = await connection.execute(REPAIRS, {"from_us": from_us, "to_us": to_us})
            return [
                Repair(
                    what=row.what,
                    subject=row.subject,
                    from_us=row.from_us,
                    to_us=row.to_us,
                    outcome=RepairOutcome(row.outcome),
                    rows=row.row_count,
                    reason=row.reason,
                    at_us=row.at_us,
                )
                for row in found
            ]


def _oldest(
    limit: int, found: Sequence[Row[Any]], open_markets: Sequence[Row[Any]], hours: Sequence[str]
) -> Sequence[MarketHole]:
    """At most ``limit`` holes, by hour and market; no more of them are ever held."""
    holes = chain(_between(found), _at_edges(open_markets, Hours.of(hours)))
    return heapq.nsmallest(limit, holes, key=lambda hole: (hole.hour, hole.market))


def _between(found: Iterable[Row[Any]]) -> Iterator[MarketHole]:
    for row in found:
        yield MarketHole(
            market=MarketTicker(row.market_id),
            series=SeriesTicker(row.series_ticker),
            hour=row.snapshot_hour_utc,
        )


def _at_edges(open_markets: Iterable[Row[Any]], hours: Hours) -> Iterator[MarketHole]:
    for row in open_markets:
        market, series = MarketTicker(row.ticker), SeriesTicker(row.series_ticker)
        held = None if row.first is None else (row.first, row.last)
        for hour in hours.beyond(held, row.open_us, row.close_us):
            yield MarketHole(market=market, series=series, hour=hour, is_known_open=True)
