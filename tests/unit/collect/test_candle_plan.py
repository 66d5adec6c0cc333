"""Calls for candles fit the venue's limits, and together they fill every lack."""

from hypothesis import given
from hypothesis import strategies as st

from bot.collect.candle_plan import Lack, end_holding, last_end, next_call
from bot.domain.ids import MarketTicker
from bot.kit.times import MINUTE_US, SECOND_US, parse_rfc3339

PERIODS = st.sampled_from([1, 60, 1_440])


@st.composite
def lacking(draw, minutes: int) -> list[Lack]:
    count = draw(st.integers(1, 130))
    found = []
    for number in range(count):
        from_s = draw(st.integers(0, 40_000)) * 60 * minutes // draw(st.sampled_from([1, 7]))
        length = draw(st.integers(1, 12_000))
        found.append(
            Lack(
                ticker=MarketTicker(f"M{number}"),
                from_us=from_s * SECOND_US,
                to_us=from_s * SECOND_US + length * minutes * MINUTE_US,
                is_archived=draw(st.booleans()),
            )
        )
    return found


@given(st.data())
def test_calls_fit_and_always_serve_the_one_that_lags_most(data) -> None:
    minutes = data.draw(PERIODS)
    lacks = data.draw(lacking(minutes))
    call = next_call(lacks, minutes)
    behind = min(lacks, key=lambda lack: (lack.from_us, lack.ticker))
    assert behind in call.lacks
    most = 5_000 if behind.is_archived else 10_000
    assert len(call.lacks) <= (1 if behind.is_archived else 100)
    span_us = (call.end_us - call.start_us) * len(call.lacks)
    assert span_us <= most * minutes * MINUTE_US
    for lack in call.lacks:
        assert lack.is_archived == behind.is_archived
        # Begins no later than what it lacks, so nothing is jumped over.
        assert call.start_us <= lack.from_us + SECOND_US
        assert lack.from_us < call.done_us(lack) <= lack.to_us


def test_markets_that_are_abreast_share_a_call() -> None:
    lacks = [
        Lack(ticker=MarketTicker(f"M{n}"), from_us=0, to_us=60 * MINUTE_US) for n in range(150)
    ]
    call = next_call(lacks, 1)
    assert len(call.lacks) == 100
    assert (call.start_us, call.end_us) == (SECOND_US, 60 * MINUTE_US)


def test_one_that_lags_far_is_read_alone_in_long_spans() -> None:
    far = Lack(ticker=MarketTicker("A"), from_us=0, to_us=50_000 * MINUTE_US)
    near = Lack(ticker=MarketTicker("B"), from_us=49_990 * MINUTE_US, to_us=50_000 * MINUTE_US)
    call = next_call([near, far], 1)
    assert call.lacks == (far,)
    assert call.end_us == 10_000 * MINUTE_US


def test_days_end_at_midnight_in_new_york() -> None:
    at_us = parse_rfc3339("2026-11-29T18:20:30Z")
    assert last_end(at_us, 1) == parse_rfc3339("2026-11-29T18:20:00Z")
    assert last_end(at_us, 60) == parse_rfc3339("2026-11-29T18:00:00Z")
    assert last_end(at_us, 1_440) == parse_rfc3339("2026-11-29T05:00:00Z")
    assert end_holding(at_us, 60) == parse_rfc3339("2026-11-29T19:00:00Z")
    assert end_holding(at_us, 1_440) == parse_rfc3339("2026-11-30T05:00:00Z")
    # The days on which the clocks change have 23 and 25 hours.
    spring = parse_rfc3339("2026-03-08T12:00:00Z")
    assert (last_end(spring, 1_440), end_holding(spring, 1_440)) == (
        parse_rfc3339("2026-03-08T05:00:00Z"),
        parse_rfc3339("2026-03-09T04:00:00Z"),
    )
    autumn = parse_rfc3339("2026-11-01T12:00:00Z")
    assert (last_end(autumn, 1_440), end_holding(autumn, 1_440)) == (
        parse_rfc3339("2026-11-01T04:00:00Z"),
        parse_rfc3339("2026-11-02T05:00:00Z"),
    )


@given(st.integers(0, 4 * 10**15), PERIODS)
def test_an_instant_lies_in_the_period_that_holds_it(at_us: int, minutes: int) -> None:
    last_us, end_us = last_end(at_us, minutes), end_holding(at_us, minutes)
    assert last_us <= at_us <= end_us
    assert last_end(end_us, minutes) == end_us
    assert end_us - last_us <= 25 * 60 * MINUTE_US
