"""What the engine knows of each market now: terms, phase, quote, trust."""

from dataclasses import dataclass

from bot.domain.events import BooksDistrusted, MarketPhaseChanged, MarketsDropped, MarketsListed
from bot.domain.ids import MarketTicker
from bot.domain.listing import Listing
from bot.domain.market import MarketStatus
from bot.domain.money import Price
from bot.domain.quotes import Quote


@dataclass(slots=True)
class MarketNow:
    """One market. ``quote`` is the last trusted one and may be old: see ``is_trusted``.

    ``mark`` is the last quote of the open market with anyone in it: what a position is
    valued at when there is no better word. The book that empties at the close is none.
    """

    listing: Listing
    status: MarketStatus
    close_us: int
    quote: Quote | None = None
    is_trusted: bool = False
    distrusted_us: int = 0
    mark: Quote | None = None
    value: Price | None = None
    """What a YES contract pays, once determined."""

    def is_open(self, now_us: int) -> bool:
        """Whether orders can trade here, the exchange itself being open."""
        return self.status is MarketStatus.ACTIVE and now_us < self.close_us

    @property
    def live_quote(self) -> Quote | None:
        """The quote, if it may be acted on."""
        return self.quote if self.is_trusted else None


class Markets:
    """Every listed market."""

    def __init__(self) -> None:
        self.by_ticker: dict[MarketTicker, MarketNow] = {}

    def get(self, ticker: MarketTicker) -> MarketNow | None:
        """One market, if it is listed."""
        return self.by_ticker.get(ticker)

    def listed(self, event: MarketsListed) -> None:
        """Take new terms; what the stream said of a market's phase is newer and stays."""
        for listing in event.listings:
            market = listing.market
            known = self.by_ticker.get(market.ticker)
            if known is None:
                self.by_ticker[market.ticker] = MarketNow(
                    listing=listing,
                    status=market.status,
                    close_us=market.close_us,
                    distrusted_us=event.received_us,
                )
                continue
            if (
                market.updated_us != known.listing.market.updated_us
                or market != known.listing.market
            ):
                known.status, known.close_us = market.status, market.close_us
            known.listing = listing

    def dropped(self, event: MarketsDropped, kept: frozenset[MarketTicker]) -> None:
        """Forget markets, but for those we hold something in."""
        for ticker in event.tickers:
            if ticker not in kept:
                self.by_ticker.pop(ticker, None)

    def quoted(self, quote: Quote, now_us: int) -> MarketNow | None:
        """A new top of a trusted book."""
        market = self.by_ticker.get(quote.ticker)
        if market is not None:
            market.quote, market.is_trusted = quote, True
            is_empty = quote.bid is None and quote.ask is None
            if not is_empty and market.is_open(now_us):
                market.mark = quote
        return market

    def distrusted(self, event: BooksDistrusted) -> None:
        """These books are wrong for now."""
        for ticker in event.tickers:
            self._distrust(self.by_ticker.get(ticker), event.received_us)

    def all_distrusted(self, now_us: int) -> None:
        """The stream is lost: every book is wrong for now."""
        for market in self.by_ticker.values():
            self._distrust(market, now_us)

    def phase(self, event: MarketPhaseChanged) -> None:
        """The venue moved a market on."""
        market = self.by_ticker.get(event.ticker)
        if market is None:
            return
        if event.status is not None:
            market.status = event.status
        if event.close_us is not None:
            market.close_us = event.close_us
        if event.value is not None:
            market.value = event.value

    def trust(self, now_us: int) -> tuple[int, int]:
        """How many books of open markets are not trusted, and how many open markets there are."""
        watched = [market for market in self.by_ticker.values() if market.is_open(now_us)]
        return sum(not market.is_trusted for market in watched), len(watched)

    def _distrust(self, market: MarketNow | None, now_us: int) -> None:
        if market is not None and market.is_trusted:
            market.is_trusted = False
            market.distrusted_us = now_us
