"""Whether the venue takes an order, in a fixed order of checks, the first refusal winning.

The venue does not document its order of checks; ours is: market, pauses, status,
price, size, flags, id, group, crossing, money.
"""

from bot.domain.errors import InvalidAmount
from bot.domain.market import MarketStatus
from bot.domain.money import Money, Price, Quantity
from bot.domain.orders import BookSide, TimeInForce
from bot.venue.collateral import Desk, Hold, closable, cost_to_open
from bot.venue.fees import NO_MONEY, trade_fee
from bot.venue.ledger import Ledger
from bot.venue.market_state import MarketState
from bot.venue.orders import OrderRequest, WorkingOrder
from bot.venue.results import Refusal, RefusalCode
from bot.venue.settings import Collateral
from bot.venue.state import VenueState

POST_ONLY_CROSS = Refusal(RefusalCode.INVALID_ORDER, "post only cross")


def refuse_create(state: VenueState, ledger: Ledger, request: OrderRequest) -> Refusal | None:
    """Why this order cannot be taken, or ``None``."""
    market = state.markets.get(request.ticker)
    if market is None or not is_routed_to(market, request.exchange_index):
        return Refusal(RefusalCode.MARKET_NOT_FOUND)
    return (
        refuse_trading(state, market)
        or refuse_price(market, request.price)
        or _refuse_shape(state, request)
        or _refuse_reference(state, ledger, request)
        or refuse_post_only_cross(
            market, request.side, request.price, is_post_only=request.post_only
        )
        or _refuse_reduce_only(state, ledger, request)
    )


def is_routed_to(market: MarketState, exchange_index: int | None) -> bool:
    """Whether a request that names ``exchange_index`` finds this market."""
    return exchange_index is None or exchange_index == market.terms.exchange_index


def refuse_writes(state: VenueState, exchange_index: int) -> Refusal | None:
    """Why a shard takes no writes at all, or ``None``."""
    if state.is_exchange_active(exchange_index):
        return None
    return Refusal(RefusalCode.EXCHANGE_IS_PAUSED)


def refuse_trading(state: VenueState, market: MarketState) -> Refusal | None:
    """Why nothing can be created or enlarged in a market now, or ``None``."""
    exchange_index = market.terms.exchange_index
    refusal = refuse_writes(state, exchange_index)
    if refusal is None and not state.is_trading_active(exchange_index):
        refusal = Refusal(RefusalCode.TRADING_IS_PAUSED)
    if refusal is None and market.status is not MarketStatus.ACTIVE:
        refusal = Refusal(RefusalCode.MARKET_NOT_ACTIVE)
    return refusal


def refuse_price(market: MarketState, price: Price) -> Refusal | None:
    """Off the market's grid, or not inside $0 and $1."""
    try:
        is_accepted = market.grid.accepts(price)
    except InvalidAmount:
        is_accepted = False
    return None if is_accepted else Refusal(RefusalCode.INVALID_PRICE)


def refuse_post_only_cross(
    market: MarketState, side: BookSide, price: Price, *, is_post_only: bool
) -> Refusal | None:
    """A post-only order that would trade at once, be it with an own order."""
    crosses = is_post_only and market.book.side(side.opposite).is_met_by(price)
    return POST_ONLY_CROSS if crosses else None


def refuse_expiry(state: VenueState, expires_us: int | None) -> Refusal | None:
    """An expiry that has passed already."""
    if expires_us is None or expires_us > state.now_us:
        return None
    return Refusal(RefusalCode.INVALID_ORDER, "expiration_time must be in the future")


def _refuse_shape(state: VenueState, request: OrderRequest) -> Refusal | None:
    is_resting = request.time_in_force is TimeInForce.GOOD_TILL_CANCELED
    details = ""
    if request.quantity <= 0:
        return Refusal(RefusalCode.INVALID_ORDER_SIZE)
    if request.post_only and not is_resting:
        details = "post_only can only be used with good_till_canceled orders"
    elif request.reduce_only and request.time_in_force is not TimeInForce.IMMEDIATE_OR_CANCEL:
        details = "reduce_only can only be used with IoC orders"
    elif request.expires_us is not None and not is_resting:
        details = "expiration_time can only be used with good_till_canceled orders"
    if details:
        return Refusal(RefusalCode.INVALID_ORDER, details)
    return refuse_expiry(state, request.expires_us)


def _refuse_reference(state: VenueState, ledger: Ledger, request: OrderRequest) -> Refusal | None:
    if request.client_order_id in ledger.client_order_ids:
        return Refusal(RefusalCode.ORDER_ALREADY_EXISTS)
    if request.order_group_id is None:
        return None
    group = ledger.groups.get(request.order_group_id)
    if group is None or not is_routed_to(state.markets[request.ticker], group.exchange_index):
        return Refusal(RefusalCode.ORDER_GROUP_NOT_FOUND)
    return Refusal(RefusalCode.ORDER_GROUP_TRIGGERED) if group.is_triggered else None


def _refuse_reduce_only(state: VenueState, ledger: Ledger, request: OrderRequest) -> Refusal | None:
    if not (request.reduce_only and state.settings.refuses_flat_reduce_only):
        return None
    if closable(request.side, ledger.position_quantity(request.ticker)):
        return None
    return Refusal(RefusalCode.INVALID_ORDER, "reduce_only order would not reduce the position")


def refuse_funds(
    state: VenueState,
    ledger: Ledger,
    order: WorkingOrder,
    working: Quantity,
    *,
    replaces: bool = False,
) -> Refusal | None:
    """Not enough free cash on the shard for ``working`` contracts of an order not in the book.

    An order that only lowers the position needs none; one that ``replaces`` its
    own resting self frees that first.
    """
    if not ledger.terms.checks_funds:
        return None
    needed = _needed(state, ledger, order, working, replaces=replaces)
    if needed <= max(0, _spendable(state, ledger, order.exchange_index)):
        return None
    return Refusal(RefusalCode.INSUFFICIENT_BALANCE)


def _spendable(state: VenueState, ledger: Ledger, exchange_index: int) -> Money:
    if state.settings.collateral is Collateral.RESERVE:
        return ledger.free_of(exchange_index)
    return ledger.cash_of(exchange_index)


def _needed(
    state: VenueState,
    ledger: Ledger,
    order: WorkingOrder,
    working: Quantity,
    *,
    replaces: bool,
) -> int:
    fee = _fee(state, order, working)
    hold = Hold(order.side, order.price, working, fee)
    position = ledger.position_quantity(order.ticker)
    may_rest = order.time_in_force is TimeInForce.GOOD_TILL_CANCELED
    if not may_rest or state.settings.collateral is Collateral.AT_MATCH:
        return cost_to_open(hold, position)
    desk = ledger.desk(order.ticker) or Desk()
    replaced = order.order_id if replaces else None
    return desk.worst_cost_with(hold, position, replaced) - desk.reserved


def _fee(state: VenueState, order: WorkingOrder, working: Quantity) -> Money:
    """The fee at the limit, which with the cost is the dearest way this order can go."""
    if not state.settings.reserves_fees:
        return NO_MONEY
    market = state.markets[order.ticker]
    is_taker = market.book.side(order.side.opposite).is_met_by(order.price)
    terms = market.fees_at(state.now_us)
    return trade_fee(terms, order.price, working, is_taker=is_taker)
