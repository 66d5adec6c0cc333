"""Markets missing from single hours are found, explained and summed up."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from bot.collect.gap_reasons import GapReason
from bot.collect.market_gaps import find_market_gaps, market_gap_lines
from bot.domain.ids import SeriesTicker
from bot.kit.times import HOUR_US, hour_key, parse_rfc3339
from bot.ports.collection import Cycle, CycleOutcome, QuarantinedItem, SeriesProgress
from tests.fakes.collection import snapshot
from tests.fakes.gaps import MemoryGapStore

FED = SeriesTicker("KXFED")
START = parse_rfc3339("2026-11-21T00:00:00Z")


def hour(number: int) -> str:
    return hour_key(START + number * HOUR_US)


class Bench:
    def __init__(self) -> None:
        self.facts = MemoryGapStore()
        self.store = self.facts.collection

    def ran(self, number: int, markets: str, *progress: SeriesProgress, bad: str = "") -> None:
        for name in markets:
            row = snapshot(f"KXFED-{name}", hour(number))
            self.store.snapshots[row.market_id, row.snapshot_hour_utc] = row
        cycle_id = f"c{number}"
        missed = any(each.failure for each in progress)
        self.store.stored_cycles[cycle_id] = Cycle(
            cycle_id=cycle_id,
            mode="collect",
            snapshot_hour_utc=hour(number),
            attempt=1,
            outcome=CycleOutcome.PARTIAL if missed else CycleOutcome.COMPLETE,
            started_us=START + number * HOUR_US,
            progress=progress or (SeriesProgress(series=FED, scanned=3, is_done=True),),
        )
        for name in bad:
            item = QuarantinedItem(name=f"KXFED-{name}", reason="no price", raw=b"", at_us=1)
            self.store.quarantine.append((cycle_id, item))

    async def report(self, last: int, **options):
        return await find_market_gaps(
            self.store, self.facts, first_hour=hour(0), last_hour=hour(last), **options
        )


FAILED = SeriesProgress(series=FED, scanned=1, failure="InvalidMessage: cut in half")


async def test_a_failed_page_of_two_hours_is_one_gap_with_its_markets() -> None:
    bench = Bench()
    bench.ran(0, "ABC")
    bench.ran(1, "A", FAILED)
    bench.ran(2, "A", FAILED)
    bench.ran(3, "ABC")
    report = await bench.report(3)
    [gap] = report.gaps
    assert (gap.first_hour, gap.last_hour, gap.markets, gap.missing) == (hour(1), hour(2), 2, 4)
    assert (gap.reason, gap.error) == (GapReason.PARTIAL, "InvalidMessage: cut in half")
    assert (report.missing, report.not_listed, report.is_cut) == (4, 0, False)
    assert market_gap_lines(report) == [
        "4 snapshots of single markets missing from other hours",
        (
            f"KXFED {hour(1)} to {hour(2)}: 2 markets, the cycle was partial"
            " (InvalidMessage: cut in half): KXFED-B, KXFED-C"
        ),
    ]


async def test_a_market_that_was_not_listed_is_counted_apart() -> None:
    bench = Bench()
    bench.ran(0, "AB")
    bench.ran(1, "A")
    bench.ran(2, "AB")
    report = await bench.report(2)
    assert (report.missing, report.not_listed, report.gaps) == (0, 1, ())
    assert market_gap_lines(report) == [
        (
            "0 snapshots of single markets missing from other hours"
            " (1 not listed as open by the exchange)"
        )
    ]


async def test_an_unreadable_market_is_a_gap_of_its_own() -> None:
    bench = Bench()
    bench.ran(0, "AB")
    bench.ran(1, "A", bad="B")
    bench.ran(2, "AB")
    [gap] = (await bench.report(2)).gaps
    assert (gap.reason, gap.error, gap.examples) == (
        GapReason.UNREADABLE,
        "no price",
        ("KXFED-B",),
    )


async def test_more_holes_than_are_read_are_said_to_be_more() -> None:
    bench = Bench()
    bench.ran(0, "ABCDEFGH")
    bench.ran(1, "A", FAILED)
    bench.ran(2, "ABCDEFGH")
    report = await bench.report(2, limit=6)
    assert (report.missing, report.is_cut) == (6, True)
    assert market_gap_lines(report)[0].startswith("at least 6 snapshots")
    assert market_gap_lines(report)[1].endswith("KXFED-F and 1 more")


@given(st.lists(st.tuples(st.sets(st.sampled_from("ABCD")), st.booleans()), max_size=8))
async def test_every_hole_is_counted_exactly_once(hours) -> None:
    bench = Bench()
    for number, (markets, has_failed) in enumerate(hours):
        bench.ran(number, "".join(sorted(markets)), *([FAILED] if has_failed else []))
    report = await bench.report(len(hours))
    stored = [number for number, (markets, _) in enumerate(hours) if markets]
    expected = 0
    for name in "ABCD":
        own = [number for number in stored if name in hours[number][0]]
        if own:
            between = [number for number in stored if own[0] < number < own[-1]]
            expected += sum(name not in hours[number][0] for number in between)
    assert report.missing + report.not_listed == expected
    assert report.missing == sum(gap.missing for gap in report.gaps)


class Large(list):
    """Holes that know which thread looks through them."""

    def __init__(self, holes) -> None:
        super().__init__(holes)
        self.seen: set[int] = set()

    def __getitem__(self, place):
        self.seen.add(threading.get_ident())
        return super().__getitem__(place)


class LargeGapStore(MemoryGapStore):
    async def market_holes(self, first_hour, last_hour, series, limit):
        self.large = Large(await super().market_holes(first_hour, last_hour, series, limit))
        return self.large


async def test_many_holes_are_not_explained_on_the_loop() -> None:
    bench = Bench()
    bench.facts = LargeGapStore(bench.store)
    bench.ran(0, "ABC")
    bench.ran(1, "A", FAILED)
    bench.ran(2, "ABC")
    assert (await bench.report(2)).missing == 2
    assert bench.facts.large.seen
    assert threading.get_ident() not in bench.facts.large.seen
