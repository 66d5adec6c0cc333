"""The service that keeps the garbage collector away from trading."""

import asyncio

from bot.kit.clock import Clock
from bot.kit.memory import CalmMemory
from bot.kit.times import HOUR_US, SECOND_US, seconds

_KEEP_US = 5 * SECOND_US
_ALL_US = 6 * HOUR_US
"""The one pause that is left, tens of milliseconds, is taken this often."""


class MemoryKeeper:
    """Runs for one leadership."""

    name = "memory"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._memory = CalmMemory()

    async def run(self) -> None:
        """Keep until cancelled."""
        self._memory.begin()
        looked_us = self._clock.monotonic_us()
        try:
            while True:
                await asyncio.sleep(seconds(_KEEP_US))
                if self._clock.monotonic_us() - looked_us >= _ALL_US:
                    looked_us = self._clock.monotonic_us()
                    self._memory.look_at_all()
                else:
                    self._memory.keep()
        finally:
            self._memory.end()

    async def drain(self) -> None:
        """Nothing to finish."""
