"""Blocking work off the loop, without leaving it behind.

``asyncio.to_thread`` forgets its thread when the waiting task is cancelled, and
the thread goes on using files that the task's clean-up is removing.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_WAY_S = 0.00002
"""Shorter, and the thread that waits is not awake before the interpreter is taken again."""


def give_way() -> None:
    """In a thread of its own, between two pieces of work: let another thread run Python.

    The interpreter changes threads by itself after 5 ms only, long after an event loop
    wanted to run.
    """
    time.sleep(_WAY_S)  # noqa: TID251 - blocks the caller's own thread, which is what it is for


async def in_thread(work: Callable[[], T], *, stop: threading.Event | None = None) -> T:
    """Run ``work`` in a thread; a cancellation is passed on once the thread has ended.

    ``stop`` is set by a cancellation, for work that can end early.
    """
    running = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        if stop is not None:
            stop.set()
        await asyncio.wait([running])
        if not running.cancelled():
            # Looked at, so that nobody complains about a fault that no one waited for.
            running.exception()
        raise
