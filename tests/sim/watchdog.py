"""Watchdogs of simulated processes."""

from random import Random
from typing import Protocol

from bot.leadership.watchdog import EXIT_WATCHDOG
from tests.sim.world import HostClock, World

_WATCH_US = 250_000


class Guards(Protocol):
    """A machine, as far as a watchdog looks at it."""

    clock: HostClock


class Guarded(Protocol):
    """The process that it ends."""

    host: Guards
    world: World
    random: Random
    thread_stops: int

    @property
    def is_alive(self) -> bool: ...

    def end(self, code: int) -> None: ...


class NoWatchdog:
    """None at all."""

    def start(self) -> None: ...
    def arm(self, deadline_us: int) -> None: ...
    def disarm(self) -> None: ...


class WorldWatchdog:
    """The watchdog's thread: it runs while the loop is blocked, and stands when the process does."""

    def __init__(self, process: Guarded) -> None:
        self._process = process
        self._deadline_us: int | None = None
        self._is_looking = False

    def start(self) -> None: ...

    def arm(self, deadline_us: int) -> None:
        self._deadline_us = deadline_us
        if not self._is_looking:
            self._is_looking = True
            self._look_later()

    def disarm(self) -> None:
        self._deadline_us = None

    def _look_later(self) -> None:
        """At the deadline, and a little after: the thread looks four times a second."""
        process = self._process
        due_us = process.host.clock.true_us_of(self._deadline_us or 0)
        wait_us = 0 if due_us is None else max(0, due_us - process.world.now_us)
        process.world.after(wait_us + process.random.uniform(0, _WATCH_US), self._look)

    def _look(self) -> None:
        process = self._process
        self._is_looking = False
        if self._deadline_us is None or not process.is_alive:
            return
        is_over = process.host.clock.monotonic_us() > self._deadline_us
        if is_over and not process.thread_stops:
            process.end(EXIT_WATCHDOG)
            return
        self._is_looking = True
        self._look_later()
