"""The service on the loop that goes with the writer's thread: pressure, chains, losses told."""

import asyncio
import logging
from collections.abc import Callable

from bot.kit.clock import Clock
from bot.kit.metrics import Metric, emit
from bot.kit.threads import in_thread
from bot.marketdata.backpressure import Pressure, keep_looking
from bot.marketdata.stream_queue import StreamQueue
from bot.marketdata.stream_tap import StreamTap
from bot.marketdata.stream_writer import StreamWriter

logger = logging.getLogger(__name__)

_LOOK_S = 1.0
_CHAINS_AT_ONCE = 20
"""Books written down in one look: each costs the loop some ten microseconds."""
_DRAIN_S = 3.0
_END_S = 0.4
"""Within what a lost lead leaves for ending."""


class StreamKeeper:
    """A service of one leadership."""

    name = "stream"

    def __init__(
        self,
        queue: StreamQueue,
        tap: StreamTap,
        writer: StreamWriter,
        pressure: Pressure,
        clock: Clock,
    ) -> None:
        self._queue = queue
        self._tap = tap
        self._writer = writer
        self._pressure = pressure
        self._clock = clock
        self.on_death: Callable[[str], object] = _nobody
        """Takes words for a person, once: the writer's thread has ended by itself."""
        self._told_lost = 0
        self._is_ending = self._is_dead = False

    async def run(self) -> None:
        """Store until cancelled."""
        self._writer.start()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(keep_looking(self._pressure), name="stream pressure")
                group.create_task(self._look(), name="stream look")
        finally:
            self._is_ending = True
            self._queue.close()
            self._writer.abandon()
            self._tell_lost()
            await in_thread(lambda: self._writer.join(_END_S))

    async def drain(self) -> None:
        """Store what waits; what comes meanwhile is told by the next start's gap."""
        self._is_ending = True
        self._queue.close()
        self._writer.stop()
        if not await in_thread(lambda: self._writer.join(_DRAIN_S)):
            logger.warning("stream not stored in time", extra={"records": len(self._queue)})

    async def _look(self) -> None:
        while True:
            self._tap.look_after(self._clock.now_us(), _CHAINS_AT_ONCE)
            self._tell_lost()
            self._tell_death()
            await asyncio.sleep(_LOOK_S)

    def _tell_death(self) -> None:
        """Trading goes on without the writer, but somebody must know."""
        if self._is_dead or self._is_ending or self._writer.is_running:
            return
        self._is_dead = True
        logger.error("stream writer has died")
        self.on_death("the stream is not stored any more: its writer has died; restart the bot")

    def _tell_lost(self) -> None:
        lost = self._queue.lost
        if lost != self._told_lost:
            reason = "database" if self._queue.is_database_away else "backpressure"
            emit(
                Metric.WS_TICK_DROP,
                level=logging.WARNING,
                lost=lost - self._told_lost,
                lost_total=lost,
                queued=len(self._queue),
                reason=reason,
            )
            self._told_lost = lost


def _nobody(_words: str) -> None:
    """Nobody listens yet."""
