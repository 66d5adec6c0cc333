"""Volumes of a day against a plain sum over hours."""

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.money import Price, Quantity
from bot.venue.market_state import MarketState
from tests.unit.venue.floor import HOUR, terms_of

trades = st.lists(st.tuples(st.integers(0, 9 * HOUR), st.integers(1, 1_000)), max_size=40)


@given(trades)
def test_the_volume_of_a_day_is_that_of_the_running_and_23_full_hours(traded: list) -> None:
    market, now_us, counted = MarketState(terms_of(), 0), 0, []
    for waited, quantity in traded:
        now_us += waited
        market.count_trade(Price(5_000), Quantity(quantity), now_us)
        counted.append((now_us // HOUR, quantity))
        recent = [count for hour, count in counted if hour > now_us // HOUR - 24]
        assert market.volume_24h(now_us) == sum(recent)
    assert market.volume == sum(quantity for _, quantity in counted)


def test_an_untouched_market_has_no_book_yet() -> None:
    market = MarketState(terms_of(), 0)
    assert market.resting_orders() == []
    assert market.view(0).yes_bid is None
