"""The service on the loop that goes with the writer's thread: pressure, chains, losses told."""

import asyncio
import logging

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
        self._told_lost = 0

    async def run(self) -> None:
        """Store until cancelled."""
        self._writer.start()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(keep_looking(self._pressure), name="stream pressure")
                group.create_task(self._look(), name="stream look")
        finally:
            self._queue.close()
            self._writer.abandon()
            self._tell_lost()
            await in_thread(lambda: self._writer.join(_END_S))

    async def drain(self) -> None:
        """Store what waits; what comes meanwhile is told by the next start's gap."""
        self._queue.close()
        self._writer.stop()
        if not await in_thread(lambda: self._writer.join(_DRAIN_S)):
            logger.warning("stream not stored in time", extra={"records": len(self._queue)})

    async def _look(self) -> None:
        while True:
            self._tap.look_after(self._clock.now_us(), _CHAINS_AT_ONCE)
            self._tell_lost()
            await asyncio.sleep(_LOOK_S)

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
