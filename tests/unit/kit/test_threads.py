"""A cancelled wait leaves no thread behind."""

import asyncio
import threading

import pytest

from bot.kit.threads import in_thread

pytestmark = pytest.mark.looptime(False)


async def test_the_result_and_the_fault_of_the_work_come_back() -> None:
    assert await in_thread(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda: 1 // 0)


async def test_a_cancellation_is_passed_on_after_the_thread_has_ended() -> None:
    begun, stop = asyncio.Event(), threading.Event()
    done: list[str] = []
    loop = asyncio.get_running_loop()

    def work() -> None:
        loop.call_soon_threadsafe(begun.set)
        assert stop.wait(10)
        done.append("ended")

    task = loop.create_task(in_thread(work, stop=stop))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == ["ended"]
