"""The book of one market, kept from a snapshot and its deltas, best prices always at hand.

It refuses to be believed after anything it cannot explain: a delta without a
snapshot, a lost message, a level below zero. A new snapshot restores it. A
crossed book is not believed while it is crossed. Two dicts with cached bests
work for every price grid and cost less than a sorted structure, because most
deltas do not touch the best level.
"""

from collections.abc import Callable
from typing import TypeAlias

from bot.domain.ids import MarketTicker
from bot.domain.money import PAYOUT, Price, Quantity
from bot.domain.orders import BookSide
from bot.domain.quotes import BookLevel, BookSnapshot, Quote

_NO_BID = 0
_NO_ASK = int(PAYOUT)
"""No order can rest at $0 or $1, so both stand for an empty side."""
TopChanged: TypeAlias = Callable[["OrderBook", int, int | None], None]
"""Told of a book, of ``received_us`` and, where there was one, of ``exchange_ms`` of the change."""


class OrderBook:
    """A maintained book. Untrusted until its first snapshot."""

    __slots__ = (
        "_asks",
        "_bids",
        "_is_synced",
        "_top_changed",
        "best_ask",
        "best_bid",
        "ticker",
    )

    def __init__(self, ticker: MarketTicker, top_changed: TopChanged) -> None:
        """``top_changed`` is told whenever a change may have changed a best price or its size."""
        self.ticker = ticker
        self._top_changed = top_changed
        self.best_bid = _NO_BID
        self.best_ask = _NO_ASK
        self._bids: dict[int, int] = {}
        self._asks: dict[int, int] = {}
        self._is_synced = False

    @property
    def is_trusted(self) -> bool:
        """Whether every message since a snapshot was seen and the sides do not meet."""
        return self._is_synced and self.best_bid < self.best_ask

    @property
    def needs_snapshot(self) -> bool:
        """Whether only a new snapshot can restore trust."""
        return not self._is_synced

    def distrust(self) -> None:
        """Forget the levels: a message was lost."""
        self._bids.clear()
        self._asks.clear()
        self.best_bid = _NO_BID
        self.best_ask = _NO_ASK
        self._is_synced = False

    def apply_snapshot(self, snapshot: BookSnapshot) -> None:
        """Replace everything."""
        self._bids = {level.price: level.quantity for level in snapshot.bids if level.quantity > 0}
        self._asks = {level.price: level.quantity for level in snapshot.asks if level.quantity > 0}
        self.best_bid = max(self._bids, default=_NO_BID)
        self.best_ask = min(self._asks, default=_NO_ASK)
        self._is_synced = True

    def change_bid(
        self, price: Price, change: Quantity, received_us: int, exchange_ms: int | None
    ) -> None:
        """See :meth:`KeptBook.change_bid`."""
        if not self._is_synced:
            return
        levels = self._bids
        size = levels.get(price, 0) + change
        if size <= 0:
            if not self._empty_bid(price, size):
                return
        else:
            levels[price] = size
            if price < self.best_bid:
                return
            self.best_bid = price
        tell = self._top_changed
        tell(self, received_us, exchange_ms)

    def change_ask(
        self, price: Price, change: Quantity, received_us: int, exchange_ms: int | None
    ) -> None:
        """See :meth:`KeptBook.change_ask`."""
        if not self._is_synced:
            return
        levels = self._asks
        size = levels.get(price, 0) + change
        if size <= 0:
            if not self._empty_ask(price, size):
                return
        else:
            levels[price] = size
            if price > self.best_ask:
                return
            self.best_ask = price
        tell = self._top_changed
        tell(self, received_us, exchange_ms)

    def quote(self, received_us: int) -> Quote:
        """The top of the book, whatever its trust."""
        bid, ask = self.best_bid, self.best_ask
        return Quote(
            ticker=self.ticker,
            bid=Price(bid) if bid != _NO_BID else None,
            ask=Price(ask) if ask != _NO_ASK else None,
            bid_size=Quantity(self._bids.get(bid, 0)),
            ask_size=Quantity(self._asks.get(ask, 0)),
            received_us=received_us,
        )

    def levels(self, side: BookSide) -> tuple[BookLevel, ...]:
        """One side, best first."""
        book, is_bid = (self._bids, True) if side is BookSide.BID else (self._asks, False)
        return tuple(
            BookLevel(Price(price), Quantity(book[price])) for price in sorted(book, reverse=is_bid)
        )

    def _empty_bid(self, price: int, size: int) -> bool:
        self._bids.pop(price, None)
        if size < 0:
            self.distrust()
            return True
        if price != self.best_bid:
            return False
        self.best_bid = max(self._bids, default=_NO_BID)
        return True

    def _empty_ask(self, price: int, size: int) -> bool:
        self._asks.pop(price, None)
        if size < 0:
            self.distrust()
            return True
        if price != self.best_ask:
            return False
        self.best_ask = min(self._asks, default=_NO_ASK)
        return True
