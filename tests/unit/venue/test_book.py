"""Ladders against a sorted list of orders."""

from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.money import Price
from tests.unit.venue.floor import ANN, ASK, BID, BOB, CAT, Floor, M

changes = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "cancel"]),
        st.sampled_from([BID, ASK]),
        st.integers(1, 8),
        st.integers(1, 9),
        st.integers(0, 100),
    ),
    max_size=40,
)


@given(changes)
def test_a_ladder_is_a_list_of_orders_sorted_by_price_and_time(acts: list) -> None:
    floor = Floor(dollars=100_000)
    kept: list[tuple] = []
    numbers = count()
    for act, side, step, contracts, pick in acts:
        if act == "add":
            cents = 40 + step if side is BID else 50 + step
            order = floor.order(ANN, side, cents, contracts)
            rank = -cents if side is BID else cents
            kept.append((side, rank, next(numbers), contracts * 100, order.order_id))
        elif kept:
            gone = kept.pop(pick % len(kept))
            floor.cancel(ANN, gone[-1])
    for side in (BID, ASK):
        queue = sorted(entry[1:] for entry in kept if entry[0] is side)
        ahead = 0
        for _, _, quantity, order_id in queue:
            assert floor.reads.queue_position(ANN, order_id) == ahead
            ahead += quantity
        levels: dict[int, int] = {}
        for rank, _, quantity, _ in queue:
            levels[abs(rank) * 100] = levels.get(abs(rank) * 100, 0) + quantity
        assert floor.book()[0 if side is BID else 1] == list(levels.items())


def test_depth_keeps_the_best_levels() -> None:
    floor = Floor()
    for cents in (40, 42, 41):
        floor.order(ANN, BID, cents)
    for cents in (60, 58, 59):
        floor.order(BOB, ASK, cents)
    book = floor.reads.book(M, depth=2)
    assert [level.price for level in book.bids] == [4_200, 4_100]
    assert [level.price for level in book.asks] == [5_800, 5_900]


def test_the_summary_shows_the_best_and_its_size() -> None:
    floor = Floor()
    floor.order(ANN, BID, 40, 2)
    floor.order(CAT, BID, 40, 3)
    market = floor.reads.market(M)
    assert (market.yes_bid, market.yes_bid_size) == (Price(4_000), 500)
    assert (market.yes_ask, market.yes_ask_size) == (None, 0)
