"""Every missing hour is found once, with its reason."""

from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.collect.gap_reasons import GapReason
from bot.collect.gaps import (
    COUNTED_HOURS,
    GapCheck,
    count_missing,
    find_gaps,
    gap_lines,
    hours_between,
    missing_hours,
)
from bot.domain.errors import StorageUnavailable
from bot.domain.ids import EventTicker, MarketTicker, SeriesTicker
from bot.domain.money import Quantity
from bot.kit.times import HOUR_US, hour_key, parse_rfc3339
from bot.ports.collection import Cycle, CycleOutcome, SeriesProgress, Snapshot
from tests.fakes.clock import ManualClock
from tests.fakes.collection import MemoryCollectionStore
from tests.fakes.gaps import MemoryGapStore

FED, CPI = SeriesTicker("KXFED"), SeriesTicker("KXCPI")


def hour(number: int) -> str:
    return hour_key(parse_rfc3339("2026-11-21T00:00:00Z") + number * HOUR_US)


def snapshot(number: int, series: SeriesTicker = FED) -> Snapshot:
    return Snapshot(
        market_id=MarketTicker(f"{series}-1"),
        snapshot_hour_utc=hour(number),
        payload_json="{}",
        created_at_utc=hour(number),
        event_ticker=EventTicker("E"),
        series_ticker=series,
        macro_event_type="fed_rate",
        probability_bucket=None,
        yes_bid=None,
        yes_ask=None,
        volume_24h=Quantity(0),
        open_interest=Quantity(0),
        close_us=0,
    )


class Bench:
    def __init__(self, *stored: int) -> None:
        self.store = MemoryCollectionStore()
        self.facts = MemoryGapStore(self.store)
        for number in stored:
            self.add(number)

    def add(self, number: int, series: SeriesTicker = FED) -> None:
        row = snapshot(number, series)
        self.store.snapshots[row.market_id, row.snapshot_hour_utc] = row

    def ran(
        self, number: int, outcome: CycleOutcome, *progress: SeriesProgress, error=None
    ) -> None:
        cycle_id = f"c{len(self.store.stored_cycles)}"
        self.store.stored_cycles[cycle_id] = Cycle(
            cycle_id=cycle_id,
            mode="collect",
            snapshot_hour_utc=hour(number),
            attempt=1,
            outcome=outcome,
            started_us=len(self.store.stored_cycles),
            progress=progress,
            error=error,
        )


def read(series: SeriesTicker, scanned: int, failure: str | None = None) -> SeriesProgress:
    return SeriesProgress(series=series, scanned=scanned, is_done=failure is None, failure=failure)


async def test_nothing_stored_has_no_gaps() -> None:
    report = await find_gaps(Bench().store, MemoryGapStore())
    assert (report.expected, report.missing, report.gaps) == (0, 0, ())
    assert gap_lines(report) == ["no snapshots yet"]


async def test_hours_without_a_cycle_are_one_gap() -> None:
    report = await find_gaps(Bench(0, 1, 5, 6).store, MemoryGapStore())
    [gap] = report.gaps
    assert (gap.first_hour, gap.last_hour, gap.hours) == (hour(2), hour(4), 3)
    assert gap.reason is GapReason.NOT_RUNNING
    assert (report.expected, report.missing) == (7, 3)


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (CycleOutcome.FAILED, GapReason.FAILED),
        (CycleOutcome.PARTIAL, GapReason.PARTIAL),
        (CycleOutcome.INTERRUPTED, GapReason.INTERRUPTED),
        (CycleOutcome.RUNNING, GapReason.RUNNING),
    ],
)
async def test_the_reason_is_the_hours_cycle(outcome, reason) -> None:
    bench = Bench(0, 2)
    bench.ran(1, outcome, read(FED, 0, "504"), error="KXFED: 504")
    [gap] = (await find_gaps(bench.store, bench.facts)).gaps
    assert (gap.reason, gap.error) == (reason, "KXFED: 504")


async def test_the_last_of_several_cycles_is_the_reason() -> None:
    bench = Bench(0, 2)
    bench.ran(1, CycleOutcome.INTERRUPTED)
    bench.ran(1, CycleOutcome.FAILED, error="down")
    [gap] = (await find_gaps(bench.store, bench.facts)).gaps
    assert (gap.reason, gap.error) == (GapReason.FAILED, "down")


async def test_different_reasons_are_different_gaps() -> None:
    bench = Bench(0, 4)
    bench.ran(2, CycleOutcome.FAILED, error="down")
    gaps = (await find_gaps(bench.store, bench.facts)).gaps
    assert [(gap.hours, gap.reason) for gap in gaps] == [
        (1, GapReason.NOT_RUNNING),
        (1, GapReason.FAILED),
        (1, GapReason.NOT_RUNNING),
    ]


async def test_an_hour_in_which_no_market_was_open_is_not_missing() -> None:
    bench = Bench(0, 2)
    bench.ran(1, CycleOutcome.COMPLETE, read(FED, 0))
    assert (await find_gaps(bench.store, bench.facts)).gaps == ()


async def test_rows_that_a_complete_cycle_stored_and_that_are_gone_are_missing() -> None:
    bench = Bench(0, 2)
    bench.ran(1, CycleOutcome.COMPLETE, read(FED, 5))
    [gap] = (await find_gaps(bench.store, bench.facts)).gaps
    assert gap.reason is GapReason.LOST


async def test_a_series_has_gaps_of_its_own() -> None:
    bench = Bench(0, 1, 2, 3)
    for number in (0, 3):
        bench.add(number, CPI)
    bench.ran(1, CycleOutcome.PARTIAL, read(FED, 3), read(CPI, 0, "504"), error="KXCPI: 504")
    bench.ran(2, CycleOutcome.COMPLETE, read(FED, 3))
    assert (await find_gaps(bench.store, bench.facts)).gaps == ()
    gaps = (await find_gaps(bench.store, bench.facts, series=CPI)).gaps
    assert [(gap.first_hour, gap.reason, gap.error) for gap in gaps] == [
        (hour(1), GapReason.PARTIAL, "504"),
        (hour(2), GapReason.NOT_COLLECTED, None),
    ]


async def test_a_series_without_open_markets_is_not_missing() -> None:
    bench = Bench(0, 1, 2)
    for number in (0, 2):
        bench.add(number, CPI)
    bench.ran(1, CycleOutcome.COMPLETE, read(FED, 3), read(CPI, 0))
    assert (await find_gaps(bench.store, bench.facts, series=CPI)).gaps == ()


async def test_a_given_window_reaches_beyond_what_is_stored() -> None:
    report = await find_gaps(
        Bench(2).store, MemoryGapStore(), first_hour=hour(1), last_hour=hour(4)
    )
    assert [(gap.first_hour, gap.last_hour) for gap in report.gaps] == [
        (hour(1), hour(1)),
        (hour(3), hour(4)),
    ]


async def test_the_lines_say_how_much_and_why() -> None:
    bench = Bench(0, 4)
    bench.ran(3, CycleOutcome.FAILED, error="down")
    assert gap_lines(await find_gaps(bench.store, bench.facts)) == [
        f"3 of 5 hours missing, {hour(0)} to {hour(4)}",
        f"{hour(1)} to {hour(2)}: 2 h, the bot was not running",
        f"{hour(3)}: 1 h, the cycle failed (down)",
    ]


@given(st.sets(st.integers(0, 72)), st.integers(0, 72), st.integers(0, 72))
def test_stored_and_missing_hours_make_up_the_window(stored, first, last) -> None:
    held = [hour(number) for number in stored]
    missing = missing_hours(hour(first), hour(last), held, [])
    window = list(hours_between(hour(first), hour(last)))
    assert sorted(missing + [each for each in held if each in window]) == window
    assert len(window) == max(0, last - first + 1)


@given(st.sets(st.integers(0, 48), min_size=1), st.sets(st.integers(0, 48)))
async def test_gaps_cover_the_missing_hours_without_overlap(stored, failed) -> None:
    bench = Bench(*stored)
    for number in failed:
        bench.ran(number, CycleOutcome.FAILED)
    report = await find_gaps(bench.store, bench.facts)
    covered = [each for gap in report.gaps for each in hours_between(gap.first_hour, gap.last_hour)]
    assert covered == sorted(set(covered))
    assert len(covered) == report.missing == sum(gap.hours for gap in report.gaps)
    assert report.missing == max(stored) - min(stored) + 1 - len(stored)


class Checked(Bench):
    """A bench with an hourly check at ten past hour ``now``."""

    def __init__(self, now: int, *stored: int) -> None:
        super().__init__(*stored)
        self.clock = ManualClock(parse_rfc3339(hour(now)) + HOUR_US // 6)
        self.reports: list = []
        self.check = GapCheck(self.store, self.facts, self.clock, self.take)

    async def take(self, report) -> None:
        self.reports.append(report)


async def test_each_missing_hour_is_reported_once() -> None:
    bench = Checked(6, 0, 1, 2, 5)
    await bench.check.run()
    await bench.check.run()
    assert [report.missing for report in bench.reports] == [2]
    bench.clock.advance(HOUR_US)
    await bench.check.run()
    assert [report.missing for report in bench.reports] == [2, 1]
    assert bench.reports[1].gaps[0].first_hour == hour(6)


async def test_an_outage_of_days_is_reported_whole_after_it() -> None:
    bench = Checked(6, 0, 1, 2, 3, 4, 5)
    await bench.check.run()
    bench.clock.advance(72 * HOUR_US)
    await bench.check.run()
    assert [report.missing for report in bench.reports] == [72]


async def test_the_running_hour_is_not_missing_yet() -> None:
    bench = Checked(6, 4, 5)
    await bench.check.run()
    assert bench.reports == []


async def test_hours_before_the_first_snapshot_are_not_missing() -> None:
    bench = Checked(6)
    await bench.check.run()
    bench.add(6)
    await bench.check.run()
    assert bench.reports == []


def test_years_of_hours_are_looked_through_within_a_second() -> None:
    hours = [hour(number) for number in range(20_000)]
    empty = Cycle(
        cycle_id="c",
        mode="collect",
        snapshot_hour_utc=hours[7],
        attempt=1,
        outcome=CycleOutcome.COMPLETE,
        started_us=0,
    )
    held, began_s = [each for each in hours if each not in (hours[7], hours[9])], perf_counter()
    assert missing_hours(hours[0], hours[-1], held, [empty]) == [hours[9]]
    assert perf_counter() - began_s < 1


async def test_a_report_that_could_not_be_made_is_made_again() -> None:
    bench = Checked(6, 0, 5)

    async def outbox_is_away(_) -> None:
        raise StorageUnavailable("away")

    failing = GapCheck(bench.store, bench.facts, bench.clock, outbox_is_away)
    with pytest.raises(StorageUnavailable):
        await failing.run()
    await bench.check.run()
    assert [report.missing for report in bench.reports] == [4]


async def test_a_clock_that_was_set_back_reports_nothing_twice() -> None:
    bench = Checked(6, 0, 5)
    await bench.check.run()
    bench.clock.step(-3 * HOUR_US)
    await bench.check.run()
    bench.clock.step(3 * HOUR_US)
    await bench.check.run()
    assert len(bench.reports) == 1


@pytest.mark.parametrize("hours", [0, 721])
def test_a_lookback_without_bounds_is_refused(hours) -> None:
    bench = Checked(6)
    with pytest.raises(ValueError, match="lookback_hours"):
        GapCheck(bench.store, bench.facts, bench.clock, bench.take, lookback_hours=hours)


class Watched(MemoryCollectionStore):
    """Knows how much of the past was asked for, and never reads whole cycles."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, str]] = []

    async def snapshot_hours(self, first_hour, last_hour, series=None):
        if first_hour:
            self.asked.append((first_hour, last_hour))
        return await super().snapshot_hours(first_hour, last_hour, series)

    async def hours_without_market(self, first_hour, last_hour):
        self.asked.append((first_hour, last_hour))
        return [hour(COUNTED_HOURS + 5)]


async def test_the_count_of_missing_hours_does_not_read_the_whole_past() -> None:
    store = Watched()
    for number in (0, 2, COUNTED_HOURS + 1, COUNTED_HOURS + 9):
        row = snapshot(number)
        store.snapshots[row.market_id, row.snapshot_hour_utc] = row
    # Of the last hours these are there: two with snapshots, one that had no market.
    assert await count_missing(store) == COUNTED_HOURS - 3
    assert set(store.asked) == {(hour(10), hour(COUNTED_HOURS + 9))}


async def test_the_count_agrees_with_the_report_where_little_is_stored() -> None:
    bench = Bench(0, 1, 5, 6)
    bench.ran(2, CycleOutcome.COMPLETE, read(FED, 0))
    bench.ran(3, CycleOutcome.COMPLETE, read(FED, 4))
    report = await find_gaps(bench.store, bench.facts)
    assert await count_missing(bench.store) == report.missing == 2
    assert await count_missing(MemoryCollectionStore()) == 0
