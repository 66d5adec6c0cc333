"""The one statement that stores public trades, whoever saw them: the backfill or the stream."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.adapters.storage.bulk import BulkInsert
from bot.adapters.storage.tables_market import market_trades
from bot.domain.quotes import PublicTrade

INSERT_TRADES = BulkInsert(market_trades)


async def insert_trades(connection: AsyncConnection, trades: Sequence[PublicTrade]) -> int:
    """Store trades inside an open transaction, each once by its id; returns how many are new."""
    return await INSERT_TRADES.run(connection, (trade_row(trade) for trade in trades))


def trade_row(trade: PublicTrade) -> dict[str, object]:
    """A trade as a row of ``market_trades``."""
    return {
        "trade_id": trade.trade_id,
        "ticker": trade.ticker,
        "price_e4": trade.price,
        "quantity_e2": trade.quantity,
        "taker_side": trade.taker_side.value,
        "is_block": trade.is_block,
        "executed_us": trade.executed_us,
        "received_us": trade.received_us,
    }
