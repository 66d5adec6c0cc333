"""``StreamStore``, ``StreamReads`` and ``StreamUpkeep`` in memory.

Passes ``tests/contract/test_stream_store.py``.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace

import msgspec

from bot.domain.errors import StorageUnavailable
from bot.domain.ids import FillId, MarketTicker
from bot.domain.money import Price, Quantity
from bot.domain.orders import BookSide
from bot.domain.quotes import BookLevel, PublicTrade, TickerUpdate
from bot.ports.exchange import MarketLifecycle
from bot.ports.stream import (
    BookChange,
    BookStart,
    GapReason,
    Origin,
    StreamBatch,
    StreamGap,
)

T0 = 1_795_000_000_000_000
"""2026-11-18: a moment of the month in which tests were written; any will do."""


def tick(ticker: str = "KXA", at_us: int = T0, **changes) -> TickerUpdate:
    plain = TickerUpdate(
        ticker=MarketTicker(ticker),
        yes_bid=Price(4_700),
        yes_ask=Price(4_900),
        yes_bid_size=Quantity(12_300),
        yes_ask_size=Quantity(45_600),
        last_price=Price(4_800),
        volume=Quantity(1_000_000),
        open_interest=Quantity(250_000),
        exchange_us=at_us,
        received_us=at_us + 20_000,
    )
    return msgspec.structs.replace(plain, **changes)


def trade(number: int = 1, ticker: str = "KXA", at_us: int = T0) -> PublicTrade:
    return PublicTrade(
        trade_id=FillId(f"trade-{number}"),
        ticker=MarketTicker(ticker),
        price=Price(4_800),
        quantity=Quantity(1_000),
        taker_side=BookSide.BID,
        is_block=False,
        executed_us=at_us,
        received_us=at_us + 20_000,
    )


def levels(*pairs: tuple[int, int]) -> tuple[BookLevel, ...]:
    return tuple(BookLevel(Price(price), Quantity(size)) for price, size in pairs)


def start(ticker: str = "KXA", at_us: int = T0, **changes) -> BookStart:
    plain = BookStart(
        ticker=MarketTicker(ticker),
        snapshot_us=at_us,
        origin=Origin.VENUE,
        bids=levels((4_700, 12_300), (4_600, 500)),
        asks=levels((4_900, 45_600)),
    )
    return replace(plain, **changes)


def change(number: int = 1, ticker: str = "KXA", at_us: int = T0, **changes) -> BookChange:
    plain = BookChange(
        ticker=MarketTicker(ticker),
        snapshot_us=at_us,
        change_no=number,
        is_bid=True,
        price=Price(4_700),
        change=Quantity(-300),
        received_us=at_us + number * 1_000,
        exchange_us=at_us + number * 1_000 - 500,
    )
    return plain._replace(**changes)


def lifecycle(ticker: str = "KXA", at_us: int = T0, **changes) -> MarketLifecycle:
    plain = MarketLifecycle(
        ticker=MarketTicker(ticker),
        kind="determined",
        close_us=at_us,
        result="yes",
        settlement_value="1.0000",
        received_us=at_us,
    )
    return replace(plain, **changes)


def gap(from_us: int = T0, **changes) -> StreamGap:
    plain = StreamGap(stream="paper:main:0 0/1", reason=GapReason.DISCONNECTED, from_us=from_us)
    return replace(plain, **changes)


class MemoryStreamStore:
    """Keeps everything in dictionaries. ``is_down`` makes every call fail."""

    def __init__(self) -> None:
        self.stored_ticks: dict[tuple[object, ...], TickerUpdate] = {}
        self.trades: dict[str, PublicTrade] = {}
        self.starts: dict[tuple[str, int], BookStart] = {}
        self.changes: dict[tuple[str, int, int], BookChange] = {}
        self.events: dict[tuple[str, int, str], MarketLifecycle] = {}
        self.stored_gaps: dict[tuple[object, ...], StreamGap] = {}
        self.closes_us: dict[MarketTicker, int] = {}
        """When markets close, where that is known."""
        self.rows: dict[str, str] = {}
        self.sizes: list[int] = []
        """Of every batch that was stored."""
        self.is_down = False

    async def prepare(self, batch: StreamBatch, *, in_hurry: bool) -> None:
        """Nothing is made ahead."""

    async def append(self, batch: StreamBatch, *, may_repeat: bool) -> int:
        self._require_up()
        before = len(self.stored_ticks)
        for one in batch.ticks:
            if _fits(one):
                self.stored_ticks.setdefault(_content(one), one)
        for public in batch.trades:
            self.trades.setdefault(public.trade_id, public)
        for book in batch.starts:
            self.starts.setdefault((book.ticker, book.snapshot_us), book)
        for moved in batch.changes:
            self.changes.setdefault((moved.ticker, moved.snapshot_us, moved.change_no), moved)
        for event in batch.lifecycle:
            self.events.setdefault((event.ticker, event.received_us, event.kind), event)
        for hole in batch.gaps:
            self.stored_gaps[(hole.stream, hole.ticker, hole.reason, hole.from_us)] = hole
        self.sizes.append(len(batch))
        return len(self.stored_ticks) - before

    async def marks(self, names: Sequence[str]) -> Mapping[str, str]:
        self._require_up()
        return {name: self.rows[name] for name in names if name in self.rows}

    async def put_marks(self, marks: Mapping[str, str], at_us: int) -> None:
        self._require_up()
        self.rows |= marks

    async def open_gaps(self, stream: str, since_us: int) -> Sequence[StreamGap]:
        self._require_up()
        lasting = [one for one in self._gaps() if one.to_us is None and one.from_us >= since_us]
        return [one for one in lasting if one.stream == stream]

    async def close(self) -> None:
        """Nothing is held."""

    async def ticks(self, first_us: int, last_us: int) -> AsyncIterator[TickerUpdate]:
        self._require_up()
        for one in sorted(self.stored_ticks.values(), key=lambda each: each.exchange_us):
            if first_us <= one.exchange_us <= last_us:
                yield one

    async def book_chain(
        self, ticker: MarketTicker, at_us: int
    ) -> tuple[BookStart, Sequence[BookChange]] | None:
        self._require_up()
        begun = [us for name, us in self.starts if name == ticker and us <= at_us]
        if not begun:
            return None
        chain = self.starts[ticker, max(begun)]
        return chain, [
            moved
            for (name, us, _), moved in sorted(self.changes.items())
            if (name, us) == (ticker, chain.snapshot_us) and moved.received_us <= at_us
        ]

    async def lifecycle(self, first_us: int, last_us: int) -> Sequence[MarketLifecycle]:
        self._require_up()
        found = sorted(self.events.values(), key=lambda one: (one.received_us, one.ticker))
        return [one for one in found if first_us <= one.received_us <= last_us]

    async def gaps(self, first_us: int, last_us: int) -> Sequence[StreamGap]:
        self._require_up()
        known = [self._closed(one, last_us) for one in self._gaps() if one.from_us <= last_us]
        return [one for one in known if one.to_us is None or one.to_us >= first_us]

    async def keep(self, now_us: int, before_us: int | None) -> Mapping[str, int]:
        self._require_up()
        if before_us is None:
            return {}
        for key, old in list(self.stored_ticks.items()):
            if old.exchange_us < before_us:
                del self.stored_ticks[key]
        for book in [key for key in self.starts if key[1] < before_us]:
            del self.starts[book]
        for moved in [key for key in self.changes if key[1] < before_us]:
            del self.changes[moved]
        return {}

    def _closed(self, one: StreamGap, last_us: int) -> StreamGap:
        close_us = (
            last_us + 1 if one.ticker is None else self.closes_us.get(one.ticker, last_us + 1)
        )
        if one.to_us is not None or close_us > last_us:
            return one
        return replace(one, to_us=max(one.from_us, close_us))

    def _gaps(self) -> list[StreamGap]:
        return sorted(self.stored_gaps.values(), key=lambda one: one.from_us)

    def _require_up(self) -> None:
        if self.is_down:
            raise StorageUnavailable("the fake is down")


def _content(one: TickerUpdate) -> tuple[object, ...]:
    prices = (one.yes_bid, one.yes_ask, one.last_price)
    sizes = (one.yes_bid_size, one.yes_ask_size, one.volume, one.open_interest)
    return (one.ticker, one.exchange_us, prices, sizes)


def _fits(one: TickerUpdate) -> bool:
    return max(one.volume, one.open_interest, one.yes_bid_size, one.yes_ask_size) < 2**63
