"""Gaps of the stream are summed up by reason, overlapping time counted once."""

from hypothesis import given
from hypothesis import strategies as st

from bot.collect.tick_gaps import tick_gap_lines, tick_gap_report
from bot.domain.ids import MarketTicker
from bot.kit.times import MINUTE_US, SECOND_US, parse_rfc3339
from bot.ports.gaps import Closure, ClosureKind, ExchangeSpell, ExchangeState
from bot.ports.stream import GapEnd, GapReason, StreamGap

START = parse_rfc3339("2026-11-21T07:00:00Z")
HOUR_END = START + 60 * MINUTE_US


def gap(from_s: int, to_s: int | None, reason=GapReason.DISCONNECTED, **more) -> StreamGap:
    return StreamGap(
        stream="paper:main:0 0/1",
        reason=reason,
        from_us=START + from_s * SECOND_US,
        to_us=None if to_s is None else START + to_s * SECOND_US,
        ended=GapEnd.OPEN if to_s is None else GapEnd.RESUMED,
        **more,
    )


def spell(state: ExchangeState, from_s: int, to_s: int) -> ExchangeSpell:
    return ExchangeSpell(
        state=state, since_us=START + from_s * SECOND_US, until_us=START + to_s * SECOND_US
    )


def report(gaps, spells=(), closures=()):
    return tick_gap_report(gaps, spells, closures, START, HOUR_END)


def test_overlapping_gaps_count_their_time_once_and_the_window_cuts_them() -> None:
    found = report(
        [
            gap(-60, 10),
            gap(5, 20),
            gap(100, 130, ticker=MarketTicker("A")),
            gap(3_590, None, GapReason.BACKPRESSURE, ticker=MarketTicker("B"), lost=7),
        ]
    )
    assert [(one.reason, one.gaps, one.missing_us // SECOND_US) for one in found.gaps] == [
        ("disconnected", 3, 50),
        ("backpressure", 1, 10),
    ]
    assert tick_gap_lines(found) == [
        "4 gaps of the live stream",
        (
            "stream 2026-11-21T07:00:00Z to 2026-11-21T07:02:10Z: 3 x disconnected,"
            " 50 s in all, 1 markets"
        ),
        (
            "stream 2026-11-21T07:59:50Z until now: 1 x backpressure, 10 s in all, 1 markets,"
            " 7 records known to be lost"
        ),
    ]


def test_a_connection_lost_with_the_exchange_is_put_down_to_it() -> None:
    closure = Closure(start_us=START, end_us=START + MINUTE_US, kind=ClosureKind.HOURS)
    away = spell(ExchangeState.UNREACHABLE, 0, 30)
    assert [one.reason for one in report([gap(10, 20)], [away]).gaps] == [
        "the exchange did not answer"
    ]
    assert [one.reason for one in report([gap(10, 20)], [away], [closure]).gaps] == [
        "the exchange was closed"
    ]
    assert [one.reason for one in report([gap(10, 20)], [], [closure]).gaps] == ["disconnected"]
    restart = gap(10, 20, GapReason.RESTART)
    assert [one.reason for one in report([restart], [away]).gaps] == ["restart"]


@given(st.lists(st.tuples(st.integers(-100, 3_700), st.integers(0, 500)), min_size=1, max_size=30))
def test_missing_time_is_the_union_of_the_gaps_in_the_window(spans) -> None:
    inside = [(begin, begin + length) for begin, length in spans if -length <= begin <= 3_600]
    found = report([gap(begin, end) for begin, end in inside])
    seconds = {second for begin, end in inside for second in range(max(begin, 0), min(end, 3_600))}
    assert sum(one.missing_us for one in found.gaps) == len(seconds) * SECOND_US
    assert found.total == len(inside)
