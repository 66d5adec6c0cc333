"""What the leader's jobs do with good and bad outcomes."""

import logging
from pathlib import Path
from random import Random

import pytest

from bot.adapters.storage.database import Database
from bot.app.basics import Means
from bot.app.chores import Chores
from bot.app.running import Parts, Running
from bot.app.sections import CollectSection
from bot.app.settings import BotSettings
from bot.domain.errors import ExchangeUnavailable
from bot.domain.ids import Epoch, InstanceId, Scope
from bot.domain.leadership import Candidate
from bot.kit.ids import IdFactory
from bot.kit.times import HOUR_US
from bot.ports.messages import Channel
from tests.fakes.clock import ManualClock
from tests.fakes.listing import ScriptedListing, paged
from tests.fakes.operator import FakeOperator

pytestmark = pytest.mark.looptime(False)

OUTAGE = {"": ExchangeUnavailable("down")}


class Bench:
    """One leader's chores over a scripted exchange."""

    def __init__(
        self,
        database: Database,
        folder: Path,
        listing: ScriptedListing,
        operator: FakeOperator | None = None,
    ) -> None:
        self.clock = ManualClock()
        self.slot_us = self.clock.now_us() - self.clock.now_us() % HOUR_US
        means = Means(clock=self.clock, random=Random(1), ids=IdFactory(self.clock, Random(1)))
        candidate = Candidate(
            instance_id=InstanceId("me"),
            scope=Scope("paper:main:0"),
            deployment_id="d1",
            replica_id=None,
            host="h",
            pid=1,
            code_version="0",
        )
        section = CollectSection(
            series=("KXCPI",),
            reports_dir=folder / "reports",
            status_file=folder / "status.json",
            retry_s=0.01,
        )
        self.running = Running(
            Parts(
                settings=BotSettings(collect=section),
                means=means,
                database=database,
                exchange=listing,
                signer=None,
                candidate=candidate,
            )
        )
        self.chores = Chores(self.running, operator, Epoch(1))  # type: ignore[arg-type]

    async def alerts(self) -> list[str]:
        await self.running.alerts.drain()
        return [row.kind for row in await self.running.queries.chat(Channel.PORTAL, 0, 100)]


async def test_a_complete_cycle_says_nothing(database: Database, tmp_path: Path) -> None:
    bench = Bench(database, tmp_path, ScriptedListing({"KXCPI": paged("KXCPI", [3])}))
    await bench.chores.collect(bench.slot_us)
    assert await bench.alerts() == []


async def test_a_slot_whose_cycle_a_killed_leader_completed_is_not_collected_again(
    database: Database, tmp_path: Path
) -> None:
    listing = ScriptedListing({"KXCPI": paged("KXCPI", [3])})
    bench = Bench(database, tmp_path, listing)
    await bench.chores.collect(bench.slot_us)
    asked = len(listing.asked)
    bench.clock.advance(1)
    await bench.chores.collect(bench.slot_us)
    assert len(listing.asked) == asked


async def test_a_failed_cycle_is_tried_again_within_its_hour_and_told_when_it_recovers(
    database: Database, tmp_path: Path
) -> None:
    listing = ScriptedListing({"KXCPI": OUTAGE})

    async def heal(_series: str, _cursor: str) -> None:
        bench.clock.advance(1)
        if len(listing.asked) > 1:
            listing.pages["KXCPI"] = paged("KXCPI", [3])

    bench = Bench(database, tmp_path, listing)
    listing._before = heal
    await bench.chores.collect(bench.slot_us)
    assert await bench.alerts() == ["collect_failed", "collect_recovered"]
    facts = await bench.running.queries.collect_facts()
    assert (facts.outcome, facts.snapshots) == ("complete", 3)


async def test_cycles_without_the_exchange_count_for_the_breaker_until_one_succeeds(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    failures: list[int] = []
    listing = ScriptedListing({"KXCPI": OUTAGE})

    async def heal(_series: str, _cursor: str) -> None:
        failures.append(bench.running.rest_breaker.failures)
        if len(listing.asked) > 2:
            listing.pages["KXCPI"] = paged("KXCPI", [3])

    bench = Bench(database, tmp_path, listing)
    listing._before = heal
    with caplog.at_level(logging.INFO):
        await bench.chores.collect(bench.slot_us)
    assert failures[:3] == [0, 1, 2]
    assert bench.running.rest_breaker.failures == 0
    told = [one.__dict__ for one in caplog.records if one.message == "metric=rest.collect"]
    assert [one.get("success", 1) for one in told] == [0, 0, 1]
    assert [one.get("consecutive_failures") for one in told] == [1, 2, None]
    assert (told[-1]["scanned"], told[-1]["inserted"], told[-1]["errors_total"]) == (3, 3, 0)


async def test_a_cycle_that_fails_until_the_end_of_its_hour_fails_its_slot(
    database: Database, tmp_path: Path
) -> None:
    bench = Bench(database, tmp_path, ScriptedListing({"KXCPI": OUTAGE}))
    bench.clock.advance(HOUR_US)
    with pytest.raises(ExchangeUnavailable):
        await bench.chores.collect(bench.slot_us)
    assert await bench.alerts() == ["collect_failed"]


async def test_the_day_that_ended_is_told_once_by_its_job(
    database: Database, tmp_path: Path
) -> None:
    bench = Bench(database, tmp_path, ScriptedListing({}), FakeOperator())
    for _ in range(2):
        await bench.chores.summarise(bench.slot_us)
    [told] = await bench.running.queries.chat(Channel.PORTAL, 0, 100)
    assert told.kind == "daily_summary"
    assert "2026-11-20" in told.text
