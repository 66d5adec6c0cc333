"""Candles and public trades that are older than they are kept: found, and removed in batches."""

# ruff: noqa: S608 - every part of a statement is a constant of this module

from collections.abc import Sequence

from sqlalchemy import bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.ids import MarketTicker

_PERIODS = (1, 60, 1_440)

# The next market each time, then its oldest row: two looks into an index for each market.
_OLD_MARKETS = """
WITH RECURSIVE held(ticker) AS (
  SELECT min(ticker) FROM {table} WHERE ticker > :after
  UNION ALL
  SELECT (SELECT min(ticker) FROM {table} WHERE ticker > held.ticker)
  FROM held WHERE held.ticker IS NOT NULL
)
SELECT ticker FROM held WHERE ticker IS NOT NULL AND ({is_old}) LIMIT :most"""
_OLD_CANDLES = " OR ".join(
    "(SELECT min(end_us) FROM market_candles c WHERE c.ticker = held.ticker"
    f" AND c.period_minutes = {minutes}) < :before"
    for minutes in _PERIODS
)
_OLD_TRADES = (
    "(SELECT min(executed_us) FROM market_trades t WHERE t.ticker = held.ticker) < :before"
)
OLD_MARKETS = (
    text(_OLD_MARKETS.format(table="market_candles", is_old=_OLD_CANDLES)),
    text(_OLD_MARKETS.format(table="market_trades", is_old=_OLD_TRADES)),
)
PRUNE_CANDLES = text(
    "DELETE FROM market_candles WHERE (ticker, period_minutes, end_us) IN (SELECT ticker,"
    f" period_minutes, end_us FROM market_candles WHERE ticker IN :tickers AND period_minutes IN"
    f" {_PERIODS} AND end_us < :before LIMIT :batch)"
).bindparams(bindparam("tickers", expanding=True))
PRUNE_TRADES = text(
    "DELETE FROM market_trades WHERE trade_id IN (SELECT trade_id FROM market_trades"
    " WHERE ticker IN :tickers AND executed_us < :before LIMIT :batch)"
).bindparams(bindparam("tickers", expanding=True))


async def markets_with_past(
    connection: AsyncConnection, before_us: int, after: MarketTicker, limit: int
) -> list[MarketTicker]:
    """See :meth:`bot.ports.market_history.MarketHistoryStore.markets_with_past`."""
    found: set[str] = set()
    for query in OLD_MARKETS:
        given = {"before": before_us, "after": after, "most": limit}
        found.update((await connection.execute(query, given)).scalars())
    return [MarketTicker(one) for one in sorted(found)[:limit]]


async def prune_past(
    connection: AsyncConnection, tickers: Sequence[MarketTicker], before_us: int, batch: int
) -> int:
    """See :meth:`bot.ports.market_history.MarketHistoryStore.prune_past`."""
    given = {"tickers": list(tickers), "before": before_us, "batch": batch}
    candles = await connection.execute(PRUNE_CANDLES, given)
    return candles.rowcount + (await connection.execute(PRUNE_TRADES, given)).rowcount
