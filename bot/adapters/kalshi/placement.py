"""Which subscription holds which market: books in bounded ones, tickers and trades in one. Pure."""

from collections.abc import Iterable, Iterator

from bot.adapters.kalshi.settings import SessionSettings
from bot.adapters.kalshi.subscriptions import Channel, Subscription
from bot.domain.ids import MarketTicker


class Placement:
    """The subscriptions of one connection."""

    def __init__(self, settings: SessionSettings) -> None:
        self._room_max = settings.markets_per_subscription
        self._wants_books = settings.wants_books
        self.subscriptions = [Subscription(channel) for channel in _channels(settings)]
        self.by_ticker: dict[MarketTicker, Subscription] = {}
        """Whose book is where."""

    def place(self, tickers: Iterable[MarketTicker]) -> None:
        """Put new markets where there is room."""
        tickers = list(tickers)
        if self._wants_books:
            self._place_books(tickers)
        for subscription in self._per_market():
            subscription.wanted.update(tickers)

    def _place_books(self, tickers: Iterable[MarketTicker]) -> None:
        books = [one for one in self.subscriptions if one.channel is Channel.BOOK]
        open_books = [one for one in books if one.wanted and len(one.wanted) < self._room_max]
        for ticker in tickers:
            if ticker in self.by_ticker:
                continue
            if not open_books:
                fresh = Subscription(Channel.BOOK)
                self.subscriptions.append(fresh)
                open_books.append(fresh)
            place = open_books[-1]
            place.add(ticker)
            self.by_ticker[ticker] = place
            if len(place.wanted) >= self._room_max:
                open_books.pop()

    def drop(self, tickers: Iterable[MarketTicker]) -> None:
        """These markets are not wanted any more."""
        tickers = list(tickers)
        for ticker in tickers:
            place = self.by_ticker.pop(ticker, None)
            if place is not None:
                place.remove(ticker)
        for subscription in self._per_market():
            for ticker in tickers:
                subscription.remove(ticker)

    def merge(self, asked: Subscription, owner: Subscription) -> None:
        """The venue has merged one into another."""
        owner.absorb(asked)
        self.subscriptions.remove(asked)
        for ticker in asked.wanted:
            self.by_ticker[ticker] = owner

    def _per_market(self) -> Iterator[Subscription]:
        kinds = (Channel.TICKER, Channel.TRADE)
        return (one for one in self.subscriptions if one.channel in kinds)


def _channels(settings: SessionSettings) -> list[Channel]:
    channels = [Channel.LIFECYCLE, Channel.TICKER]
    if settings.wants_trades:
        channels.append(Channel.TRADE)
    if settings.wants_private:
        # Ours first: nothing of the account may be missed while books are loading.
        channels = [Channel.FILL, Channel.ORDERS, Channel.GROUPS, *channels]
    return channels
