"""One account's live books: cash, reservations, orders, fills, positions, groups."""

from typing import TYPE_CHECKING

from bot.domain.ids import ClientOrderId, MarketTicker, OrderGroupId, OrderId
from bot.domain.money import Money, Price, Quantity
from bot.domain.orders import BookSide, Fill
from bot.venue.accounts import AccountTerms
from bot.venue.collateral import Desk, Hold
from bot.venue.fees import NO_MONEY
from bot.venue.market_state import MarketState
from bot.venue.orders import WorkingOrder
from bot.venue.positions import Position, SettlementView

if TYPE_CHECKING:
    from bot.venue.groups import OrderGroup


class Ledger:
    """Everything one account has. Client order ids are remembered for ever."""

    __slots__ = (
        "_desks",
        "cancels_until_us",
        "cash",
        "client_order_ids",
        "fills",
        "groups",
        "orders",
        "positions",
        "reserved",
        "resting",
        "settlements",
        "terms",
    )

    def __init__(self, terms: AccountTerms) -> None:
        self.terms = terms
        self.cash: dict[int, Money] = {}
        self.reserved: dict[int, Money] = {}
        self.client_order_ids: set[ClientOrderId] = set()
        self.orders: dict[OrderId, WorkingOrder] = {}
        self.resting: dict[OrderId, WorkingOrder] = {}
        self.fills: list[Fill] = []
        self.positions: dict[MarketTicker, Position] = {}
        self.settlements: list[SettlementView] = []
        self.groups: dict[OrderGroupId, OrderGroup] = {}
        self.cancels_until_us = 0
        self._desks: dict[MarketTicker, Desk] = {}

    def cash_of(self, exchange_index: int) -> Money:
        """Cash on a shard."""
        return self.cash.get(exchange_index, NO_MONEY)

    def reserved_of(self, exchange_index: int) -> Money:
        """What the shard's resting orders may come to cost."""
        return self.reserved.get(exchange_index, NO_MONEY)

    def free_of(self, exchange_index: int) -> Money:
        """Cash that nothing claims."""
        return Money(self.cash_of(exchange_index) - self.reserved_of(exchange_index))

    def pay(self, exchange_index: int, change: Money) -> None:
        """Change the cash of a shard."""
        self.cash[exchange_index] = Money(self.cash_of(exchange_index) + change)

    def position_quantity(self, ticker: MarketTicker) -> Quantity:
        """The signed position, 0 where there is none."""
        position = self.positions.get(ticker)
        return position.quantity if position else Quantity(0)

    def position_in(self, market: MarketState) -> Position:
        """The position in a market, made on first use."""
        ticker = market.terms.ticker
        position = self.positions.get(ticker)
        if position is None:
            position = self.positions[ticker] = Position(
                account=self.terms.account,
                ticker=ticker,
                event_ticker=market.terms.event_ticker,
                exchange_index=market.terms.exchange_index,
            )
            market.holders[self.terms.account] = None
        return position

    def desk(self, ticker: MarketTicker) -> Desk | None:
        """The resting orders of one market as collateral, if there are any."""
        return self._desks.get(ticker)

    def hold(self, order: WorkingOrder, fee: Money) -> None:
        """Reserve for a resting order, anew after each change of it."""
        if not self.terms.checks_funds:
            return
        desk = self._desks.setdefault(order.ticker, Desk())
        desk.put(order.order_id, hold_of(order, fee))
        self.refresh(order.ticker, order.exchange_index)

    def release(self, order: WorkingOrder) -> None:
        """Reserve nothing for an order any more."""
        desk = self._desks.get(order.ticker)
        if desk is None:
            return
        desk.drop(order.order_id)
        self.refresh(order.ticker, order.exchange_index)
        if not desk.holds:
            del self._desks[order.ticker]

    def refresh(self, ticker: MarketTicker, exchange_index: int) -> None:
        """Work out a market's reservation again after its orders or position changed."""
        desk = self._desks.get(ticker)
        if desk is None:
            return
        needed = desk.worst_cost(self.position_quantity(ticker))
        reserved = self.reserved_of(exchange_index) - desk.reserved + needed
        self.reserved[exchange_index] = Money(reserved)
        desk.reserved = needed


def hold_of(order: WorkingOrder, fee: Money) -> Hold:
    """An order in the shape that collateral is reckoned with."""
    return Hold(order.side, order.price, order.remaining, fee)


def signed(side: BookSide, quantity: Quantity) -> Quantity:
    """A bid's quantity as it is, an ask's below zero."""
    return quantity if side is BookSide.BID else Quantity(-quantity)


def marked_value(position: Position, market: MarketState) -> Money:
    """A position at its settlement value, else the last price, else what it cost."""
    price: Price | None = market.settlement_value
    price = market.last_price if price is None else price
    return position.exposure if price is None else position.value_at(price)
