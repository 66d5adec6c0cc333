"""The scheduler against the real clock: it fires, catches up, drains, and outlives its jobs."""

import asyncio
import threading
from contextlib import asynccontextmanager

import pytest

from bot.jobs.registry import JobSpec
from bot.jobs.runs import JobFailure
from bot.jobs.schedule import LeaderJobs
from bot.jobs.triggers import Every
from bot.kit.clock import SystemClock
from bot.kit.times import DAY_US, SECOND_US
from bot.ports.jobs import JobState
from tests.fakes.job_runs import MemoryJobRuns, MemoryJobRunStore

pytestmark = [pytest.mark.looptime(False), pytest.mark.timeout(30)]

OFTEN = Every(SECOND_US // 5)
NOT_SOON = Every(DAY_US * 365)


def spec(name, run, trigger=OFTEN, *, catch_up_s=0, grace_s=30) -> JobSpec:
    return JobSpec(
        name=name, trigger=trigger, run=run, grace_s=grace_s, catch_up_s=catch_up_s, limit_s=60
    )


class Bench:
    def __init__(self) -> None:
        self.shared = MemoryJobRuns()
        self.failures: list[JobFailure] = []
        self.reported = asyncio.Event()

    async def tell(self, failure: JobFailure) -> None:
        self.failures.append(failure)
        self.reported.set()

    def jobs(self, *specs, epoch=1, **options) -> LeaderJobs:
        store = MemoryJobRunStore(self.shared, epoch)
        return LeaderJobs(specs, store, SystemClock(), self.tell, **options)

    def states(self, job: str) -> list[JobState]:
        return [run.state for (name, _), (_, run) in self.shared.runs.items() if name == job]


@asynccontextmanager
async def leading(jobs: LeaderJobs):
    async with asyncio.TaskGroup() as group:
        task = group.create_task(jobs.run())
        try:
            yield task
        finally:
            task.cancel()


class Counted:
    """A job that can be waited for."""

    def __init__(self, wanted: int) -> None:
        self.slots: list[int] = []
        self.enough = asyncio.Event()
        self._wanted = wanted

    async def __call__(self, slot_us: int) -> None:
        self.slots.append(slot_us)
        if len(self.slots) >= self._wanted:
            self.enough.set()


async def test_each_slot_is_fired_once_with_its_own_time() -> None:
    bench, job = Bench(), Counted(3)
    async with leading(bench.jobs(spec("often", job))):
        await job.enough.wait()
    assert len(set(job.slots)) == len(job.slots)
    assert all(slot % OFTEN.period_us == 0 for slot in job.slots)
    assert job.slots == sorted(job.slots)


async def test_two_schedulers_of_one_leadership_run_each_slot_once() -> None:
    bench, job = Bench(), Counted(4)
    async with leading(bench.jobs(spec("often", job))), leading(bench.jobs(spec("often", job))):
        await job.enough.wait()
    assert len(set(job.slots)) == len(job.slots)


async def test_a_failing_job_neither_stops_itself_nor_the_others() -> None:
    bench, healthy = Bench(), Counted(3)
    failing = Counted(3)

    async def fails(slot_us: int) -> None:
        await failing(slot_us)
        raise ValueError("every time")

    async with leading(bench.jobs(spec("fails", fails), spec("healthy", healthy))):
        await failing.enough.wait()
        await healthy.enough.wait()
    assert {failure.job for failure in bench.failures} == {"fails"}
    assert set(bench.states("healthy")) == {JobState.DONE}


async def test_a_missed_slot_is_caught_up_when_leading_begins() -> None:
    bench, job = Bench(), Counted(1)
    caught_up = spec("yearly", job, NOT_SOON, catch_up_s=366 * 86_400)
    async with leading(bench.jobs(caught_up)):
        await job.enough.wait()
    assert job.slots == [NOT_SOON.last(SystemClock().now_us())]


async def test_a_slot_that_is_too_old_is_left_alone() -> None:
    bench, old, other = Bench(), Counted(1), Counted(2)
    async with leading(bench.jobs(spec("yearly", old, NOT_SOON, catch_up_s=1), spec("o", other))):
        await other.enough.wait()
    assert old.slots == []


async def test_a_caught_up_slot_is_not_run_again_by_the_next_leader() -> None:
    bench, job, other = Bench(), Counted(1), Counted(2)
    caught_up = spec("yearly", job, NOT_SOON, catch_up_s=366 * 86_400)
    async with leading(bench.jobs(caught_up)):
        await job.enough.wait()
        await asyncio.sleep(0)
    bench.shared.epoch = 2
    async with leading(bench.jobs(caught_up, spec("o", other), epoch=2)):
        await other.enough.wait()
    assert len(job.slots) == 1


async def test_a_run_that_outlasts_its_period_is_not_started_twice_and_is_reported() -> None:
    bench = Bench()
    runs, release = 0, asyncio.Event()

    async def slow(_: int) -> None:
        nonlocal runs
        runs += 1
        await release.wait()

    jobs = bench.jobs(spec("slow", slow))
    async with leading(jobs):
        await bench.reported.wait()
        assert (runs, jobs.running) == (1, {"slow"})
        release.set()
    assert bench.failures[0].error == "its last run is not over"


async def test_a_drain_waits_for_what_runs_and_starts_nothing_more() -> None:
    bench, job = Bench(), Counted(1)
    ended = False

    async def slow(slot_us: int) -> None:
        nonlocal ended
        await job(slot_us)
        await asyncio.sleep(0.3)
        ended = True

    jobs = bench.jobs(spec("slow", slow))
    async with leading(jobs):
        await job.enough.wait()
        await jobs.drain()
        assert ended
        runs = len(job.slots)
        await asyncio.sleep(0.5)
        assert len(job.slots) == runs
    assert set(bench.states("slow")) == {JobState.DONE}


async def test_a_drain_cancels_what_will_not_end() -> None:
    bench, job = Bench(), Counted(1)

    async def stuck(slot_us: int) -> None:
        await job(slot_us)
        await asyncio.Event().wait()

    jobs = bench.jobs(spec("stuck", stuck), drain_s=0.1)
    async with leading(jobs):
        await job.enough.wait()
        await jobs.drain()
        assert jobs.running == frozenset()
    assert JobState.RUNNING in bench.states("stuck")


async def test_losing_the_lead_ends_every_run() -> None:
    bench, job = Bench(), Counted(1)
    cancelled = asyncio.Event()

    async def stuck(slot_us: int) -> None:
        await job(slot_us)
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with leading(bench.jobs(spec("stuck", stuck))) as task:
        await job.enough.wait()
    assert task.cancelled()
    assert cancelled.is_set()


async def test_a_slot_found_after_its_grace_is_caught_up_or_reported() -> None:
    """The loop is blocked for longer than the grace, as by a suspended machine."""
    bench, kept, other, clock = Bench(), Counted(1), Counted(1), SystemClock()
    due_us = clock.now_us() + SECOND_US // 2
    once_today = Every(DAY_US, due_us % DAY_US)
    made_up = spec("made_up", kept, once_today, grace_s=1, catch_up_s=3_600)
    dropped = spec("dropped", other, once_today, grace_s=1)
    async with leading(bench.jobs(made_up, dropped)):
        await asyncio.sleep(0)
        _block_until(clock, due_us + 3 * SECOND_US // 2)
        await bench.reported.wait()
        await kept.enough.wait()
    assert bench.failures == [
        JobFailure(job="dropped", slot_us=due_us, error="missed by more than 1 s")
    ]
    assert (kept.slots, other.slots) == ([due_us], [])


def _block_until(clock: SystemClock, until_us: int) -> None:
    threading.Event().wait((until_us - clock.now_us()) / 1_000_000)


async def test_two_jobs_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="same name"):
        Bench().jobs(spec("a", Counted(1)), spec("a", Counted(1)))
