"""The read side of the venue: books, orders, fills, positions, money, markets.

Reads never change anything and never lag; a read-model delay is the server's to add.
Lists are newest first where the venue's are. An unknown name gives ``None`` or nothing.
"""

from collections.abc import Iterator, Sequence

from bot.domain.ids import MarketTicker, OrderGroupId, OrderId
from bot.domain.money import Quantity
from bot.domain.orders import Fill, OrderStatus
from bot.domain.quotes import BookSnapshot, PublicTrade
from bot.venue.accounts import AccountId, BalanceView
from bot.venue.groups import GroupView
from bot.venue.markets import MarketView
from bot.venue.orders import OrderView
from bot.venue.positions import PositionView, SettlementView


class Reads:
    """What can be asked. ``now_us`` is the latest time an act has seen."""

    now_us: int

    def is_exchange_active(self, exchange_index: int | None = None) -> bool:
        """Whether a shard works; ``None`` asks about the exchange-wide switch."""
        raise NotImplementedError

    def is_trading_active(self, exchange_index: int | None = None) -> bool:
        """Whether a shard trades; false too while the exchange is paused."""
        raise NotImplementedError

    def tickers(self) -> Sequence[MarketTicker]:
        """Every market ever listed, in listing order."""
        raise NotImplementedError

    def market(self, ticker: MarketTicker) -> MarketView | None:
        """One market's summary."""
        raise NotImplementedError

    def book(self, ticker: MarketTicker, depth: int = 0) -> BookSnapshot | None:
        """The book, best first, ``depth`` levels a side (0: all)."""
        raise NotImplementedError

    def trades(self, ticker: MarketTicker | None = None) -> Iterator[PublicTrade]:
        """Kept public trades, newest first."""
        raise NotImplementedError

    def balance(self, account: AccountId, exchange_index: int | None = None) -> BalanceView | None:
        """Cash of one shard or all."""
        raise NotImplementedError

    def order(self, account: AccountId, order_id: OrderId) -> OrderView | None:
        """One order, whatever became of it."""
        raise NotImplementedError

    def orders(
        self,
        account: AccountId,
        *,
        ticker: MarketTicker | None = None,
        status: OrderStatus | None = None,
    ) -> Iterator[OrderView]:
        """Orders, newest first; ``resting`` is fast whatever the history."""
        raise NotImplementedError

    def queue_position(self, account: AccountId, order_id: OrderId) -> Quantity | None:
        """Contracts ahead of a resting order at better prices and earlier at its own."""
        raise NotImplementedError

    def fills(
        self,
        account: AccountId,
        *,
        ticker: MarketTicker | None = None,
        order_id: OrderId | None = None,
    ) -> Iterator[Fill]:
        """Fills, newest first. ``fill.fee`` is the net fee."""
        raise NotImplementedError

    def positions(self, account: AccountId) -> Iterator[PositionView]:
        """Every market ever traded, closed and settled ones with quantity 0."""
        raise NotImplementedError

    def position(self, account: AccountId, ticker: MarketTicker) -> PositionView | None:
        """One position; ``None`` where the account never traded the market."""
        raise NotImplementedError

    def settlements(self, account: AccountId) -> Iterator[SettlementView]:
        """Settlements, newest first."""
        raise NotImplementedError

    def group(self, account: AccountId, group: OrderGroupId) -> GroupView | None:
        """One order group."""
        raise NotImplementedError

    def groups(self, account: AccountId) -> Iterator[GroupView]:
        """The account's order groups, oldest first."""
        raise NotImplementedError
