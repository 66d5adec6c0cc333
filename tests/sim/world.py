"""One true time, and machines whose clocks, loops and connections may lie.

Every process runs on an event loop of its own, so that it can be stopped, killed
or slowed while everybody else goes on. A seed decides all; nothing here waits.
"""

import asyncio
import heapq
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from random import Random
from typing import Any

from bot.kit.times import SECOND_US
from tests.support.trading import START_US

_STEPS_MAX = 20_000_000
_WIND_UP_ROUNDS = 50


class World:
    """True time in microseconds, what is due when, and every loop there is."""

    def __init__(self, seed: int) -> None:
        self.now_us = 0
        self.random = Random(seed)
        self.loops: list[MachineLoop] = []
        self._due: list[tuple[int, int, Callable[[], object]]] = []
        self._made = 0

    def after(self, delay_us: float, act: Callable[[], object]) -> None:
        """Do it later, in true time."""
        self._made += 1
        heapq.heappush(self._due, (self.now_us + max(0, round(delay_us)), self._made, act))

    def run_until(self, end_us: int) -> None:
        """Let everything happen that is due by then."""
        for _ in range(_STEPS_MAX):
            loop, when_us = self._next_loop()
            if self._due and (when_us is None or self._due[0][0] <= when_us):
                loop, when_us = None, self._due[0][0]
            if when_us is None or when_us > end_us:
                self.now_us = end_us
                return
            self.now_us = max(self.now_us, when_us)
            if loop is None:
                heapq.heappop(self._due)[2]()
            else:
                loop.run_once()
        raise AssertionError("time does not pass: something spins")

    def _next_loop(self) -> "tuple[MachineLoop | None, int | None]":
        first: MachineLoop | None = None
        first_us: int | None = None
        for loop in self.loops:
            when_us = loop.due_us()
            if when_us is not None and (first_us is None or when_us < first_us):
                first, first_us = loop, when_us
        return first, first_us


class HostClock:
    """A machine's clocks: all may run fast or slow, the wall may jump, a pause stops some."""

    def __init__(self, world: World, rate: float) -> None:
        self._world = world
        self.rate = rate
        self.step_us = 0
        """By how much the wall clock is wrong."""
        self._base_us, self._base_true_us = 0, 0
        self._pauses = 0
        self._lost_us = 0
        """What the monotonic clock has missed."""
        self._wall_lost_us = 0
        self._is_wall_stopped = False
        self._boot_lost_us = 0
        self._is_boot_stopped = False

    def monotonic_us(self) -> int:
        if self._pauses:
            return self._base_us
        return self._base_us + round((self._world.now_us - self._base_true_us) * self.rate)

    def now_us(self) -> int:
        seen_us = 0 if self._is_wall_stopped else self._paused_us()
        seen_us += self._lost_us - self._wall_lost_us
        return START_US + self.monotonic_us() + seen_us + self.step_us

    def boottime_us(self) -> int:
        seen_us = 0 if self._is_boot_stopped else self._paused_us()
        return self.monotonic_us() + self._lost_us - self._boot_lost_us + seen_us

    @property
    def is_deceiving(self) -> bool:
        """Whether it is suspended and none of its clocks will tell."""
        return bool(self._pauses) and self._is_wall_stopped and self._is_boot_stopped

    def _paused_us(self) -> int:
        return self._world.now_us - self._base_true_us if self._pauses else 0

    def true_us_of(self, monotonic_us: int) -> int | None:
        """When that will be; ``None`` while the machine is suspended."""
        if self._pauses:
            return None
        left_us = monotonic_us - self._base_us
        # Rounded up: a timer that fires before its time on its own clock would fire for ever.
        return self._base_true_us + int(left_us / self.rate) + 1

    def suspend(self, *, wall_stops: bool, boot_stops: bool) -> None:
        """The machine is not scheduled: its monotonic clock stands, the others perhaps.

        Suspended once more it only sleeps longer.
        """
        if not self._pauses:
            self._base_us, self._base_true_us = self.monotonic_us(), self._world.now_us
            self._is_wall_stopped, self._is_boot_stopped = wall_stops, boot_stops
        self._pauses += 1

    def resume(self) -> None:
        self._pauses -= 1
        if not self._pauses:
            lost_us = self._world.now_us - self._base_true_us
            self._lost_us += lost_us
            self._wall_lost_us += lost_us if self._is_wall_stopped else 0
            self._boot_lost_us += lost_us if self._is_boot_stopped else 0
            self._base_true_us = self._world.now_us

    def synchronise(self) -> None:
        """The time service puts the wall clock right."""
        true_us = START_US + self._world.now_us
        self.step_us += true_us - self.now_us()


class MachineLoop(asyncio.AbstractEventLoop):
    """The part of an event loop that asyncio needs, on one process's own time."""

    def __init__(self, world: World, clock: HostClock) -> None:
        self._world = world
        self.clock = clock
        self.stops = 0
        """Above zero: the process does not run."""
        self.is_dead = False
        self.faults: list[BaseException] = []
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[int, int, asyncio.TimerHandle]] = []
        self._made = 0
        world.loops.append(self)

    # --- what the world asks ----------------------------------------------------------------

    def due_us(self) -> int | None:
        """When it wants to run next, in true time."""
        if self.stops or self.is_dead:
            return None
        if self._ready:
            return self._world.now_us
        while self._timers and self._timers[0][2].cancelled():
            heapq.heappop(self._timers)
        return self.clock.true_us_of(self._timers[0][0]) if self._timers else None

    def run_once(self) -> None:
        """Everything that is due now, until somebody stops the process."""
        now_us = self.clock.monotonic_us()
        while self._timers and self._timers[0][0] <= now_us:
            self._ready.append(heapq.heappop(self._timers)[2])
        events._set_running_loop(self)
        try:
            for _ in range(len(self._ready)):
                if self.stops or self.is_dead:
                    break
                handle = self._ready.popleft()
                if not handle.cancelled():
                    handle._run()
        finally:
            events._set_running_loop(None)

    def wind_up(self) -> None:
        """After the run: end every task, so that none is found unfinished later."""
        self.stops, self.is_dead = 0, False
        for _ in range(_WIND_UP_ROUNDS):
            tasks = asyncio.all_tasks(self)
            if not tasks:
                break
            for task in tasks:
                task.cancel()
            for _ in range(20):
                self.run_once()
        self.is_dead = True

    # --- what asyncio asks ------------------------------------------------------------------

    def time(self) -> float:
        return self.clock.monotonic_us() / SECOND_US

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._made += 1
        heapq.heappush(self._timers, (round(when * SECOND_US), self._made, handle))
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It is skipped when its time comes."""

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self, coro: Coroutine[Any, Any, Any], *, name: Any = None, context: Any = None
    ) -> asyncio.Task[Any]:
        return asyncio.Task(coro, loop=self, name=name, context=context)

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        fault = context.get("exception")
        self.faults.append(fault or RuntimeError(str(context.get("message"))))
