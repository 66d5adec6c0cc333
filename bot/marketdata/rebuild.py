"""Order books of the past, from whole books and the changes after them.

A book is unknown, ``None``, rather than wrong: from a lost connection, a lost message, a
refused batch or a change that was not stored until the next whole book.
"""

from collections.abc import Iterable, Sequence

from bot.domain.ids import MarketTicker
from bot.domain.quotes import BookSnapshot
from bot.marketdata.book import OrderBook
from bot.ports.stream import REFUSED, BookChange, BookStart, GapReason, StreamGap, StreamReads

_ENDS_EVERY_BOOK = frozenset({GapReason.RESTART, GapReason.DISCONNECTED})


async def rebuilt(reads: StreamReads, ticker: MarketTicker, at_us: int) -> OrderBook | None:
    """The book of a market at a moment of our clock."""
    chain = await reads.book_chain(ticker, at_us)
    if chain is None:
        return None
    start, changes = chain
    gaps = await reads.gaps(start.snapshot_us, at_us)
    return book_at(start, changes, gaps, at_us)


def book_at(
    start: BookStart, changes: Sequence[BookChange], gaps: Iterable[StreamGap], at_us: int
) -> OrderBook | None:
    """A whole book with its changes. Of the gaps those count that began after it."""
    if any(_ends(gap, start, at_us) for gap in gaps):
        return None
    book = OrderBook(start.ticker, _nobody)
    book.apply_snapshot(
        BookSnapshot(
            ticker=start.ticker,
            bids=start.bids,
            asks=start.asks,
            received_us=start.snapshot_us,
        )
    )
    for expected, change in enumerate(changes, start=1):
        if change.change_no != expected:
            return None
        take = book.change_bid if change.is_bid else book.change_ask
        take(change.price, change.change, change.received_us, None)
    return book


def _ends(gap: StreamGap, start: BookStart, at_us: int) -> bool:
    """Whether nothing is known of the book any more."""
    if not start.snapshot_us <= gap.from_us < at_us:
        return False
    if gap.ticker is not None:
        return gap.ticker == start.ticker
    # Nobody knows whose changes were in a batch that was refused, nor whether a whole book was.
    return gap.reason in _ENDS_EVERY_BOOK or gap.detail.startswith(REFUSED)


def _nobody(_book: OrderBook, _received_us: int, _exchange_ms: int | None) -> None:
    """Nobody decides on the past."""
