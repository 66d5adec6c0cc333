"""The edges of what a market was collected for, found without trying every hour."""

from time import perf_counter

from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.storage.gaps import Hours
from bot.kit.times import HOUR_US, hour_key, parse_rfc3339

START = parse_rfc3339("2026-11-01T00:00:00Z")
PLACES = st.integers(0, 9)


def hours_of(numbers: list[int]) -> Hours:
    return Hours.of([hour_key(START + number * HOUR_US) for number in numbers])


@given(
    stored=st.sets(PLACES).map(sorted),
    held=st.none() | st.tuples(PLACES, PLACES).map(sorted),
    life=st.tuples(st.integers(-1, 20), st.integers(-1, 20)),
)
def test_only_hours_that_a_market_was_open_for_the_whole_of_are_due(stored, held, life) -> None:
    open_us, close_us = (START + half * HOUR_US // 2 for half in life)
    own = held and tuple(hour_key(START + number * HOUR_US) for number in held)
    due = [
        number
        for number in stored
        if open_us <= START + number * HOUR_US
        and START + (number + 1) * HOUR_US <= close_us
        and not (held and held[0] <= number <= held[1])
    ]
    found = list(hours_of(stored).beyond(own, open_us, close_us))
    assert found == [hour_key(START + number * HOUR_US) for number in due]


def test_a_week_of_hourly_markets_is_a_matter_of_milliseconds() -> None:
    hours, began_s = hours_of(list(range(168))), perf_counter()
    for number in range(8_400):
        begin_us = START + number % 168 * HOUR_US
        own = hour_key(begin_us)
        assert not list(hours.beyond((own, own), begin_us, begin_us + HOUR_US))
    assert perf_counter() - began_s < 1
