"""The exchange of a run: the pure venue, a crowd that trades against us, and the signals.

Every signal is a market of its own, quoted to all leaders at about the same
time. Whoever leads may enter it, and nobody may enter it twice.
"""

from collections.abc import Callable
from dataclasses import dataclass

from bot.adapters.paper.views import order_of
from bot.domain.errors import ExchangeUnavailable, OrderRejected, RequestRefused
from bot.domain.ids import EventTicker, MarketTicker, OrderGroupId, OrderId
from bot.domain.money import Money, Price, Quantity
from bot.domain.orders import (
    BookSide,
    CancelAck,
    Fill,
    Order,
    OrderAck,
    OrderIntent,
    OrderStatus,
    Purpose,
    TimeInForce,
)
from bot.kit.times import HOUR_US, SECOND_US
from bot.venue.accounts import AccountId, AccountTerms
from bot.venue.events import OwnFill, VenueEvent
from bot.venue.markets import MarketTerms
from bot.venue.orders import OrderRequest
from bot.venue.results import Outcome, Refusal, RefusalCode
from bot.venue.venue import Venue
from tests.sim.world import World
from tests.support.trading import CASH, START_US

OURS = AccountId("ours")
CROWD = AccountId("crowd")
BID = Price(9_500)
LOW_BID = Price(8_200)
_MANY = Quantity(10_000_000)
_UNAVAILABLE = {RefusalCode.TRADING_IS_PAUSED, RefusalCode.EXCHANGE_IS_PAUSED}


def ticker_of(signal: int) -> MarketTicker:
    """The market of one signal: a series and an event of its own."""
    return MarketTicker(f"KXS{signal:04}-26DEC-T1")


@dataclass(frozen=True, slots=True)
class Accepted:
    """An order of ours that the venue took."""

    at_us: int
    intent: OrderIntent
    order_id: OrderId
    group: OrderGroupId | None


class Market:
    """The venue, acting at true time."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._made = 0
        self.venue = Venue(new_id=self._new_id)
        self.accepted: list[Accepted] = []
        self.listeners: list[Callable[[Fill], None]] = []
        self.signals = 0
        self.is_quiet = False
        """The crowd has gone home."""
        self.doubled: list[str] = []
        """Signals entered while an earlier entry of theirs rested or was held."""
        for account, checks in ((OURS, True), (CROWD, False)):
            terms = AccountTerms(account=account, checks_funds=checks, keeps_records=checks)
            self.venue.open_account(terms, self._now_us())
            self.venue.deposit(account, CASH, self._now_us())

    # --- signals ----------------------------------------------------------------------------

    def list_next(self) -> MarketTicker:
        """The next signal's market, with somebody who buys cheaply in it."""
        self.signals += 1
        ticker = ticker_of(self.signals)
        now_us = self._now_us()
        terms = MarketTerms(
            ticker=ticker,
            event_ticker=EventTicker(ticker.rpartition("-")[0]),
            open_us=now_us - SECOND_US,
            close_us=START_US + 5 * HOUR_US,
        )
        self.venue.operations.list_market(terms, now_us)
        self._crowd(ticker, BookSide.BID, LOW_BID, _MANY, rests=True)
        return ticker

    # --- our account ------------------------------------------------------------------------

    def create(self, intent: OrderIntent, group: OrderGroupId | None) -> OrderAck:
        """Take an order, or refuse it as the exchange would."""
        was_entered = intent.purpose is Purpose.ENTRY and self._is_entered(intent.ticker)
        request = OrderRequest(
            ticker=intent.ticker,
            side=intent.side,
            price=intent.price,
            quantity=intent.quantity,
            time_in_force=intent.time_in_force,
            client_order_id=intent.client_order_id,
            post_only=intent.post_only,
            reduce_only=intent.reduce_only,
            expires_us=intent.expires_us,
            order_group_id=group,
        )
        receipt = self._done(self.venue.create_order(OURS, request, self._now_us()))
        self.accepted.append(Accepted(self._world.now_us, intent, receipt.order_id, group))
        if was_entered:
            self.doubled.append(f"{intent.ticker} by {intent.client_order_id}")
        if receipt.remaining:
            self._expect_crowd(intent, receipt.order_id)
        return OrderAck(
            order_id=receipt.order_id,
            client_order_id=intent.client_order_id,
            filled=receipt.filled,
            remaining=receipt.remaining,
            acknowledged_us=receipt.at_us,
        )

    def cancel(self, order_id: OrderId) -> CancelAck:
        """Cancel, or ``not_found``."""
        receipt = self._done(self.venue.cancel_order(OURS, order_id, self._now_us()))
        return CancelAck(order_id=order_id, reduced_by=receipt.reduced_by)

    def create_group(self, limit: Quantity) -> OrderGroupId:
        """A new order group."""
        return self._done(self.venue.create_group(OURS, limit, self._now_us())).order_group_id

    def trigger_group(self, group: OrderGroupId) -> None:
        """Trigger it."""
        outcome = self.venue.trigger_group(OURS, group, self._now_us())
        if isinstance(outcome.result, Refusal):
            raise RequestRefused(404, "order_group_not_found", "no such group")

    def orders(self) -> list[Order]:
        """Every order of ours, newest first."""
        self.advance()
        return [order_of(view, 0) for view in self.venue.reads.orders(OURS)]

    def advance(self) -> None:
        """Let expiries happen."""
        self._hear(self.venue.advance(self._now_us()))

    # --- the crowd --------------------------------------------------------------------------

    def _expect_crowd(self, intent: OrderIntent, order_id: OrderId) -> None:
        """Somebody may trade with it after a while, in part or wholly."""
        random = self._world.random
        if random.random() < (0.8 if intent.purpose is Purpose.ENTRY else 0.97):
            part = random.choice((1, 1, 2, 3))
            delay_us = random.uniform(0.1, 10.0) * SECOND_US
            self._world.after(delay_us, lambda: self._trade_with(intent, order_id, part))

    def _trade_with(self, intent: OrderIntent, order_id: OrderId, part: int) -> None:
        self.advance()
        order = self.venue.reads.order(OURS, order_id)
        if order is None or not order.remaining or self.is_quiet:
            return
        quantity = Quantity(max(100, order.remaining // part // 100 * 100))
        quantity = Quantity(min(quantity, order.remaining))
        self._crowd(intent.ticker, intent.side.opposite, intent.price, quantity)

    def _crowd(
        self,
        ticker: MarketTicker,
        side: BookSide,
        price: Price,
        quantity: Quantity,
        *,
        rests: bool = False,
    ) -> None:
        request = OrderRequest(
            ticker=ticker,
            side=side,
            price=price,
            quantity=quantity,
            time_in_force=(
                TimeInForce.GOOD_TILL_CANCELED if rests else TimeInForce.IMMEDIATE_OR_CANCEL
            ),
        )
        self._done(self.venue.create_order(CROWD, request, self._now_us()))

    # --- inside -----------------------------------------------------------------------------

    def _is_entered(self, ticker: MarketTicker) -> bool:
        """Whether an entry of ours rests in this market, or what one bought is still held."""
        self.advance()
        position = self.venue.reads.position(OURS, ticker)
        if position is not None and position.quantity:
            return True
        resting = self.venue.reads.orders(OURS, ticker=ticker, status=OrderStatus.RESTING)
        return any(order.side is BookSide.BID for order in resting)

    def _done(self, outcome: Outcome):
        self._hear(outcome.events)
        if isinstance(outcome.result, Refusal):
            refusal = outcome.result
            if refusal.code in _UNAVAILABLE:
                raise ExchangeUnavailable(refusal.message)
            raise OrderRejected(str(refusal.code), refusal.details or refusal.message)
        return outcome.result

    def _hear(self, happened: tuple[VenueEvent, ...]) -> None:
        for event in happened:
            if isinstance(event, OwnFill) and event.account == OURS:
                for listener in self.listeners:
                    listener(event.fill)

    def _new_id(self) -> str:
        self._made += 1
        return f"v{self._made:06}"

    def _now_us(self) -> int:
        return START_US + self._world.now_us


def cash_of(market: Market) -> Money:
    """What the account has."""
    balance = market.venue.reads.balance(OURS)
    assert balance is not None
    return balance.available
