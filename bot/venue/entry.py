"""A new order's way: admitted, matched, rested or ended, answered."""

from dataclasses import dataclass

from bot.domain.ids import OrderId
from bot.domain.money import Money, Quantity
from bot.domain.orders import OrderStatus, TimeInForce
from bot.venue.accounts import AccountId
from bot.venue.admission import refuse_create, refuse_funds
from bot.venue.collateral import closable
from bot.venue.consequences import follow_up
from bot.venue.fees import NO_MONEY
from bot.venue.groups import NO_QUANTITY
from bot.venue.ledger import Ledger
from bot.venue.matching import fillable, match
from bot.venue.orders import OrderReceipt, OrderRequest, UpdateReason, WorkingOrder
from bot.venue.resting import cancel, end, rest
from bot.venue.results import Refusal, RefusalCode
from bot.venue.state import VenueState

_KILLED = Refusal(RefusalCode.FILL_OR_KILL_INSUFFICIENT_RESTING_VOLUME)


def create(state: VenueState, account: AccountId, request: OrderRequest) -> OrderReceipt | Refusal:
    """Take one order, or say why not. Its client order id is used up even if it is killed."""
    ledger = state.ledgers.get(account)
    if ledger is None:
        return Refusal(RefusalCode.ACCOUNT_NOT_FOUND)
    refusal = refuse_create(state, ledger, request)
    if refusal is not None:
        return refusal
    order = _order_of(state, account, request)
    working = working_quantity(ledger, order)
    refusal = refuse_funds(state, ledger, order, working)
    if refusal is not None:
        return refusal
    if order.client_order_id is not None:
        ledger.client_order_ids.add(order.client_order_id)
    if _is_killed(state, order):
        return _KILLED
    ledger.orders[order.order_id] = order
    reason = work(state, order, working)
    state.tell_order(order, reason)
    return conclude(state, order)


def working_quantity(ledger: Ledger, order: WorkingOrder) -> Quantity:
    """What the order may trade: all of it, or the position it is allowed to reduce."""
    if not order.reduce_only:
        return order.remaining
    held = closable(order.side, ledger.position_quantity(order.ticker))
    return Quantity(min(order.remaining, held))


def work(state: VenueState, order: WorkingOrder, working: Quantity) -> UpdateReason | None:
    """Match an order, then rest or end what is left. Returns what happened to it last."""
    is_capped = working < order.remaining
    filled_before = order.filled
    met_itself = not match(state, order, working)
    if order.remaining == 0:
        end(state, order, OrderStatus.EXECUTED)
        return UpdateReason.TRADE
    if met_itself:
        end(state, order, OrderStatus.CANCELED)
        return UpdateReason.SELF_TRADE_CANCEL
    if order.time_in_force is TimeInForce.GOOD_TILL_CANCELED:
        rest(state, order)
    else:
        end(state, order, OrderStatus.CANCELED)
    if is_capped:
        return UpdateReason.REDUCE_ONLY_CANCEL
    return UpdateReason.TRADE if order.filled > filled_before else None


@dataclass(frozen=True, slots=True)
class Before:
    """What an order had taken before an act, so that the answer tells of the act alone."""

    filled: Quantity = NO_QUANTITY
    cost: Money = NO_MONEY
    fees: Money = NO_MONEY


NEW = Before()


def conclude(state: VenueState, order: WorkingOrder, before: Before = NEW) -> OrderReceipt:
    """Let the consequences happen, then answer with what the act did to the order."""
    follow_up(state)
    ledger = state.ledgers[order.account]
    is_resting = order.status is OrderStatus.RESTING
    if is_resting and state.now_us < ledger.cancels_until_us:
        cancel(state, order, None)
    return OrderReceipt(
        order_id=order.order_id,
        client_order_id=order.client_order_id,
        filled=Quantity(order.filled - before.filled),
        remaining=order.remaining,
        fill_cost=Money(order.taker_fill_cost - before.cost),
        fees=Money(order.taker_fees - before.fees),
        at_us=state.now_us,
    )


def _is_killed(state: VenueState, order: WorkingOrder) -> bool:
    if order.time_in_force is not TimeInForce.FILL_OR_KILL:
        return False
    return fillable(state, order, order.remaining) is False


def _order_of(state: VenueState, account: AccountId, request: OrderRequest) -> WorkingOrder:
    market = state.markets[request.ticker]
    return WorkingOrder(
        account=account,
        order_id=OrderId(state.new_id()),
        client_order_id=request.client_order_id,
        ticker=request.ticker,
        event_ticker=market.terms.event_ticker,
        exchange_index=market.terms.exchange_index,
        side=request.side,
        price=request.price,
        initial=request.quantity,
        remaining=request.quantity,
        time_in_force=request.time_in_force,
        self_trade_prevention=request.self_trade_prevention,
        post_only=request.post_only,
        reduce_only=request.reduce_only,
        cancel_on_pause=request.cancel_on_pause,
        expires_us=request.expires_us,
        order_group_id=request.order_group_id,
        created_us=state.now_us,
        updated_us=state.now_us,
    )
