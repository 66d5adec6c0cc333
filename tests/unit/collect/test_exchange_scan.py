"""The whole exchange: what is asked, from when on, and that a failed scan leaves no hole."""

import pytest

from bot.collect.exchange_scan import EXCHANGE, ExchangeScan, planned_scan, scan_rows
from bot.domain.errors import ExchangeUnavailable
from bot.kit.times import HOUR_US, MINUTE_US, hour_key
from bot.ports.collection import Cycle, CycleOutcome, SeriesProgress
from tests.fakes.listing import paged
from tests.unit.collect.test_snapshots import Bench

pytestmark = pytest.mark.looptime(False)

HOUR = "2026-11-21T07:00:00Z"


def ended(*progress: SeriesProgress) -> Cycle:
    return Cycle(
        cycle_id="c",
        mode="collect",
        snapshot_hour_utc=HOUR,
        attempt=1,
        outcome=CycleOutcome.COMPLETE,
        started_us=7,
        progress=progress,
    )


def test_the_first_scan_is_of_everything_and_the_next_of_what_was_updated() -> None:
    assert planned_scan({}, HOUR, 24).since_us is None
    done = SeriesProgress(series=EXCHANGE, is_done=True)
    rows = scan_rows(ExchangeScan(since_us=None), ended(done))
    following = planned_scan(rows, "2026-11-21T08:00:00Z", 24)
    assert following.since_us == 7 - 5 * MINUTE_US
    assert following.query.status is None, "the venue takes no status beside an update time"
    assert planned_scan(rows, "2026-11-22T07:00:00Z", 24).since_us is None


@pytest.mark.parametrize(
    "progress",
    [
        [],
        [SeriesProgress(series=EXCHANGE, is_done=False)],
        [SeriesProgress(series=EXCHANGE, is_done=True, failure="504")],
    ],
)
def test_a_scan_that_did_not_end_moves_no_mark(progress: list[SeriesProgress]) -> None:
    assert scan_rows(ExchangeScan(since_us=None), ended(*progress)) == {}


def test_an_update_scan_leaves_the_hour_of_the_last_whole_one() -> None:
    done = SeriesProgress(series=EXCHANGE, is_done=True)
    assert list(scan_rows(ExchangeScan(since_us=1), ended(done))) == ["exchange_scan_from_us"]


def both(*sizes: int) -> dict:
    return {"KXFED": paged("KXFED", [2]), "*": paged("KXREST", sizes)}


def bench_of(tmp_path, pages: dict, **settings: object) -> Bench:
    bench = Bench(tmp_path, {"KXFED": pages["KXFED"]}, whole_exchange=True, **settings)
    bench.listing.pages = pages
    return bench


async def test_the_rest_of_the_exchange_comes_after_the_series(tmp_path) -> None:
    bench = bench_of(tmp_path, both(3, 2))
    report = await bench.collector().run()
    assert (report.is_success, report.cycle.scanned, report.cycle.inserted) == (True, 7, 7)
    assert [series for series, _ in bench.listing.asked] == ["KXFED", "*", "*"]
    hour = hour_key(bench.clock.now_us())
    rest = bench.store.snapshots["KXREST-0-0", hour]
    assert (rest.series_ticker, rest.macro_event_type) == (None, "other")


async def test_a_market_of_a_series_keeps_its_series_though_the_exchange_lists_it_too(
    tmp_path,
) -> None:
    pages = {"KXFED": paged("KXFED", [2]), "*": paged("KXFED", [2])}
    bench = bench_of(tmp_path, pages)
    report = await bench.collector().run()
    assert (report.cycle.scanned, report.cycle.inserted) == (4, 2)
    assert {one.series_ticker for one in bench.store.snapshots.values()} == {"KXFED"}


async def test_no_scan_while_a_series_was_not_read(tmp_path) -> None:
    bench = bench_of(tmp_path, both(3) | {"KXFED": {"": ExchangeUnavailable("504")}})
    report = await bench.collector().run()
    assert report.cycle.outcome is CycleOutcome.FAILED
    assert [series for series, _ in bench.listing.asked] == ["KXFED"]
    assert "*: not asked: a configured series was not read" in report.cycle.error
    bench.listing.pages = both(3)
    again = await bench.collector().run()
    assert (again.is_success, again.cycle.inserted) == (True, 5)


async def test_hours_ask_for_updates_and_a_failed_one_is_made_up_for(tmp_path) -> None:
    bench = bench_of(tmp_path, both(3))
    first_us = bench.clock.now_us()
    await bench.collector().run()
    assert bench.listing.queries[-1].min_updated_us is None
    bench.clock.advance(HOUR_US)
    bench.listing.pages["*"] = {"": ExchangeUnavailable("504")}
    assert not (await bench.collector().run()).is_success
    assert bench.listing.queries[-1].min_updated_us == first_us - 5 * MINUTE_US
    bench.clock.advance(HOUR_US)
    bench.listing.pages["*"] = paged("KXREST", [1])
    assert (await bench.collector().run()).is_success
    assert bench.listing.queries[-1].min_updated_us == first_us - 5 * MINUTE_US
    bench.clock.advance(22 * HOUR_US)
    await bench.collector().run()
    assert bench.listing.queries[-1].min_updated_us is None


async def test_a_full_budget_leaves_the_exchange_out_and_says_so(tmp_path) -> None:
    bench = bench_of(tmp_path, both(3), storage_budget=1)
    assert (await bench.collector().run()).is_success, "nothing is stored yet"
    bench.clock.advance(HOUR_US)
    report = await bench.collector().run()
    assert report.cycle.outcome is CycleOutcome.PARTIAL
    assert report.cycle.inserted == 2, "the configured series go on"
    assert "of collect.storage_budget_gib: raise it" in report.cycle.error
