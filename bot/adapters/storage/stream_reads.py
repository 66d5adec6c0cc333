"""``StreamReads`` and ``StreamUpkeep`` over the bot's own database connections."""

# ruff: noqa: S608 - every part of a statement is a constant or a name of the schema

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.adapters.storage.database import Database
from bot.adapters.storage.partitions import drop_months, make_months
from bot.adapters.storage.stream_rows import (
    CHANGES,
    TICKS,
    change_of,
    gap_of,
    start_of,
    tick_of,
)
from bot.domain.ids import MarketTicker
from bot.domain.money import Price, format_price
from bot.domain.quotes import TickerUpdate
from bot.ports.exchange import MarketLifecycle
from bot.ports.stream import BookChange, BookStart, StreamGap

_ROWS_AT_ONCE = 5_000
_BOOKS_AT_ONCE = 500
"""A whole book takes as much room as twenty ticks."""
_MARKETS_AT_ONCE = 200
_PAUSE_S = 0.05

_TICKS = text(
    f"SELECT n.ticker, {', '.join(f't.{name}' for name in TICKS.columns)}"
    " FROM market_ticks t JOIN market_numbers n ON n.market_no = t.market_no"
    " WHERE t.exchange_us BETWEEN :first AND :last"
    " ORDER BY t.exchange_us, t.market_no, t.received_us, t.digest"
)
_START = text(
    "SELECT b.market_no, b.snapshot_us, b.origin, b.bids_json, b.asks_json"
    " FROM book_snapshots b JOIN market_numbers n ON n.market_no = b.market_no"
    " WHERE n.ticker = :ticker AND b.snapshot_us <= :at ORDER BY b.snapshot_us DESC LIMIT 1"
)
_CHANGES = text(
    f"SELECT {', '.join(CHANGES.columns)} FROM book_deltas"
    " WHERE snapshot_us = :start AND market_no = :number AND received_us <= :at"
    " ORDER BY change_no"
)
_LIFECYCLE = text(
    "SELECT n.ticker, e.kind, e.close_us, e.result, e.value_e4, e.received_us"
    " FROM lifecycle_events e JOIN market_numbers n ON n.market_no = e.market_no"
    " WHERE e.received_us BETWEEN :first AND :last ORDER BY e.received_us, n.ticker, e.kind"
)
# Of a market that has closed nothing was missed afterwards, and no whole book will ever come.
_GAPS = text(
    "SELECT ticker, stream, market_no, reason, from_us, to_us, lost, ended, detail FROM ("
    "SELECT n.ticker, g.stream, g.market_no, g.reason, g.from_us, g.lost, g.ended, g.detail,"
    " g.gap_id, CASE WHEN g.to_us IS NOT NULL OR m.close_us > :last THEN g.to_us"
    " WHEN m.close_us < g.from_us THEN g.from_us ELSE m.close_us END AS to_us"
    " FROM stream_gaps g LEFT JOIN market_numbers n ON n.market_no = g.market_no"
    " LEFT JOIN markets m ON m.ticker = n.ticker WHERE g.from_us <= :last) AS known"
    " WHERE coalesce(to_us, :last) >= :first ORDER BY from_us, gap_id"
)

_MARK = text("SELECT value FROM ingest_state WHERE key = :name")
_PUT_MARK = text(
    "INSERT INTO ingest_state (key, value, updated_at_us) VALUES (:name, :value, :at)"
    " ON CONFLICT (key) DO UPDATE SET value = excluded.value,"
    " updated_at_us = excluded.updated_at_us"
)

# SQLite: the oldest few thousand at a time, so that nobody waits long for the one writer's turn.
_OLDEST_TICKS = text(
    "DELETE FROM market_ticks WHERE exchange_us < :before AND exchange_us <= coalesce((SELECT"
    " exchange_us FROM market_ticks ORDER BY exchange_us LIMIT 1 OFFSET :few), :before)"
)
_OLDEST_DELTAS = text(
    "DELETE FROM book_deltas WHERE snapshot_us < :before AND snapshot_us <= coalesce((SELECT"
    " snapshot_us FROM book_deltas ORDER BY snapshot_us LIMIT 1 OFFSET :few), :before)"
)
# Books are kept by market: whoever looked for old ones in all of them would read the whole table,
# and that in the one writer's turn, for which orders wait.
MARKETS_OF_OLD_BOOKS = text(
    "SELECT market_no FROM market_numbers n WHERE market_no > :after AND (SELECT snapshot_us FROM"
    " book_snapshots b WHERE b.market_no = n.market_no ORDER BY snapshot_us LIMIT 1) < :before"
    " ORDER BY market_no LIMIT :most"
)
OLD_BOOKS = text(
    "DELETE FROM book_snapshots WHERE (market_no, snapshot_us) IN (SELECT market_no, snapshot_us"
    " FROM book_snapshots WHERE market_no IN :markets AND snapshot_us < :before LIMIT :few)"
).bindparams(bindparam("markets", expanding=True))


class SqlStreamReads:
    """See :class:`bot.ports.stream.StreamReads`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ticks(self, first_us: int, last_us: int) -> AsyncIterator[TickerUpdate]:
        """See the port."""
        async with (
            self._database.read() as connection,
            connection.stream(_TICKS, {"first": first_us, "last": last_us}) as found,
        ):
            async for some in found.partitions(_ROWS_AT_ONCE):
                for row in some:
                    yield tick_of(row[0], row[1:])

    async def book_chain(
        self, ticker: MarketTicker, at_us: int
    ) -> tuple[BookStart, Sequence[BookChange]] | None:
        """See the port."""
        async with self._database.read() as connection:
            row = await _first(connection, _START, {"ticker": ticker, "at": at_us})
            if row is None:
                return None
            start = start_of(ticker, row)
            key = {"start": start.snapshot_us, "number": row[0], "at": at_us}
            changes = (await connection.execute(_CHANGES, key)).all()
        return start, [change_of(ticker, one) for one in changes]

    async def lifecycle(self, first_us: int, last_us: int) -> Sequence[MarketLifecycle]:
        """See the port."""
        async with self._database.read() as connection:
            span = {"first": first_us, "last": last_us}
            found = (await connection.execute(_LIFECYCLE, span)).all()
        return [_lifecycle_of(row) for row in found]

    async def gaps(self, first_us: int, last_us: int) -> Sequence[StreamGap]:
        """See the port."""
        async with self._database.read() as connection:
            span = {"first": first_us, "last": last_us}
            found = (await connection.execute(_GAPS, span)).all()
        return [gap_of(row[0], row[1:]) for row in found]


class SqlStreamUpkeep:
    """See :class:`bot.ports.stream.StreamUpkeep`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, now_us: int, before_us: int | None) -> Mapping[str, int]:
        """See the port."""
        if self._database.dialect == "sqlite":
            return {} if before_us is None else await self._delete(before_us)
        async with self._database.begin() as connection:
            made = await connection.run_sync(make_months, now_us)
        counts = {"partitions_made": len(made)}
        if before_us is not None:
            async with self._database.begin() as connection:
                counts["partitions_dropped"] = len(
                    await connection.run_sync(drop_months, before_us)
                )
        return counts

    async def _delete(self, before_us: int) -> dict[str, int]:
        few: dict[str, object] = {"before": before_us, "few": _ROWS_AT_ONCE}
        return {
            "ticks": await self._delete_all(_OLDEST_TICKS, few),
            "book_deltas": await self._delete_all(_OLDEST_DELTAS, few),
            "book_snapshots": await self._delete_books(few),
        }

    async def _delete_books(self, few: dict[str, object]) -> int:
        count, after = 0, 0
        while markets := await self._markets_of_old_books(few, after):
            given = {"before": few["before"], "few": _BOOKS_AT_ONCE, "markets": markets}
            count += await self._delete_all(OLD_BOOKS, given)
            after = markets[-1]
        return count

    async def _markets_of_old_books(self, few: dict[str, object], after: int) -> list[int]:
        given = {"before": few["before"], "after": after, "most": _MARKETS_AT_ONCE}
        async with self._database.read() as connection:
            return list((await connection.execute(MARKETS_OF_OLD_BOOKS, given)).scalars())

    async def _delete_all(self, statement: TextClause, few: dict[str, object]) -> int:
        """Batch after batch, until nothing is left."""
        count, gone = 0, 1
        while gone:
            async with self._database.begin() as connection:
                gone = (await connection.execute(statement, few)).rowcount
            count += gone
            # Orders wait for the one writer too: back to back these would starve them.
            await asyncio.sleep(_PAUSE_S)
        return count


class SqlIngestMarks:
    """Single rows of ``ingest_state``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def mark(self, name: str) -> str | None:
        """The mark, if it was ever made."""
        async with self._database.read() as connection:
            found: str | None = await connection.scalar(_MARK, {"name": name})
        return found

    async def put_mark(self, name: str, value: str, at_us: int) -> None:
        """Insert or replace it."""
        async with self._database.begin() as connection:
            await connection.execute(_PUT_MARK, {"name": name, "value": value, "at": at_us})


async def _first(
    connection: AsyncConnection, statement: TextClause, values: Mapping[str, Any]
) -> Sequence[Any] | None:
    return (await connection.execute(statement, dict(values))).first()


def _lifecycle_of(row: Sequence[Any]) -> MarketLifecycle:
    ticker, kind, close_us, result, value, received_us = row
    return MarketLifecycle(
        ticker=MarketTicker(ticker),
        kind=kind,
        close_us=close_us,
        result=result,
        settlement_value=None if value is None else format_price(Price(value)),
        received_us=received_us,
    )
