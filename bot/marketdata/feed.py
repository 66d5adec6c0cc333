"""From the live stream to engine events: books kept, tops forwarded, trust announced.

A quote leaves here only when the top changed or trust came back, so a busy book
deep down costs the engine nothing. Public trades and ticker summaries are for
the recorder; the engine decides on books.
"""

from collections.abc import Iterable
from typing import assert_never

from bot.domain.errors import InvalidAmount
from bot.domain.events import (
    BooksDistrusted,
    Event,
    FeedConnected,
    FeedHeard,
    FeedLost,
    FillReported,
    MarketPhaseChanged,
    OrderGroupTripped,
    OrderReported,
    QuoteChanged,
)
from bot.domain.ids import MarketTicker
from bot.domain.market import MarketStatus
from bot.domain.money import PAYOUT, Price, parse_price
from bot.domain.quotes import BookDelta, BookSnapshot, PublicTrade, TickerUpdate
from bot.marketdata.book import OrderBook
from bot.ports.exchange import (
    FeedAlive,
    FeedDown,
    FeedEvent,
    FeedGap,
    FeedUp,
    MarketLifecycle,
    OrderGroupChanged,
    OwnFill,
    OwnOrder,
)

_STATUS_OF_KIND = {
    "activated": MarketStatus.ACTIVE,
    "deactivated": MarketStatus.INACTIVE,
    "determined": MarketStatus.DETERMINED,
    "settled": MarketStatus.FINALIZED,
}
_TRIGGERED = "triggered"


class FeedTranslator:
    """Holds the books of every watched market and says what the engine must know."""

    def __init__(self) -> None:
        self.books: dict[MarketTicker, OrderBook] = {}
        self._trusted: set[MarketTicker] = set()
        """Markets whose last word to the engine was a quote."""

    def forget(self, tickers: Iterable[MarketTicker]) -> None:
        """Drop the books of markets that are not watched any more."""
        for ticker in tickers:
            self.books.pop(ticker, None)
            self._trusted.discard(ticker)

    def unsynced(self) -> tuple[MarketTicker, ...]:
        """Markets that wait for a snapshot."""
        return tuple(ticker for ticker, book in self.books.items() if book.needs_snapshot)

    def translate(self, event: FeedEvent) -> tuple[Event, ...]:
        """What this message means to the engine, in order. Usually nothing."""
        told: tuple[Event, ...] = ()
        match event:
            case BookDelta():
                told = self._on_delta(event)
            case BookSnapshot():
                told = self._on_snapshot(event)
            case FeedAlive():
                told = (FeedHeard(received_us=event.received_us),)
            case TickerUpdate() | PublicTrade():
                pass
            case FeedUp():
                told = (FeedConnected(received_us=event.received_us),)
            case FeedDown() | FeedGap():
                told = self._on_trouble(event)
            case OwnFill() | OwnOrder() | MarketLifecycle() | OrderGroupChanged():
                told = _own_or_lifecycle(event)
            case _:
                assert_never(event)
        return told

    def _on_delta(self, delta: BookDelta) -> tuple[Event, ...]:
        book = self._book(delta.ticker)
        if not book.apply_delta(delta):
            return ()
        return self._announce(book, delta.received_us, "book does not add up")

    def _on_snapshot(self, snapshot: BookSnapshot) -> tuple[Event, ...]:
        book = self._book(snapshot.ticker)
        book.apply_snapshot(snapshot)
        return self._announce(book, snapshot.received_us, "snapshot is crossed")

    def _announce(self, book: OrderBook, received_us: int, reason: str) -> tuple[Event, ...]:
        if book.is_trusted:
            self._trusted.add(book.ticker)
            return (QuoteChanged(received_us=received_us, quote=book.quote(received_us)),)
        return self._distrust((book.ticker,), reason, received_us)

    def _on_trouble(self, event: FeedDown | FeedGap) -> tuple[Event, ...]:
        tickers = event.tickers if isinstance(event, FeedGap) else tuple(self.books)
        for ticker in tickers:
            self._book(ticker).distrust()
        told = self._distrust(tickers, event.reason, event.received_us)
        if isinstance(event, FeedDown):
            return (*told, FeedLost(received_us=event.received_us, reason=event.reason))
        return told

    def _distrust(
        self, tickers: Iterable[MarketTicker], reason: str, received_us: int
    ) -> tuple[Event, ...]:
        lost = tuple(ticker for ticker in tickers if ticker in self._trusted)
        if not lost:
            return ()
        self._trusted.difference_update(lost)
        return (BooksDistrusted(received_us=received_us, tickers=lost, reason=reason),)

    def _book(self, ticker: MarketTicker) -> OrderBook:
        book = self.books.get(ticker)
        if book is None:
            book = self.books[ticker] = OrderBook(ticker)
        return book


def _own_or_lifecycle(
    event: OwnFill | OwnOrder | MarketLifecycle | OrderGroupChanged,
) -> tuple[Event, ...]:
    match event:
        case OwnFill():
            return (
                FillReported(
                    received_us=event.received_us,
                    fill=event.fill,
                    client_order_id=event.client_order_id,
                ),
            )
        case OwnOrder():
            return (OrderReported(received_us=event.received_us, order=event.order),)
        case MarketLifecycle():
            return (
                MarketPhaseChanged(
                    received_us=event.received_us,
                    ticker=event.ticker,
                    status=_STATUS_OF_KIND.get(event.kind),
                    close_us=event.close_us,
                    value=_settlement_value(event),
                ),
            )
        case OrderGroupChanged():
            if event.kind != _TRIGGERED:
                return ()
            return (
                OrderGroupTripped(
                    received_us=event.received_us, order_group_id=event.order_group_id
                ),
            )
        case _:
            assert_never(event)


def _settlement_value(event: MarketLifecycle) -> Price | None:
    """What a YES contract pays, where the message says so beyond doubt."""
    if event.settlement_value:
        try:
            return parse_price(event.settlement_value)
        except InvalidAmount:
            return None
    return {"yes": PAYOUT, "no": Price(0)}.get(event.result or "")
