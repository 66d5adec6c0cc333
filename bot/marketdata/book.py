"""The book of one market, kept from a snapshot and its deltas, best prices always at hand.

It refuses to be believed after anything it cannot explain: a delta without a
snapshot, a lost message, a level below zero. A new snapshot restores it. A
crossed book is not believed while it is crossed. Two dicts with cached bests
work for every price grid and cost less than a sorted structure, because most
deltas do not touch the best level.
"""

from bot.domain.ids import MarketTicker
from bot.domain.money import PAYOUT, Price, Quantity
from bot.domain.orders import BookSide
from bot.domain.quotes import BookLevel, BookSnapshot, Quote

_NO_BID = 0
_NO_ASK = int(PAYOUT)
"""No order can rest at $0 or $1, so both stand for an empty side."""
# Looked up once: reading a member of an enumeration costs as much as changing a level.
_BID = BookSide.BID


class OrderBook:
    """A maintained book. Untrusted until its first snapshot."""

    __slots__ = ("_asks", "_bids", "_is_synced", "best_ask", "best_bid", "ticker", "updated_us")

    def __init__(self, ticker: MarketTicker) -> None:
        self.ticker = ticker
        self.best_bid = _NO_BID
        self.best_ask = _NO_ASK
        self.updated_us = 0
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
        self.updated_us = snapshot.received_us
        self._is_synced = True

    def change(self, side: BookSide, price: Price, change: Quantity, received_us: int) -> bool:
        """Change one level. Returns whether the top (a best price or its size) may differ."""
        if not self._is_synced:
            return False
        self.updated_us = received_us
        if side is _BID:
            levels = self._bids
            size = levels.get(price, 0) + change
            if size <= 0:
                return self._empty_bid(price, size)
            levels[price] = size
            is_top = price >= self.best_bid
            if is_top:
                self.best_bid = price
            return is_top
        levels = self._asks
        size = levels.get(price, 0) + change
        if size <= 0:
            return self._empty_ask(price, size)
        levels[price] = size
        is_top = price <= self.best_ask
        if is_top:
            self.best_ask = price
        return is_top

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
