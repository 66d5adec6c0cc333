"""``MarketHistoryStore`` on SQLite and PostgreSQL."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Select, and_, delete, literal, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.adapters.storage import tables, tables_market
from bot.adapters.storage.bulk import BulkInsert
from bot.adapters.storage.collection import INSERT_QUARANTINE
from bot.adapters.storage.database import Database
from bot.adapters.storage.history_pruning import markets_with_past, prune_past
from bot.adapters.storage.history_rows import (
    candle_row,
    event_row,
    known_market,
    market_row,
    price_before,
    price_rows,
    settlement_of,
    settlement_row,
)
from bot.adapters.storage.trade_rows import insert_trades
from bot.domain.errors import MarkMoved
from bot.domain.ids import EventTicker, MarketTicker, SeriesTicker
from bot.domain.money import PAYOUT, Price
from bot.domain.quotes import PublicTrade
from bot.kit.threads import in_thread
from bot.kit.times import MINUTE_US, format_seconds, parse_rfc3339
from bot.ports.collection import QuarantinedItem
from bot.ports.market_history import (
    Candle,
    EventRecord,
    KnownMarket,
    MarketRecord,
    MarkMove,
    PriceBefore,
    SettlementRecord,
)

# SQLite takes 32766 variables at most in one statement.
_NAMES_AT_ONCE = 10_000
_DISCOVERY = "discovery"

# A listing may come out of a cache: what the venue changed later is not undone by it.
_NOT_STALE = (
    "coalesce(excluded.updated_us, 0) >= coalesce({table}.updated_us, 0)"
    " AND excluded.last_seen_us >= {table}.last_seen_us"
)
NEW_EVENTS = BulkInsert(tables_market.events)
EVENTS = BulkInsert(
    tables_market.events,
    replaces=True,
    keeps=("first_seen_us",),
    only_if=_NOT_STALE.format(table="events"),
)
NEW_MARKETS = BulkInsert(tables_market.markets)
MARKETS = BulkInsert(
    tables_market.markets,
    replaces=True,
    keeps=("first_seen_us", "first_close_us"),
    only_if=_NOT_STALE.format(table="markets"),
)
CANDLES = BulkInsert(tables_market.market_candles, replaces=True)
SETTLEMENTS = BulkInsert(tables_market.market_settlements, replaces=True, stamps=("recorded_us",))
SETTLEMENT_PRICES = BulkInsert(tables_market.market_settlement_prices, replaces=True)
NEW_MARKS = BulkInsert(tables.ingest_state)
MARKS = BulkInsert(tables.ingest_state, replaces=True)

# A mark goes on from where its reader found it, or not at all.
MOVE_MARK = text(
    "UPDATE ingest_state SET value = :after, updated_at_us = :at_us"
    " WHERE key = :key AND value = :before"
)
MOVE_MARKS = text(
    "UPDATE ingest_state SET value = moved.after, updated_at_us = :at_us"
    " FROM unnest(CAST(:keys AS text[]), CAST(:befores AS text[]), CAST(:afters AS text[]))"
    " AS moved(key, before, after)"
    " WHERE ingest_state.key = moved.key AND ingest_state.value = moved.before"
)

# The newest candle that had ended; of several, the one of the shortest period.
CANDLE_BEFORE = text(
    "SELECT period_minutes, end_us, bid_close_e4, ask_close_e4,"
    " coalesce(price_close_e4, price_previous_e4) AS price_e4 FROM market_candles"
    " WHERE ticker = :ticker AND period_minutes = :minutes AND end_us <= :at_us"
    " ORDER BY end_us DESC LIMIT 1"
)
SNAPSHOT_BEFORE = text(
    "SELECT created_at_utc, yes_bid_e4, yes_ask_e4 FROM market_snapshots"
    " WHERE market_id = :ticker AND created_at_utc <= :at ORDER BY snapshot_hour_utc DESC LIMIT 1"
)
_PERIODS = (1, 60, 1_440)


class SqlMarketHistoryStore:
    """See :class:`bot.ports.market_history.MarketHistoryStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save_listing(
        self,
        events: Sequence[EventRecord],
        markets: Sequence[MarketRecord],
        quarantined: Sequence[QuarantinedItem],
        at_us: int,
    ) -> int:
        """See the port."""
        event_rows = [event_row(event, at_us) for event in events]
        market_rows = [market_row(market, at_us) for market in markets]
        set_aside = [
            {"cycle_id": _DISCOVERY, "name": item.name, "reason": item.reason, "raw": item.raw}
            | {"at_us": item.at_us}
            for item in quarantined
        ]
        async with self._database.begin() as connection:
            await NEW_EVENTS.run(connection, event_rows)
            await EVENTS.run(connection, event_rows)
            new = await NEW_MARKETS.run(connection, market_rows)
            await MARKETS.run(connection, market_rows)
            if set_aside:
                await connection.execute(INSERT_QUARANTINE, set_aside)
        return new

    async def missing_events(self, tickers: Sequence[EventTicker]) -> Sequence[EventTicker]:
        """See the port."""
        events = tables_market.events
        unique = list(dict.fromkeys(tickers))
        known: set[str] = set()
        async with self._database.read() as connection:
            for chunk in _chunks(unique):
                query = select(events.c.event_ticker).where(events.c.event_ticker.in_(chunk))
                known.update((await connection.execute(query)).scalars())
        return [ticker for ticker in unique if ticker not in known]

    async def markets_of(
        self,
        *,
        series: Sequence[SeriesTicker] = (),
        tickers: Sequence[MarketTicker] = (),
        open_before_us: int | None = None,
        live_since_us: int | None = None,
    ) -> Sequence[KnownMarket]:
        """See the port."""
        markets = tables_market.markets.c
        query = _known()
        if series:
            query = query.where(markets.series_ticker.in_(series))
        if tickers:
            query = query.where(markets.ticker.in_(tickers))
        if open_before_us is not None:
            query = query.where(markets.open_us < open_before_us)
        if live_since_us is not None:
            was_live = markets.close_us >= live_since_us
            query = query.where(or_(was_live, markets.first_seen_us >= live_since_us))
        return await self._known(query)

    async def unsettled(
        self, closed_before_us: int, series: Sequence[SeriesTicker] = ()
    ) -> Sequence[KnownMarket]:
        """See the port."""
        markets, ledger = tables_market.markets.c, tables_market.market_settlements.c
        is_listed = select(literal(1)).where(ledger.ticker == markets.ticker).exists()
        query = _known().where(and_(markets.close_us < closed_before_us, ~is_listed))
        if series:
            query = query.where(markets.series_ticker.in_(series))
        return await self._known(query)

    async def save_candles(
        self, candles: Sequence[Candle], moves: Sequence[MarkMove], at_us: int
    ) -> int:
        """See the port."""
        rows = [candle_row(candle) for candle in candles]
        async with self._database.begin() as connection:
            changed = await CANDLES.run(connection, rows)
            await _move(connection, moves, at_us)
        return changed

    async def save_trades(
        self, trades: Sequence[PublicTrade], moves: Sequence[MarkMove], at_us: int
    ) -> int:
        """See the port."""
        async with self._database.begin() as connection:
            new = await insert_trades(connection, trades)
            await _move(connection, moves, at_us)
        return new

    async def prices_before(
        self, ticker: MarketTicker, close_us: int, horizons_minutes: Sequence[int]
    ) -> Sequence[PriceBefore]:
        """See the port."""
        found: list[PriceBefore] = []
        async with self._database.read() as connection:
            for horizon in sorted(horizons_minutes):
                at_us = close_us - horizon * MINUTE_US
                seen = await _observations(connection, ticker, at_us, horizon)
                if seen:
                    # The first of equals: minutes before hours before days before snapshots.
                    found.append(max(seen, key=lambda one: one.observed_us))
        return found

    async def save_settlements(self, settled: Sequence[SettlementRecord], at_us: int) -> int:
        """See the port."""
        prices = tables_market.market_settlement_prices
        async with self._database.begin() as connection:
            changed = await SETTLEMENTS.run(
                connection, [settlement_row(each, at_us) for each in settled]
            )
            for chunk in _chunks([each.ticker for each in settled]):
                await connection.execute(delete(prices).where(prices.c.ticker.in_(chunk)))
            await SETTLEMENT_PRICES.run(
                connection, [row for each in settled for row in price_rows(each)]
            )
        return changed

    async def settlements(
        self,
        *,
        series: Sequence[SeriesTicker] = (),
        since_us: int | None = None,
        until_us: int | None = None,
    ) -> Sequence[SettlementRecord]:
        """See the port."""
        ledger, prices = tables_market.market_settlements, tables_market.market_settlement_prices
        chosen = select(ledger).order_by(ledger.c.close_us, ledger.c.ticker)
        if series:
            chosen = chosen.where(ledger.c.series_ticker.in_(series))
        if since_us is not None:
            chosen = chosen.where(ledger.c.close_us >= since_us)
        if until_us is not None:
            chosen = chosen.where(ledger.c.close_us < until_us)
        beside = (
            select(prices)
            .where(prices.c.ticker.in_(chosen.with_only_columns(ledger.c.ticker).order_by(None)))
            .order_by(prices.c.ticker, prices.c.horizon_minutes)
        )
        async with self._database.read() as connection:
            seen = (await connection.execute(beside)).mappings().all()
            rows = (await connection.execute(chosen)).mappings().all()

        def made() -> list[SettlementRecord]:
            shown: defaultdict[str, list[PriceBefore]] = defaultdict(list)
            for row in seen:
                shown[row["ticker"]].append(price_before(row))
            return [settlement_of(row, shown[row["ticker"]]) for row in rows]

        # Months of them are a second's work, and whoever trades may share the loop.
        return await in_thread(made)

    async def markets_with_past(
        self, before_us: int, after: MarketTicker, limit: int
    ) -> Sequence[MarketTicker]:
        """See the port."""
        async with self._database.read() as connection:
            return await markets_with_past(connection, before_us, after, limit)

    async def prune_past(self, tickers: Sequence[MarketTicker], before_us: int, batch: int) -> int:
        """See the port."""
        async with self._database.begin() as connection:
            return await prune_past(connection, tickers, before_us, batch)

    async def marks(self, keys: Sequence[str]) -> Mapping[str, str]:
        """See the port."""
        state = tables.ingest_state.c
        found: dict[str, str] = {}
        async with self._database.read() as connection:
            for chunk in _chunks(list(keys)):
                query = select(state.key, state.value).where(state.key.in_(chunk))
                found |= {row.key: row.value for row in await connection.execute(query)}
        return found

    async def put_marks(self, marks: Mapping[str, str], at_us: int) -> None:
        """See the port."""
        rows = [{"key": key, "value": marks[key], "updated_at_us": at_us} for key in marks]
        async with self._database.begin() as connection:
            await MARKS.run(connection, rows)

    async def _known(self, query: Select[Any]) -> Sequence[KnownMarket]:
        async with self._database.read() as connection:
            return [known_market(row) for row in (await connection.execute(query)).mappings()]


def _known() -> Select[Any]:
    markets, events = tables_market.markets, tables_market.events
    return (
        select(markets, events.c.strike_period)
        .select_from(markets.outerjoin(events, events.c.event_ticker == markets.c.event_ticker))
        .order_by(markets.c.close_us, markets.c.ticker)
    )


async def _move(connection: AsyncConnection, moves: Sequence[MarkMove], at_us: int) -> None:
    """Move every mark, or raise, which rolls the transaction back."""
    fresh = [
        {"key": move.key, "value": move.after, "updated_at_us": at_us}
        for move in moves
        if move.before is None
    ]
    known = sorted((move for move in moves if move.before is not None), key=lambda move: move.key)
    moved = await NEW_MARKS.run(connection, fresh) + await _moved(connection, known, at_us)
    if moved != len(moves):
        raise MarkMoved(f"{len(moves) - moved} of {len(moves)} cursors were moved by another")


async def _moved(connection: AsyncConnection, moves: Sequence[MarkMove], at_us: int) -> int:
    if not moves:
        return 0
    if connection.dialect.name == "sqlite":
        rows = [
            {"key": move.key, "before": move.before, "after": move.after, "at_us": at_us}
            for move in moves
        ]
        return (await connection.execute(MOVE_MARK, rows)).rowcount
    arrays: dict[str, object] = {
        "keys": [move.key for move in moves],
        "befores": [move.before for move in moves],
        "afters": [move.after for move in moves],
        "at_us": at_us,
    }
    return (await connection.execute(MOVE_MARKS, arrays)).rowcount


async def _observations(
    connection: AsyncConnection, ticker: str, at_us: int, horizon: int
) -> list[PriceBefore]:
    """What is stored of a market until ``at_us``, the newest of each source."""
    found: list[PriceBefore] = []
    for minutes in _PERIODS:
        given = {"ticker": ticker, "minutes": minutes, "at_us": at_us}
        row = (await connection.execute(CANDLE_BEFORE, given)).mappings().one_or_none()
        if row is not None:
            found.append(
                PriceBefore(
                    horizon_minutes=horizon,
                    yes_bid=_side(row["bid_close_e4"]),
                    yes_ask=_side(row["ask_close_e4"]),
                    last_price=row["price_e4"],
                    observed_us=row["end_us"],
                    source=f"candle_{minutes}",
                )
            )
    wanted = {"ticker": ticker, "at": format_seconds(at_us)}
    row = (await connection.execute(SNAPSHOT_BEFORE, wanted)).mappings().one_or_none()
    if row is not None:
        found.append(
            PriceBefore(
                horizon_minutes=horizon,
                yes_bid=row["yes_bid_e4"],
                yes_ask=row["yes_ask_e4"],
                last_price=None,
                observed_us=parse_rfc3339(row["created_at_utc"]),
                source="snapshot",
            )
        )
    return found


def _side(price_e4: int) -> Price | None:
    """A quote; the venue writes an empty side as a bid of 0 or an ask of 1."""
    return None if price_e4 in (0, PAYOUT) else Price(price_e4)


def _chunks(names: Sequence[Any]) -> list[Sequence[Any]]:
    return [names[at : at + _NAMES_AT_ONCE] for at in range(0, len(names), _NAMES_AT_ONCE)]
