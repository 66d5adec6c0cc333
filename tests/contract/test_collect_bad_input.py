"""Bad input and bad days, with a real HTTP server, the real client and real databases.

Whatever arrives: what cannot be used is set aside or refused with one clear message and
counted, every other row is stored, and the cycle goes on once the fault is gone.
"""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from random import Random
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import text

from bot.adapters.kalshi.gateway import KalshiExchange
from bot.adapters.kalshi.settings import RestSettings, hosts_of
from bot.adapters.storage.collection import SqlCollectionStore
from bot.adapters.storage.database import Database
from bot.collect.cycle_report import CycleReport
from bot.collect.settings import CollectSettings
from bot.collect.snapshots import Collector
from bot.domain.ids import SeriesTicker
from bot.kit.clock import SystemClock
from bot.kit.ids import IdFactory
from bot.ports.collection import CycleOutcome
from tests.fakes.clock import ManualClock

pytestmark = pytest.mark.looptime(False)

FED, CPI = "KXFED", "KXCPI"
_PLAIN = {
    "event_ticker": "KXFED-26DEC",
    "market_type": "binary",
    "status": "active",
    "open_time": "2026-11-01T00:00:00Z",
    "close_time": "2026-12-01T00:00:00Z",
    "price_ranges": [{"start": "0.0000", "end": "1.0000", "step": "0.0100"}],
    "yes_bid_dollars": "0.4700",
    "yes_ask_dollars": "0.5200",
    "volume_fp": "2.00",
    "volume_24h_fp": "1.00",
    "open_interest_fp": "2.00",
    "strike_type": "greater",
    "floor_strike": 3.75,
    "rules_primary": "If the rate is above, then the market resolves to Yes.",
}


def market(ticker: str, **changes: object) -> dict[str, object]:
    return {"ticker": ticker} | _PLAIN | changes


def page_of(*markets: object, cursor: str = "") -> bytes:
    return json.dumps({"markets": list(markets), "cursor": cursor}).encode()


@dataclass
class Venue:
    """Serves pages as told, with the time of the test in ``Date``."""

    clock: ManualClock
    pages: dict[tuple[str, str], bytes] = field(default_factory=dict)
    breaks: int = 0
    """So many answers end in the middle, as when a connection is lost."""
    is_an_hour_ahead: bool = False
    asked: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        key = (request.query["series_ticker"], request.query.get("cursor", ""))
        self.asked.append(key)
        body = self.pages.get(key, page_of())
        now_s = self.clock.now_us() // 1_000_000 + (3_600 if self.is_an_hour_ahead else 0)
        headers = {"Date": formatdate(now_s, usegmt=True), "Content-Type": "application/json"}
        if not self.breaks:
            return web.Response(body=body, headers=headers)
        self.breaks -= 1
        response = web.StreamResponse(headers=headers)
        response.content_length = len(body)
        await response.prepare(request)
        await response.write(body[: len(body) // 2])
        assert request.transport is not None
        request.transport.abort()
        return response


@asynccontextmanager
async def serving(clock: ManualClock) -> AsyncIterator[Venue]:
    venue = Venue(clock)
    app = web.Application()
    app.router.add_get("/trade-api/v2/markets", venue.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        venue.url = f"http://127.0.0.1:{runner.addresses[0][1]}/trade-api/v2"
        yield venue
    finally:
        await runner.cleanup()


@dataclass
class Bench:
    """A collector over the real client and store."""

    venue: Venue
    database: Database
    home: Path
    clock: ManualClock

    async def run(self) -> CycleReport:
        rest = RestSettings(
            requests_per_second=1_000, tries=3, backoff_base_s=0.001, backoff_cap_s=0.001
        )
        hosts = hosts_of("demo", self.venue.url, "ws://127.0.0.1:1/trade-api/ws/v2")
        client = KalshiExchange(hosts, rest, signer=None, clock=SystemClock(), random=Random(1))
        settings = CollectSettings(
            series=(SeriesTicker(FED), SeriesTicker(CPI)),
            concurrency=1,
            reports_dir=self.home / "reports",
            status_file=self.home / "status.json",
        )
        async with client.open() as exchange:
            collector = Collector(
                settings,
                exchange,
                SqlCollectionStore(self.database),
                self.clock,
                IdFactory(self.clock, Random()),
            )
            return await collector.run()

    async def stored(self) -> set[str]:
        return {row[0] for row in await self.rows("SELECT market_id FROM market_snapshots")}

    async def rows(self, query: str) -> list[Any]:
        async with self.database.read() as connection:
            return list(await connection.execute(text(query)))

    def report(self) -> dict[str, Any]:
        """The newest report file."""
        newest = max((self.home / "reports").iterdir())
        told: dict[str, Any] = json.loads(newest.read_text())
        return told

    def status(self) -> dict[str, str]:
        told: dict[str, str] = json.loads((self.home / "status.json").read_text())
        return told


@pytest.fixture
async def bench(database: Database, tmp_path: Path) -> AsyncIterator[Bench]:
    clock = ManualClock()
    async with serving(clock) as venue:
        venue.pages[CPI, ""] = page_of(market("C-1"), market("C-2"))
        yield Bench(venue, database, tmp_path, clock)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (market("F-BAD", close_time="tomorrow"), "is not a timestamp"),
        (market("F-BAD", yes_bid_dollars=0.47), "yes_bid_dollars"),
        (market("F-BAD", yes_bid_dollars=None), "yes_bid_dollars"),
        (market("F-BAD", status="asleep"), "unknown market status 'asleep'"),
        (market("F-BAD", volume_fp="-1.00"), "is negative"),
        (market("F-BAD", price_ranges=[]), "without price_ranges"),
        (market("F-BAD", yes_bid_dollars="0.4750"), "bid 0.4750 is off the market's price grid"),
        (market("F-BAD", yes_ask_dollars="0.52005"), "is not a fixed-point number"),
    ],
)
async def test_a_bad_market_is_quarantined_and_counted_and_the_others_are_stored(
    bench: Bench, bad: dict[str, object], reason: str
) -> None:
    bench.venue.pages[FED, ""] = page_of(market("F-1"), bad, market("F-2"))
    report = await bench.run()
    assert report.is_success
    assert await bench.stored() == {"F-1", "F-2", "C-1", "C-2"}
    [kept] = await bench.rows("SELECT name, reason, raw FROM quarantine")
    assert kept.name == "F-BAD"
    assert reason in kept.reason
    assert json.loads(kept.raw) == bad
    told = bench.report()
    assert (told["scanned"], told["inserted"], told["errors"], told["quarantined"]) == (5, 4, 1, 1)


async def test_a_field_of_tomorrow_is_stored_and_counted(bench: Bench) -> None:
    odd = market("F-1", moon_phase="full")
    bench.venue.pages[FED, ""] = page_of(odd, market("F-2"))
    report = await bench.run()
    assert (report.is_success, report.cycle.errors) == (True, 0)
    assert bench.report()["unknown_fields"] == {"moon_phase": 1}
    [row] = await bench.rows("SELECT payload_json FROM snapshots WHERE market_id = 'F-1'")
    assert json.loads(row.payload_json) == odd


def big_page(cursor: str = "") -> bytes:
    """Two megabytes of markets."""
    markets = [market(f"F-{n}", rules_secondary="x" * 1_500) for n in range(1_000)]
    body = page_of(*markets, cursor=cursor)
    assert len(body) > 2_000_000
    return body


async def test_a_page_whose_connection_breaks_in_the_middle_is_asked_again(bench: Bench) -> None:
    bench.venue.pages[FED, ""] = big_page()
    bench.venue.breaks = 1
    report = await bench.run()
    assert (report.is_success, report.cycle.inserted) == (True, 1_002)
    assert bench.venue.asked.count((FED, "")) == 2


async def test_a_page_cut_in_half_is_an_error_and_the_cycle_goes_on_with_it_later(
    bench: Bench,
) -> None:
    whole = big_page()
    bench.venue.pages[FED, ""] = page_of(market("F-first"), cursor="c1")
    bench.venue.pages[FED, "c1"] = whole[: len(whole) // 2]
    report = await bench.run()
    assert report.cycle.outcome is CycleOutcome.PARTIAL
    assert (report.cycle.scanned, report.cycle.inserted, report.cycle.errors) == (3, 3, 1)
    assert await bench.stored() == {"F-first", "C-1", "C-2"}
    assert "KXFED: InvalidMessage: not the documented shape" in bench.report()["error"]
    assert bench.status()["last_outcome"] == "partial"
    assert "last_success_at_utc" not in bench.status()
    bench.venue.pages[FED, "c1"] = whole
    again = await bench.run()
    assert (again.is_success, again.cycle.inserted) == (True, 1_000)


async def test_a_clock_an_hour_off_refuses_every_page_with_one_clear_reason(bench: Bench) -> None:
    bench.venue.pages[FED, ""] = page_of(market("F-1"))
    bench.venue.is_an_hour_ahead = True
    report = await bench.run()
    assert (report.cycle.outcome, report.cycle.errors) == (CycleOutcome.FAILED, 2)
    assert await bench.stored() == set()
    assert (
        "this machine's clock is 3600 s behind the exchange's: set it (NTP)"
        in (bench.status()["last_error_message"])
    )
    bench.venue.is_an_hour_ahead = False
    assert (await bench.run()).is_success


async def _fill_up(bench: Bench) -> Callable[[], Any]:
    """No page more for the file; returns what makes room again."""

    async def allow(pages: int) -> None:
        async with bench.database.begin() as connection:
            await connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    async with bench.database.begin() as connection:
        used = (await connection.exec_driver_sql("PRAGMA page_count")).scalar_one()
    await allow(used + 60)
    return lambda: allow(1_000_000)


async def test_a_full_disk_keeps_what_fitted_and_the_cycle_resumes_once_there_is_room(
    sqlite_url: str, tmp_path: Path
) -> None:
    clock = ManualClock()
    database = await Database.open(sqlite_url)
    async with serving(clock) as venue:
        bench = Bench(venue, database, tmp_path, clock)
        venue.pages[FED, ""] = page_of(*(market(f"F-{n}") for n in range(30)), cursor="c1")
        venue.pages[FED, "c1"] = big_page()
        make_room = await _fill_up(bench)
        report = await bench.run()
        assert report.cycle.outcome is CycleOutcome.FAILED
        assert report.cycle.error == "database: database or disk is full"
        assert len(await bench.stored()) == 30, "the page before it is whole"
        assert bench.status()["last_error_message"] == "database: database or disk is full"
        await make_room()
        again = await bench.run()
        assert again.is_success
        assert len(await bench.stored()) == 1_000, "the second page repeats the first one's"
    await database.close()


async def test_a_read_only_database_is_a_failed_cycle_on_file(bench: Bench) -> None:
    bench.venue.pages[FED, ""] = page_of(market("F-1"))
    await _set_read_only(bench.database, is_on=True)
    report = await bench.run()
    assert report.cycle.outcome is CycleOutcome.FAILED
    assert report.cycle.error is not None
    assert report.cycle.error.startswith("database: ")
    assert "read" in report.cycle.error
    assert "only" in report.cycle.error
    assert bench.status()["last_error_message"] == report.cycle.error
    await _set_read_only(bench.database, is_on=False)
    assert (await bench.run()).is_success
    assert await bench.stored() == {"F-1", "C-1", "C-2"}


async def _set_read_only(database: Database, *, is_on: bool) -> None:
    """As the file system or a fail-over would: every connection that writes is refused."""
    if database.dialect == "sqlite":
        await database._writer.dispose()
        if is_on:
            async with database.begin() as connection:
                await connection.exec_driver_sql("PRAGMA query_only = ON")
        return
    value = "on" if is_on else "off"
    async with database.peek() as connection:
        await connection.exec_driver_sql("SET SESSION default_transaction_read_only = off")
        name = (await connection.exec_driver_sql("SELECT current_database()")).scalar_one()
        await connection.exec_driver_sql(
            f'ALTER DATABASE "{name}" SET default_transaction_read_only = {value}'
        )
    await database._writer.dispose()  # new connections, as after a fail-over
