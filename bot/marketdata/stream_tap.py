"""Beside whoever listens to a stream: everything public it says goes to be stored.

The other listener comes first, and hears what it would have heard alone. On the loop a
record costs a small tuple and an append; everything else is the writer's.
"""

from collections.abc import Iterable, Sequence

from bot.domain.ids import MarketTicker
from bot.domain.money import Price, Quantity
from bot.domain.orders import BookSide
from bot.domain.quotes import BookSnapshot, PublicTrade, TickerUpdate
from bot.kit.times import DAY_US, HOUR_US
from bot.marketdata.book import OrderBook
from bot.marketdata.stream_queue import StreamQueue
from bot.ports.exchange import (
    FeedAlive,
    FeedDown,
    FeedGap,
    FeedListener,
    FeedNews,
    FeedUp,
    KeptBook,
    MarketFeed,
    MarketLifecycle,
)
from bot.ports.stream import BookChange, BookStart, GapEnd, GapReason, Origin, StreamGap

_as_change = tuple.__new__
"""Makes a named tuple without a call of Python."""
CHANGES_MAX = 5_000
"""In one chain: rebuilding a book reads no more than this."""
CHAIN_US = HOUR_US
"""A chain with changes is no longer than this, so a month that is dropped takes little with it."""
_QUIET_US = DAY_US
_NAMES_MAX = 10_000
"""Names of chains of markets that are not followed any more."""


class StreamTap:
    """The books' chains, and what the stream said beside books."""

    def __init__(self, queue: StreamQueue) -> None:
        self._queue = queue
        self._chains: dict[MarketTicker, _Chain] = {}
        self._begun: dict[MarketTicker, int] = {}
        """Each market's latest chain, even if it ended: no two may have one name."""
        self._last_us = 0

    def beside(self, feed: MarketFeed) -> MarketFeed:
        """The same feed for its listener, with this tap in between."""
        return _TappedFeed(feed, self)

    def listener(self, inner: FeedListener) -> FeedListener:
        """The same for who runs the feed itself."""
        return _TappedListener(inner, self)

    def snapshot(self, snapshot: BookSnapshot, kept: KeptBook, *, was_wrong: bool) -> KeptBook:
        """A whole book came, which ``kept`` holds. ``was_wrong``: the one before did not add up."""
        ticker, now_us = snapshot.ticker, snapshot.received_us
        before = self._chains.get(ticker)
        if before is not None and before.is_broken:
            self.tell_broken(before, now_us, GapEnd.SNAPSHOT)
        elif before is not None and was_wrong:
            self._tell_lost(ticker, before.last_us, "book did not add up")
        chain = _Chain(self, self._queue, ticker, kept)
        self._chains[ticker] = chain
        start = BookStart(
            ticker=ticker,
            snapshot_us=self._name(ticker, now_us),
            origin=Origin.VENUE,
            bids=snapshot.bids,
            asks=snapshot.asks,
        )
        chain.begin(start, now_us)
        return chain

    def was_wrong(self, ticker: MarketTicker) -> bool:
        """Whether the book of a market waits for a snapshot because its changes did not add up."""
        chain = self._chains.get(ticker)
        return chain is not None and chain.is_wrong

    def news(self, event: FeedNews) -> None:
        """Anything but books; what is private is not kept here."""
        match event:
            case TickerUpdate() | PublicTrade() | MarketLifecycle() | FeedAlive():
                self._last_us = event.received_us
                self._queue.put(event, event.received_us)
            case FeedUp():
                self._queue.tell(event)
            case FeedDown():
                self._chains.clear()
                self._queue.tell(event)
            case FeedGap():
                self._on_gap(event)
            case _:
                pass

    def watched(self, tickers: Iterable[MarketTicker]) -> None:
        """These are the watched markets now: the books of others are not followed any more."""
        for ticker in self._chains.keys() - set(tickers):
            chain = self._chains.pop(ticker)
            self._queue.tell(
                StreamGap(
                    stream=self._queue.stream,
                    reason=GapReason.UNWATCHED,
                    from_us=max(chain.last_us, self._last_us),
                    ticker=ticker,
                )
            )

    def look_after(self, now_us: int, most: int) -> int:
        """Begin anew the chains that are due, at most so many; returns how many."""
        if len(self._begun) > _NAMES_MAX + 2 * len(self._chains):
            # A clock may be set back, by a moment; and what is watched comes and goes for ever.
            since_us = now_us - HOUR_US
            self._begun = {name: us for name, us in self._begun.items() if us >= since_us}
        due = [chain for chain in self._chains.values() if chain.is_due(now_us)][:most]
        for chain in due:
            self.restart(chain, now_us)
        return len(due)

    def restart(self, chain: "_Chain", now_us: int) -> bool:
        """Begin a new chain with the book as it is kept, if it can be done now."""
        book = chain.kept
        if not isinstance(book, OrderBook) or book.needs_snapshot or self._queue.fill > 1 / 2:
            return False
        if chain.is_broken:
            self.tell_broken(chain, now_us, GapEnd.RESUMED)
        start = BookStart(
            ticker=chain.ticker,
            snapshot_us=self._name(chain.ticker, now_us),
            origin=Origin.KEPT,
            bids=book.levels(BookSide.BID),
            asks=book.levels(BookSide.ASK),
        )
        chain.begin(start, now_us)
        return True

    def _name(self, ticker: MarketTicker, now_us: int) -> int:
        begun = max(now_us, self._begun.get(ticker, 0) + 1)
        self._begun[ticker] = begun
        return begun

    def _on_gap(self, event: FeedGap) -> None:
        if not event.tickers:
            # A channel without books: nobody knows what was lost, only when.
            self._queue.tell(
                StreamGap(
                    stream=self._queue.stream,
                    reason=GapReason.SEQUENCE,
                    from_us=self._last_us or event.received_us,
                    to_us=event.received_us,
                    ended=GapEnd.NOTED,
                    detail=event.reason,
                )
            )
        for ticker in event.tickers:
            chain = self._chains.pop(ticker, None)
            if chain is not None:
                self._tell_lost(ticker, chain.last_us, event.reason)

    def _tell_lost(self, ticker: MarketTicker, from_us: int, detail: str) -> None:
        """The writer ends it with the market's next whole book."""
        self._queue.tell(
            StreamGap(
                stream=self._queue.stream,
                reason=GapReason.SEQUENCE,
                from_us=from_us,
                ticker=ticker,
                detail=detail,
            )
        )

    def tell_broken(
        self, chain: "_Chain", to_us: int | None = None, ended: GapEnd = GapEnd.OPEN
    ) -> None:
        """A book has a hole: told when it opens, and with its count when it ends."""
        self._queue.tell(
            StreamGap(
                stream=self._queue.stream,
                reason=GapReason.BACKPRESSURE,
                from_us=chain.last_us,
                ticker=chain.ticker,
                to_us=to_us,
                lost=chain.lost,
                ended=ended,
                detail="changes of a book were shed",
            )
        )


class _Chain:
    """Takes the changes of one book for its keeper, and passes them on numbered."""

    __slots__ = (
        "_ask",
        "_bid",
        "_lose",
        "_number",
        "_put",
        "_room",
        "_snapshot_us",
        "_tap",
        "is_broken",
        "kept",
        "last_us",
        "lost",
        "ticker",
    )

    def __init__(
        self, tap: StreamTap, queue: StreamQueue, ticker: MarketTicker, kept: KeptBook
    ) -> None:
        self.ticker = ticker
        self.kept = kept
        self.last_us = 0
        """Until when everything of this book was passed on."""
        self.is_broken = False
        self.lost = 0
        self._tap = tap
        self._put = queue.put
        self._lose = queue.lose
        self._bid, self._ask = kept.change_bid, kept.change_ask
        self._number = 0
        self._snapshot_us = 0
        self._room = CHANGES_MAX
        """How many changes may follow; below 0 while the chain is broken."""

    @property
    def is_wrong(self) -> bool:
        """Whether the kept book waits for a snapshot."""
        return isinstance(self.kept, OrderBook) and self.kept.needs_snapshot

    def begin(self, start: BookStart, now_us: int) -> None:
        """Whatever comes next follows this whole book."""
        self._snapshot_us, self._number = start.snapshot_us, 0
        self.last_us, self.lost, self.is_broken = now_us, 0, False
        self._room = CHANGES_MAX
        if not self._put(start, now_us):
            self._break(now_us)

    def is_due(self, now_us: int) -> bool:
        """Whether a new chain should begin though nothing changes just now."""
        age_us = now_us - self._snapshot_us
        return self.is_broken or age_us > (CHAIN_US if self._number else _QUIET_US)

    def change_bid(
        self, price: Price, change: Quantity, received_us: int, exchange_ms: int | None
    ) -> None:
        """See :meth:`KeptBook.change_bid`."""
        # Written out twice, without calls in between: it is done for every change of every book.
        self._bid(price, change, received_us, exchange_ms)
        number = self._number + 1
        if number > self._room and self._goes_wrong(received_us):
            return
        at_us = None if exchange_ms is None else exchange_ms * 1_000
        told = (self.ticker, self._snapshot_us, number, True, price, change, received_us, at_us)
        if self._put(_as_change(BookChange, told), received_us):
            self._number, self.last_us = number, received_us
        else:
            self._break(received_us)

    def change_ask(
        self, price: Price, change: Quantity, received_us: int, exchange_ms: int | None
    ) -> None:
        """See :meth:`KeptBook.change_ask`."""
        self._ask(price, change, received_us, exchange_ms)
        number = self._number + 1
        if number > self._room and self._goes_wrong(received_us):
            return
        at_us = None if exchange_ms is None else exchange_ms * 1_000
        told = (self.ticker, self._snapshot_us, number, False, price, change, received_us, at_us)
        if self._put(_as_change(BookChange, told), received_us):
            self._number, self.last_us = number, received_us
        else:
            self._break(received_us)

    def _goes_wrong(self, received_us: int) -> bool:
        """A chain that is full or broken: whether this change is not to be passed on in it."""
        if self._tap.restart(self, received_us):
            return True  # the book that begins the new chain holds this change already
        if self.is_broken:
            self.lost += 1
            self._lose()
        return self.is_broken

    def _break(self, received_us: int) -> None:
        """What came now found no room."""
        self.is_broken, self._room = True, -1
        self.lost += 1
        # Of this moment not everything is there, even if it is the moment of the one before.
        self.last_us = min(self.last_us, received_us - 1)
        self._tap.tell_broken(self)


class _TappedListener:
    """Implements ``FeedListener``."""

    def __init__(self, inner: FeedListener, tap: StreamTap) -> None:
        self._inner = inner
        self._tap = tap

    def book(self, snapshot: BookSnapshot) -> KeptBook:
        """See :meth:`FeedListener.book`."""
        was_wrong = self._tap.was_wrong(snapshot.ticker)
        return self._tap.snapshot(snapshot, self._inner.book(snapshot), was_wrong=was_wrong)

    def news(self, event: FeedNews) -> None:
        """See :meth:`FeedListener.news`."""
        self._inner.news(event)
        self._tap.news(event)

    def read_ended(self) -> None:
        """See :meth:`FeedListener.read_ended`."""
        self._inner.read_ended()


class _TappedFeed:
    """Implements ``MarketFeed``."""

    def __init__(self, feed: MarketFeed, tap: StreamTap) -> None:
        self._feed = feed
        self._tap = tap

    async def run(self, listener: FeedListener) -> None:
        """See :meth:`MarketFeed.run`."""
        await self._feed.run(self._tap.listener(listener))

    async def watch(self, tickers: Sequence[MarketTicker]) -> None:
        """See :meth:`MarketFeed.watch`."""
        await self._feed.watch(tickers)
        self._tap.watched(tickers)

    def refresh(self, tickers: Sequence[MarketTicker]) -> None:
        """See :meth:`MarketFeed.refresh`."""
        self._feed.refresh(tickers)

    def hold(self, *, is_held: bool) -> None:
        """See :meth:`MarketFeed.hold`."""
        self._feed.hold(is_held=is_held)
