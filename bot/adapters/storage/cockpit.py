"""What the chat looks up in the store: results, fills, curves, cycles, log lines. Reads only."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Select, and_, func, select
from sqlalchemy.engine import RowMapping

from bot.adapters.storage import tables
from bot.adapters.storage.database import Database
from bot.adapters.storage.tables_market import market_candles, markets
from bot.domain.cockpit import CycleView, FillView, LogLine, TradeView
from bot.domain.ids import MarketTicker, Scope, StrategyId
from bot.domain.money import PAYOUT, Money, Price, Quantity
from bot.domain.orders import BookSide
from bot.domain.records import BracketState
from bot.kit.times import DAY_US, parse_rfc3339

_CLOSED = (BracketState.CLOSED.value, BracketState.SETTLED.value)
_LEVELS = ("WARNING", "ERROR", "CRITICAL")
_POINTS_MAX = 2_000
_FACT_SHOWN_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTrade:
    """A closed position, and what its result is counted by."""

    view: TradeView
    bracket_id: str
    cost: Money


@dataclass(frozen=True, slots=True)
class AccountPoint:
    """The account at one moment of a curve."""

    at_us: int
    equity: Money
    unrealized: Money


@dataclass(frozen=True, slots=True)
class PricePoint:
    """A market's best prices of the YES leg; ``None`` is an empty side."""

    at_us: int
    bid: Price | None
    ask: Price | None


class SqlCockpitReads:
    """Reads of one scope; what is collected belongs to every scope."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database = database
        self._scope = scope

    async def trades(
        self,
        *,
        limit: int | None = None,
        since_us: int | None = None,
        ticker: MarketTicker | None = None,
    ) -> list[StoredTrade]:
        """Closed positions, newest first."""
        brackets = tables.brackets
        known_as = func.coalesce(markets.c.series_ticker, brackets.c.event_ticker).label("series")
        query = (
            select(*_trade_columns(), known_as)
            .select_from(brackets.outerjoin(markets, markets.c.ticker == brackets.c.ticker))
            .where(
                brackets.c.scope == self._scope,
                brackets.c.state.in_(_CLOSED),
                brackets.c.entered_e2 > 0,
                brackets.c.closed_us.is_not(None),
            )
            .order_by(brackets.c.closed_us.desc(), brackets.c.bracket_id)
        )
        if ticker is not None:
            query = query.where(brackets.c.ticker == ticker)
        if since_us is not None:
            query = query.where(brackets.c.closed_us >= since_us)
        return [_trade(row) for row in await self._all(query.limit(limit))]

    async def fills(self, ticker: MarketTicker, since_us: int, limit: int) -> list[FillView]:
        """Our executions in a market, newest first."""
        fills = tables.fills
        query = (
            select(fills)
            .where(
                fills.c.scope == self._scope,
                fills.c.ticker == ticker,
                fills.c.executed_us >= since_us,
            )
            .order_by(fills.c.executed_us.desc(), fills.c.fill_id)
            .limit(limit)
        )
        return [
            FillView(
                executed_us=row["executed_us"],
                price=Price(row["price_e4"]),
                quantity=Quantity(row["quantity_e2"]),
                fee=Money(row["fee_e6"]),
                is_bid=row["side"] == BookSide.BID.value,
                is_taker=bool(row["is_taker"]),
            )
            for row in await self._all(query)
        ]

    async def curve(self, since_us: int) -> list[AccountPoint]:
        """The account over time, oldest first, thinned out evenly to what a picture can show."""
        account = tables.account_snapshots
        mine = and_(account.c.scope == self._scope, account.c.taken_us >= since_us)
        columns = (account.c.taken_us, account.c.equity_e6, account.c.unrealized_e6)
        counted = select(func.count()).select_from(account).where(mine)
        async with self._database.read() as connection:
            count: int = (await connection.execute(counted)).scalar_one()
        every = max(1, -(-count // _POINTS_MAX))
        place = func.row_number().over(order_by=account.c.taken_us.desc())
        ranked = select(*columns, place.label("place")).where(mine).subquery()
        query = (
            select(ranked)
            .where((ranked.c.place - 1) % every == 0)  # the newest one is always there
            .order_by(ranked.c.taken_us)
        )
        return [
            AccountPoint(row["taken_us"], Money(row["equity_e6"]), Money(row["unrealized_e6"]))
            for row in await self._all(query)
        ]

    async def prices(self, ticker: MarketTicker, since_us: int, until_us: int) -> list[PricePoint]:
        """A market's best prices as they were collected, oldest first."""
        candles, snapshots = market_candles, tables.market_snapshots
        of_candles = (
            select(candles.c.end_us, candles.c.bid_close_e4, candles.c.ask_close_e4)
            .where(
                candles.c.ticker == ticker,
                candles.c.end_us.between(since_us, until_us),
                candles.c.period_minutes < DAY_US // 60_000_000,
            )
            .order_by(candles.c.end_us)
        )
        of_snapshots = select(
            snapshots.c.created_at_utc, snapshots.c.yes_bid_e4, snapshots.c.yes_ask_e4
        ).where(snapshots.c.market_id == ticker)
        found = [
            PricePoint(row["end_us"], _side(row["bid_close_e4"]), _side(row["ask_close_e4"]))
            for row in await self._all(of_candles)
        ]
        for row in await self._all(of_snapshots):
            at_us = parse_rfc3339(row["created_at_utc"])
            if since_us <= at_us <= until_us:
                found.append(PricePoint(at_us, _side(row["yes_bid_e4"]), _side(row["yes_ask_e4"])))
        return sorted(found, key=lambda one: one.at_us)

    async def cycles(self, limit: int) -> list[CycleView]:
        """The newest cycles of the collection, newest first."""
        cycles = tables.collect_cycles
        query = (
            select(cycles)
            .order_by(cycles.c.snapshot_hour_utc.desc(), cycles.c.started_us.desc())
            .limit(limit)
        )
        return [
            CycleView(
                hour=row["snapshot_hour_utc"],
                outcome=row["outcome"],
                scanned=row["scanned"],
                inserted=row["inserted"],
                errors=row["errors"],
                started_us=row["started_us"],
                finished_us=row["finished_us"],
                error=row["error"] or "",
            )
            for row in await self._all(query)
        ]

    async def logs(self, limit: int, level: str) -> list[LogLine]:
        """The newest kept log lines of at least this level, newest first."""
        logs = tables.logs
        wanted = _LEVELS[_LEVELS.index(level) :]
        query = (
            select(logs)
            .where(logs.c.level.in_(wanted))
            .order_by(logs.c.at_us.desc(), logs.c.id.desc())
            .limit(limit)
        )
        return [_log_line(row) for row in await self._all(query)]

    async def _all(self, query: Select[tuple[object, ...]]) -> Sequence[RowMapping]:
        async with self._database.read() as connection:
            return (await connection.execute(query)).mappings().all()


def _trade_columns() -> list[Column[Any]]:
    """All but what a bracket is resumed from, which is the most of it and of no use here."""
    return [one for one in tables.brackets.c if one.name != "data_json"]


def _trade(row: RowMapping) -> StoredTrade:
    paid, back, fees = row["entry_cost_e6"], row["exit_value_e6"], row["fees_e6"]
    entered, exited = row["entered_e2"], row["exited_e2"]
    view = TradeView(
        closed_us=row["closed_us"],
        entered_us=row["entered_us"] or row["opened_us"],
        ticker=MarketTicker(row["ticker"]),
        title=row["title"],
        series=row["series"],
        strategy_id=StrategyId(row["strategy_id"]),
        is_yes=row["side"] == BookSide.BID.value,
        quantity=Quantity(entered),
        entry_price=_mean(paid, entered),
        exit_price=_mean(back, exited),
        fees=Money(fees),
        profit=Money(back - paid - fees),
        reason=row["exit_reason"] or "",
    )
    return StoredTrade(view=view, bracket_id=row["bracket_id"], cost=Money(paid))


def _mean(value_e6: int, quantity_e2: int) -> Price:
    """To the nearest $0.0001; what left by settlement or by other hands counts as well."""
    return Price((value_e6 + quantity_e2 // 2) // quantity_e2) if quantity_e2 else Price(0)


def _side(price_e4: int | None) -> Price | None:
    """Candles write an empty side as $0 or $1."""
    return Price(price_e4) if price_e4 and price_e4 != PAYOUT else None


def _log_line(row: RowMapping) -> LogLine:
    facts = json.loads(row["data_json"] or "{}")
    shown = facts.items() if isinstance(facts, dict) else ()
    return LogLine(
        at_us=row["at_us"],
        level=row["level"],
        logger=row["logger"],
        message=row["message"],
        facts=tuple((str(key), str(value)[:_FACT_SHOWN_MAX]) for key, value in shown),
    )
