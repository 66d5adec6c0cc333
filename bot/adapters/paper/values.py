"""Between listeners and values: what a stream tells as events that can wait, and back."""

from collections.abc import Callable

from bot.domain.ids import MarketTicker
from bot.domain.money import Price, Quantity
from bot.domain.orders import BookSide
from bot.domain.quotes import BookDelta, BookSnapshot
from bot.ports.exchange import FeedDown, FeedEvent, FeedGap, FeedListener, FeedNews, KeptBook


class AsValues:
    """A listener that hands on everything as one value after the other."""

    def __init__(self, take: Callable[[FeedEvent], None]) -> None:
        self._take = take

    def book(self, snapshot: BookSnapshot) -> KeptBook:
        """See :meth:`FeedListener.book`."""
        self._take(snapshot)
        return _Changes(snapshot.ticker, self._take)

    def news(self, event: FeedNews) -> None:
        """See :meth:`FeedListener.news`."""
        self._take(event)

    def read_ended(self) -> None:
        """See :meth:`FeedListener.read_ended`: each value stands alone."""


class _Changes:
    """A book that is not kept: its changes are handed on."""

    def __init__(self, ticker: MarketTicker, take: Callable[[FeedEvent], None]) -> None:
        self._ticker = ticker
        self._take = take

    def change_bid(
        self, price: Price, change: Quantity, received_us: int, exchange_ms: int | None
    ) -> None:
        """See :meth:`KeptBook.change_bid`."""
        self._change(BookSide.BID, price, change, received_us, exchange_ms)

    def change_ask(
        self, price: Price, change: Quantity, received_us: int, exchange_ms: int | None
    ) -> None:
        """See :meth:`KeptBook.change_ask`."""
        self._change(BookSide.ASK, price, change, received_us, exchange_ms)

    def _change(
        self,
        side: BookSide,
        price: Price,
        change: Quantity,
        received_us: int,
        exchange_ms: int | None,
    ) -> None:
        stamp_us = None if exchange_ms is None else exchange_ms * 1_000
        self._take(BookDelta(self._ticker, side, price, change, received_us, stamp_us))


class FromValues:
    """Tells a listener what values say, each as if one read had brought no more."""

    def __init__(self, listener: FeedListener) -> None:
        self._listener = listener
        self._books: dict[MarketTicker, KeptBook] = {}

    def tell(self, event: FeedEvent) -> None:
        """One value. A change of a book that is not known is nobody's."""
        self._tell(event)
        self._listener.read_ended()

    def _tell(self, event: FeedEvent) -> None:
        match event:
            case BookDelta():
                book = self._books.get(event.ticker)
                if book is not None:
                    stamp_us = event.exchange_us
                    stamp_ms = None if stamp_us is None else stamp_us // 1_000
                    change = book.change_bid if event.side is BookSide.BID else book.change_ask
                    change(event.price, event.change, event.received_us, stamp_ms)
                return
            case BookSnapshot():
                self._books[event.ticker] = self._listener.book(event)
                return
            case FeedDown():
                self._books.clear()
            case FeedGap():
                for ticker in event.tickers:
                    self._books.pop(ticker, None)
            case _:
                pass
        self._listener.news(event)
