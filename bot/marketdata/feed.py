"""From the live stream to engine events: books kept, tops forwarded, trust announced.

A quote leaves here only when the top changed or trust came back, so a busy book
deep down costs the engine nothing; and at the end of a read, so however often it
brought changes of one market. Public trades and ticker summaries are for the
recorder; the engine decides on books.
"""

from collections.abc import Callable, Iterable
from typing import Protocol, assert_never

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
from bot.domain.quotes import BookSnapshot, PublicTrade, TickerUpdate
from bot.marketdata.agreement import BookAgreement
from bot.marketdata.book import OrderBook
from bot.ports.exchange import (
    FeedAlive,
    FeedDown,
    FeedGap,
    FeedNews,
    FeedUp,
    KeptBook,
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


class Reader(Protocol):
    """Who reads the events, and can be asked to do so now."""

    def gather(self, event: Event) -> None:
        """Take an event without being woken: ``turn`` follows at once."""
        ...

    def turn(self) -> None:
        """Deal with what was gathered, here and now."""
        ...


class FeedTranslator:
    """Implements ``FeedListener``: holds the books, tells the engine what it must know."""

    def __init__(
        self,
        submit: Callable[[Event], None],
        refresh: Callable[[tuple[MarketTicker, ...]], None],
        reader: Reader | None = None,
    ) -> None:
        """``refresh`` asks the feed for a book whose changes do not add up."""
        self._submit = submit
        self._quoted: Callable[[Event], None] = submit
        self._turn: Callable[[], None] = _nothing
        if reader is not None:
            self.read_by(reader)
        self._refresh = refresh
        self._changed: dict[OrderBook, int] = {}
        """Books with another top since the last read, and when that was received."""
        self.books: dict[MarketTicker, OrderBook] = {}
        self.agreement = BookAgreement()
        self._trusted: set[MarketTicker] = set()
        """Markets whose last word to the engine was a quote."""

    def read_by(self, reader: Reader) -> None:
        """Who reads what is submitted, and so need not be woken at the end of a read."""
        self._quoted, self._turn = reader.gather, reader.turn

    def forget(self, tickers: Iterable[MarketTicker]) -> None:
        """Drop the books of markets that are not watched any more."""
        for ticker in tickers:
            book = self.books.pop(ticker, None)
            if book is not None:
                # The stream may still hold who takes its changes.
                book.distrust()
                self.agreement.book_changed(book, None)
            self._trusted.discard(ticker)

    def unsynced(self) -> tuple[MarketTicker, ...]:
        """Markets that wait for a snapshot."""
        return tuple(ticker for ticker, book in self.books.items() if book.needs_snapshot)

    def book(self, snapshot: BookSnapshot) -> KeptBook:
        """See :meth:`FeedListener.book`."""
        book = self._book(snapshot.ticker)
        book.apply_snapshot(snapshot)
        self.agreement.book_changed(book, None)
        self._announce(book, snapshot.received_us, "snapshot is crossed")
        return book

    def news(self, event: FeedNews) -> None:
        """See :meth:`FeedListener.news`."""
        match event:
            case FeedAlive():
                self._submit(FeedHeard(received_us=event.received_us))
            case TickerUpdate():
                self.agreement.ticker(event)
            case PublicTrade():
                pass
            case FeedUp():
                self._submit(FeedConnected(received_us=event.received_us))
            case FeedDown() | FeedGap():
                self._on_trouble(event)
            case OwnFill() | OwnOrder() | MarketLifecycle() | OrderGroupChanged():
                for told in _own_or_lifecycle(event):
                    self._submit(told)
            case _:
                assert_never(event)

    def read_ended(self) -> None:
        """See :meth:`FeedListener.read_ended`."""
        changed = self._changed
        if changed:
            self._changed = {}
            for book, received_us in changed.items():
                # One that is not trusted any more has been told of already.
                if book.is_trusted:
                    self._trusted.add(book.ticker)
                    quote = book.quote(received_us)
                    self._quoted(QuoteChanged(received_us=received_us, quote=quote))
        self._turn()

    def _top_changed(self, book: OrderBook, received_us: int, exchange_ms: int | None) -> None:
        exchange_us = None if exchange_ms is None else exchange_ms * 1_000
        self.agreement.book_changed(book, exchange_us)
        if book.is_trusted:
            self._changed[book] = received_us
            return
        self._announce(book, received_us, "book does not add up")
        if book.needs_snapshot:
            # The change was wrong for its book. The feed has lost nothing and cannot know.
            self._refresh((book.ticker,))

    def _announce(self, book: OrderBook, received_us: int, reason: str) -> None:
        if book.is_trusted:
            self._trusted.add(book.ticker)
            self._submit(QuoteChanged(received_us=received_us, quote=book.quote(received_us)))
        else:
            self._distrust((book.ticker,), reason, received_us)

    def _on_trouble(self, event: FeedDown | FeedGap) -> None:
        tickers = event.tickers if isinstance(event, FeedGap) else tuple(self.books)
        for ticker in tickers:
            book = self._book(ticker)
            book.distrust()
            self.agreement.book_changed(book, None)
        self._distrust(tickers, event.reason, event.received_us)
        if isinstance(event, FeedDown):
            self._submit(FeedLost(received_us=event.received_us, reason=event.reason))

    def _distrust(self, tickers: Iterable[MarketTicker], reason: str, received_us: int) -> None:
        lost = tuple(ticker for ticker in tickers if ticker in self._trusted)
        if lost:
            self._trusted.difference_update(lost)
            self._submit(BooksDistrusted(received_us=received_us, tickers=lost, reason=reason))

    def _book(self, ticker: MarketTicker) -> OrderBook:
        book = self.books.get(ticker)
        if book is None:
            book = self.books[ticker] = OrderBook(ticker, self._top_changed)
        return book


def _nothing() -> None:
    """Nobody waits for the end of a read."""


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
