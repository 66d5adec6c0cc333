"""The real stream with the paper account's own events in it.

Every public event passes unchanged and in order; private ones of the real
account, should any come, do not. Beside the stream run the account's timers and
the check whether markets of ours have settled.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from bot.adapters.paper.exchange import PaperExchange
from bot.adapters.paper.values import AsValues, FromValues
from bot.domain.errors import BotError
from bot.domain.ids import MarketTicker
from bot.kit.times import SECOND_US, seconds
from bot.ports.exchange import (
    FeedEvent,
    FeedListener,
    FeedUp,
    MarketFeed,
    OrderGroupChanged,
    OwnFill,
    OwnOrder,
)

logger = logging.getLogger(__name__)

_AHEAD_MAX = 1_024
"""Public events that may wait while the account's journal is written; then the socket waits."""


class PaperFeed:
    """Implements ``MarketFeed`` over a real one whose private channels are off."""

    def __init__(self, feed: MarketFeed, paper: PaperExchange) -> None:
        self._feed = feed
        self._paper = paper
        self._settlements = paper.settlement_watch
        self._waiting: asyncio.Queue[FeedEvent] = asyncio.Queue()

    async def run(self, listener: FeedListener) -> None:
        """See :meth:`MarketFeed.run`."""
        self._waiting = asyncio.Queue()
        desk = self._paper.desk
        with desk.listening(listener.news):
            async with asyncio.TaskGroup() as group:
                group.create_task(self._feed.run(AsValues(self._put)), name="real feed")
                group.create_task(self._pump(FromValues(listener)), name="paper feed")
                group.create_task(_every(SECOND_US, desk.pass_time), name="paper time")
                group.create_task(
                    _every(self._settlements.check_us, self._settlements.check),
                    name="settlements",
                )

    async def watch(self, tickers: Sequence[MarketTicker]) -> None:
        """See :meth:`MarketFeed.watch`."""
        await self._feed.watch(tickers)

    def refresh(self, tickers: Sequence[MarketTicker]) -> None:
        """See :meth:`MarketFeed.refresh`."""
        self._feed.refresh(tickers)

    def hold(self, *, is_held: bool) -> None:
        """See :meth:`MarketFeed.hold`."""
        self._feed.hold(is_held=is_held)

    def _put(self, event: FeedEvent) -> None:
        self._waiting.put_nowait(event)
        if self._waiting.qsize() == _AHEAD_MAX:
            self._feed.hold(is_held=True)

    async def _pump(self, told: FromValues) -> None:
        actions = self._paper.actions
        while True:
            event = await self._waiting.get()
            if self._waiting.qsize() == _AHEAD_MAX // 2:
                self._feed.hold(is_held=False)
            if isinstance(event, (OwnFill, OwnOrder, OrderGroupChanged)):
                continue
            actions.note(event)
            told.tell(event)
            await actions.act(event)
            if isinstance(event, FeedUp):
                self._settlements.check_all_soon()


async def _every(interval_us: int, act: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await act()
        except BotError as fault:
            logger.warning("paper exchange behind", extra={"reason": str(fault)})
        await asyncio.sleep(seconds(interval_us))
