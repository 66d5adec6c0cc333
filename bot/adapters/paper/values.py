"""Between listeners and values: what a stream tells as events that can wait, and back."""

from collections.abc import Callable

from bot.domain.ids import MarketTicker
from bot.domain.money import Price, Quantity
from bot.domain.orders import BookSide
from bot.domain.quotes import BookDelta, BookSnapshot
from bot.ports.exchange import FeedDown, FeedEvent, FeedGap, FeedListener, FeedNews, TakesChange


class AsValues:
    """A listener that hands on everything as one value after the other."""

    def __init__(self, take: Callable[[FeedEvent], None]) -> None:
        self._take = take

    def book(self, snapshot: BookSnapshot) -> TakesChange:
        """See :meth:`FeedListener.book`."""
        self._take(snapshot)

        def change(
            side: BookSide,
            price: Price,
            change: Quantity,
            received_us: int,
            exchange_us: int | None,
        ) -> None:
            self._take(BookDelta(snapshot.ticker, side, price, change, received_us, exchange_us))

        return change

    def news(self, event: FeedNews) -> None:
        """See :meth:`FeedListener.news`."""
        self._take(event)


class FromValues:
    """Tells a listener what values say."""

    def __init__(self, listener: FeedListener) -> None:
        self._listener = listener
        self._takers: dict[MarketTicker, TakesChange] = {}

    def tell(self, event: FeedEvent) -> None:
        """One value. A change of a book that is not known is nobody's."""
        match event:
            case BookDelta():
                take = self._takers.get(event.ticker)
                if take is not None:
                    stamps = event.received_us, event.exchange_us
                    take(event.side, event.price, event.change, *stamps)
                return
            case BookSnapshot():
                self._takers[event.ticker] = self._listener.book(event)
                return
            case FeedDown():
                self._takers.clear()
            case FeedGap():
                for ticker in event.tickers:
                    self._takers.pop(ticker, None)
            case _:
                pass
        self._listener.news(event)
