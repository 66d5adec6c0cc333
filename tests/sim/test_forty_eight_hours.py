"""Two days of hourly cycles with outages, kills and rival leaders: no hour is invented or lost.

Time is a clock that the test moves; the exchange is the simulator over HTTP, the database a
real one, opened anew by every leader. A kill is a task that is cancelled in the middle of a
call or of a commit. A seed decides what each hour brings. Afterwards every hour is present or
explained, and what is stored is what the simulator listed.
"""

import asyncio
import json
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import text

from bot.adapters.kalshi.gateway import KalshiExchange
from bot.adapters.kalshi.settings import RestSettings, hosts_of
from bot.adapters.storage.collection import SqlCollectionStore
from bot.adapters.storage.database import Database
from bot.adapters.storage.gaps import SqlGapStore
from bot.collect.cycle_report import CycleReport
from bot.collect.gap_reasons import GapReason
from bot.collect.gaps import find_gaps, hours_between
from bot.collect.settings import CollectSettings
from bot.collect.snapshots import Collector
from bot.domain.ids import SeriesTicker
from bot.domain.market import MarketStatus
from bot.kit.clock import SystemClock
from bot.kit.ids import IdFactory
from bot.kit.times import HOUR_US, MINUTE_US, hour_key
from bot.ports.collection import CycleOutcome
from bot.ports.exchange import MarketPage, MarketQuery
from bot.simulator.faults import CallFault, FaultRule
from bot.simulator.server import SimulatedExchange
from bot.simulator.settings import RateLimits, SimulatorSettings, WorldSettings
from tests.fakes.clock import ManualClock

pytestmark = pytest.mark.looptime(False)

HOURS = 48
SERIES = tuple(SeriesTicker(one) for one in ("KXFED", "KXCPI", "KXPAYROLLS", "KXU3", "KXGDP"))
NOTHING_STORED = {
    "outage": {GapReason.OUTAGE},
    "nobody": {GapReason.NOT_RUNNING, GapReason.NOT_COLLECTED_BY_ANY},
    "abandoned": {GapReason.INTERRUPTED},
}
"""What may explain an hour without a row, by what happened in it."""
WEIGHTS = {
    "clean": 14,
    "killed": 12,
    "rivals": 6,
    "hiccup": 6,
    "late": 3,
    "outage": 4,
    "nobody": 2,
    "abandoned": 3,
}


class Listing:
    """The exchange's listing for one leader, who dies at a page if so told."""

    def __init__(self, exchange: KalshiExchange, dies_at: int | None, *, after: bool) -> None:
        self._exchange = exchange
        self._dies_at = dies_at
        self._after = after
        self.pages = 0
        self.dying = asyncio.Event()

    async def market_page(
        self, query: MarketQuery, cursor: str = "", limit: int = 1000
    ) -> MarketPage:
        self.pages += 1
        is_last = self.pages == self._dies_at
        if is_last and not self._after:
            self.dying.set()
        page = await self._exchange.market_page(query, cursor, limit)
        if is_last:
            self.dying.set()
        return page


@dataclass
class TwoDays:
    """What the test keeps of the truth while it lives through the hours."""

    url: str
    home: Path
    sim: SimulatedExchange
    clock: ManualClock
    rng: Random
    truth: dict[str, set[str]] = field(default_factory=dict)
    story: dict[str, str] = field(default_factory=dict)
    ids: int = 0

    async def live(self) -> None:
        """Every hour, one after the other."""
        kinds, weights = list(WEIGHTS), list(WEIGHTS.values())
        for _ in range(HOURS):
            hour = hour_key(self.clock.now_us())
            kind = self.rng.choices(kinds, weights)[0]
            self.story[hour], self.truth[hour] = kind, self.listed()
            await getattr(self, f"_{kind}")()
            self.sim.exchange.faults.disarm()
            passed_us = self.clock.now_us() % HOUR_US
            await self.pass_time(HOUR_US - passed_us + self.rng.randrange(5) * MINUTE_US)

    async def pass_time(self, by_us: int) -> None:
        """For bot and exchange; the world is still while a cycle runs."""
        self.clock.advance(by_us)
        await self.sim.advance(ms=by_us // 1_000)

    def listed(self) -> set[str]:
        """The open markets of the configured series, as the exchange knows them."""
        exchange = self.sim.exchange
        return {
            info.ticker
            for info in exchange.catalog.markets.values()
            if info.series_ticker in SERIES
            and (view := exchange.market(info.ticker)) is not None
            and view.status is MarketStatus.ACTIVE
        }

    @asynccontextmanager
    async def leader(self, dies_at: int | None = None):
        """A process: connections of its own, gone at the end whatever it was doing."""
        # Its own clock paces requests: the test's stands still.
        rest = RestSettings(
            requests_per_second=1_000, tries=2, backoff_base_s=0.001, backoff_cap_s=0.001
        )
        hosts = hosts_of("demo", self.sim.base_url, self.sim.ws_url)
        self.ids += 1
        number = self.ids  # the rivals' numbers differ, however they take turns below
        async with AsyncExitStack() as stack:
            database = await Database.open(self.url)
            stack.push_async_callback(database.close)
            exchange = await stack.enter_async_context(
                KalshiExchange(
                    hosts, rest, signer=None, clock=SystemClock(), random=Random(number)
                ).open()
            )
            listing = Listing(exchange, dies_at, after=self.rng.random() < 0.5)
            settings = CollectSettings(
                series=SERIES,
                page_limit=3,
                concurrency=self.rng.choice((1, 2, 4)),
                reports_dir=self.home / "reports",
                status_file=self.home / "status.json",
            )
            store = SqlCollectionStore(database)
            ids = IdFactory(self.clock, Random(number))
            yield Collector(settings, listing, store, self.clock, ids), listing

    async def cycle(self) -> CycleReport:
        """A leader that lives through its cycle."""
        async with self.leader() as (collector, _):
            return await collector.run()

    async def kill_one(self) -> None:
        """A leader that dies at some page, in the call or a moment after it."""
        async with (
            self.leader(dies_at=self.rng.randint(1, 12)) as (collector, listing),
            asyncio.TaskGroup() as group,
        ):
            running = group.create_task(collector.run())
            died = group.create_task(listing.dying.wait())
            await asyncio.wait((running, died), return_when=asyncio.FIRST_COMPLETED)
            for _ in range(self.rng.randrange(40)):
                await asyncio.sleep(0)
            running.cancel()
            died.cancel()

    def arm(self, count: int, after: int = 0) -> None:
        """The exchange answers no listing, so many times."""
        kind = self.rng.choice((CallFault.UNAVAILABLE, CallFault.SERVER_ERROR, CallFault.RESET))
        rule = FaultRule(kind=kind, path="/trade-api/v2/markets", count=count, after=after)
        self.sim.exchange.faults.arm(rule)

    # What an hour may bring

    async def _clean(self) -> None:
        assert (await self.cycle()).is_success

    async def _late(self) -> None:
        await self.pass_time(self.rng.randrange(40) * MINUTE_US)
        self.truth[hour_key(self.clock.now_us())] = self.listed()
        assert (await self.cycle()).is_success

    async def _killed(self) -> None:
        for _ in range(self.rng.randint(1, 4)):
            await self.kill_one()
        report = await self.cycle()
        assert report.is_success, report.facts

    async def _rivals(self) -> None:
        async with asyncio.TaskGroup() as group:
            both = [group.create_task(self.cycle()) for _ in range(2)]
        outcomes = {one.result().cycle.outcome for one in both}
        assert CycleOutcome.COMPLETE in outcomes, outcomes
        assert outcomes <= {CycleOutcome.COMPLETE, CycleOutcome.TAKEN_OVER}

    async def _hiccup(self) -> None:
        self.arm(self.rng.randint(1, 8), after=self.rng.randrange(10))
        for _ in range(6):
            if (await self.cycle()).is_success:
                return
        raise AssertionError("the exchange is back, and no cycle came to its end")

    async def _outage(self) -> None:
        self.arm(0)
        for _ in range(2):
            report = await self.cycle()
            assert report.cycle.outcome is CycleOutcome.FAILED

    async def _nobody(self) -> None:
        """The hour passes without a leader."""

    async def _abandoned(self) -> None:
        await self.kill_one()


async def rows_of(database: Database, query: str) -> list[tuple]:
    async with database.read() as connection:
        return [tuple(row) for row in await connection.execute(text(query))]


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("database_url", "seed"),
    [
        ("sqlite", 1),
        pytest.param("postgres", 2, marks=pytest.mark.postgres),
        pytest.param("sqlite", 2, marks=pytest.mark.whole),
        pytest.param("postgres", 1, marks=[pytest.mark.postgres, pytest.mark.whole]),
    ],
    indirect=["database_url"],
)
async def test_every_hour_is_present_or_explained_and_every_count_is_the_exchanges(
    seed: int, database_url: str, tmp_path: Path
) -> None:
    clock = ManualClock(1_795_245_300_000_000)
    settings = SimulatorSettings(
        seed=seed,
        speed=0,
        start_us=clock.now_us(),
        limits=RateLimits(is_on=False),
        worlds=WorldSettings(pauses_weekly=False, pace_us=1_200_000_000),
    )
    async with SimulatedExchange(settings, clock=clock) as sim:
        sim.exchange.skew_ms = 1  # what its answers say of the time is the test's, too
        days = TwoDays(database_url, tmp_path, sim, clock, Random(seed))
        await days.live()
    database = await Database.open(database_url)
    try:
        await judge(days, database)
    finally:
        await database.close()


async def judge(days: TwoDays, database: Database) -> None:
    """Compare what is stored with what was true."""
    stored: dict[str, set[str]] = {hour: set() for hour in days.story}
    query = "SELECT market_id, snapshot_hour_utc, payload_json FROM snapshots"
    for market, hour, payload in await rows_of(database, query):
        stored[hour].add(market)
        assert json.loads(payload)["ticker"] == market
    await judge_counts(days, SqlCollectionStore(database), stored)
    await judge_gaps(days, database, {hour for hour, markets in stored.items() if not markets})


async def judge_counts(
    days: TwoDays, store: SqlCollectionStore, stored: dict[str, set[str]]
) -> None:
    """What cycles say they read and stored is what there was, and what there is."""
    cycles = await store.cycles(min(days.story), max(days.story))
    complete = [cycle for cycle in cycles if cycle.outcome is CycleOutcome.COMPLETE]
    for cycle in complete:
        assert cycle.scanned == len(days.truth[cycle.snapshot_hour_utc]), cycle
        assert cycle.errors == 0
    inserted: Counter[str] = Counter()
    for cycle in cycles:
        inserted[cycle.snapshot_hour_utc] += cycle.inserted
    read = {cycle.snapshot_hour_utc for cycle in complete}
    for hour, kind in days.story.items():
        assert inserted[hour] == len(stored[hour]), (hour, kind)
        assert stored[hour] <= days.truth[hour], (hour, kind)
        if kind not in NOTHING_STORED:
            assert hour in read, (hour, kind)
            assert stored[hour] == days.truth[hour], (hour, kind)


async def judge_gaps(days: TwoDays, database: Database, missing: set[str]) -> None:
    """Exactly the hours without a row are missing, each for what happened in it."""
    hours = list(days.story)
    assert hours == list(hours_between(hours[0], hours[-1])), "no hour was skipped by the test"
    report = await find_gaps(
        SqlCollectionStore(database),
        SqlGapStore(database),
        first_hour=hours[0],
        last_hour=hours[-1],
    )
    explained = {
        hour: gap.reason
        for gap in report.gaps
        for hour in hours_between(gap.first_hour, gap.last_hour)
    }
    assert report.missing == len(missing)
    assert set(explained) == missing
    for hour, reason in explained.items():
        assert reason in NOTHING_STORED[days.story[hour]], (hour, days.story[hour], reason)
    present = [hour for hour in hours if hour not in missing]
    seen = {row[0] for row in await rows_of(database, "SELECT * FROM missing_hours")}
    assert seen == {hour for hour in missing if present[0] < hour < present[-1]}
