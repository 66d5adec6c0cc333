"""The venue as a whole: batches, ids, a recorded session's figures, refusals that carry events."""

from bot.domain.money import Money, Price, Quantity
from bot.venue.events import MarketChanged
from bot.venue.orders import OrderReceipt
from bot.venue.results import Refusal, RefusalCode
from tests.unit.venue.floor import ANN, ASK, BID, BOB, HOUR, IOC, Floor, M, request_of


def test_a_batch_creates_in_order_and_item_by_item() -> None:
    floor = Floor()
    requests = [
        request_of(BID, 50, client_id="a"),
        request_of(BID, 50, client_id="a"),
        request_of(ASK, 40),
        request_of(ASK, 60, post_only=True),
    ]
    first, second, third, fourth = floor.keep(
        floor.venue.create_orders(ANN, requests, floor.tick())
    )
    assert isinstance(first, OrderReceipt)
    assert second == Refusal(RefusalCode.ORDER_ALREADY_EXISTS)
    assert (third.filled, third.remaining) == (0, 0)
    assert fourth.remaining == 100
    assert floor.book() == ([(5_000, 100)], [(6_000, 100)])


def test_a_refusal_still_hands_out_what_was_due_before() -> None:
    floor = Floor()
    floor.tick(10 * HOUR)
    outcome = floor.venue.create_order(ANN, request_of(BID, 50), floor.now_us)
    assert isinstance(outcome.result, Refusal)
    assert [type(event) for event in outcome.events] == [MarketChanged]


def test_every_order_trade_and_group_has_its_own_id() -> None:
    floor = Floor()
    order = floor.order(ANN, ASK, 50)
    taker = floor.order(BOB, BID, 50)
    (fill,) = floor.reads.fills(BOB)
    group = floor.group(ANN, 1)
    assert len({order.order_id, taker.order_id, fill.fill_id, group}) == 4


def test_three_recorded_fills_give_the_recorded_position() -> None:
    # Demo account of 2026-06-11: bought at 0.99, 0.99 and, with a limit of 0.99, at 0.52.
    floor = Floor()
    for cents in (99, 99, 52):
        floor.order(ANN, ASK, cents)
        floor.order(BOB, BID, 99, time_in_force=IOC)
    position = floor.reads.position(BOB, M)
    assert (position.quantity, position.exposure, position.traded) == (300, 2_500_000, 2_500_000)
    assert (position.fees, position.realized) == (18_900, 0)
    assert floor.cash(BOB) == 100_000_000 - 2_500_000 - 18_900


def test_a_rebate_reaches_the_cash_of_an_order_filled_in_crumbs() -> None:
    floor = Floor()
    for _ in range(4):
        floor.order(ANN, ASK, 33, quantity=Quantity(3))
    receipt = floor.send(BOB, request_of(BID, 33, quantity=Quantity(12)))
    fees = [fill.fee for fill in reversed(list(floor.reads.fills(BOB)))]
    assert sum(fees) == receipt.fees
    # 0.03 contracts at 0.33: model fee 0.000465, then rounding to 0.0001 with what it took repaid.
    assert fees == [500, 500, 400, 500]


def test_the_next_due_time_follows_orders_and_markets() -> None:
    floor = Floor()
    assert floor.venue.next_due_us() == 10 * HOUR
    floor.order(ANN, BID, 50, expires_us=HOUR)
    assert floor.venue.next_due_us() == HOUR
    floor.advance(20 * HOUR)
    assert floor.venue.next_due_us() is None


def test_switches_are_read_as_they_were_set() -> None:
    floor = Floor()
    assert floor.reads.is_exchange_active()
    floor.venue.operations.set_exchange_active(floor.tick(), is_active=False, exchange_index=1)
    assert not floor.reads.is_exchange_active(1)
    assert floor.reads.is_exchange_active(0)


def test_groups_are_listed_oldest_first() -> None:
    floor = Floor()
    made = [floor.group(ANN, contracts) for contracts in (1, 2)]
    assert [group.order_group_id for group in floor.reads.groups(ANN)] == made


def test_an_order_may_be_as_small_as_the_smallest_price_and_size() -> None:
    floor = Floor()
    floor.order(ANN, ASK, 1, quantity=Quantity(1))
    receipt = floor.send(BOB, request_of(BID, 1, price=Price(100), quantity=Quantity(1)))
    assert (receipt.filled, receipt.fill_cost, receipt.fees) == (1, Money(100), 100)
