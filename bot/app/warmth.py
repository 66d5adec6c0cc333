"""What a start reads before it takes the lead from one that is alive.

The listings of two dozen series take seconds at the exchange's pace. Read while
the old deployment still trades, they cost nobody anything; read after the
take-over, nobody trades meanwhile.
"""

import asyncio
import logging
from collections.abc import Sequence

from bot.domain.errors import BotError
from bot.domain.ids import SeriesTicker
from bot.domain.listing import Listing
from bot.engine.listing import read_listings
from bot.kit.clock import Clock
from bot.kit.times import MINUTE_US, SECOND_US, seconds
from bot.ports.exchange import ExchangeReads

logger = logging.getLogger(__name__)

_LIMIT_US = 30 * SECOND_US
"""An exchange that cannot be read holds up a deployment no longer than this."""
_FRESH_US = MINUTE_US
_REST_S = 1.0
"""Reading uses up what the exchange grants at once; the take-over finds it saved up again."""


class Warmth:
    """The listings of one start, for its first leadership."""

    def __init__(
        self, exchange: ExchangeReads, series: Sequence[SeriesTicker], clock: Clock
    ) -> None:
        """Without ``series`` there is nothing to wait for."""
        self._exchange = exchange
        self._series = series
        self._clock = clock
        self._began_us = clock.monotonic_us()
        self._done = asyncio.Event()
        self._listings: Sequence[Listing] = ()
        self._read_us = 0
        self._is_rested = not series
        if not series:
            self._done.set()

    def is_warm(self) -> bool:
        """Whether there is nothing to wait for any more."""
        return self._is_rested or self._is_late()

    async def run(self) -> None:
        """Read once; a fault leaves the reading to the leadership."""
        if self._done.is_set():
            return
        await self._read()
        await asyncio.sleep(_REST_S)
        self._is_rested = True

    async def _read(self) -> None:
        try:
            async with asyncio.timeout(seconds(_LIMIT_US)):
                self._listings = await read_listings(self._exchange, self._series)
        except (BotError, TimeoutError) as fault:
            logger.info("listings not read ahead", extra={"reason": repr(fault)})
        finally:
            self._read_us = self._clock.monotonic_us()
            self._done.set()

    async def take(self) -> Sequence[Listing]:
        """What was read, once and while it is fresh; a reading under way is waited for."""
        if not self._is_late():
            await self._done.wait()
        listings, self._listings = self._listings, ()
        is_fresh = self._clock.monotonic_us() - self._read_us < _FRESH_US
        return listings if is_fresh else ()

    def _is_late(self) -> bool:
        return self._clock.monotonic_us() - self._began_us >= _LIMIT_US
