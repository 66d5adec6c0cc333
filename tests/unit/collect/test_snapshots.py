"""A cycle tells the truth about what it read, and goes on where it was stopped."""

import asyncio
import json
import logging
import re
from dataclasses import replace
from random import Random

import pytest

from bot.collect.settings import CollectSettings
from bot.collect.snapshots import Collector
from bot.domain.errors import CredentialsRefused, ExchangeUnavailable, InvalidMessage
from bot.kit.ids import IdFactory
from bot.kit.times import HOUR_US, hour_key
from bot.ports.collection import CycleOutcome
from tests.fakes.clock import ManualClock
from tests.fakes.collection import MemoryCollectionStore
from tests.fakes.listing import ScriptedListing, listed, page, paged, unreadable

pytestmark = pytest.mark.looptime(False)


class Bench:
    """A collector over fakes, with its files in a temporary directory."""

    def __init__(self, tmp_path, pages, *, before=None, **settings) -> None:
        self.settings = CollectSettings(
            series=tuple(pages),
            reports_dir=tmp_path / "reports",
            status_file=tmp_path / "status.json",
            **settings,
        )
        self.listing = ScriptedListing(pages, before)
        self.store = MemoryCollectionStore()
        self.clock = ManualClock()
        self.ids = IdFactory(self.clock, Random(7))

    def collector(self) -> Collector:
        return Collector(self.settings, self.listing, self.store, self.clock, self.ids)

    def status_file(self) -> dict[str, str]:
        return json.loads(self.settings.status_file.read_text())


TWO_SERIES = {"KXFED": paged("KXFED", [3, 2]), "KXCPI": paged("KXCPI", [4])}


async def test_a_cycle_stores_every_page_of_every_series(tmp_path) -> None:
    bench = Bench(tmp_path, TWO_SERIES)
    report = await bench.collector().run()
    cycle = report.cycle
    assert (report.is_success, cycle.scanned, cycle.inserted, cycle.errors) == (True, 9, 9, 0)
    snapshot = bench.store.snapshots["KXCPI-0-0", hour_key(bench.clock.now_us())]
    assert snapshot.macro_event_type == "cpi_mom"
    assert snapshot.probability_bucket == "0.35-0.65"
    assert json.loads(snapshot.payload_json) == {"ticker": "KXCPI-0-0"}
    assert snapshot.event_ticker == "KXCPI-0"


async def test_a_second_run_in_the_same_hour_inserts_nothing(tmp_path) -> None:
    bench = Bench(tmp_path, TWO_SERIES)
    first = await bench.collector().run()
    second = await bench.collector().run()
    assert second.is_success
    assert (second.cycle.scanned, second.cycle.inserted) == (9, 0)
    assert second.cycle.cycle_id != first.cycle.cycle_id


async def test_the_next_hour_is_stored_anew(tmp_path) -> None:
    bench = Bench(tmp_path, TWO_SERIES)
    await bench.collector().run()
    bench.clock.advance(HOUR_US)
    assert (await bench.collector().run()).cycle.inserted == 9


async def test_a_failed_page_makes_the_cycle_partial_and_keeps_the_rest(tmp_path, caplog) -> None:
    broken = {"KXFED": paged("KXFED", [3, 2]) | {"c1": ExchangeUnavailable("504")}}
    bench = Bench(tmp_path, broken | {"KXCPI": paged("KXCPI", [4])})
    report = await bench.collector().run()
    assert report.cycle.outcome is CycleOutcome.PARTIAL
    assert not report.is_success
    assert (report.cycle.scanned, report.cycle.inserted, report.cycle.errors) == (7, 7, 1)
    assert "KXFED: ExchangeUnavailable: 504" in report.cycle.error
    [summary] = [one for one in caplog.records if "mode=collect" in one.message]
    assert summary.why == report.cycle.error, "the log alone must do"


async def test_a_partial_cycle_never_writes_a_success(tmp_path) -> None:
    broken = {"KXFED": paged("KXFED", [3]), "KXCPI": {"": InvalidMessage("not JSON")}}
    bench = Bench(tmp_path, broken)
    await bench.collector().run()
    rows = bench.store.rows
    assert "last_success_at_utc" not in rows
    assert rows["last_outcome"] == "partial"
    assert rows["last_error_message"].startswith("KXCPI: InvalidMessage")
    assert "last_success_at_utc" not in bench.status_file()


async def test_a_failure_after_a_success_keeps_when_the_success_was(tmp_path) -> None:
    bench = Bench(tmp_path, dict(TWO_SERIES))
    await bench.collector().run()
    succeeded_at = bench.store.rows["last_success_at_utc"]
    bench.clock.advance(HOUR_US)
    bench.listing.pages = {key: {"": ExchangeUnavailable("down")} for key in TWO_SERIES}
    await bench.collector().run()
    assert bench.store.rows["last_success_at_utc"] == succeeded_at
    assert bench.store.rows["last_error_at_utc"] > succeeded_at
    assert bench.store.rows["cycle_count"] == "2"
    assert bench.status_file() == bench.store.rows


@pytest.mark.parametrize("fault", [ExchangeUnavailable("down"), CredentialsRefused("NOT_FOUND")])
async def test_an_exchange_that_answers_nobody_makes_the_cycle_failed(tmp_path, fault) -> None:
    bench = Bench(tmp_path, {key: {"": fault} for key in ("KXFED", "KXCPI", "KXU3")})
    report = await bench.collector().run()
    assert report.cycle.outcome is CycleOutcome.FAILED
    assert (report.cycle.scanned, report.cycle.errors) == (0, 3)


async def test_an_outage_is_not_asked_about_series_after_series(tmp_path, caplog) -> None:
    series = [f"KX{number}" for number in range(20)]
    down = {key: {"": ExchangeUnavailable("down")} for key in series}
    bench = Bench(tmp_path, down, concurrency=1, outages_max=3)
    report = await bench.collector().run()
    assert len(bench.listing.asked) == 3
    assert report.cycle.errors == 20
    told = [record.message for record in caplog.records if record.levelname != "INFO"]
    assert len(told) == 5, "three failures, one line for the others, the summary"
    assert "KALSHI_ENVIRONMENT" in told[3]


async def test_failures_between_answers_are_no_outage(tmp_path) -> None:
    pages = {
        f"KX{number}": paged(f"KX{number}", [1]) if number % 2 else {"": ExchangeUnavailable("502")}
        for number in range(10)
    }
    bench = Bench(tmp_path, pages, concurrency=1, outages_max=2)
    report = await bench.collector().run()
    assert len(bench.listing.asked) == 10
    assert (report.cycle.scanned, report.cycle.errors) == (5, 5)


async def test_unreadable_markets_are_kept_aside_and_counted(tmp_path) -> None:
    bench = Bench(tmp_path, {"KXFED": {"": page(listed("A-1"), unreadable("A-2"))}})
    report = await bench.collector().run()
    assert (report.cycle.scanned, report.cycle.inserted, report.cycle.errors) == (2, 1, 1)
    assert report.is_success
    [(cycle_id, item)] = bench.store.quarantine
    assert (cycle_id, item.name, item.reason) == (report.cycle.cycle_id, "A-2", "no close_time")


async def test_a_listing_of_which_nothing_can_be_read_is_no_success(tmp_path) -> None:
    bench = Bench(tmp_path, {"KXFED": {"": page(unreadable("A-1"), unreadable("A-2"))}})
    assert (await bench.collector().run()).cycle.outcome is CycleOutcome.FAILED


async def test_a_cursor_that_repeats_ends_the_series_as_failed(tmp_path) -> None:
    looped = {"": page(listed("A-1"), cursor="x"), "x": page(listed("A-2"), cursor="x")}
    bench = Bench(tmp_path, {"KXFED": looped})
    report = await bench.collector().run()
    assert report.cycle.outcome is CycleOutcome.PARTIAL
    assert report.cycle.inserted == 2
    assert len(bench.listing.asked) == 2


async def test_a_listing_without_end_is_cut_off(tmp_path) -> None:
    bench = Bench(tmp_path, {"KXFED": paged("KXFED", [1] * 9)}, pages_per_series_max=4)
    report = await bench.collector().run()
    assert (report.cycle.outcome, report.cycle.scanned) == (CycleOutcome.PARTIAL, 4)


async def test_an_empty_page_with_a_cursor_is_not_the_end(tmp_path) -> None:
    bench = Bench(tmp_path, {"KXFED": {"": page(cursor="x"), "x": page(listed("A-1"))}})
    assert (await bench.collector().run()).cycle.inserted == 1


@pytest.mark.parametrize("stopped_before", ["", "c1", "c2", "c3"])
async def test_a_killed_cycle_resumes_at_the_page_it_had_reached(tmp_path, stopped_before) -> None:
    pages = {"KXFED": paged("KXFED", [3, 2, 2, 1])}
    reached = asyncio.Event()

    async def hang(series: str, cursor: str) -> None:
        if cursor == stopped_before:
            reached.set()
            await asyncio.Event().wait()

    bench = Bench(tmp_path, pages, before=hang)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(bench.collector().run())
        await reached.wait()
        running.cancel()
    [killed] = bench.store.stored_cycles.values()

    bench.listing = ScriptedListing(pages)
    bench.clock.advance(60_000_000)
    report = await bench.collector().run()
    assert bench.listing.asked[0] == ("KXFED", stopped_before)
    assert report.cycle.cycle_id == killed.cycle_id
    assert (report.cycle.scanned, report.cycle.inserted) == (8, 8)
    assert report.is_success


async def test_a_cycle_killed_in_an_earlier_hour_is_closed_not_resumed(tmp_path) -> None:
    bench = Bench(tmp_path, {"KXFED": paged("KXFED", [1])})
    whole = (await bench.collector().run()).cycle
    bench.store.stored_cycles[whole.cycle_id] = replace(whole, outcome=CycleOutcome.RUNNING)
    bench.clock.advance(HOUR_US)
    report = await bench.collector().run()
    assert report.is_success
    assert report.cycle.cycle_id != whole.cycle_id
    assert bench.store.stored_cycles[whole.cycle_id].outcome is CycleOutcome.INTERRUPTED


async def test_a_run_whose_cycle_was_taken_over_stops_and_says_nothing(tmp_path) -> None:
    first_page_read, go_on = asyncio.Event(), asyncio.Event()

    async def slow(series: str, cursor: str) -> None:
        if cursor == "c1" and not first_page_read.is_set():
            first_page_read.set()
            await go_on.wait()

    bench = Bench(tmp_path, {"KXFED": paged("KXFED", [3, 2])}, before=slow)
    async with asyncio.TaskGroup() as group:
        slow_run = group.create_task(bench.collector().run())
        await first_page_read.wait()
        winner = await bench.collector().run()
        rows = dict(bench.store.rows)
        go_on.set()
    loser = slow_run.result()
    assert (winner.is_success, winner.cycle.scanned, winner.cycle.inserted) == (True, 5, 5)
    assert loser.cycle.outcome is CycleOutcome.TAKEN_OVER
    assert bench.store.rows == rows


async def test_a_database_that_is_away_is_a_failed_cycle_on_file(tmp_path) -> None:
    bench = Bench(tmp_path, dict(TWO_SERIES))
    await bench.collector().run()
    good = bench.status_file()
    bench.store.is_down = True
    bench.clock.advance(HOUR_US)
    report = await bench.collector().run()
    assert report.cycle.outcome is CycleOutcome.FAILED
    told = bench.status_file()
    assert told["last_success_at_utc"] == good["last_success_at_utc"]
    assert told["last_error_message"].startswith("database: ")
    assert told["last_outcome"] == "failed"


async def test_a_database_lost_between_pages_is_a_failed_cycle(tmp_path) -> None:
    bench = Bench(tmp_path, {"KXFED": paged("KXFED", [3, 2])})

    async def lose(series: str, cursor: str) -> None:
        bench.store.is_down = cursor == "c1"

    bench.listing = ScriptedListing(bench.listing.pages, lose)
    report = await bench.collector().run()
    assert report.cycle.outcome is CycleOutcome.FAILED
    assert (report.cycle.scanned, report.cycle.inserted) == (3, 3)


async def test_no_more_series_are_read_at_once_than_allowed(tmp_path) -> None:
    async def slow(series: str, cursor: str) -> None:
        await asyncio.sleep(0)

    pages = {f"KX{number}": paged(f"KX{number}", [2, 2]) for number in range(12)}
    bench = Bench(tmp_path, pages, before=slow, concurrency=3)
    await bench.collector().run()
    assert bench.listing.in_flight_max == 3


async def test_progress_counts_up_to_the_whole(tmp_path) -> None:
    seen = []
    bench = Bench(tmp_path, TWO_SERIES)
    report = await bench.collector().run(seen.append)
    assert [each.scanned for each in seen] == sorted(each.scanned for each in seen)
    assert (seen[-1].series_done, seen[-1].series_total) == (2, 2)
    assert seen[-1].inserted == report.cycle.inserted


async def test_one_line_in_the_log_sums_the_cycle_up(tmp_path, caplog) -> None:
    caplog.set_level(logging.INFO)
    bench = Bench(tmp_path, TWO_SERIES)
    report = await bench.collector().run()
    lines = [r for r in caplog.messages if "mode=collect" in r]
    wanted = (
        rf"cycle={report.cycle.cycle_id} mode=collect scanned=9 inserted=9 errors=0"
        r" duration_s=\d+\.\d{3} outcome=complete"
    )
    assert len(lines) == 1
    assert re.search(wanted, lines[0])


async def test_files_that_cannot_be_written_do_not_undo_the_cycle(tmp_path, caplog) -> None:
    bench = Bench(tmp_path, TWO_SERIES)
    bench.settings.reports_dir.write_text("a file where the directory should be")
    report = await bench.collector().run()
    assert report.is_success
    assert "cycle files not written" in caplog.messages
    assert bench.store.rows["last_success_at_utc"]


@pytest.mark.parametrize(("ahead_s", "word"), [(3_600, "ahead of"), (-3_600, "behind")])
async def test_a_clock_an_hour_off_stores_nothing_and_says_so(tmp_path, ahead_s, word) -> None:
    bench = Bench(tmp_path, dict(TWO_SERIES))
    server_us = bench.clock.now_us() - ahead_s * 1_000_000
    bench.listing.pages = {
        key: {"": page(listed(f"{key}-1"), server_us=server_us)} for key in TWO_SERIES
    }
    report = await bench.collector().run()
    assert (report.cycle.outcome, report.cycle.inserted) == (CycleOutcome.FAILED, 0)
    assert report.cycle.errors == 2
    told = f"this machine's clock is 3600 s {word} the exchange's: set it (NTP)"
    assert told in report.cycle.error
    assert not bench.store.snapshots


async def test_a_clock_a_minute_off_is_lived_with(tmp_path) -> None:
    bench = Bench(tmp_path, {"KXFED": paged("KXFED", [1])})
    bench.listing.pages["KXFED"][""] = page(
        listed("A-1"), server_us=bench.clock.now_us() - 60_000_000
    )
    assert (await bench.collector().run()).is_success


async def test_fields_nobody_documented_are_stored_and_counted(tmp_path, caplog) -> None:
    named = page(listed("A-1"), listed("A-2"), unknown_fields=("moon_phase", "moon_phase"))
    bench = Bench(tmp_path, {"KXFED": {"": named}})
    report = await bench.collector().run()
    assert (report.is_success, report.cycle.inserted, report.cycle.errors) == (True, 2, 0)
    assert report.facts["unknown_fields"] == {"moon_phase": 2}
    [path] = bench.settings.reports_dir.iterdir()
    assert json.loads(path.read_text())["unknown_fields"] == {"moon_phase": 2}
    assert "unknown fields in markets" in caplog.messages
