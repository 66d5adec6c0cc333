"""Streams as iterators of values, for tests that read one event after the other."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from bot.adapters.kalshi.session import FeedSession
from bot.adapters.kalshi.settings import SessionSettings
from bot.adapters.paper.values import AsValues, FromValues
from bot.domain.events import Event
from bot.domain.ids import MarketTicker
from bot.marketdata.feed import FeedTranslator
from bot.ports.exchange import FeedEvent, MarketFeed


@asynccontextmanager
async def opened(feed: MarketFeed) -> AsyncIterator[AsyncIterator[FeedEvent]]:
    """What a running feed tells. Leaving the context cancels it."""
    told: asyncio.Queue[FeedEvent] = asyncio.Queue()
    running = asyncio.get_running_loop().create_task(feed.run(AsValues(told.put_nowait)))
    try:
        yield _until_ended(told, running)
    finally:
        running.cancel()
        await asyncio.wait({running})
        if not running.cancelled():
            running.result()


async def _until_ended(
    told: "asyncio.Queue[FeedEvent]", running: "asyncio.Task[None]"
) -> AsyncIterator[FeedEvent]:
    while not running.done():
        getting = asyncio.get_running_loop().create_task(told.get())
        await asyncio.wait({getting, running}, return_when=asyncio.FIRST_COMPLETED)
        if not getting.done():
            getting.cancel()
            break
        yield getting.result()


class ToldSession:
    """A session whose calls return what its listener was told meanwhile."""

    def __init__(self, settings: SessionSettings) -> None:
        self.session = FeedSession(settings)
        self._told: list[FeedEvent] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self.session, name)

    def connected(self, now_us: int) -> list[FeedEvent]:
        self.session.connected(AsValues(self._told.append), now_us)
        return self._taken()

    def disconnected(self, now_us: int, reason: str) -> list[FeedEvent]:
        self.session.disconnected(now_us, reason)
        return self._taken()

    def receive(self, frame: bytes | str, received_us: int) -> list[FeedEvent]:
        self.session.receive(frame, received_us)
        return self._taken()

    def heard(self, now_us: int) -> list[FeedEvent]:
        self.session.heard(now_us)
        return self._taken()

    def _taken(self) -> list[FeedEvent]:
        told = list(self._told)
        self._told.clear()
        return told


class ToldTranslator:
    """A translator that is fed values and returns what it submitted."""

    def __init__(self) -> None:
        self._told: list[Event] = []
        self.refreshed: list[MarketTicker] = []
        self.translator = FeedTranslator(self._told.append, self.refreshed.extend)
        self._from = FromValues(self.translator)
        self.books = self.translator.books
        self.unsynced = self.translator.unsynced

    def forget(self, tickers: Iterable[MarketTicker]) -> None:
        self.translator.forget(tickers)

    def translate(self, event: FeedEvent) -> tuple[Event, ...]:
        self._from.tell(event)
        told = tuple(self._told)
        self._told.clear()
        return told
