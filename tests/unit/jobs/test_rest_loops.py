"""Rounds without the exchange make all REST loops rest; one try decides what follows."""

import asyncio
import logging

import pytest

from bot.domain.errors import ExchangeUnavailable, StorageUnavailable
from bot.jobs.rest_loops import RestLoops
from bot.kit.loop_breaker import BreakerState, LoopBreaker
from tests.fakes.loop_clock import LoopClock


class Work:
    """A job that fails as told, and notes when it ran."""

    def __init__(self) -> None:
        self.began: list[float] = []
        self.fault: Exception | None = None

    async def run(self, slot_us: int) -> None:
        self.began.append(asyncio.get_running_loop().time())
        if self.fault:
            raise self.fault


@pytest.fixture
def breaker() -> LoopBreaker:
    return LoopBreaker(threshold=3, cooldown_us=60_000_000)


async def test_after_the_threshold_the_next_round_waits_and_decides(breaker, caplog) -> None:
    loops, work = RestLoops(breaker, LoopClock()), Work()
    job = loops.guarded(work.run)
    work.fault = ExchangeUnavailable("HTTP 503")
    with caplog.at_level(logging.INFO):
        for _ in range(4):
            with pytest.raises(ExchangeUnavailable):
                await job(0)
        work.fault = None
        await job(0)
        await job(0)
    gaps = [
        round(after - before) for before, after in zip(work.began, work.began[1:], strict=False)
    ]
    assert gaps == [0, 0, 60, 60, 0]
    told = [
        (one.__dict__["state"], one.__dict__["consecutive_failures"])
        for one in caplog.records
        if one.message == "metric=rest.loop_breaker"
    ]
    assert told == [("open", 3), ("open", 4), ("closed", 0)]


async def test_one_job_rests_for_what_another_found(breaker) -> None:
    clock = LoopClock()
    loops, first, second = RestLoops(breaker, clock), Work(), Work()
    first.fault = ExchangeUnavailable("down")
    for _ in range(3):
        with pytest.raises(ExchangeUnavailable):
            await loops.guarded(first.run)(0)
    assert breaker.state(clock.monotonic_us()) is BreakerState.OPEN
    await loops.guarded(second.run)(0)
    assert second.began[0] - first.began[-1] == pytest.approx(60)
    assert breaker.state(clock.monotonic_us()) is BreakerState.CLOSED


async def test_a_fault_that_is_not_the_exchanges_is_not_counted(breaker) -> None:
    loops, work = RestLoops(breaker, LoopClock()), Work()
    work.fault = StorageUnavailable("down")
    for _ in range(5):
        with pytest.raises(StorageUnavailable):
            await loops.guarded(work.run)(0)
    assert loops.failures == 0
