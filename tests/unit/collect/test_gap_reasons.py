"""Each missing hour and market is put down to the first thing that explains it."""

from dataclasses import replace

import pytest

from bot.collect.gap_reasons import (
    Circumstances,
    GapReason,
    filters_by_series,
    reason_of_hole,
    reason_of_hour,
)
from bot.domain.ids import InstanceId, MarketTicker, SeriesTicker
from bot.kit.times import HOUR_US, MINUTE_US, parse_rfc3339
from bot.ports.collection import Cycle, CycleOutcome, SeriesProgress
from bot.ports.gaps import (
    Closure,
    ClosureKind,
    ExchangeSpell,
    ExchangeState,
    InstanceLife,
    MarketHole,
)

FED, CPI = SeriesTicker("KXFED"), SeriesTicker("KXCPI")
HOUR = "2026-11-21T07:00:00Z"
START = parse_rfc3339(HOUR)
NOTHING = Circumstances()
OUTAGE = "KXFED: ExchangeUnavailable: HTTP 503"


def cycle(outcome=CycleOutcome.FAILED, *progress: SeriesProgress, error=None, filter_="f1"):
    return Cycle(
        cycle_id="c1",
        mode="collect",
        snapshot_hour_utc=HOUR,
        attempt=1,
        outcome=outcome,
        started_us=START + MINUTE_US,
        finished_us=START + 5 * MINUTE_US,
        progress=progress,
        error=error,
        filter_fingerprint=filter_,
    )


def spell(state: ExchangeState, from_min: int, to_min: int) -> ExchangeSpell:
    return ExchangeSpell(
        state=state, since_us=START + from_min * MINUTE_US, until_us=START + to_min * MINUTE_US
    )


def life(from_us: int, to_us: int) -> InstanceLife:
    return InstanceLife(instance_id=InstanceId("a"), started_us=from_us, seen_until_us=to_us)


@pytest.mark.parametrize(
    ("lived", "reason"),
    [
        ([], GapReason.NOT_RUNNING),
        ([life(START - HOUR_US, START - 1)], GapReason.NOT_RUNNING),
        ([life(START + HOUR_US, START + 2 * HOUR_US)], GapReason.NOT_RUNNING),
        ([life(START - HOUR_US, START)], GapReason.NOT_COLLECTED_BY_ANY),
        ([life(START + MINUTE_US, START + 2 * MINUTE_US)], GapReason.NOT_COLLECTED_BY_ANY),
    ],
)
def test_an_hour_without_a_cycle_is_put_down_to_who_lived(lived, reason) -> None:
    assert reason_of_hour(HOUR, None, None, Circumstances(lives=lived)).kind is reason


@pytest.mark.parametrize(
    ("error", "spells", "is_planned", "reason"),
    [
        (OUTAGE, [], False, GapReason.OUTAGE),
        ("not asked: the exchange does not answer", [], False, GapReason.OUTAGE),
        ("killed", [spell(ExchangeState.UNREACHABLE, 2, 3)], False, GapReason.OUTAGE),
        ("killed", [spell(ExchangeState.UNREACHABLE, 6, 9)], False, GapReason.FAILED),
        (OUTAGE, [], True, GapReason.CLOSED),
        (OUTAGE, [spell(ExchangeState.CLOSED, 0, 60)], False, GapReason.CLOSED),
        ("InvalidMessage: no list", [], True, GapReason.FAILED),
        ("InvalidMessage: no list", [spell(ExchangeState.PAUSED, 0, 60)], True, GapReason.FAILED),
        ("database: gone", [spell(ExchangeState.CLOSED, 0, 60)], True, GapReason.DATABASE),
        (None, [], True, GapReason.FAILED),
    ],
)
def test_a_failed_cycle_is_put_down_to_what_cut_it_off(error, spells, is_planned, reason) -> None:
    window = Closure(start_us=START, end_us=START + HOUR_US, kind=ClosureKind.MAINTENANCE)
    known = Circumstances(spells=spells, closures=[window] if is_planned else [])
    found = reason_of_hour(HOUR, cycle(error=error), None, known)
    assert (found.kind, found.detail) == (reason, error)


def test_a_closure_is_no_excuse_for_a_kill_at_a_time_it_answered() -> None:
    window = Closure(start_us=START, end_us=START + HOUR_US, kind=ClosureKind.HOURS)
    found = reason_of_hour(
        HOUR, cycle(CycleOutcome.INTERRUPTED), None, Circumstances(closures=[window])
    )
    assert found.kind is GapReason.INTERRUPTED


def test_a_series_outside_the_filter_is_told_from_one_that_was_never_meant() -> None:
    now = cycle(CycleOutcome.COMPLETE, SeriesProgress(series=FED, is_done=True), filter_="f2")
    before = replace(
        cycle(CycleOutcome.COMPLETE, SeriesProgress(series=CPI, is_done=True)),
        snapshot_hour_utc="2026-11-21T06:00:00Z",
    )
    known = Circumstances(filters=filters_by_series([before, now]))
    assert reason_of_hour(HOUR, now, CPI, known).kind is GapReason.FILTER_CHANGED
    assert reason_of_hour(HOUR, now, CPI, NOTHING).kind is GapReason.NOT_COLLECTED
    unknown = replace(now, filter_fingerprint=None)
    assert reason_of_hour(HOUR, unknown, CPI, known).kind is GapReason.NOT_COLLECTED


def test_an_interrupted_cycle_never_came_to_the_series() -> None:
    found = reason_of_hour(HOUR, cycle(CycleOutcome.INTERRUPTED), CPI, NOTHING)
    assert found.kind is GapReason.INTERRUPTED


HOLE = MarketHole(market=MarketTicker("KXFED-1"), series=FED, hour=HOUR)


def test_a_market_missing_from_a_page_that_failed_is_the_pages_fault() -> None:
    failed = SeriesProgress(series=FED, scanned=3, failure="ExchangeUnavailable: HTTP 504")
    found = reason_of_hole(HOLE, cycle(CycleOutcome.PARTIAL, failed), {}, NOTHING)
    assert (found.kind, found.detail) == (GapReason.OUTAGE, "ExchangeUnavailable: HTTP 504")


def test_a_market_that_could_not_be_read_says_what_was_wrong_with_it() -> None:
    done = SeriesProgress(series=FED, scanned=3, quarantined=1, is_done=True)
    unreadable = {"KXFED-1": "yes_bid_dollars: not a price"}
    found = reason_of_hole(HOLE, cycle(CycleOutcome.COMPLETE, done), unreadable, NOTHING)
    assert (found.kind, found.detail) == (GapReason.UNREADABLE, "yes_bid_dollars: not a price")


def test_a_market_absent_from_a_complete_listing_was_not_listed() -> None:
    done = SeriesProgress(series=FED, scanned=3, is_done=True)
    found = reason_of_hole(HOLE, cycle(CycleOutcome.COMPLETE, done), {}, NOTHING)
    assert found.kind is GapReason.NOT_LISTED


def test_a_market_without_any_cycle_in_its_hour_was_lost() -> None:
    assert reason_of_hole(HOLE, None, {}, NOTHING).kind is GapReason.LOST
