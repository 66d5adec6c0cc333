"""A slot runs once whoever leads, and a job's failure is a result, not an accident."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.errors import ExchangeUnavailable, NotLeader
from bot.jobs.registry import JobSpec
from bot.jobs.runs import JobFailure, SlotRunner
from bot.jobs.triggers import Every
from bot.kit.times import HOUR_US
from bot.ports.jobs import JobState
from tests.fakes.clock import ManualClock
from tests.fakes.job_runs import MemoryJobRuns, MemoryJobRunStore

SLOT = 500_000 * HOUR_US


class LoopClock:
    """Monotonic time of the (virtual) loop."""

    def now_us(self) -> int:
        return SLOT + self.monotonic_us()

    def monotonic_us(self) -> int:
        return int(asyncio.get_running_loop().time() * 1_000_000)


class Bench:
    def __init__(self, shared: MemoryJobRuns | None = None, epoch: int = 1, clock=None) -> None:
        self.shared = shared or MemoryJobRuns(epoch=epoch)
        self.failures: list[JobFailure] = []
        self.ran: list[int] = []
        store = MemoryJobRunStore(self.shared, epoch)
        self.runner = SlotRunner(store, clock or ManualClock(SLOT), self.tell)

    async def tell(self, failure: JobFailure) -> None:
        self.failures.append(failure)

    async def job(self, slot_us: int) -> None:
        self.ran.append(slot_us)

    def state(self) -> JobState:
        return self.shared.runs["j", SLOT][1].state


def spec(run, *, limit_s=60, grace_s=30) -> JobSpec:
    return JobSpec(
        name="j",
        trigger=Every(HOUR_US),
        run=run,
        grace_s=grace_s,
        catch_up_s=600,
        limit_s=limit_s,
    )


async def test_a_slot_is_run_and_recorded() -> None:
    bench = Bench()
    await bench.runner.run(spec(bench.job), SLOT)
    assert (bench.ran, bench.state(), bench.failures) == ([SLOT], JobState.DONE, [])


async def test_a_slot_that_ended_is_not_run_again_by_any_leader() -> None:
    first = Bench()
    await first.runner.run(spec(first.job), SLOT)
    await first.runner.run(spec(first.job), SLOT)
    first.shared.epoch = 2
    second = Bench(first.shared, epoch=2)
    await second.runner.run(spec(second.job), SLOT)
    assert (first.ran, second.ran) == ([SLOT], [])


async def test_a_failed_slot_is_recorded_reported_and_not_repeated() -> None:
    bench = Bench()

    async def breaks(_: int) -> None:
        raise ValueError("no such thing")

    await bench.runner.run(spec(breaks), SLOT)
    await bench.runner.run(spec(bench.job), SLOT)
    assert bench.state() is JobState.FAILED
    assert bench.shared.runs["j", SLOT][1].error == "ValueError: no such thing"
    assert bench.failures == [JobFailure(job="j", slot_us=SLOT, error="ValueError: no such thing")]
    assert bench.ran == []


@pytest.mark.parametrize(
    ("fault", "traces"), [(ExchangeUnavailable("exchange down"), 0), (ValueError("a bug"), 1)]
)
async def test_only_a_fault_that_nobody_expected_is_logged_with_its_trace(
    fault, traces, caplog
) -> None:
    bench = Bench()

    async def breaks(_: int) -> None:
        raise fault

    await bench.runner.run(spec(breaks), SLOT)
    assert sum(record.exc_info is not None for record in caplog.records) == traces
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        "job failed"
    ]


async def test_a_database_that_stays_away_leaves_no_trace_in_the_log(caplog) -> None:
    bench = Bench(clock=LoopClock())
    bench.shared.failures_left = 1_000
    await bench.runner.run(spec(bench.job, grace_s=1), SLOT)
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        "job failed"
    ]
    assert all(record.exc_info is None for record in caplog.records)


async def test_a_job_that_takes_too_long_is_cancelled_and_failed(looptime) -> None:
    bench = Bench()

    async def hangs(_: int) -> None:
        await asyncio.Event().wait()

    await bench.runner.run(spec(hangs, limit_s=60), SLOT)
    assert looptime == 60
    assert bench.failures[0].error == "not finished within 60 s"


async def test_a_timeout_of_the_job_itself_keeps_its_own_words() -> None:
    bench = Bench()

    async def times_out(_: int) -> None:
        raise TimeoutError("mail server")

    await bench.runner.run(spec(times_out), SLOT)
    assert bench.failures[0].error == "TimeoutError: mail server"


async def test_a_leader_that_lost_the_lead_runs_nothing_and_reports_nothing() -> None:
    shared = MemoryJobRuns(epoch=2)
    old = Bench(shared, epoch=1)
    await old.runner.run(spec(old.job), SLOT)
    assert (old.ran, old.failures, shared.runs) == ([], [], {})


@pytest.mark.parametrize("raises", [True, False])
async def test_a_slot_in_which_the_lead_was_lost_is_the_next_leaders(raises) -> None:
    old = Bench()

    async def loses_lead(_: int) -> None:
        old.shared.epoch = 2
        if raises:
            raise NotLeader("epoch 1 is over")

    await old.runner.run(spec(loses_lead), SLOT)
    new = Bench(old.shared, epoch=2)
    await new.runner.run(spec(new.job), SLOT)
    assert (old.failures, new.ran, new.state()) == ([], [SLOT], JobState.DONE)


async def test_a_refusal_that_the_lease_does_not_confirm_is_an_ordinary_failure() -> None:
    bench = Bench()

    async def refused(_: int) -> None:
        raise NotLeader("of another scope")

    await bench.runner.run(spec(refused), SLOT)
    assert (bench.state(), bench.failures[0].error) == (
        JobState.FAILED,
        "NotLeader: of another scope",
    )


async def test_a_database_that_is_away_for_a_moment_costs_no_slot(looptime) -> None:
    bench = Bench(clock=LoopClock())
    bench.shared.failures_left = 3
    await bench.runner.run(spec(bench.job), SLOT)
    assert (bench.ran, bench.failures) == ([SLOT], [])
    assert looptime == 6


async def test_a_database_that_stays_away_is_reported_after_the_grace() -> None:
    bench = Bench(clock=LoopClock())
    bench.shared.failures_left = 1_000
    await bench.runner.run(spec(bench.job, grace_s=30), SLOT)
    assert bench.ran == []
    assert bench.failures[0].error.startswith("StorageUnavailable")


async def test_a_report_that_fails_ends_nothing(caplog) -> None:
    bench = Bench()

    async def breaks(_: int) -> None:
        raise ValueError

    async def no_alert(_: JobFailure) -> None:
        raise RuntimeError("outbox full")

    runner = SlotRunner(MemoryJobRunStore(bench.shared, 1), ManualClock(SLOT), no_alert)
    await runner.run(spec(breaks), SLOT)
    assert "job failure not reported" in caplog.messages
    assert bench.state() is JobState.FAILED


async def test_a_cancelled_run_is_left_to_the_next_leader() -> None:
    old = Bench()
    started = asyncio.Event()

    async def hangs(_: int) -> None:
        started.set()
        await asyncio.Event().wait()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(old.runner.run(spec(hangs), SLOT))
        await started.wait()
        task.cancel()
    assert (old.state(), old.failures) == (JobState.RUNNING, [])
    old.shared.epoch = 2
    new = Bench(old.shared, epoch=2)
    await new.runner.run(spec(new.job), SLOT)
    assert new.ran == [SLOT]


STEPS = st.lists(st.sampled_from(["run", "crash", "fail", "next leader"]), max_size=12)


@given(STEPS)
async def test_no_slot_is_completed_twice_whatever_the_leaders_do(steps) -> None:
    shared = MemoryJobRuns()
    ended = 0

    async def works(_: int) -> None:
        nonlocal ended
        ended += 1

    async def fails(_: int) -> None:
        nonlocal ended
        ended += 1
        raise ValueError

    async def crashes(_: int) -> None:
        raise asyncio.CancelledError

    jobs = {"run": works, "fail": fails, "crash": crashes}
    for step in steps:
        if step == "next leader":
            shared.epoch += 1
            continue
        bench = Bench(shared, epoch=shared.epoch)
        try:
            await bench.runner.run(spec(jobs[step]), SLOT)
        except asyncio.CancelledError:
            assert step == "crash"
    assert ended <= 1
