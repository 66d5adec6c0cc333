"""The market monitor: what is watched, the live stream, and the engine's sense of time.

Feeds the engine's inbox and decides nothing itself. The watch list is refreshed
from listings; the stream keeps books and reports their tops; a clock tick, the
exchange's own status and the count of calls come at their intervals.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from bot.domain.errors import BotError
from bot.domain.events import (
    ApiCallsCounted,
    ClockCompared,
    Event,
    ExchangeStatusRead,
    MarketsDropped,
    MarketsListed,
    TimeAdvanced,
)
from bot.domain.ids import MarketTicker, SeriesTicker
from bot.domain.listing import Listing
from bot.domain.quotes import BookSnapshot
from bot.engine.listing import read_listings, read_markets
from bot.kit.clock import Clock
from bot.kit.tasks import ServiceEndedEarly
from bot.kit.times import SECOND_US, seconds
from bot.marketdata.agreement import BookAgreement
from bot.marketdata.book import OrderBook
from bot.marketdata.feed import FeedTranslator, Reader
from bot.marketdata.universe import MarketFilter, Selection, select
from bot.ports.exchange import (
    ExchangeReads,
    FeedDown,
    FeedNews,
    FeedUp,
    KeptBook,
    MarketFeed,
)

logger = logging.getLogger(__name__)

_SERVER_CLOCK_GRAIN_US = 1_000_000
"""The exchange's ``Date`` header has a resolution of one second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorSettings:
    """Which series are watched and how often things are looked at."""

    series: tuple[SeriesTicker, ...]
    refresh_us: int = 60 * SECOND_US
    status_us: int = 30 * SECOND_US
    count_us: int = 5 * SECOND_US
    tick_us: int = SECOND_US

    def __post_init__(self) -> None:
        if not self.series:
            raise ValueError("series must name at least one series to watch")
        if min(self.refresh_us, self.status_us, self.count_us, self.tick_us) <= 0:
            raise ValueError("refresh_us, status_us, count_us and tick_us must be above 0")


class MarketMonitor:
    """A service of the leader."""

    name = "monitor"

    def __init__(
        self,
        exchange: ExchangeReads,
        feed: MarketFeed,
        clock: Clock,
        settings: MonitorSettings,
        rules: MarketFilter,
        *,
        submit: Callable[[Event], None],
        held: Callable[[], frozenset[MarketTicker]],
        api_calls: Callable[[], tuple[int, int]],
        feed_changed: Callable[[str | None], None] = lambda _: None,
        known: Callable[[], Awaitable[Sequence[Listing]]] | None = None,
    ) -> None:
        """``feed_changed`` hears why the stream was lost, and ``None`` when it is back.

        ``known`` gives listings that were read a moment ago, or none; it is asked once.
        """
        self._exchange = exchange
        self._feed = feed
        self._clock = clock
        self._settings = settings
        self._rules = rules
        self._submit = submit
        self._held = held
        self._api_calls = api_calls
        self._feed_changed = feed_changed
        self._is_feed_lost = False
        self._translator = FeedTranslator(submit, feed.refresh)
        self.selection = Selection(watched=(), left_out={})
        self._known = known
        self.listed: Callable[[MarketsListed], None] = lambda _: None
        """Hears of every listing before the engine does."""
        self._hurry = asyncio.Event()

    def read_by(self, reader: Reader) -> None:
        """Who reads what is submitted: quotes are dealt with as soon as they are read."""
        self._translator.read_by(reader)

    @property
    def agreement(self) -> BookAgreement:
        """How often our books agreed with the venue's summary of them."""
        return self._translator.agreement

    @property
    def books(self) -> Mapping[MarketTicker, OrderBook]:
        """The kept books, trusted or not. To be looked at, and left as they are."""
        return self._translator.books

    def look_again(self) -> None:
        """What is held has become known: refresh the watch list now unless all of it is there."""
        watched = {one.market.ticker for one in self.selection.watched}
        if not self._held() <= watched:
            self._hurry.set()

    async def run(self) -> None:
        """Watch until cancelled."""
        settings = self._settings
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pump(), name="feed")
            group.create_task(self._watch(settings.refresh_us), name="watch list")
            group.create_task(self._every(settings.status_us, self._read_status), name="status")
            group.create_task(self._every(settings.count_us, self._count_calls), name="api calls")
            group.create_task(self._every(settings.tick_us, self._tick), name="time")

    async def drain(self) -> None:
        """Nothing to finish: it only reads."""

    async def _watch(self, interval_us: int) -> None:
        while True:
            self._hurry.clear()
            await self._tried(self._refresh)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds(interval_us)):
                    await self._hurry.wait()

    async def _every(self, interval_us: int, act: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._tried(act)
            await asyncio.sleep(seconds(interval_us))

    async def _tried(self, act: Callable[[], Awaitable[None]]) -> None:
        try:
            await act()
        except BotError as fault:
            logger.warning("api error", extra={"task": act.__name__, "reason": str(fault)})

    async def _pump(self) -> None:
        await self._feed.run(self)
        raise ServiceEndedEarly("the feed ended")

    def book(self, snapshot: BookSnapshot) -> KeptBook:
        """See :meth:`FeedListener.book`."""
        return self._translator.book(snapshot)

    def news(self, event: FeedNews) -> None:
        """See :meth:`FeedListener.news`."""
        self._translator.news(event)
        match event:
            case FeedDown():
                self._is_feed_lost = True
                self._feed_changed(event.reason)
            case FeedUp() if self._is_feed_lost:
                self._is_feed_lost = False
                self._feed_changed(None)
            case _:
                pass

    def read_ended(self) -> None:
        """See :meth:`FeedListener.read_ended`."""
        self._translator.read_ended()

    async def _read_listings(self) -> list[Listing]:
        ask, self._known = self._known, None
        if ask is not None and (known := await ask()):
            return list(known)
        return await read_listings(self._exchange, self._settings.series)

    async def _refresh(self) -> None:
        listings = await self._read_listings()
        now_us, held = self._clock.now_us(), self._held()
        listed = {one.market.ticker for one in listings}
        before = {one.market.ticker: one for one in self.selection.watched}
        # A market that closed, or whose series cannot be read now, is missing from the listing:
        # what we hold there stays watched, under the terms it had.
        missing = [one for ticker, one in before.items() if ticker in held - listed]
        # After a take-over we may hold what no listing has shown us yet.
        unseen = await read_markets(self._exchange, sorted(held - listed - set(before)))
        listings += unseen
        listed |= {one.market.ticker for one in unseen}
        self.selection = select([*listings, *missing], self._rules, held, now_us)
        watched = [one.market.ticker for one in self.selection.watched]
        dropped = tuple(sorted(set(before) - set(watched)))
        news = tuple(one for one in self.selection.watched if one.market.ticker in listed)
        told = MarketsListed(received_us=now_us, listings=news)
        self.listed(told)
        self._submit(told)
        if dropped:
            self._submit(MarketsDropped(received_us=now_us, tickers=dropped))
            self._translator.forget(dropped)
        await self._feed.watch(watched)

    async def _read_status(self) -> None:
        status = await self._exchange.status()
        now_us = self._clock.now_us()
        self._submit(
            ExchangeStatusRead(
                received_us=now_us,
                is_exchange_active=status.is_exchange_active,
                is_trading_active=status.is_trading_active,
                resume_us=status.resume_us,
            )
        )
        if status.server_us is not None:
            skew_us = _skew(now_us, status.server_us)
            self._submit(ClockCompared(received_us=now_us, skew_us=skew_us))

    async def _count_calls(self) -> None:
        calls, failed = self._api_calls()
        now_us = self._clock.now_us()
        self._submit(ApiCallsCounted(received_us=now_us, calls=calls, failed=failed))

    async def _tick(self) -> None:
        self._submit(TimeAdvanced(received_us=self._clock.now_us()))


def _skew(now_us: int, server_us: int) -> int:
    """Our clock less the server's; 0 anywhere inside the second that the server named."""
    ahead_us = now_us - server_us
    if 0 <= ahead_us < _SERVER_CLOCK_GRAIN_US:
        return 0
    return ahead_us if ahead_us < 0 else ahead_us - _SERVER_CLOCK_GRAIN_US
