"""What an order would otherwise have to wait for, kept ready: signatures and a connection."""

import asyncio
import logging

from bot.adapters.kalshi.gateway import KalshiExchange
from bot.domain.errors import ExchangeUnavailable

logger = logging.getLogger(__name__)

# A signature lives a second and is renewed in its second half: four of them, one a look.
_REFRESH_S = 0.1
_WARM_S = 0.5
_WARM_AGAIN_S = 5.0


class OrderPathKeeper:
    """A service that keeps signatures and a connection ready, so that no order waits for one."""

    name = "order path"

    def __init__(self, exchange: KalshiExchange) -> None:
        self._exchange = exchange

    async def run(self) -> None:
        """Refresh for ever. A connection that cannot be made must not hold up the signatures."""
        self._exchange.refresh_signatures()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_signed(), name="signatures")
            group.create_task(self._replace_used(), name="used signatures")
            group.create_task(self._keep_warm(), name="order connection")

    async def drain(self) -> None:
        """Nothing here can be lost."""

    async def _keep_signed(self) -> None:
        while True:
            await asyncio.sleep(_REFRESH_S)
            self._exchange.refresh_signatures()

    async def _replace_used(self) -> None:
        while True:
            await self._exchange.replace_signatures()

    async def _keep_warm(self) -> None:
        while True:
            try:
                await self._exchange.warm()
            except ExchangeUnavailable as fault:
                # The next order says so itself, and whatever is wrong is told of by the reads.
                logger.info("no order connection", extra={"reason": str(fault)})
                await asyncio.sleep(_WARM_AGAIN_S)
            await asyncio.sleep(_WARM_S)
