"""The thread in which the stream is stored, with a loop and a connection of its own."""

import asyncio
import logging
import threading
from collections.abc import Callable
from random import Random

from bot.kit.clock import Clock
from bot.kit.times import SECOND_US
from bot.marketdata.stream_queue import StreamQueue
from bot.marketdata.stream_storing import Orders, StoringCounts, StoringSettings, StreamStoring
from bot.ports.stream import StreamStore

logger = logging.getLogger(__name__)

_AFTER_FAULT_US = SECOND_US


class StreamWriter:
    """Empties a queue into a store until it is stopped. Used once."""

    def __init__(
        self,
        queue: StreamQueue,
        make_store: Callable[[], StreamStore],
        settings: StoringSettings,
        clock: Clock,
        random: Random,
        loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
    ) -> None:
        """``make_store`` is called in the thread; ``loop_factory`` makes its loop."""
        self.counts = StoringCounts()
        self._queue = queue
        self._make_store = make_store
        self._settings = settings
        self._clock = clock
        self._random = random
        self._loop_factory = loop_factory
        self._loop: asyncio.AbstractEventLoop | None = None
        self._orders = Orders()
        self._thread = threading.Thread(target=self._run, name="stream writer", daemon=True)

    @property
    def is_running(self) -> bool:
        """Whether the thread lives."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin, once."""
        self._queue.wake = self._poke
        self._thread.start()

    def stop(self) -> None:
        """Store what waits, then end. Returns at once."""
        self._orders.is_stopping = True
        self._poke()

    def abandon(self) -> None:
        """End without what waits. Returns at once."""
        self._orders.is_abandoned = True
        self.stop()

    def join(self, timeout_s: float) -> bool:
        """Block until the end; whether it came in time."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _poke(self) -> None:
        """From any thread."""
        loop = self._loop
        if loop is not None:
            try:
                loop.call_soon_threadsafe(self._orders.news.set)
            except RuntimeError:
                logger.debug("stream writer has ended")

    def _run(self) -> None:
        """The keeper notices an end that nobody asked for, and tells it."""
        try:
            with asyncio.Runner(loop_factory=self._loop_factory) as runner:
                runner.run(self._work())
        except Exception:
            logger.exception("stream writer ended by a fault")

    async def _work(self) -> None:
        """Trading goes on without this: a fault must be seen, and it is tried again."""
        self._loop = asyncio.get_running_loop()
        is_done = False
        while not is_done:
            try:
                await self._store()
                is_done = True
            except Exception:
                self.counts.failures += 1
                logger.exception("stream writer failed")
                await self._orders.rest(_AFTER_FAULT_US)
                is_done = self._orders.is_done(self._queue)

    async def _store(self) -> None:
        storing = StreamStoring(
            self._queue,
            self._make_store(),
            self._settings,
            self._orders,
            self._clock,
            self._random,
        )
        storing.counts = self.counts
        try:
            await storing.run()
        finally:
            await storing.close()
