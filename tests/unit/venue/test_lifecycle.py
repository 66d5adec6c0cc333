"""A market's life by timer and by hand, and what each step does to orders."""

import pytest

from bot.domain.market import CENT_GRID, FeeTerms, MarketStatus, PriceBand, PriceGrid
from bot.domain.money import PAYOUT, Price
from bot.domain.orders import OrderStatus
from bot.venue.events import MarketChanged, OrderChanged
from bot.venue.markets import MarketChange, MarketResult
from bot.venue.orders import UpdateReason
from bot.venue.results import RefusalCode
from tests.unit.venue.floor import ANN, ASK, BID, BOB, HOUR, SECOND, Floor, M, terms_of

DECI_CENT = PriceGrid((PriceBand(Price(0), PAYOUT, Price(10)),))


def told(floor: Floor) -> list[tuple[MarketChange, int]]:
    return [(event.change, event.at_us) for event in floor.told(MarketChanged)]


def status(floor: Floor) -> MarketStatus:
    return floor.reads.market(M).status


def operate(floor: Floor, act: str, *args: object, **options: object):
    operations = floor.venue.operations
    method = getattr(operations, act)
    return floor.keep(method(M, *args, floor.tick(), **options))


def test_a_market_opens_and_closes_by_its_own_times() -> None:
    floor = Floor(listed=False)
    terms = terms_of(open_us=HOUR, close_us=2 * HOUR)
    floor.keep(floor.venue.operations.list_market(terms, floor.now_us))
    assert told(floor) == [(MarketChange.CREATED, SECOND)]
    assert status(floor) is MarketStatus.INITIALIZED
    assert floor.venue.next_due_us() == HOUR
    floor.advance(3 * HOUR)
    assert told(floor) == [(MarketChange.OPENED, HOUR), (MarketChange.CLOSED, 2 * HOUR)]


def test_an_act_runs_due_timers_first_at_their_own_time() -> None:
    floor = Floor()
    floor.tick(10 * HOUR)
    assert floor.refused(ANN, BID, 50) is RefusalCode.MARKET_NOT_ACTIVE
    assert told(floor) == [(MarketChange.CLOSED, 10 * HOUR)]


def test_the_close_cancels_what_rests() -> None:
    floor = Floor()
    order = floor.order(ANN, BID, 50)
    floor.advance(10 * HOUR)
    view = floor.reads.order(ANN, order.order_id)
    assert (view.status, view.last_reason, view.updated_us) == (
        OrderStatus.CANCELED,
        UpdateReason.CLOSE_CANCEL,
        10 * HOUR,
    )
    assert floor.reserved(ANN) == 0


def test_the_close_cancel_may_lag() -> None:
    floor = Floor(close_cancel_us=2 * SECOND)
    order = floor.order(ANN, BID, 50)
    floor.now_us = 10 * HOUR
    floor.advance(SECOND)
    assert floor.reads.order(ANN, order.order_id).status is OrderStatus.RESTING
    floor.advance(SECOND)
    assert floor.reads.order(ANN, order.order_id).updated_us == 10 * HOUR + 2 * SECOND


def test_an_expired_order_is_swept_at_its_time() -> None:
    floor = Floor()
    order = floor.order(ANN, BID, 50, expires_us=HOUR)
    floor.advance(HOUR)
    view = floor.reads.order(ANN, order.order_id)
    assert (view.status, view.last_reason, view.updated_us) == (
        OrderStatus.CANCELED,
        UpdateReason.EXPIRY_CANCEL,
        HOUR,
    )


def test_the_sweep_may_lag_and_until_then_the_order_still_trades() -> None:
    floor = Floor(expiry_sweep_us=120 * SECOND)
    order = floor.order(ANN, BID, 50, 2, expires_us=HOUR)
    floor.advance(HOUR)
    floor.order(BOB, ASK, 50, 1)
    floor.advance(120 * SECOND)
    view = floor.reads.order(ANN, order.order_id)
    assert (view.filled, view.last_reason) == (100, UpdateReason.EXPIRY_CANCEL)


def test_a_filled_order_is_not_swept_again() -> None:
    floor = Floor()
    floor.order(ANN, BID, 50, expires_us=HOUR)
    floor.order(BOB, ASK, 50)
    assert floor.advance(HOUR) == []


def test_reactivation_cancels_every_resting_order() -> None:
    floor = Floor()
    order = floor.order(ANN, BID, 50)
    operate(floor, "deactivate")
    assert told(floor) == [(MarketChange.DEACTIVATED, floor.now_us)]
    assert floor.book() == ([(5_000, 100)], [])
    operate(floor, "activate")
    assert floor.reads.order(ANN, order.order_id).last_reason is UpdateReason.HALT_CANCEL
    assert floor.order(ANN, BID, 50).remaining == 100


def test_orders_of_an_inactive_market_can_be_canceled() -> None:
    floor = Floor()
    order = floor.order(ANN, BID, 50)
    operate(floor, "deactivate")
    assert floor.cancel(ANN, order.order_id).reduced_by == 100


def test_an_inactive_market_closes_on_time() -> None:
    floor = Floor()
    operate(floor, "deactivate")
    floor.advance(10 * HOUR)
    assert status(floor) is MarketStatus.CLOSED


def test_an_early_close_says_the_new_time_first() -> None:
    floor = Floor()
    operate(floor, "determine", MarketResult.YES)
    assert [change for change, _ in told(floor)] == [
        MarketChange.CLOSE_DATE_UPDATED,
        MarketChange.CLOSED,
        MarketChange.DETERMINED,
    ]
    assert floor.reads.market(M).close_us == floor.now_us


def test_a_later_close_opens_a_closed_market_again_and_the_old_timer_is_dead() -> None:
    floor = Floor()
    operate(floor, "move_close", 5 * HOUR)
    operate(floor, "move_close", 20 * HOUR)
    floor.advance(11 * HOUR)
    assert status(floor) is MarketStatus.ACTIVE
    floor.advance(10 * HOUR)
    assert status(floor) is MarketStatus.CLOSED
    operate(floor, "move_close", 30 * HOUR)
    assert [change for change, _ in told(floor)] == [
        MarketChange.CLOSE_DATE_UPDATED,
        MarketChange.ACTIVATED,
    ]
    assert floor.order(ANN, BID, 50).remaining == 100


def test_a_reopened_market_starts_with_an_empty_book() -> None:
    floor = Floor(close_cancel_us=HOUR)
    floor.order(ANN, BID, 50)
    floor.advance(10 * HOUR)
    operate(floor, "move_close", 30 * HOUR)
    assert floor.book() == ([], [])
    kept = floor.order(ANN, BID, 50)
    floor.advance(2 * HOUR)
    assert floor.reads.order(ANN, kept.order_id).status is OrderStatus.RESTING


def test_determined_settles_after_its_timer() -> None:
    floor = Floor()
    operate(floor, "determine", MarketResult.NO)
    determined_us = floor.now_us
    floor.advance(59 * SECOND)
    assert status(floor) is MarketStatus.DETERMINED
    floor.advance(SECOND)
    assert told(floor) == [(MarketChange.SETTLED, determined_us + 60 * SECOND)]
    market = floor.reads.market(M)
    assert (market.status, market.result, market.settlement_value) == (
        MarketStatus.FINALIZED,
        MarketResult.NO,
        0,
    )
    assert market.settled_us == determined_us + 60 * SECOND


def test_a_dispute_stops_the_timer_and_an_amended_result_starts_it_anew() -> None:
    floor = Floor()
    operate(floor, "determine", MarketResult.YES)
    operate(floor, "dispute")
    floor.advance(HOUR)
    assert status(floor) is MarketStatus.DISPUTED
    operate(floor, "amend_result", MarketResult.NO)
    assert status(floor) is MarketStatus.AMENDED
    floor.advance(60 * SECOND)
    market = floor.reads.market(M)
    assert (market.status, market.result) == (MarketStatus.FINALIZED, MarketResult.NO)


@pytest.mark.parametrize(
    ("result", "value", "code"),
    [
        (MarketResult.SCALAR, None, RefusalCode.INVALID_PARAMETERS),
        (MarketResult.SCALAR, PAYOUT + 1, RefusalCode.INVALID_PARAMETERS),
        (MarketResult.YES, 5_000, RefusalCode.INVALID_PARAMETERS),
        (MarketResult.NO, 1, RefusalCode.INVALID_PARAMETERS),
    ],
)
def test_a_result_needs_its_own_value(result, value, code) -> None:
    floor = Floor()
    assert operate(floor, "determine", result, value=value).code is code
    assert status(floor) is MarketStatus.ACTIVE
    operate(floor, "determine", MarketResult.YES)
    operate(floor, "dispute")
    assert operate(floor, "amend_result", result, value=value).code is code


def test_steps_out_of_order_are_refused() -> None:
    floor = Floor()
    for act, args in (("activate", ()), ("dispute", ()), ("amend_result", (MarketResult.YES,))):
        assert operate(floor, act, *args).code is RefusalCode.INVALID_TRANSITION
    operate(floor, "determine", MarketResult.YES)
    for act, args in (
        ("deactivate", ()),
        ("determine", (MarketResult.NO,)),
        ("move_close", (20 * HOUR,)),
    ):
        assert operate(floor, act, *args).code is RefusalCode.INVALID_TRANSITION


def test_an_unopened_market_cannot_close_before_it_opens_nor_be_determined() -> None:
    floor = Floor(listed=False)
    terms = terms_of(open_us=HOUR, close_us=2 * HOUR)
    floor.keep(floor.venue.operations.list_market(terms, floor.now_us))
    assert operate(floor, "move_close", HOUR).code is RefusalCode.INVALID_PARAMETERS
    code = operate(floor, "determine", MarketResult.YES).code
    assert code is RefusalCode.INVALID_TRANSITION
    operate(floor, "move_close", 3 * HOUR)
    floor.advance(2 * HOUR + HOUR // 2)
    assert status(floor) is MarketStatus.ACTIVE


def test_a_market_is_listed_once_and_not_after_its_close() -> None:
    floor = Floor()
    listed = floor.venue.operations.list_market
    assert listed(terms_of(), floor.tick()).result.code is RefusalCode.MARKET_EXISTS
    floor.tick(20 * HOUR)
    late = listed(terms_of("KXFOO-9"), floor.now_us)
    assert late.result.code is RefusalCode.INVALID_PARAMETERS


def test_a_new_grid_binds_new_orders_and_spares_resting_ones() -> None:
    floor = Floor(listed=False)
    terms = terms_of(grid=DECI_CENT)
    floor.keep(floor.venue.operations.list_market(terms, floor.now_us))
    floor.order(ANN, BID, 1, price=Price(5_010))
    operate(floor, "set_grid", CENT_GRID)
    assert told(floor) == [(MarketChange.GRID_UPDATED, floor.now_us)]
    assert floor.refused(ANN, BID, 1, price=Price(5_010)) is RefusalCode.INVALID_PRICE
    assert floor.book() == ([(5_010, 100)], [])


def test_new_fee_terms_hold_for_the_next_fill() -> None:
    floor = Floor()
    floor.order(ANN, ASK, 50, 2)
    assert floor.order(BOB, BID, 50).fees == 17_500
    operate(floor, "set_fees", FeeTerms(fee_type="quadratic_with_maker_fees", multiplier_e6=0))
    assert floor.order(BOB, BID, 50).fees == 0


def test_a_fee_waiver_ends_at_its_time() -> None:
    floor = Floor(listed=False)
    terms = terms_of(fee_waiver_until_us=HOUR)
    floor.keep(floor.venue.operations.list_market(terms, floor.now_us))
    floor.order(ANN, ASK, 50, 2)
    assert floor.order(BOB, BID, 50).fees == 0
    floor.advance(HOUR)
    assert floor.order(BOB, BID, 50).fees == 17_500


def test_closing_tells_each_order_once() -> None:
    floor = Floor()
    floor.order(ANN, BID, 50)
    floor.order(BOB, ASK, 60)
    floor.advance(10 * HOUR)
    assert [event.account for event in floor.told(OrderChanged)] == [ANN, BOB]
