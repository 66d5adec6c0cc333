"""Cancel, decrease, amend: outcomes, priority, and when they are refused."""

import pytest

from bot.domain.ids import ClientOrderId, MarketTicker, OrderId
from bot.domain.money import Price, Quantity
from bot.domain.orders import OrderStatus
from bot.venue.accounts import AccountId
from bot.venue.events import BookChanged
from bot.venue.orders import AmendRequest, OrderReceipt, UpdateReason
from bot.venue.results import Refusal, RefusalCode
from tests.unit.venue.floor import ANN, ASK, BID, BOB, CAT, HOUR, IOC, SECOND, Floor, M, terms_of


def amend(floor: Floor, account, order_id, *shape, **changes):
    """``shape`` is side, cents and contracts."""
    side, cents, contracts = shape
    given = {
        "ticker": M,
        "side": side,
        "price": Price(cents * 100),
        "quantity": Quantity(contracts * 100),
    }
    request = AmendRequest(**(given | changes))
    return floor.keep(floor.venue.amend_order(account, order_id, request, floor.tick()))


def decrease(floor: Floor, account, order_id, **change):
    return floor.keep(floor.venue.decrease_order(account, order_id, floor.tick(), **change))


def test_a_cancel_tells_by_how_much_the_order_shrank() -> None:
    floor = Floor()
    order = floor.order(ANN, ASK, 50, 3, client_id="mine")
    floor.order(BOB, BID, 50, 1)
    receipt = floor.cancel(ANN, order.order_id)
    assert (receipt.reduced_by, receipt.client_order_id, receipt.at_us) == (
        200,
        "mine",
        floor.now_us,
    )
    view = floor.reads.order(ANN, order.order_id)
    assert (view.status, view.filled, view.remaining) == (OrderStatus.CANCELED, 100, 0)
    assert floor.book() == ([], [])
    assert floor.reserved(ANN) == 0


def test_canceled_executed_foreign_and_unknown_orders_are_all_just_not_found() -> None:
    floor = Floor()
    canceled = floor.order(ANN, BID, 40)
    floor.cancel(ANN, canceled.order_id)
    executed = floor.order(ANN, BID, 50)
    floor.order(BOB, ASK, 50)
    foreign = floor.order(BOB, ASK, 60)
    for order_id in (canceled.order_id, executed.order_id, foreign.order_id, OrderId("none")):
        assert floor.cancel(ANN, order_id) == Refusal(RefusalCode.NOT_FOUND)
        assert decrease(floor, ANN, order_id, reduce_by=Quantity(1)) == Refusal(
            RefusalCode.NOT_FOUND
        )
        assert amend(floor, ANN, order_id, BID, 40, 1) == Refusal(RefusalCode.NOT_FOUND)


def test_an_unknown_account_has_nothing_to_change() -> None:
    floor, nobody = Floor(), AccountId("nobody")
    assert floor.cancel(nobody, OrderId("x")) == Refusal(RefusalCode.ACCOUNT_NOT_FOUND)
    result = floor.keep(floor.venue.cancel_all(nobody, floor.tick()))
    assert result == Refusal(RefusalCode.ACCOUNT_NOT_FOUND)


def test_a_cancel_sent_to_the_wrong_shard_finds_nothing() -> None:
    floor = Floor()
    order = floor.order(ANN, BID, 40)
    wrong = floor.venue.cancel_order(ANN, order.order_id, floor.tick(), exchange_index=1)
    assert wrong.result == Refusal(RefusalCode.NOT_FOUND)
    right = floor.venue.cancel_order(ANN, order.order_id, floor.tick(), exchange_index=0)
    assert right.result.reduced_by == 100


def test_batches_answer_in_order_and_item_by_item() -> None:
    floor = Floor()
    order = floor.order(ANN, BID, 40)
    outcome = floor.venue.cancel_orders(ANN, [OrderId("none"), order.order_id], floor.tick())
    refusal, receipt = outcome.result
    assert refusal == Refusal(RefusalCode.NOT_FOUND)
    assert receipt.reduced_by == 100


def test_cancel_all_takes_every_market_and_spares_other_accounts() -> None:
    floor = Floor()
    floor.keep(floor.venue.operations.list_market(terms_of("KXFOO-2"), floor.tick()))
    floor.order(ANN, BID, 40)
    floor.order(ANN, ASK, 60, ticker=MarketTicker("KXFOO-2"))
    floor.order(BOB, BID, 39)
    receipts = floor.keep(floor.venue.cancel_all(ANN, floor.tick()))
    assert [receipt.reduced_by for receipt in receipts] == [100, 100]
    assert floor.book() == ([(3_900, 100)], [])
    assert floor.book("KXFOO-2") == ([], [])


def test_cancel_all_may_catch_orders_placed_soon_after() -> None:
    floor = Floor(cancel_all_lingers_us=60 * SECOND)
    floor.keep(floor.venue.cancel_all(ANN, floor.tick()))
    caught = floor.order(ANN, BID, 40)
    assert caught.remaining == 0
    assert floor.reads.order(ANN, caught.order_id).status is OrderStatus.CANCELED
    assert floor.order(BOB, BID, 40).remaining == 100
    floor.tick(60 * SECOND)
    assert floor.order(ANN, BID, 40).remaining == 100


def test_a_decrease_keeps_the_place_in_the_queue() -> None:
    floor = Floor()
    first = floor.order(ANN, ASK, 50, 5)
    floor.order(CAT, ASK, 50, 5)
    assert decrease(floor, ANN, first.order_id, reduce_by=Quantity(200)).remaining == 300
    assert decrease(floor, ANN, first.order_id, reduce_to=Quantity(100)).remaining == 100
    assert floor.reads.queue_position(ANN, first.order_id) == 0
    view = floor.reads.order(ANN, first.order_id)
    assert (view.last_reason, view.initial) == (UpdateReason.DECREASE, 500)
    assert floor.reserved(ANN) == 500_000
    assert floor.book() == ([], [(5_000, 600)])


@pytest.mark.parametrize("change", [{"reduce_by": 500}, {"reduce_by": 900}, {"reduce_to": 0}])
def test_a_decrease_to_nothing_cancels(change: dict) -> None:
    floor = Floor()
    order = floor.order(ANN, ASK, 50, 5)
    assert decrease(floor, ANN, order.order_id, **change).remaining == 0
    assert floor.reads.order(ANN, order.order_id).status is OrderStatus.CANCELED


@pytest.mark.parametrize(
    "change",
    [{}, {"reduce_by": 1, "reduce_to": 1}, {"reduce_by": 0}, {"reduce_to": 501}, {"reduce_to": -1}],
)
def test_a_decrease_needs_exactly_one_sensible_size(change: dict) -> None:
    floor = Floor()
    order = floor.order(ANN, ASK, 50, 5)
    assert decrease(floor, ANN, order.order_id, **change).code is RefusalCode.INVALID_PARAMETERS
    assert floor.book() == ([], [(5_000, 500)])


def test_an_amend_to_a_smaller_size_keeps_the_place() -> None:
    floor = Floor()
    first = floor.order(ANN, ASK, 50, 5)
    floor.order(CAT, ASK, 50, 5)
    receipt = amend(floor, ANN, first.order_id, ASK, 50, 2)
    assert (receipt.order_id, receipt.remaining, receipt.filled) == (first.order_id, 200, 0)
    assert floor.reads.queue_position(ANN, first.order_id) == 0
    assert floor.reads.order(ANN, first.order_id).initial == 200


def test_an_amend_of_the_expiry_alone_keeps_the_place_and_takes_effect() -> None:
    floor = Floor()
    first = floor.order(ANN, ASK, 50, 5, expires_us=HOUR)
    floor.order(CAT, ASK, 50, 5)
    amend(floor, ANN, first.order_id, ASK, 50, 5, expires_us=2 * HOUR)
    assert floor.told(BookChanged) == []
    assert floor.reads.queue_position(ANN, first.order_id) == 0
    floor.advance(HOUR)
    assert floor.reads.order(ANN, first.order_id).status is OrderStatus.RESTING
    amend(floor, ANN, first.order_id, ASK, 50, 5, expires_us=0)
    floor.advance(2 * HOUR)
    assert floor.reads.order(ANN, first.order_id).status is OrderStatus.RESTING


@pytest.mark.parametrize(("cents", "contracts"), [(50, 6), (51, 5), (49, 5)])
def test_any_other_amend_goes_to_the_back(cents: int, contracts: int) -> None:
    floor = Floor()
    first = floor.order(ANN, ASK, 50, 5)
    for other in (49, 50, 51):
        floor.order(CAT, ASK, other, 1)
    amend(floor, ANN, first.order_id, ASK, cents, contracts)
    ahead = {49: 100, 50: 200, 51: 300}[cents]
    assert floor.reads.queue_position(ANN, first.order_id) == ahead


def test_an_amended_price_that_crosses_trades_at_once() -> None:
    floor = Floor()
    floor.order(BOB, BID, 45, 2)
    order = floor.order(ANN, ASK, 50, 5)
    receipt = amend(floor, ANN, order.order_id, ASK, 45, 5)
    assert (receipt.filled, receipt.remaining, receipt.fill_cost) == (200, 300, 900_000)
    assert floor.book() == ([], [(4_500, 300)])
    again = amend(floor, ANN, order.order_id, ASK, 46, 5)
    assert (again.filled, again.remaining) == (0, 300)


def test_the_amended_total_counts_what_is_filled() -> None:
    floor = Floor()
    order = floor.order(ANN, ASK, 50, 5)
    floor.order(BOB, BID, 50, 2)
    assert amend(floor, ANN, order.order_id, ASK, 50, 4).remaining == 200
    assert amend(floor, ANN, order.order_id, ASK, 50, 1).code is RefusalCode.INVALID_ORDER_SIZE
    assert amend(floor, ANN, order.order_id, ASK, 50, 2).remaining == 0
    view = floor.reads.order(ANN, order.order_id)
    assert (view.status, view.filled) == (OrderStatus.CANCELED, 200)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"ticker": MarketTicker("KXBAR")}, RefusalCode.ORDER_TICKER_MISMATCH),
        ({"side": BID}, RefusalCode.ORDER_SIDE_MISMATCH),
        ({"client_order_id": ClientOrderId("other")}, RefusalCode.ORDER_ID_MISMATCH),
        ({"updated_client_order_id": ClientOrderId("mine")}, RefusalCode.ORDER_ALREADY_EXISTS),
        ({"price": Price(5_050)}, RefusalCode.INVALID_PRICE),
        ({"expires_us": SECOND}, RefusalCode.INVALID_ORDER),
        ({"quantity": Quantity(10**6)}, RefusalCode.INSUFFICIENT_BALANCE),
        ({"exchange_index": 3}, RefusalCode.NOT_FOUND),
    ],
)
def test_an_amend_that_does_not_fit_changes_nothing(changes: dict, code: RefusalCode) -> None:
    floor = Floor()
    order = floor.order(ANN, ASK, 50, 5, client_id="mine")
    before = floor.reads.order(ANN, order.order_id), floor.book(), floor.reserved(ANN)
    assert amend(floor, ANN, order.order_id, ASK, 50, 5, **changes).code is code
    assert (floor.reads.order(ANN, order.order_id), floor.book(), floor.reserved(ANN)) == before
    assert floor.events == []


def test_an_amend_may_spend_what_its_own_order_held() -> None:
    floor = Floor(dollars=3)
    order = floor.order(ANN, BID, 50, 5)
    assert isinstance(amend(floor, ANN, order.order_id, BID, 60, 5), OrderReceipt)
    assert floor.reserved(ANN) == 3_000_000


def test_a_post_only_order_cannot_be_amended_into_a_trade() -> None:
    floor = Floor()
    floor.order(BOB, BID, 45, 2)
    order = floor.order(ANN, ASK, 50, 5, post_only=True)
    assert amend(floor, ANN, order.order_id, ASK, 45, 5).details == "post only cross"


def test_an_updated_client_order_id_replaces_the_old_which_stays_taken() -> None:
    floor = Floor()
    order = floor.order(ANN, ASK, 50, 5, client_id="old")
    amend(floor, ANN, order.order_id, ASK, 50, 5, updated_client_order_id=ClientOrderId("new"))
    assert floor.reads.order(ANN, order.order_id).client_order_id == "new"
    for used in ("old", "new"):
        assert floor.refused(ANN, ASK, 60, client_id=used) is RefusalCode.ORDER_ALREADY_EXISTS


def test_nothing_can_be_changed_between_the_close_and_the_close_cancel() -> None:
    floor = Floor(close_cancel_us=2 * SECOND)
    order = floor.order(ANN, ASK, 50, 5)
    floor.keep(floor.venue.operations.move_close(M, 0, floor.tick()))
    assert floor.cancel(ANN, order.order_id).code is RefusalCode.MARKET_INACTIVE
    receipts = floor.venue.cancel_all(ANN, floor.now_us).result
    assert receipts == ()
    floor.advance(2 * SECOND)
    assert floor.reads.order(ANN, order.order_id).last_reason is UpdateReason.CLOSE_CANCEL


def test_a_taker_amend_of_an_immediate_order_is_impossible() -> None:
    floor = Floor()
    gone = floor.order(ANN, ASK, 50, 5, time_in_force=IOC)
    assert amend(floor, ANN, gone.order_id, ASK, 50, 4).code is RefusalCode.NOT_FOUND
