"""What paper trading stands on, in memory: a journal, the real markets, and their stream."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from bot.adapters.paper.values import FromValues
from bot.domain.errors import RequestRefused, StorageUnavailable
from bot.domain.ids import EventTicker, MarketTicker, SeriesTicker
from bot.domain.market import FeeTerms, Market
from bot.domain.money import Price, Quantity
from bot.domain.quotes import BookLevel, BookSnapshot
from bot.ports.exchange import (
    EventTerms,
    ExchangeStatus,
    FeedEvent,
    FeedListener,
    ListedMarket,
    MarketPage,
    MarketQuery,
)
from bot.ports.paper import JournalEntry
from tests.fakes.listing import listed

TICKER = MarketTicker("KXCPI-26NOV-T3.0")
SERIES = SeriesTicker("KXCPI")
FEES = FeeTerms(fee_type="quadratic", multiplier_e6=1_000_000)


class MemoryJournal:
    """A journal as a list; several exchanges may share one, as processes share a database."""

    def __init__(self) -> None:
        self.entries: list[JournalEntry] = []
        self.is_away = False
        self.loses_answer = False
        """The next append is written and its answer lost."""
        self.is_fast = asyncio.Event()
        """An append waits until it is set."""
        self.is_fast.set()

    async def append(self, entry: JournalEntry) -> bool:
        await asyncio.sleep(0)
        await self.is_fast.wait()
        if self.is_away:
            raise StorageUnavailable("the database is away")
        if entry.seq != len(self.entries) + 1:
            assert entry.seq <= len(self.entries), "a number was left out"
            return False
        self.entries.append(entry)
        if self.loses_answer:
            self.loses_answer = False
            raise StorageUnavailable("the connection broke")
        return True

    async def read(self, after_seq: int) -> Sequence[JournalEntry]:
        await asyncio.sleep(0)
        if self.is_away:
            raise StorageUnavailable("the database is away")
        return self.entries[after_seq:]


def snapshot(
    bids: Sequence[tuple[int, int]], asks: Sequence[tuple[int, int]], *, at_us: int = 0
) -> BookSnapshot:
    """A book from (price, size) pairs, best first."""
    return BookSnapshot(
        ticker=TICKER,
        bids=tuple(BookLevel(Price(price), Quantity(size)) for price, size in bids),
        asks=tuple(BookLevel(Price(price), Quantity(size)) for price, size in asks),
        received_us=at_us,
    )


class RealMarkets:
    """The public side of an exchange with one market; its account cannot be asked."""

    def __init__(self, *, close_us: int = 10**16) -> None:
        self.listed: Market = replace(
            listed(TICKER).market,
            series_ticker=None,
            event_ticker=EventTicker("KXCPI-26NOV"),
            close_us=close_us,
        )
        self.book: BookSnapshot | Exception = snapshot([(9_000, 10_000)], [(9_200, 10_000)])
        self.is_trading_active = True
        self.fault: Exception | None = None
        self.asked: list[str] = []

    def change(self, **values: object) -> None:
        self.listed = replace(self.listed, **values)  # type: ignore[arg-type]

    async def status(self) -> ExchangeStatus:
        return ExchangeStatus(
            is_exchange_active=True,
            is_trading_active=self.is_trading_active,
            resume_us=None,
            server_us=None,
        )

    async def market_page(
        self, query: MarketQuery, cursor: str = "", limit: int = 1000
    ) -> MarketPage:
        found = replace(self.listed, series_ticker=query.series_ticker)
        return MarketPage(
            markets=(ListedMarket(market=found, raw=b"{}"),), quarantined=(), cursor=""
        )

    async def market(self, ticker: MarketTicker) -> ListedMarket:
        self.asked.append(f"market {ticker}")
        if self.fault is not None:
            raise self.fault
        if ticker != self.listed.ticker:
            raise RequestRefused(404, "not_found", "no such market")
        return ListedMarket(market=self.listed, raw=b"{}")

    async def order_book(self, ticker: MarketTicker) -> BookSnapshot:
        self.asked.append(f"book {ticker}")
        if isinstance(self.book, Exception):
            raise self.book
        return self.book

    async def fee_terms(self, series: SeriesTicker) -> FeeTerms:
        self.asked.append(f"fees {series}")
        return FEES

    async def event_terms(self, series: SeriesTicker) -> Sequence[EventTerms]:
        return []

    async def _private(self, *_args: object, **_kwargs: object) -> Sequence[object]:
        raise AssertionError("the real account is nobody's business on paper")

    balance = positions = orders = fills = settlements = _private


class ScriptedFeed:
    """A stream that a test feeds by hand."""

    def __init__(self) -> None:
        self.watched: tuple[MarketTicker, ...] = ()
        self.refreshed: list[MarketTicker] = []
        self.holds: list[bool] = []
        self.is_open = False
        self._events: asyncio.Queue[FeedEvent] = asyncio.Queue()

    def push(self, *events: FeedEvent) -> None:
        for event in events:
            self._events.put_nowait(event)

    async def run(self, listener: FeedListener) -> None:
        told = FromValues(listener)
        self.is_open = True
        try:
            while True:
                told.tell(await self._events.get())
        finally:
            self.is_open = False

    async def watch(self, tickers: Sequence[MarketTicker]) -> None:
        self.watched = tuple(tickers)

    def refresh(self, tickers: Sequence[MarketTicker]) -> None:
        self.refreshed += tickers

    def hold(self, *, is_held: bool) -> None:
        self.holds.append(is_held)
