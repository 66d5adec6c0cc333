"""Reservations: never less than the worst order of fills can need, never silly."""

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.ids import OrderId
from bot.domain.money import PAYOUT, Money, Price, Quantity
from bot.domain.orders import BookSide
from bot.venue.collateral import Desk, Hold, closable, cost_to_open
from tests.unit.venue.floor import ASK, BID


def hold(side: BookSide, price: int, quantity: int) -> Hold:
    return Hold(side, Price(price), Quantity(quantity), Money(0))


def desk_of(*holds: Hold) -> Desk:
    desk = Desk()
    for number, each in enumerate(holds):
        desk.put(OrderId(str(number)), each)
    return desk


def test_without_a_position_every_order_costs_in_full() -> None:
    desk = desk_of(hold(BID, 6_000, 100), hold(ASK, 7_000, 200))
    assert desk.worst_cost(0) == 600_000 + 600_000


def test_orders_that_close_cost_nothing_and_the_excess_opens() -> None:
    desk = desk_of(hold(ASK, 7_000, 300))
    assert desk.worst_cost(300) == 0
    assert desk.worst_cost(500) == 0
    assert desk_of(hold(ASK, 1_000, 300)).worst_cost(100) == 2 * 900_000 - 100_000


def test_it_makes_no_difference_which_order_closes() -> None:
    assert desk_of(hold(ASK, 9_000, 100), hold(ASK, 1_000, 100)).worst_cost(100) == 0
    assert desk_of(hold(ASK, 2_000, 100), hold(ASK, 3_000, 100)).worst_cost(100) == 500_000


def test_one_more_order_is_reckoned_with_and_the_replaced_one_without() -> None:
    desk = desk_of(hold(BID, 6_000, 100))
    more = hold(BID, 5_000, 100)
    assert desk.worst_cost_with(more, 0) == 1_100_000
    assert desk.worst_cost_with(more, 0, OrderId("0")) == 500_000
    assert desk.worst_cost(0) == 600_000


def test_dropping_an_order_frees_it_and_an_unknown_one_is_no_matter() -> None:
    desk = desk_of(hold(BID, 6_000, 100))
    desk.drop(OrderId("0"))
    desk.drop(OrderId("9"))
    assert desk.worst_cost(0) == 0


def test_an_order_that_only_closes_brings_money() -> None:
    assert cost_to_open(hold(ASK, 6_000, 100), 100) == -600_000
    assert cost_to_open(hold(BID, 6_000, 100), -100) == -400_000
    assert closable(BID, 100) == closable(ASK, -100) == 0


holds = st.lists(
    st.builds(
        hold,
        st.sampled_from([BID, ASK]),
        st.integers(1, 9_999),
        st.integers(1, 300),
    ),
    max_size=6,
)


@given(holds=holds, position=st.integers(-400, 400), pick=st.integers(0, 5))
def test_asking_for_one_more_is_the_same_as_having_it(holds, position, pick) -> None:
    if not holds:
        return
    *first, more = holds
    desk = desk_of(*first)
    assert desk.worst_cost_with(more, position) == desk_of(*holds).worst_cost(position)
    replaced = pick % len(holds)
    kept = [each for number, each in enumerate(first) if number != replaced]
    expected = desk_of(*kept, more).worst_cost(position)
    assert desk.worst_cost_with(more, position, OrderId(str(replaced))) == expected


@given(holds=holds, position=st.integers(-400, 400), data=st.data())
def test_no_interleaving_of_the_two_sides_ever_needs_more(holds, position, data) -> None:
    reserved = desk_of(*holds).worst_cost(position)
    bids = sorted((h for h in holds if h.side is BID), key=lambda h: -h.price)
    asks = sorted((h for h in holds if h.side is ASK), key=lambda h: h.price)
    cash = 0
    while bids or asks:
        side = bids if bids and (not asks or data.draw(st.booleans())) else asks
        traded = side.pop(0)
        cash -= cost_to_open(traded, position)
        position += traded.quantity if traded.side is BID else -traded.quantity
        assert cash >= -reserved
        assert reserved <= sum(h.full_cost for h in holds) <= PAYOUT * 300 * 6
