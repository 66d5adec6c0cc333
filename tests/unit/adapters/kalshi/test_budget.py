"""Pacing on virtual time: nobody exceeds the rate, nobody urgent waits behind the rest."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.adapters.kalshi.budget import Cost, Lane, Priority, RequestBudget, TokenBucket
from bot.adapters.kalshi.wire.limits import RateLimits


class LoopClock:
    """The running loop's time, which the test runner fast-forwards."""

    def now_us(self) -> int:
        return self.monotonic_us()

    def monotonic_us(self) -> int:
        return round(asyncio.get_running_loop().time() * 1_000_000)


def elapsed_s() -> float:
    return asyncio.get_running_loop().time()


async def test_a_full_bucket_gives_at_once_and_then_at_its_rate() -> None:
    bucket = TokenBucket(LoopClock(), per_second=100, capacity=100)
    began = elapsed_s()
    for _ in range(10):
        await bucket.take(10, Priority.MARKET)
    assert elapsed_s() - began == 0
    for _ in range(20):
        await bucket.take(10, Priority.MARKET)
    assert elapsed_s() - began == pytest.approx(2.0, abs=0.01)


async def test_an_order_passes_reads_that_wait_already() -> None:
    bucket = TokenBucket(LoopClock(), per_second=10, capacity=10)
    await bucket.take(10, Priority.MARKET)
    served: list[str] = []

    async def caller(name: str, priority: Priority, after_s: float) -> None:
        await asyncio.sleep(after_s)
        await bucket.take(10, priority)
        served.append(name)

    async with asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(caller(f"read {number}", Priority.MARKET, 0))
        group.create_task(caller("account", Priority.ACCOUNT, 0.2))
        group.create_task(caller("order", Priority.ORDER, 0.5))
    assert served == ["order", "account", "read 0", "read 1", "read 2"]


async def test_a_cancelled_wait_uses_no_tokens_and_blocks_nobody() -> None:
    bucket = TokenBucket(LoopClock(), per_second=10, capacity=10)
    await bucket.take(10, Priority.MARKET)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.4):
            await bucket.take(10, Priority.ORDER)
    began = elapsed_s()
    await bucket.take(10, Priority.MARKET)
    assert elapsed_s() - began == pytest.approx(0.6, abs=0.01)


async def test_a_call_dearer_than_the_bucket_waits_for_a_full_one() -> None:
    bucket = TokenBucket(LoopClock(), per_second=10, capacity=10)
    await bucket.take(5, Priority.MARKET)
    began = elapsed_s()
    await bucket.take(1_000, Priority.MARKET)
    assert elapsed_s() - began == pytest.approx(0.5, abs=0.01)


async def test_a_larger_grant_frees_who_is_waiting() -> None:
    bucket = TokenBucket(LoopClock(), per_second=1, capacity=10)
    await bucket.take(10, Priority.MARKET)
    began = elapsed_s()
    async with asyncio.TaskGroup() as group:
        group.create_task(bucket.take(10, Priority.MARKET))
        await asyncio.sleep(1)
        bucket.resize(per_second=100, capacity=100)
    assert elapsed_s() - began < 1.2


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 30), st.sampled_from(Priority)), min_size=1, max_size=30))
async def test_the_rate_is_never_exceeded(calls: list[tuple[int, Priority]]) -> None:
    bucket = TokenBucket(LoopClock(), per_second=10, capacity=30)
    began, used = elapsed_s(), 0

    async def caller(cost: int, priority: Priority) -> None:
        nonlocal used
        await bucket.take(cost, priority)
        used += cost
        assert used <= 30 + 10 * (elapsed_s() - began) + 0.01

    async with asyncio.TaskGroup() as group:
        for cost, priority in calls:
            group.create_task(caller(cost, priority))
    assert used == sum(cost for cost, _ in calls)
    # Nor is anybody kept longer than the rate demands.
    assert 10 * (elapsed_s() - began) <= max(0, used - 30) + 0.1


async def test_lanes_do_not_wait_for_one_another() -> None:
    budget = RequestBudget(LoopClock(), requests_per_second=1)
    began = elapsed_s()
    await budget.take(Cost(lane=Lane.READ), Priority.MARKET)
    async with asyncio.TaskGroup() as group:
        slow = group.create_task(budget.take(Cost(lane=Lane.READ), Priority.MARKET))
        await asyncio.sleep(0)
        await budget.take(Cost(lane=Lane.WRITE), Priority.ORDER)
        await budget.take(Cost(lane=Lane.BALANCE, tokens=1), Priority.ACCOUNT)
        assert elapsed_s() == began
        assert not slow.done()


async def test_the_balance_is_asked_at_most_once_a_second() -> None:
    budget = RequestBudget(LoopClock(), requests_per_second=100)
    began = elapsed_s()
    for _ in range(4):
        await budget.take(Cost(lane=Lane.BALANCE, tokens=1), Priority.ACCOUNT)
    assert elapsed_s() - began == pytest.approx(3, abs=0.01)


async def test_a_grant_raises_writes_but_not_our_own_pace_of_reads() -> None:
    budget = RequestBudget(LoopClock(), requests_per_second=10)
    budget.adopt(RateLimits(read_rate=300, read_capacity=900, write_rate=300, write_capacity=300))
    for lane in (Lane.READ, Lane.WRITE):
        for _ in range(10):
            await budget.take(Cost(lane=lane), Priority.ORDER)
    for lane, seconds in ((Lane.READ, 1.0), (Lane.WRITE, 0.333)):
        began = elapsed_s()
        for _ in range(10):
            await budget.take(Cost(lane=lane), Priority.ORDER)
        assert elapsed_s() - began <= seconds + 0.05


async def test_a_grant_below_our_pace_slows_reads_down() -> None:
    budget = RequestBudget(LoopClock(), requests_per_second=10)
    budget.adopt(RateLimits(read_rate=20, read_capacity=20, write_rate=20, write_capacity=20))
    await budget.take(Cost(lane=Lane.READ, tokens=20), Priority.MARKET)
    began = elapsed_s()
    await budget.take(Cost(lane=Lane.READ), Priority.MARKET)
    assert elapsed_s() - began == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("per_second, capacity", [(0, 1), (1, 0)])
async def test_an_empty_bucket_is_refused(per_second: int, capacity: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        TokenBucket(LoopClock(), per_second=per_second, capacity=capacity)
