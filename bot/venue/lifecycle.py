"""A market's life, by timer and by hand.

initialized -> active <-> inactive -> closed -> determined -> finalized, with
determined -> disputed -> amended -> finalized as the detour. Opening and closing
by time change the status without a word on the wire; the event is there all the same.
"""

from bot.domain.market import FeeTerms, MarketStatus, PriceGrid
from bot.domain.money import PAYOUT, Price
from bot.venue.events import MarketChanged
from bot.venue.market_state import MarketState
from bot.venue.markets import MarketChange, MarketResult, MarketTerms, MarketView
from bot.venue.orders import UpdateReason
from bot.venue.resting import cancel, cancel_in_market
from bot.venue.results import Refusal, RefusalCode
from bot.venue.settlement import pay_out
from bot.venue.state import VenueState
from bot.venue.timers import Timer, TimerKind


def list_market(state: VenueState, terms: MarketTerms) -> MarketView | Refusal:
    """List a market whose close is still to come."""
    if terms.ticker in state.markets:
        return Refusal(RefusalCode.MARKET_EXISTS)
    if terms.close_us <= state.now_us:
        return Refusal(RefusalCode.INVALID_PARAMETERS, "close time must be in the future")
    market = MarketState(terms, state.now_us)
    state.markets[terms.ticker] = market
    if terms.open_us <= state.now_us:
        market.status = MarketStatus.ACTIVE
    else:
        _set_timer(state, market, TimerKind.OPEN, terms.open_us)
    _set_timer(state, market, TimerKind.CLOSE, terms.close_us)
    return _changed(state, market, MarketChange.CREATED)


def deactivate(state: VenueState, market: MarketState) -> MarketView | Refusal:
    """Stop a market; its resting orders wait for the reactivation that cancels them."""
    if market.status is not MarketStatus.ACTIVE:
        return _wrong_status(market)
    market.status = MarketStatus.INACTIVE
    return _changed(state, market, MarketChange.DEACTIVATED)


def activate(state: VenueState, market: MarketState) -> MarketView | Refusal:
    """Start a stopped market with an empty book."""
    if market.status is not MarketStatus.INACTIVE:
        return _wrong_status(market)
    cancel_in_market(state, market, UpdateReason.HALT_CANCEL)
    market.status = MarketStatus.ACTIVE
    return _changed(state, market, MarketChange.ACTIVATED)


def move_close(state: VenueState, market: MarketState, close_us: int) -> MarketView | Refusal:
    """Move the close, which may close the market now or open a closed one again."""
    is_closed = market.status is MarketStatus.CLOSED
    may_move = market.status is MarketStatus.INITIALIZED or market.is_before_close
    if not may_move and not (is_closed and close_us > state.now_us):
        return _wrong_status(market)
    if market.status is MarketStatus.INITIALIZED and close_us <= market.terms.open_us:
        return Refusal(RefusalCode.INVALID_PARAMETERS, "close time must be after the open time")
    market.close_us = max(close_us, state.now_us)
    _changed(state, market, MarketChange.CLOSE_DATE_UPDATED)
    if close_us <= state.now_us:
        close(state, market)
        return market.view(state.now_us)
    _set_timer(state, market, TimerKind.CLOSE, close_us)
    if is_closed:
        # What the delayed close-cancel has not reached yet goes now, as on a reactivation.
        cancel_in_market(state, market, UpdateReason.CLOSE_CANCEL)
        market.status = MarketStatus.ACTIVE
        return _changed(state, market, MarketChange.ACTIVATED)
    return market.view(state.now_us)


def close(state: VenueState, market: MarketState) -> None:
    """End trading; resting orders follow at once or after the configured delay."""
    market.status = MarketStatus.CLOSED
    _changed(state, market, MarketChange.CLOSED)
    if state.settings.close_cancel_us == 0:
        cancel_in_market(state, market, UpdateReason.CLOSE_CANCEL)
        return
    due_us = market.close_us + state.settings.close_cancel_us
    _set_timer(state, market, TimerKind.CLOSE_CANCEL, due_us)


def determine(
    state: VenueState, market: MarketState, result: MarketResult, value: Price | None
) -> MarketView | Refusal:
    """Fix the result; an open market closes early first."""
    if not (market.is_before_close or market.status is MarketStatus.CLOSED):
        return _wrong_status(market)
    pays = _value_of(result, value)
    if pays is None:
        return _bad_value()
    if market.is_before_close:
        move_close(state, market, state.now_us)
    cancel_in_market(state, market, UpdateReason.CLOSE_CANCEL)
    market.status = MarketStatus.DETERMINED
    market.determined_us = state.now_us
    return _await_settlement(state, market, result, pays, MarketChange.DETERMINED)


def dispute(state: VenueState, market: MarketState) -> MarketView | Refusal:
    """Hold the settlement back."""
    if market.status is not MarketStatus.DETERMINED:
        return _wrong_status(market)
    market.status = MarketStatus.DISPUTED
    market.settle_due_us = None
    return _changed(state, market, MarketChange.DISPUTED)


def amend_result(
    state: VenueState, market: MarketState, result: MarketResult, value: Price | None
) -> MarketView | Refusal:
    """Answer a dispute with a result, the same or another."""
    if market.status is not MarketStatus.DISPUTED:
        return _wrong_status(market)
    pays = _value_of(result, value)
    if pays is None:
        return _bad_value()
    market.status = MarketStatus.AMENDED
    return _await_settlement(state, market, result, pays, MarketChange.AMENDED)


def set_grid(state: VenueState, market: MarketState, grid: PriceGrid) -> MarketView | Refusal:
    """Change the grid for new prices; resting orders keep theirs."""
    market.grid = grid
    return _changed(state, market, MarketChange.GRID_UPDATED)


def set_fees(state: VenueState, market: MarketState, fees: FeeTerms) -> MarketView | Refusal:
    """Change the fee terms of fills to come."""
    market.fees = fees
    return _changed(state, market, MarketChange.FEES_UPDATED)


def run_timer(state: VenueState, timer: Timer) -> None:
    """Do what is due, if it still is."""
    market = state.markets[timer.ticker]
    match timer.kind:
        case TimerKind.OPEN:
            _open(state, market)
        case TimerKind.CLOSE:
            _close_if_due(state, market, timer.due_us)
        case TimerKind.CLOSE_CANCEL:
            _cancel_if_closed(state, market)
        case TimerKind.SETTLE:
            _finalize_if_due(state, market, timer.due_us)
        case TimerKind.EXPIRE:
            _expire(state, market, timer)


def _open(state: VenueState, market: MarketState) -> None:
    if market.status is MarketStatus.INITIALIZED:
        market.status = MarketStatus.ACTIVE
        _changed(state, market, MarketChange.OPENED)


def _close_if_due(state: VenueState, market: MarketState, due_us: int) -> None:
    if market.is_before_close and market.close_us == due_us:
        close(state, market)


def _cancel_if_closed(state: VenueState, market: MarketState) -> None:
    if not market.is_before_close:
        cancel_in_market(state, market, UpdateReason.CLOSE_CANCEL)


def _expire(state: VenueState, market: MarketState, timer: Timer) -> None:
    assert timer.account is not None
    assert timer.order_id is not None
    order = state.ledgers[timer.account].resting.get(timer.order_id)
    if order is None or order.expires_us is None or not market.is_before_close:
        return
    if order.expires_us + state.settings.expiry_sweep_us == timer.due_us:
        cancel(state, order, UpdateReason.EXPIRY_CANCEL)


def _await_settlement(
    state: VenueState,
    market: MarketState,
    result: MarketResult,
    value: Price,
    change: MarketChange,
) -> MarketView:
    market.result = result
    market.settlement_value = value
    market.settle_due_us = state.now_us + market.terms.settlement_timer_us
    view = _changed(state, market, change)
    _set_timer(state, market, TimerKind.SETTLE, market.settle_due_us)
    return view


def _finalize_if_due(state: VenueState, market: MarketState, due_us: int) -> None:
    if market.settle_due_us != due_us:
        return
    market.status = MarketStatus.FINALIZED
    market.settled_us = state.now_us
    market.settle_due_us = None
    pay_out(state, market)
    _changed(state, market, MarketChange.SETTLED)


def _value_of(result: MarketResult, value: Price | None) -> Price | None:
    match result:
        case MarketResult.SCALAR:
            return value if value is not None and 0 <= value <= PAYOUT else None
        case MarketResult.YES:
            return PAYOUT if value in (None, PAYOUT) else None
        case MarketResult.NO:
            return Price(0) if value in (None, 0) else None


def _changed(state: VenueState, market: MarketState, change: MarketChange) -> MarketView:
    market.updated_us = state.now_us
    view = market.view(state.now_us)
    state.tell(MarketChanged(change=change, market=view, at_us=state.now_us))
    return view


def _set_timer(state: VenueState, market: MarketState, kind: TimerKind, due_us: int) -> None:
    state.timers.set(Timer(due_us=due_us, kind=kind, ticker=market.terms.ticker))


def _wrong_status(market: MarketState) -> Refusal:
    return Refusal(RefusalCode.INVALID_TRANSITION, f"market is {market.status}")


def _bad_value() -> Refusal:
    details = "a scalar result needs a value from 0 to 1, yes and no allow no other than theirs"
    return Refusal(RefusalCode.INVALID_PARAMETERS, details)
