"""The collector is kept calm for a leadership and no longer."""

import asyncio
import gc

from bot.app.memory import MemoryKeeper
from tests.fakes.loop_clock import LoopClock


async def test_it_keeps_while_it_runs_and_ends_with_it() -> None:
    before = gc.get_threshold()
    keeper = MemoryKeeper(LoopClock())
    async with asyncio.TaskGroup() as group:
        task = group.create_task(keeper.run())
        await asyncio.sleep(1)
        assert gc.get_threshold() != before
        first, kept = gc.get_freeze_count(), [[] for _ in range(5_000)]
        await asyncio.sleep(5)
        assert gc.get_freeze_count() >= first + len(kept)
        task.cancel()
    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, 0)


async def test_everything_is_looked_at_now_and_then() -> None:
    passes: list[int] = []

    def look(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            passes.append(info["generation"])

    keeper = MemoryKeeper(LoopClock())
    async with asyncio.TaskGroup() as group:
        task = group.create_task(keeper.run())
        await asyncio.sleep(1)
        gc.callbacks.append(look)
        await asyncio.sleep(7 * 3_600)
        gc.callbacks.remove(look)
        task.cancel()
    assert passes.count(2) == 1
