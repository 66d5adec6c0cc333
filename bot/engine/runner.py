"""Runs the engine: events in, effects out, one of each at a time.

The engine decides synchronously; everything that waits happens in the executor,
whose results come back here as events.
"""

import asyncio
import logging
from typing import Protocol

from bot.domain.events import Event
from bot.engine.effects import Effect
from bot.engine.executor import EffectExecutor
from bot.engine.inbox import EngineInbox
from bot.kit.times import seconds

logger = logging.getLogger(__name__)

_LOOK_S = seconds(5_000)
_EVENTS_PER_TURN = 256
"""After so many events the loop gets its turn: sockets and timers must not starve."""


class DecidesOnEvents(Protocol):
    """The engine, or anything that decides like it."""

    def handle(self, event: Event) -> tuple[Effect, ...]:
        """Apply one event and say what should follow, in order."""
        ...


class EngineRunner:
    """The single writer's loop. Owns the inbox; serves one leadership."""

    name = "engine"

    def __init__(
        self, engine: DecidesOnEvents, executor: EffectExecutor, inbox: EngineInbox
    ) -> None:
        self._engine = engine
        self._executor = executor
        self._inbox = inbox
        self._is_running = False
        self._fault: Exception | None = None
        """Of a decision in a turn: nothing is decided after it."""

    def submit(self, event: Event) -> None:
        """Hand the engine an event; it is dealt with soon, in order."""
        self._inbox.put(event)

    def gather(self, event: Event) -> None:
        """Take an event whose submitter calls ``turn`` at once, so that no task need be woken."""
        self._inbox.gather(event)

    def turn(self) -> None:
        """Decide and act on what waits, in this call: an order should not wait for a task.

        What is more than a turn's worth, or comes while nothing runs, is left to ``run``,
        which also raises what goes wrong here: it is no fault of who asks.
        """
        if self._fault is not None:
            return
        try:
            if self._is_running and self._decide_some():
                return
        except Exception as fault:  # noqa: BLE001 - raised again by ``run``
            self._fault = fault
            self._inbox.wake()
            return
        if len(self._inbox):
            self._inbox.wake()

    async def run(self) -> None:
        """Decide and act until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._executor.run(), name="effects")
            group.create_task(self._decide(), name="decisions")

    async def drain(self) -> None:
        """Let what was decided finish: commits, orders in flight, cancels."""
        await self.settle()

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits to be decided and nothing decided is under way."""
        return not (len(self._inbox) or self._executor.is_busy)

    async def settle(self) -> None:
        """Return when the inbox is empty and no effect is under way."""
        while not self.is_idle:  # noqa: ASYNC110 - two sources, rarely used
            await asyncio.sleep(_LOOK_S)

    async def _decide(self) -> None:
        self._is_running = True
        try:
            while True:
                await self._inbox.wait()
                if self._fault is not None:
                    raise self._fault
                if not self._decide_some():
                    # There may be more, and others have waited long enough.
                    await asyncio.sleep(0)
        finally:
            self._is_running = False

    def _decide_some(self) -> bool:
        """Deal with events, one after the other; whether that was all."""
        take, hear, handle = self._inbox.take, self._executor.hear, self._engine.handle
        for _ in range(_EVENTS_PER_TURN):
            event = take()
            if event is None:
                return True
            if hear(event):
                effects = handle(event)
                if effects:
                    self._executor.take(effects)
        return False
