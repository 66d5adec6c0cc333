"""Netting through zero, cost, realized profit, and the identity that ties them to cash."""

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.ids import EventTicker, MarketTicker
from bot.domain.money import Price, Quantity
from bot.domain.orders import BookSide
from bot.venue.accounts import AccountId
from bot.venue.positions import Position
from tests.unit.venue.floor import ASK, BID


def flat() -> Position:
    return Position(
        account=AccountId("ann"),
        ticker=MarketTicker("KXFOO-1"),
        event_ticker=EventTicker("KXFOO"),
        exchange_index=0,
    )


def fill(position: Position, side: BookSide, price: int, quantity: int) -> int:
    return position.apply(side, Price(price), Quantity(quantity))


def test_a_bid_pays_its_price_and_an_ask_the_complement() -> None:
    long, short = flat(), flat()
    assert fill(long, BID, 6_000, 100) == -600_000
    assert fill(short, ASK, 6_000, 100) == -400_000
    assert (long.quantity, long.exposure) == (100, 600_000)
    assert (short.quantity, short.exposure) == (-100, 400_000)


def test_closing_a_part_releases_the_average_cost() -> None:
    position = flat()
    fill(position, BID, 4_000, 100)
    fill(position, BID, 6_000, 100)
    assert fill(position, ASK, 7_000, 100) == 700_000
    assert (position.quantity, position.exposure, position.realized) == (100, 500_000, 200_000)


def test_crossing_zero_closes_and_opens_the_other_way() -> None:
    position = flat()
    fill(position, BID, 4_000, 100)
    change = fill(position, ASK, 5_000, 300)
    assert change == 500_000 - 1_000_000
    assert (position.quantity, position.exposure, position.realized) == (
        -200,
        1_000_000,
        100_000,
    )
    assert (position.traded, position.volume) == (400_000 + 500_000 + 1_000_000, 400)


def test_a_short_closed_lower_earns() -> None:
    position = flat()
    fill(position, ASK, 6_000, 100)
    assert fill(position, BID, 5_000, 100) == 500_000
    assert (position.quantity, position.exposure, position.realized) == (0, 0, 100_000)


fills = st.lists(
    st.tuples(st.sampled_from([BID, ASK]), st.integers(1, 9_999), st.integers(1, 1_000)),
    max_size=30,
)


@given(fills)
def test_cash_is_realized_less_exposure_whatever_the_fills(traded: list) -> None:
    position, cash = flat(), 0
    for side, price, quantity in traded:
        cash += fill(position, side, price, quantity)
        assert cash == position.realized - position.exposure
        assert position.exposure >= 0
        assert position.quantity or position.exposure == 0
    signed = sum(q if side is BID else -q for side, _, q in traded)
    assert position.quantity == signed
    for price in (0, 5_000, 10_000):
        revenue = sum(q * (-p if side is BID else p) for side, p, q in traded)
        worth = position.value_at(Price(price))
        assert cash + worth == revenue + price * signed
