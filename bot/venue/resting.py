"""Orders coming into the book and leaving it, with everything that has to follow.

A book entry, its reservation, its group membership and its events change
together here and nowhere else.
"""

from bot.domain.money import Money, Quantity
from bot.domain.orders import OrderStatus
from bot.venue.fees import NO_MONEY, trade_fee
from bot.venue.groups import NO_QUANTITY
from bot.venue.market_state import MarketState
from bot.venue.orders import UpdateReason, WorkingOrder
from bot.venue.settings import Collateral
from bot.venue.state import VenueState
from bot.venue.timers import Timer, TimerKind


def rest(state: VenueState, order: WorkingOrder) -> None:
    """Put what is left of an order into the book. Tells the book, not the order."""
    market = state.markets[order.ticker]
    ledger = state.ledgers[order.account]
    market.book.side(order.side).add(order)
    ledger.resting[order.order_id] = order
    reserve(state, order)
    group = state.group_of(order)
    if group is not None:
        group.orders[order.order_id] = None
    state.tell_book(market, order, order.remaining)
    watch_expiry(state, order)


def unrest(state: VenueState, order: WorkingOrder) -> None:
    """Take an order out of the book with all it has left. Tells the book, not the order."""
    market = state.markets[order.ticker]
    state.tell_book(market, order, -order.remaining)
    market.book.side(order.side).remove(order)
    _forget(state, order)


def shrink(state: VenueState, order: WorkingOrder, quantity: Quantity) -> None:
    """Take ``quantity``, less than all, off a resting order that keeps its place."""
    market = state.markets[order.ticker]
    market.book.side(order.side).shrink(order, quantity)
    order.remaining = Quantity(order.remaining - quantity)
    reserve(state, order)
    state.tell_book(market, order, -quantity)


def cancel(state: VenueState, order: WorkingOrder, reason: UpdateReason | None) -> Quantity:
    """End a resting order and return what it had left."""
    canceled = order.remaining
    unrest(state, order)
    end(state, order, OrderStatus.CANCELED)
    state.tell_order(order, reason)
    return canceled


def end(state: VenueState, order: WorkingOrder, status: OrderStatus) -> None:
    """Give an order that is not in the book its final status."""
    order.status = status
    order.remaining = NO_QUANTITY
    ledger = state.ledgers[order.account]
    if not ledger.terms.keeps_records:
        ledger.orders.pop(order.order_id, None)


def cancel_in_market(state: VenueState, market: MarketState, reason: UpdateReason) -> None:
    """End every resting order of a market."""
    for order in market.resting_orders():
        cancel(state, order, reason)


def reserve(state: VenueState, order: WorkingOrder) -> None:
    """Hold cash for a resting order as it is now, where resting orders hold any."""
    if state.settings.collateral is Collateral.RESERVE:
        state.ledgers[order.account].hold(order, resting_fee(state, order))


def resting_fee(state: VenueState, order: WorkingOrder) -> Money:
    """The maker fee that a resting order would owe in full."""
    if not state.settings.reserves_fees:
        return NO_MONEY
    terms = state.markets[order.ticker].fees_at(state.now_us)
    return trade_fee(terms, order.price, order.remaining, is_taker=False)


def watch_expiry(state: VenueState, order: WorkingOrder) -> None:
    """Have the sweep look at an order when its time is up."""
    if order.expires_us is not None:
        state.timers.set(
            Timer(
                due_us=order.expires_us + state.settings.expiry_sweep_us,
                kind=TimerKind.EXPIRE,
                ticker=order.ticker,
                account=order.account,
                order_id=order.order_id,
            )
        )


def _forget(state: VenueState, order: WorkingOrder) -> None:
    ledger = state.ledgers[order.account]
    del ledger.resting[order.order_id]
    ledger.release(order)
    group = state.group_of(order)
    if group is not None:
        group.orders.pop(order.order_id, None)


def executed(state: VenueState, order: WorkingOrder, quantity: Quantity) -> None:
    """Take a match off a resting order; the last of it ends the order. Tells the book."""
    if quantity < order.remaining:
        shrink(state, order, quantity)
        return
    unrest(state, order)
    end(state, order, OrderStatus.EXECUTED)
