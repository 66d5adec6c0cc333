"""The real stream with the paper account's own events in it.

Every public event passes unchanged and in order; private ones of the real
account, should any come, do not. Beside the stream run the account's timers and
the check whether markets of ours have settled.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from bot.adapters.paper.exchange import PaperExchange
from bot.domain.errors import BotError
from bot.domain.ids import MarketTicker
from bot.kit.times import SECOND_US, seconds
from bot.ports.exchange import (
    FeedEvent,
    FeedUp,
    MarketFeed,
    OrderGroupChanged,
    OwnFill,
    OwnOrder,
)

logger = logging.getLogger(__name__)

_AHEAD_MAX = 1_024
"""Public events that may wait for a slow reader; then the socket waits as well."""


class PaperFeed:
    """Implements ``MarketFeed`` over a real one whose private channels are off."""

    def __init__(self, feed: MarketFeed, paper: PaperExchange) -> None:
        self._feed = feed
        self._paper = paper
        self._settlements = paper.settlement_watch

    @asynccontextmanager
    async def open(self) -> AsyncIterator[AsyncIterator[FeedEvent]]:
        """See :meth:`MarketFeed.open`."""
        waiting: asyncio.Queue[tuple[FeedEvent, bool]] = asyncio.Queue()
        room = asyncio.Semaphore(_AHEAD_MAX)
        desk = self._paper.desk
        with desk.listening(lambda event: waiting.put_nowait((event, False))):
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._pump(waiting, room), name="paper feed"),
                    group.create_task(_every(SECOND_US, desk.pass_time), name="paper time"),
                    group.create_task(
                        _every(self._settlements.check_us, self._settlements.check),
                        name="settlements",
                    ),
                ]
                try:
                    yield _merged(waiting, room)
                finally:
                    for task in tasks:
                        task.cancel()

    async def watch(self, tickers: Sequence[MarketTicker]) -> None:
        """See :meth:`MarketFeed.watch`."""
        await self._feed.watch(tickers)

    async def refresh(self, tickers: Sequence[MarketTicker]) -> None:
        """See :meth:`MarketFeed.refresh`."""
        await self._feed.refresh(tickers)

    async def _pump(
        self, waiting: asyncio.Queue[tuple[FeedEvent, bool]], room: asyncio.Semaphore
    ) -> None:
        actions = self._paper.actions
        async with self._feed.open() as events:
            async for event in events:
                if isinstance(event, (OwnFill, OwnOrder, OrderGroupChanged)):
                    continue
                await room.acquire()
                actions.note(event)
                waiting.put_nowait((event, True))
                await actions.act(event)
                if isinstance(event, FeedUp):
                    self._settlements.check_all_soon()


async def _merged(
    waiting: asyncio.Queue[tuple[FeedEvent, bool]], room: asyncio.Semaphore
) -> AsyncGenerator[FeedEvent, None]:
    while True:
        event, is_public = await waiting.get()
        if is_public:
            room.release()
        yield event


async def _every(interval_us: int, act: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await act()
        except BotError as fault:
            logger.warning("paper exchange behind", extra={"reason": str(fault)})
        await asyncio.sleep(seconds(interval_us))
