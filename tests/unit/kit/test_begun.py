"""Work that begins in the call: its steps, its end, and being cancelled in between."""

import asyncio
from collections.abc import Coroutine

import pytest

from bot.kit.begun import Begun


class Work:
    """Notes its steps."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.go = asyncio.get_running_loop().create_future()

    async def run(self) -> str:
        self.steps.append("begun")
        try:
            self.steps.append(await self.go)
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            self.steps.append("cancelled")
            raise
        finally:
            self.steps.append("over")
        return "done"


async def test_it_begins_at_once_and_goes_on_where_it_is_awaited() -> None:
    work = Work()
    begun = Begun(work.run())
    assert work.steps == ["begun"]
    work.go.set_result("told")
    await asyncio.sleep(0)
    assert work.steps == ["begun"]
    assert await begun == "done"
    assert work.steps == ["begun", "told", "over"]


async def test_it_may_be_awaited_before_and_as_a_task() -> None:
    work = Work()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(Begun(work.run()))
        await asyncio.sleep(0)
        work.go.set_result("told")
    assert task.result() == "done"


async def test_what_never_waits_is_over_at_once() -> None:
    async def work() -> int:
        return 7

    assert await Begun(work()) == 7


async def test_a_fault_before_the_first_wait_is_raised_where_it_is_awaited() -> None:
    async def work() -> None:
        raise ValueError("early")

    begun = Begun(work())
    with pytest.raises(ValueError, match="early"):
        await begun


async def test_a_fault_of_what_it_waits_for_reaches_it() -> None:
    work = Work()
    begun = Begun(work.run())
    work.go.set_exception(ValueError("late"))
    with pytest.raises(ValueError, match="late"):
        await begun
    assert work.steps == ["begun", "over"]


async def test_who_is_cancelled_while_awaiting_cancels_it() -> None:
    work = Work()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(Begun(work.run()))
        await asyncio.sleep(0)
        task.cancel()
    assert task.cancelled()
    assert work.steps == ["begun", "cancelled", "over"]


async def test_closed_it_cleans_up() -> None:
    work = Work()
    begun = Begun(work.run())
    assert isinstance(begun, Coroutine)
    begun.close()
    assert work.steps == ["begun", "over"]
