"""One market's live state. Its book and statistics are made when first needed.

Thousands of listed markets never trade; they cost a few hundred bytes each.
"""

from collections import deque
from typing import TYPE_CHECKING

from bot.domain.market import FeeTerms, MarketStatus, PriceGrid
from bot.domain.money import Price, Quantity
from bot.domain.quotes import PublicTrade
from bot.venue.book import Book
from bot.venue.fees import STANDARD_FEES
from bot.venue.markets import MarketResult, MarketTerms, MarketView
from bot.venue.orders import WorkingOrder

if TYPE_CHECKING:
    from bot.venue.accounts import AccountId

_HOUR_US = 3_600_000_000
_HOURS = 24


class MarketState:
    """Status, book and statistics of one market."""

    __slots__ = (
        "_book",
        "_hours",
        "clock",
        "close_us",
        "determined_us",
        "fees",
        "grid",
        "holders",
        "last_price",
        "last_size",
        "open_interest",
        "result",
        "settle_due_us",
        "settled_us",
        "settlement_value",
        "status",
        "terms",
        "trades",
        "updated_us",
        "volume",
    )

    def __init__(self, terms: MarketTerms, now_us: int) -> None:
        self.terms = terms
        self.status = MarketStatus.INITIALIZED
        self.grid: PriceGrid = terms.grid
        self.fees: FeeTerms = terms.fees
        self.close_us = terms.close_us
        self.clock = 0
        self.last_price: Price | None = None
        self.last_size = Quantity(0)
        self.volume = 0
        self.open_interest = 0
        self.result: MarketResult | None = None
        self.settlement_value: Price | None = None
        self.determined_us: int | None = None
        self.settle_due_us: int | None = None
        self.settled_us: int | None = None
        self.updated_us = now_us
        self.holders: dict[AccountId, None] = {}
        self.trades: deque[PublicTrade] | None = None
        self._book: Book | None = None
        self._hours: deque[tuple[int, int]] | None = None

    @property
    def book(self) -> Book:
        """The book, empty at first."""
        if self._book is None:
            self._book = Book()
        return self._book

    @property
    def is_before_close(self) -> bool:
        """Whether its resting orders may still be canceled."""
        return self.status in (MarketStatus.ACTIVE, MarketStatus.INACTIVE)

    def resting_orders(self) -> list[WorkingOrder]:
        """Every resting order of both sides."""
        if self._book is None:
            return []
        return [*self._book.bids.orders(), *self._book.asks.orders()]

    def fees_at(self, now_us: int) -> FeeTerms:
        """The fee terms of a fill now; nothing is due while a waiver lasts."""
        if now_us < self.terms.fee_waiver_until_us:
            return FeeTerms(fee_type=STANDARD_FEES.fee_type, multiplier_e6=0)
        return self.fees

    def count_trade(self, price: Price, quantity: Quantity, now_us: int) -> None:
        """Count a match into last price and volumes."""
        self.last_price = price
        self.last_size = quantity
        self.volume += quantity
        hour = now_us // _HOUR_US
        if self._hours is None:
            self._hours = deque(maxlen=_HOURS)
        if self._hours and self._hours[-1][0] == hour:
            _, counted = self._hours.pop()
            quantity = Quantity(quantity + counted)
        self._hours.append((hour, quantity))

    def keep_trade(self, trade: PublicTrade, kept_max: int) -> None:
        """Remember a public trade, dropping the oldest beyond ``kept_max``."""
        if self.trades is None:
            self.trades = deque(maxlen=kept_max)
        self.trades.append(trade)

    def volume_24h(self, now_us: int) -> Quantity:
        """Contracts of the running hour and the 23 before it."""
        oldest = now_us // _HOUR_US - _HOURS + 1
        return Quantity(sum(count for hour, count in self._hours or () if hour >= oldest))

    def view(self, now_us: int) -> MarketView:
        """A frozen picture of the market now."""
        book = self._book
        return MarketView(
            ticker=self.terms.ticker,
            event_ticker=self.terms.event_ticker,
            exchange_index=self.terms.exchange_index,
            status=self.status,
            grid=self.grid,
            fees=self.fees,
            open_us=self.terms.open_us,
            close_us=self.close_us,
            settlement_timer_us=self.terms.settlement_timer_us,
            yes_bid=book.bids.best() if book else None,
            yes_ask=book.asks.best() if book else None,
            yes_bid_size=book.bids.best_size() if book else Quantity(0),
            yes_ask_size=book.asks.best_size() if book else Quantity(0),
            last_price=self.last_price,
            last_size=self.last_size,
            volume=Quantity(self.volume),
            volume_24h=self.volume_24h(now_us),
            open_interest=Quantity(self.open_interest),
            clock=self.clock,
            result=self.result,
            settlement_value=self.settlement_value,
            determined_us=self.determined_us,
            settled_us=self.settled_us,
            updated_us=self.updated_us,
        )
