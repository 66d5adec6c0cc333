"""One market's displayed book, and what we have taken of it.

The real book does not notice our trades. What we took is therefore remembered
for each level: it is not there a second time until the level is gone or has
grown, and growth counts only for its own size.
"""

from bot.domain.money import Price, Quantity
from bot.domain.orders import BookSide
from bot.domain.quotes import BookDelta, BookLevel, BookSnapshot


class Depth:
    """Untrusted until its first snapshot, after a loss, and while its sides meet."""

    __slots__ = ("_is_synced", "_levels", "_taken")

    def __init__(self) -> None:
        self._is_synced = False
        self._levels: dict[BookSide, dict[Price, int]] = {side: {} for side in BookSide}
        self._taken: dict[tuple[BookSide, Price], int] = {}

    @property
    def is_trusted(self) -> bool:
        """Whether this is the market's book as far as anyone can know."""
        bids, asks = self._levels[BookSide.BID], self._levels[BookSide.ASK]
        return self._is_synced and not (bids and asks and max(bids) >= min(asks))

    def distrust(self) -> None:
        """A message was lost."""
        self._is_synced = False

    def apply_snapshot(self, snapshot: BookSnapshot) -> None:
        """Replace the levels; what we took stays taken where the level is still there."""
        self._levels = {
            BookSide.BID: {level.price: level.quantity for level in snapshot.bids},
            BookSide.ASK: {level.price: level.quantity for level in snapshot.asks},
        }
        for side, price in list(self._taken):
            self._cap(side, price)
        self._is_synced = True

    def apply_delta(self, delta: BookDelta) -> None:
        """Change one level; one below zero means that a message was lost."""
        if not self._is_synced:
            return
        levels = self._levels[delta.side]
        size = levels.get(delta.price, 0) + delta.change
        if size > 0:
            levels[delta.price] = size
        else:
            levels.pop(delta.price, None)
            self._is_synced = size == 0
        self._cap(delta.side, delta.price)

    def size(self, side: BookSide, price: Price) -> Quantity:
        """What is displayed at a price."""
        return Quantity(self._levels[side].get(price, 0))

    def available(
        self, side: BookSide, limit: Price, *, is_limit_included: bool = True
    ) -> tuple[BookLevel, ...]:
        """Levels of ``side`` that someone with this limit could still take, best first."""
        sign = 1 if side is BookSide.ASK else -1
        margin = 0 if is_limit_included else 1
        met = sorted(
            (price for price in self._levels[side] if (limit - price) * sign >= margin),
            key=lambda price: price * sign,
        )
        left = [(price, self._left(side, price)) for price in met]
        return tuple(BookLevel(price, Quantity(size)) for price, size in left if size > 0)

    def take(self, side: BookSide, price: Price, quantity: Quantity) -> None:
        """Remember that we took this."""
        self._taken[side, price] = self._taken.get((side, price), 0) + quantity
        self._cap(side, price)

    def _left(self, side: BookSide, price: Price) -> int:
        return self._levels[side][price] - self._taken.get((side, price), 0)

    def _cap(self, side: BookSide, price: Price) -> None:
        if (side, price) not in self._taken:
            return
        kept = min(self._taken[side, price], self._levels[side].get(price, 0))
        if kept > 0:
            self._taken[side, price] = kept
        else:
            del self._taken[side, price]
