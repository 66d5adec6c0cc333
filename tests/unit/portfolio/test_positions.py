"""Positions are sums of fills, whatever their order."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.ids import FillId, MarketTicker, OrderId
from bot.domain.money import PAYOUT, Money, Price, Quantity
from bot.domain.orders import BookSide, Fill
from bot.portfolio.positions import cash_change, flat, folded, paid_out, restored

TICKER = MarketTicker("KXCPI-26NOV-T0.3")


def fill(side: BookSide, price: int, quantity: int, fee: int = 0) -> Fill:
    return Fill(
        fill_id=FillId(f"{side}{price}{quantity}"),
        order_id=OrderId("o"),
        ticker=TICKER,
        side=side,
        price=Price(price),
        quantity=Quantity(quantity),
        fee=Money(fee),
        is_taker=False,
        executed_us=5,
    )


fills = st.lists(
    st.builds(
        fill,
        st.sampled_from(list(BookSide)),
        st.integers(1, 9_999),
        st.integers(1, 10_000),
        st.integers(0, 10_000),
    ),
    max_size=25,
)


def signed(one: Fill) -> int:
    return one.quantity if one.side is BookSide.BID else -one.quantity


@given(fills)
def test_the_quantity_is_the_sum_and_money_is_neither_made_nor_lost(done: list[Fill]) -> None:
    position, cash = flat(TICKER), 0
    for one in done:
        after = folded(position, one)
        cash += cash_change(position, after)
        position = after
    assert position.quantity == sum(signed(one) for one in done)
    assert position.fees == sum(one.fee for one in done)
    assert position.cost >= 0
    assert cash == position.realized - position.cost - position.fees
    # Independent of the fold: YES bought costs its price, a pair of YES and NO is worth $1.
    traded = sum(-signed(one) * one.price - one.fee for one in done)
    locked = -PAYOUT * min(0, position.quantity)
    assert cash == traded - locked
    assert restored(position.record()) == position


@given(fills, st.integers(0, 10_000))
def test_a_settlement_leaves_nothing_open_and_pays_exactly(done: list[Fill], value: int) -> None:
    position = flat(TICKER)
    for one in done:
        position = folded(position, one)
    after = paid_out(position, Price(value), 9)
    assert (after.quantity, after.cost) == (0, 0)
    own = value if position.quantity >= 0 else PAYOUT - value
    assert cash_change(position, after) == own * abs(position.quantity)
    assert paid_out(after, Price(value), 10) == after


def test_a_sale_beyond_zero_closes_first_and_opens_the_other_side_with_the_rest() -> None:
    position = folded(flat(TICKER), fill(BookSide.BID, 4_000, 300))
    position = folded(position, fill(BookSide.ASK, 5_000, 500))
    assert position.quantity == -200
    assert position.realized == 300 * 1_000
    assert position.cost == 200 * 5_000


def test_an_average_cost_is_released_in_proportion_and_the_last_contract_takes_the_rest() -> None:
    position = folded(flat(TICKER), fill(BookSide.BID, 3_333, 1))
    position = folded(position, fill(BookSide.BID, 3_334, 2))
    position = folded(position, fill(BookSide.ASK, 4_000, 1))
    assert position.cost == 10_001 - Fraction(10_001, 3) // 1
    position = folded(position, fill(BookSide.ASK, 4_000, 2))
    assert (position.cost, position.realized) == (0, 12_000 - 10_001)
