"""Changes of resting orders: cancel, decrease, amend.

An order that is not resting is *not found*, whether canceled, executed or never
known: the venue does not say which, and neither do we.
"""

from dataclasses import dataclass

from bot.domain.ids import OrderId
from bot.domain.money import Quantity
from bot.domain.orders import OrderStatus
from bot.venue.accounts import AccountId
from bot.venue.admission import (
    refuse_expiry,
    refuse_funds,
    refuse_post_only_cross,
    refuse_price,
    refuse_trading,
    refuse_writes,
)
from bot.venue.entry import Before, conclude, work
from bot.venue.ledger import Ledger
from bot.venue.orders import (
    AmendRequest,
    CancelReceipt,
    DecreaseReceipt,
    OrderReceipt,
    UpdateReason,
    WorkingOrder,
)
from bot.venue.resting import cancel, reserve, shrink, unrest, watch_expiry
from bot.venue.results import Refusal, RefusalCode
from bot.venue.state import VenueState

_NOT_FOUND = Refusal(RefusalCode.NOT_FOUND)


def cancel_order(
    state: VenueState, account: AccountId, order_id: OrderId, exchange_index: int | None
) -> CancelReceipt | Refusal:
    """Cancel one resting order, as far as pauses and the close allow."""
    order = _find(state, account, order_id, exchange_index)
    if isinstance(order, Refusal):
        return order
    return _receipt(state, order, cancel(state, order, None))


def cancel_all(state: VenueState, account: AccountId) -> tuple[CancelReceipt, ...] | Refusal:
    """Cancel whatever may be canceled on every shard that works."""
    ledger = state.ledgers.get(account)
    if ledger is None:
        return Refusal(RefusalCode.ACCOUNT_NOT_FOUND)
    if not state.is_exchange_active(None):
        return Refusal(RefusalCode.EXCHANGE_IS_PAUSED)
    ledger.cancels_until_us = state.now_us + state.settings.cancel_all_lingers_us
    found = [order for order in ledger.resting.values() if _may_cancel(state, order) is None]
    return tuple(_receipt(state, order, cancel(state, order, None)) for order in found)


def decrease_order(
    state: VenueState,
    account: AccountId,
    order_id: OrderId,
    exchange_index: int | None,
    change: tuple[Quantity | None, Quantity | None],
) -> DecreaseReceipt | Refusal:
    """Shrink a resting order. ``change`` is (by, to), exactly one of them given."""
    order = _find(state, account, order_id, exchange_index)
    if isinstance(order, Refusal):
        return order
    if not state.is_trading_active(order.exchange_index):
        return Refusal(RefusalCode.TRADING_IS_PAUSED)
    remaining = _decreased(order, *change)
    if remaining is None:
        return Refusal(RefusalCode.INVALID_PARAMETERS, "exactly one of reduce_by, reduce_to")
    if remaining <= 0:
        cancel(state, order, UpdateReason.DECREASE)
    elif remaining < order.remaining:
        shrink(state, order, Quantity(order.remaining - remaining))
        state.tell_order(order, UpdateReason.DECREASE)
    return DecreaseReceipt(
        order_id=order.order_id,
        client_order_id=order.client_order_id,
        remaining=order.remaining,
        at_us=state.now_us,
    )


def _decreased(order: WorkingOrder, by: Quantity | None, to: Quantity | None) -> int | None:
    if by is not None and to is None and by > 0:
        return order.remaining - by
    if to is not None and by is None and 0 <= to <= order.remaining:
        return to
    return None


@dataclass(frozen=True, slots=True)
class _Amendment:
    """An amend that may go ahead, with what shall remain."""

    request: AmendRequest
    remaining: Quantity
    expires_us: int | None
    keeps_place: bool


def amend_order(
    state: VenueState, account: AccountId, order_id: OrderId, request: AmendRequest
) -> OrderReceipt | Refusal:
    """Change a resting order, which keeps its place only if it shrinks or just its expiry moves."""
    order = _find(state, account, order_id, request.exchange_index)
    if isinstance(order, Refusal):
        return order
    amendment = _amendment(order, request)
    ledger = state.ledgers[account]
    refusal = _refuse_amend(state, ledger, order, amendment)
    if refusal is not None:
        return refusal
    before = Before(order.filled, order.taker_fill_cost, order.taker_fees)
    order.initial = request.quantity
    if request.updated_client_order_id is not None:
        ledger.client_order_ids.add(request.updated_client_order_id)
        order.client_order_id = request.updated_client_order_id
    _set_expiry(state, order, amendment)
    if amendment.remaining == 0:
        cancel(state, order, UpdateReason.AMEND)
    elif amendment.keeps_place:
        _resize(state, order, amendment)
    else:
        _replace(state, order, amendment)
    return conclude(state, order, before)


def _amendment(order: WorkingOrder, request: AmendRequest) -> _Amendment:
    remaining = Quantity(request.quantity - order.filled)
    return _Amendment(
        request=request,
        remaining=remaining,
        expires_us=order.expires_us if request.expires_us is None else request.expires_us or None,
        keeps_place=request.price == order.price and remaining <= order.remaining,
    )


def _refuse_amend(
    state: VenueState, ledger: Ledger, order: WorkingOrder, amendment: _Amendment
) -> Refusal | None:
    market = state.markets[order.ticker]
    price = amendment.request.price
    refusal = (
        refuse_trading(state, market)
        or _refuse_mismatch(ledger, order, amendment)
        or refuse_price(market, price)
        or (refuse_expiry(state, amendment.expires_us) if amendment.request.expires_us else None)
    )
    if refusal is not None or amendment.keeps_place:
        return refusal
    return refuse_post_only_cross(
        market, order.side, price, is_post_only=order.post_only
    ) or _refuse_amended_funds(state, ledger, order, amendment)


def _refuse_mismatch(ledger: Ledger, order: WorkingOrder, amendment: _Amendment) -> Refusal | None:
    request = amendment.request
    code = None
    if request.ticker != order.ticker:
        code = RefusalCode.ORDER_TICKER_MISMATCH
    elif request.side is not order.side:
        code = RefusalCode.ORDER_SIDE_MISMATCH
    elif request.client_order_id not in (None, order.client_order_id):
        code = RefusalCode.ORDER_ID_MISMATCH
    elif amendment.remaining < 0:
        code = RefusalCode.INVALID_ORDER_SIZE
    elif request.updated_client_order_id in ledger.client_order_ids:
        code = RefusalCode.ORDER_ALREADY_EXISTS
    return Refusal(code) if code else None


def _refuse_amended_funds(
    state: VenueState, ledger: Ledger, order: WorkingOrder, amendment: _Amendment
) -> Refusal | None:
    old_price, order.price = order.price, amendment.request.price
    try:
        return refuse_funds(state, ledger, order, amendment.remaining, replaces=True)
    finally:
        order.price = old_price


def _set_expiry(state: VenueState, order: WorkingOrder, amendment: _Amendment) -> None:
    if order.expires_us == amendment.expires_us:
        return
    order.expires_us = amendment.expires_us
    watch_expiry(state, order)


def _resize(state: VenueState, order: WorkingOrder, amendment: _Amendment) -> None:
    if amendment.remaining < order.remaining:
        shrink(state, order, Quantity(order.remaining - amendment.remaining))
    else:
        reserve(state, order)
    state.tell_order(order, UpdateReason.AMEND)


def _replace(state: VenueState, order: WorkingOrder, amendment: _Amendment) -> None:
    unrest(state, order)
    order.price = amendment.request.price
    order.remaining = amendment.remaining
    reason = work(state, order, order.remaining)
    state.tell_order(order, reason or UpdateReason.AMEND)


def _find(
    state: VenueState, account: AccountId, order_id: OrderId, exchange_index: int | None
) -> WorkingOrder | Refusal:
    ledger = state.ledgers.get(account)
    if ledger is None:
        return Refusal(RefusalCode.ACCOUNT_NOT_FOUND)
    order = ledger.resting.get(order_id)
    if order is None or order.status is not OrderStatus.RESTING:
        return _NOT_FOUND
    if exchange_index not in (None, order.exchange_index):
        return _NOT_FOUND
    return _may_cancel(state, order) or order


def _may_cancel(state: VenueState, order: WorkingOrder) -> Refusal | None:
    refusal = refuse_writes(state, order.exchange_index)
    if refusal is None and not state.markets[order.ticker].is_before_close:
        refusal = Refusal(RefusalCode.MARKET_INACTIVE)
    return refusal


def _receipt(state: VenueState, order: WorkingOrder, reduced_by: Quantity) -> CancelReceipt:
    return CancelReceipt(
        order_id=order.order_id,
        client_order_id=order.client_order_id,
        reduced_by=reduced_by,
        at_us=state.now_us,
    )
