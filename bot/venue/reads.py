"""The read side of the venue: books, orders, fills, positions, money, markets.

Reads never change anything and never lag; a read-model delay is the server's to add.
Lists are newest first where the venue's are. An unknown name gives ``None`` or nothing.
"""

from collections.abc import Iterator, Sequence

from bot.domain.ids import MarketTicker, OrderGroupId, OrderId
from bot.domain.money import Money, Quantity
from bot.domain.orders import Fill, OrderStatus
from bot.domain.quotes import BookSnapshot, PublicTrade
from bot.venue.accounts import AccountId, BalanceView, ShardBalance
from bot.venue.groups import GroupView
from bot.venue.ledger import Ledger, marked_value
from bot.venue.markets import MarketView
from bot.venue.orders import OrderView
from bot.venue.positions import PositionView, SettlementView
from bot.venue.state import VenueState


class Reads:
    """What can be asked."""

    def __init__(self, state: VenueState) -> None:
        self._state = state

    @property
    def now_us(self) -> int:
        """The latest time an act has seen."""
        return self._state.now_us

    @property
    def fees_collected(self) -> Money:
        """All fees, rounding and settlement residues ever kept: the venue's own cash."""
        return self._state.fees_collected

    def is_exchange_active(self, exchange_index: int | None = None) -> bool:
        """Whether a shard works; ``None`` asks about the exchange-wide switch."""
        return self._state.is_exchange_active(exchange_index)

    def is_trading_active(self, exchange_index: int | None = None) -> bool:
        """Whether a shard trades; false too while the exchange is paused."""
        return self._state.is_trading_active(exchange_index)

    def tickers(self) -> Sequence[MarketTicker]:
        """Every market ever listed, in listing order."""
        return tuple(self._state.markets)

    def market(self, ticker: MarketTicker) -> MarketView | None:
        """One market's summary."""
        market = self._state.markets.get(ticker)
        return market.view(self.now_us) if market else None

    def book(self, ticker: MarketTicker, depth: int = 0) -> BookSnapshot | None:
        """The book, best first, ``depth`` levels a side (0: all)."""
        market = self._state.markets.get(ticker)
        if market is None:
            return None
        return BookSnapshot(
            ticker=ticker,
            bids=tuple(market.book.bids.levels(depth)),
            asks=tuple(market.book.asks.levels(depth)),
            received_us=self.now_us,
            clock=market.clock,
        )

    def trades(self, ticker: MarketTicker | None = None) -> Iterator[PublicTrade]:
        """Kept public trades, newest first."""
        if ticker is None:
            return reversed(self._state.trades)
        market = self._state.markets.get(ticker)
        return reversed(market.trades if market and market.trades else ())

    def balance(self, account: AccountId, exchange_index: int | None = None) -> BalanceView | None:
        """Cash of one shard or all."""
        ledger = self._state.ledgers.get(account)
        if ledger is None:
            return None
        shards = tuple(
            ShardBalance(
                exchange_index=shard, cash=ledger.cash_of(shard), reserved=ledger.reserved_of(shard)
            )
            for shard in sorted(ledger.cash if exchange_index is None else [exchange_index])
        )
        shows_free = self._state.settings.balance_shows_reservation
        return BalanceView(
            shards=shards,
            available=Money(sum(shard.free if shows_free else shard.cash for shard in shards)),
            portfolio_value=self._portfolio_value(ledger, exchange_index),
        )

    def order(self, account: AccountId, order_id: OrderId) -> OrderView | None:
        """One order, whatever became of it."""
        ledger = self._state.ledgers.get(account)
        order = ledger.orders.get(order_id) if ledger else None
        return order.view() if order else None

    def orders(
        self,
        account: AccountId,
        *,
        ticker: MarketTicker | None = None,
        status: OrderStatus | None = None,
    ) -> Iterator[OrderView]:
        """Orders, newest first; ``resting`` is fast whatever the history."""
        ledger = self._state.ledgers.get(account)
        if ledger is None:
            return
        found = ledger.resting if status is OrderStatus.RESTING else ledger.orders
        for order in reversed(found.values()):
            if ticker in (None, order.ticker) and status in (None, order.status):
                yield order.view()

    def queue_position(self, account: AccountId, order_id: OrderId) -> Quantity | None:
        """Contracts ahead of a resting order at better prices and earlier at its own."""
        ledger = self._state.ledgers.get(account)
        order = ledger.resting.get(order_id) if ledger else None
        if order is None:
            return None
        return self._state.markets[order.ticker].book.side(order.side).ahead_of(order)

    def fills(
        self,
        account: AccountId,
        *,
        ticker: MarketTicker | None = None,
        order_id: OrderId | None = None,
    ) -> Iterator[Fill]:
        """Fills, newest first. ``fill.fee`` is the net fee."""
        ledger = self._state.ledgers.get(account)
        for fill in reversed(ledger.fills if ledger else ()):
            if ticker in (None, fill.ticker) and order_id in (None, fill.order_id):
                yield fill

    def positions(self, account: AccountId) -> Iterator[PositionView]:
        """Every market ever traded, closed and settled ones with quantity 0."""
        ledger = self._state.ledgers.get(account)
        for position in ledger.positions.values() if ledger else ():
            yield position.view()

    def position(self, account: AccountId, ticker: MarketTicker) -> PositionView | None:
        """One position; ``None`` where the account never traded the market."""
        ledger = self._state.ledgers.get(account)
        position = ledger.positions.get(ticker) if ledger else None
        return position.view() if position else None

    def settlements(self, account: AccountId) -> Iterator[SettlementView]:
        """Settlements, newest first."""
        ledger = self._state.ledgers.get(account)
        return reversed(ledger.settlements if ledger else ())

    def group(self, account: AccountId, group: OrderGroupId) -> GroupView | None:
        """One order group."""
        ledger = self._state.ledgers.get(account)
        found = ledger.groups.get(group) if ledger else None
        return found.view(self.now_us) if found else None

    def groups(self, account: AccountId) -> Iterator[GroupView]:
        """The account's order groups, oldest first."""
        ledger = self._state.ledgers.get(account)
        for found in ledger.groups.values() if ledger else ():
            yield found.view(self.now_us)

    def _portfolio_value(self, ledger: Ledger, exchange_index: int | None) -> Money:
        markets = self._state.markets
        return Money(
            sum(
                marked_value(position, markets[ticker])
                for ticker, position in ledger.positions.items()
                if exchange_index in (None, position.exchange_index)
            )
        )
