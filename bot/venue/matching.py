"""Price-time matching, and what each match does to both accounts.

The resting order's price is the price. Two orders of one account never trade:
the taker or the maker gives way, as the taker chose. Order groups are judged
after the act, so that a fill-or-kill stays all or nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.domain.ids import FillId
from bot.domain.money import Money, Price, Quantity, cost
from bot.domain.orders import BookSide, Fill, SelfTradePrevention
from bot.domain.quotes import PublicTrade
from bot.venue.collateral import Hold, cost_to_open
from bot.venue.events import OwnFill, TradePrinted
from bot.venue.fees import NO_MONEY, trade_fee
from bot.venue.ledger import Ledger, hold_of, signed
from bot.venue.market_state import MarketState
from bot.venue.orders import UpdateReason, WorkingOrder
from bot.venue.resting import cancel, executed, resting_fee
from bot.venue.settings import Collateral
from bot.venue.state import VenueState

if TYPE_CHECKING:
    from bot.venue.accounts import AccountId


@dataclass(frozen=True, slots=True, kw_only=True)
class _Match:
    trade_id: FillId
    price: Price
    quantity: Quantity


def match(state: VenueState, taker: WorkingOrder, quantity: Quantity) -> bool:
    """Trade up to ``quantity`` of an order that is not in the book; false if it met its own."""
    market = state.markets[taker.ticker]
    opposite = market.book.side(taker.side.opposite)
    while quantity > 0 and opposite.is_met_by(taker.price):
        level = opposite.best_level()
        assert level is not None
        maker = level.first()
        if maker.account == taker.account:
            if taker.self_trade_prevention is SelfTradePrevention.TAKER_AT_CROSS:
                return False
            cancel(state, maker, UpdateReason.SELF_TRADE_CANCEL)
            continue
        traded = Quantity(min(quantity, maker.remaining))
        if not _can_pay(state, maker, traded):
            cancel(state, maker, UpdateReason.MARGIN_CANCEL)
            continue
        _trade(state, market, taker, maker, traded)
        quantity = Quantity(quantity - traded)
    return True


def fillable(state: VenueState, taker: WorkingOrder, quantity: Quantity) -> bool | None:
    """Whether others' orders can fill ``quantity`` at once.

    ``None`` where an own order stands in the way: the venue then treats a
    fill-or-kill as immediate-or-cancel.
    """
    for maker, available in _payable(state, taker):
        if maker.account == taker.account:
            return None
        quantity = Quantity(quantity - min(quantity, available))
        if quantity == 0:
            return True
    return False


def _payable(state: VenueState, taker: WorkingOrder) -> Iterator[tuple[WorkingOrder, Quantity]]:
    """Orders in matching order with what they can surely pay, judged to the safe side."""
    spent: dict[AccountId, int] = {}
    opposite = state.markets[taker.ticker].book.side(taker.side.opposite)
    for maker in opposite.orders_meeting(taker.price):
        if not _may_lack_cash(state, maker):
            yield maker, maker.remaining
            continue
        needed = spent.get(maker.account, 0) + hold_of(maker, resting_fee(state, maker)).full_cost
        if needed <= state.ledgers[maker.account].cash_of(maker.exchange_index):
            spent[maker.account] = needed
            yield maker, maker.remaining


def _may_lack_cash(state: VenueState, maker: WorkingOrder) -> bool:
    is_at_match = state.settings.collateral is Collateral.AT_MATCH
    return is_at_match and state.ledgers[maker.account].terms.checks_funds


def _can_pay(state: VenueState, maker: WorkingOrder, quantity: Quantity) -> bool:
    if not _may_lack_cash(state, maker):
        return True
    ledger = state.ledgers[maker.account]
    hold = Hold(maker.side, maker.price, quantity, NO_MONEY)
    needed = cost_to_open(hold, ledger.position_quantity(maker.ticker))
    cash = max(0, ledger.cash_of(maker.exchange_index))
    return needed <= cash + state.settings.margin_tolerance


def _trade(
    state: VenueState,
    market: MarketState,
    taker: WorkingOrder,
    maker: WorkingOrder,
    quantity: Quantity,
) -> None:
    found = _Match(trade_id=FillId(state.new_id()), price=maker.price, quantity=quantity)
    executed(state, maker, quantity)
    market.count_trade(found.price, quantity, state.now_us)
    _print(state, market, taker.side, found)
    _book_fill(state, market, maker, found)
    taker.remaining = Quantity(taker.remaining - quantity)
    _book_fill(state, market, taker, found, is_taker=True)


def _print(state: VenueState, market: MarketState, side: BookSide, found: _Match) -> None:
    trade = PublicTrade(
        trade_id=found.trade_id,
        ticker=market.terms.ticker,
        price=found.price,
        quantity=found.quantity,
        taker_side=side,
        is_block=False,
        executed_us=state.now_us,
        received_us=state.now_us,
    )
    market.keep_trade(trade, state.settings.trades_kept_per_market)
    state.trades.append(trade)
    state.tell(TradePrinted(trade=trade))


def _book_fill(
    state: VenueState,
    market: MarketState,
    order: WorkingOrder,
    found: _Match,
    *,
    is_taker: bool = False,
) -> None:
    ledger = state.ledgers[order.account]
    position = ledger.position_in(market)
    fee = _charge(state, market, order, found, is_taker=is_taker)
    held_long = max(0, position.quantity)
    change = position.apply(order.side, found.price, found.quantity)
    position.charge(fee)
    market.open_interest += max(0, position.quantity) - held_long
    ledger.pay(order.exchange_index, Money(change - fee))
    ledger.refresh(order.ticker, order.exchange_index)
    state.fees_collected = Money(state.fees_collected + fee)
    state.touched[order.account, order.exchange_index] = None
    _count(order, found, fee, is_taker=is_taker)
    group = state.group_of(order)
    if group is not None:
        group.record(found.quantity, state.now_us)
        state.touched_groups[order.account, group.order_group_id] = None
    if ledger.terms.keeps_records:
        _tell_fill(state, ledger, order, _fill(state, order, found, fee, is_taker=is_taker))
        if not is_taker:
            state.tell_order(order, UpdateReason.TRADE)
        state.tell_position(position)


def _charge(
    state: VenueState, market: MarketState, order: WorkingOrder, found: _Match, *, is_taker: bool
) -> Money:
    terms = market.fees_at(state.now_us)
    return order.rounding.charge(
        revenue=Money(-signed(order.side, found.quantity) * found.price),
        model=trade_fee(terms, found.price, found.quantity, is_taker=is_taker),
        grid=state.ledgers[order.account].terms.balance_grid,
    ).net


def _count(order: WorkingOrder, found: _Match, fee: Money, *, is_taker: bool) -> None:
    value = cost(found.price, found.quantity)
    order.filled = Quantity(order.filled + found.quantity)
    if is_taker:
        order.taker_fill_cost = Money(order.taker_fill_cost + value)
        order.taker_fees = Money(order.taker_fees + fee)
    else:
        order.maker_fill_cost = Money(order.maker_fill_cost + value)
        order.maker_fees = Money(order.maker_fees + fee)


def _fill(
    state: VenueState, order: WorkingOrder, found: _Match, fee: Money, *, is_taker: bool
) -> Fill:
    return Fill(
        fill_id=found.trade_id,
        order_id=order.order_id,
        ticker=order.ticker,
        side=order.side,
        price=found.price,
        quantity=found.quantity,
        fee=fee,
        is_taker=is_taker,
        executed_us=state.now_us,
    )


def _tell_fill(state: VenueState, ledger: Ledger, order: WorkingOrder, fill: Fill) -> None:
    ledger.fills.append(fill)
    state.tell(
        OwnFill(
            account=order.account,
            fill=fill,
            exchange_index=order.exchange_index,
            client_order_id=order.client_order_id,
            post_position=ledger.position_quantity(order.ticker),
        )
    )
