"""Matching against a naive matcher, self-trade prevention, and what a match tells."""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.money import Price, Quantity
from bot.domain.orders import BookSide, OrderStatus
from bot.venue.accounts import AccountId
from bot.venue.events import BookChanged, OrderChanged, OwnFill, PositionChanged, TradePrinted
from bot.venue.orders import OrderRequest, UpdateReason
from bot.venue.settings import Collateral
from tests.unit.venue.floor import (
    ANN,
    ASK,
    BID,
    BOB,
    CAT,
    GTC,
    IOC,
    MAKER_GIVES_WAY,
    SECOND,
    Floor,
    M,
    request_of,
)


@dataclass
class NaiveOrder:
    number: int
    side: BookSide
    price: int
    left: int


def _naive(orders: list[NaiveOrder], taker: NaiveOrder, *, rests: bool) -> list[tuple]:
    """Sort, take, repeat: slow and plainly right."""
    trades = []
    sign = 1 if taker.side is BID else -1
    makers = [o for o in orders if o.side is not taker.side]
    for maker in sorted(makers, key=lambda o: (o.price * sign, o.number)):
        if taker.left and (taker.price - maker.price) * sign >= 0:
            traded = min(taker.left, maker.left)
            trades.append((maker.number, maker.price, traded))
            taker.left -= traded
            maker.left -= traded
    orders[:] = [o for o in orders if o.left]
    if rests and taker.left:
        orders.append(taker)
    return trades


limit_orders = st.lists(
    st.tuples(st.sampled_from([BID, ASK]), st.integers(45, 55), st.integers(1, 500), st.booleans()),
    max_size=60,
)


@given(limit_orders)
@settings(max_examples=150, deadline=None)
def test_trades_follow_price_then_time_like_a_naive_matcher(sent: list[tuple]) -> None:
    floor = Floor(listed=True)
    naive: list[NaiveOrder] = []
    number_of: dict[str, int] = {}
    for number, (side, cents, size, rests) in enumerate(sent):
        account = AccountId(f"account-{number}")
        floor.open(account, checks_funds=False)
        request = OrderRequest(
            ticker=M,
            side=side,
            price=Price(cents * 100),
            quantity=Quantity(size),
            time_in_force=GTC if rests else IOC,
        )
        receipt = floor.send(account, request)
        number_of[receipt.order_id] = number
        expected = _naive(naive, NaiveOrder(number, side, cents * 100, size), rests=rests)
        makers = [e.fill for e in floor.told(OwnFill) if not e.fill.is_taker]
        assert [
            (number_of[fill.order_id], fill.price, fill.quantity) for fill in makers
        ] == expected
        assert receipt.filled == sum(quantity for _, _, quantity in expected)
    assert sum(order.left for order in naive) == sum(
        quantity for side in floor.book() for _, quantity in side
    )


def test_the_resting_price_is_the_price() -> None:
    floor = Floor()
    floor.order(ANN, ASK, 52)
    receipt = floor.order(BOB, BID, 99, time_in_force=IOC)
    assert (receipt.filled, receipt.fill_cost, receipt.fees) == (100, 520_000, 17_500)


def test_a_match_tells_the_book_the_tape_and_both_owners_under_one_id() -> None:
    floor = Floor()
    floor.order(ANN, ASK, 52, 3, client_id="mine")
    floor.order(BOB, BID, 52, 1)
    kinds = [type(event) for event in floor.events]
    assert kinds == [
        BookChanged,
        TradePrinted,
        OwnFill,
        OrderChanged,
        PositionChanged,
        OwnFill,
        PositionChanged,
        OrderChanged,
    ]
    change, printed = floor.events[0], floor.events[1]
    assert (change.side, change.price, change.change) == (ASK, 5_200, -100)
    assert (change.account, change.client_order_id) == (ANN, "mine")
    assert printed.trade.taker_side is BID
    maker, taker = floor.told(OwnFill)
    assert (maker.account, maker.fill.is_taker, maker.post_position) == (ANN, False, -100)
    assert (taker.account, taker.fill.is_taker, taker.post_position) == (BOB, True, 100)
    assert maker.fill.fill_id == taker.fill.fill_id == printed.trade.trade_id


def test_every_change_of_one_act_shares_the_books_clock() -> None:
    floor = Floor()
    floor.order(ANN, ASK, 50)
    floor.order(CAT, ASK, 51)
    before = floor.reads.book(M).clock
    floor.order(BOB, BID, 52, 3)
    clocks = [event.clock for event in floor.told(BookChanged)]
    assert len(clocks) == 3
    assert set(clocks) == {floor.reads.book(M).clock}
    assert clocks[0] > before


def test_what_a_timer_does_to_a_book_has_a_clock_of_its_own() -> None:
    floor = Floor()
    floor.order(ANN, BID, 40, expires_us=10 * SECOND)
    floor.order(ANN, BID, 40, expires_us=11 * SECOND)
    placed = floor.reads.book(M).clock
    floor.advance(20 * SECOND)
    first, second = (event.clock for event in floor.told(BookChanged))
    assert placed < first < second


def test_a_taker_that_meets_its_own_order_keeps_earlier_fills_and_loses_the_rest() -> None:
    floor = Floor()
    floor.order(ANN, ASK, 50, 1)
    own = floor.order(BOB, ASK, 51, 1)
    receipt = floor.order(BOB, BID, 55, 5)
    assert (receipt.filled, receipt.remaining) == (100, 0)
    assert floor.reads.order(BOB, own.order_id).status is OrderStatus.RESTING
    last = floor.told(OrderChanged)[-1]
    assert (last.order.status, last.reason) == (
        OrderStatus.CANCELED,
        UpdateReason.SELF_TRADE_CANCEL,
    )
    assert floor.book() == ([], [(5_100, 100)])


def test_others_ahead_in_the_queue_trade_before_the_own_order_is_met() -> None:
    floor = Floor()
    floor.order(ANN, ASK, 50, 1)
    floor.order(BOB, ASK, 50, 1)
    floor.order(CAT, ASK, 50, 1)
    receipt = floor.order(BOB, BID, 50, 3)
    assert receipt.filled == 100


def test_a_maker_gives_way_where_the_taker_chose_so() -> None:
    floor = Floor()
    own = floor.order(BOB, ASK, 50, 2)
    floor.order(ANN, ASK, 51, 1)
    receipt = floor.order(BOB, BID, 55, 3, self_trade_prevention=MAKER_GIVES_WAY)
    assert (receipt.filled, receipt.remaining) == (100, 200)
    gone = floor.reads.order(BOB, own.order_id)
    assert (gone.status, gone.last_reason) == (
        OrderStatus.CANCELED,
        UpdateReason.SELF_TRADE_CANCEL,
    )


def test_a_partial_fill_leaves_the_rest_in_place_and_in_front() -> None:
    floor = Floor()
    first = floor.order(ANN, ASK, 50, 3)
    second = floor.order(CAT, ASK, 50, 3)
    floor.order(BOB, BID, 50, 1)
    assert floor.reads.queue_position(ANN, first.order_id) == 0
    assert floor.reads.queue_position(CAT, second.order_id) == 200
    assert (floor.reserved(ANN), floor.reserved(CAT)) == (1_000_000, 1_500_000)


def test_where_cash_is_checked_at_the_match_an_unfunded_maker_is_canceled() -> None:
    floor = Floor(dollars=1, collateral=Collateral.AT_MATCH)
    floor.order(ANN, BID, 90, 1)
    poor = floor.order(ANN, BID, 80, 1)
    floor.order(BOB, ASK, 90, 1)
    receipt = floor.order(CAT, ASK, 80, 1, time_in_force=IOC)
    assert receipt.filled == 0
    assert floor.reads.order(ANN, poor.order_id).last_reason is UpdateReason.MARGIN_CANCEL


def test_a_request_of_a_fraction_trades_a_fraction() -> None:
    floor = Floor()
    floor.order(ANN, ASK, 50, 1)
    request = request_of(BID, 50, quantity=Quantity(1))
    assert floor.send(BOB, request).filled == 1
    assert floor.book() == ([], [(5_000, 99)])
