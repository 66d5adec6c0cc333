"""A venue full of books. As a program: how many megabytes those of 5,000 markets take."""

import resource
import sys
from random import Random
from uuid import UUID

from bot.domain.ids import EventTicker, MarketTicker
from bot.domain.market import CENT_GRID
from bot.domain.money import Price, Quantity
from bot.domain.orders import BookSide
from bot.kit.times import DAY_US
from bot.venue.accounts import AccountId, AccountTerms
from bot.venue.markets import MarketTerms
from bot.venue.orders import OrderReceipt, OrderRequest
from bot.venue.venue import Venue

MARKETS = 5_000
HOUSE = (AccountId("house-a"), AccountId("house-b"))
_LEVELS = 20
_KIB = 1_024
_MIDDLE = 4_900


def order(ticker: MarketTicker, side: BookSide, price: int) -> OrderRequest:
    """One contract."""
    return OrderRequest(ticker=ticker, side=side, price=Price(price), quantity=Quantity(100))


def filled_venue(markets: int, *, levels: int) -> tuple[Venue, list[MarketTicker]]:
    """Markets whose books have so many levels on each side, an order on each."""
    random = Random(1)  # noqa: S311 - repeatable ids

    def new_id() -> str:
        return str(UUID(int=random.getrandbits(128), version=4))

    venue = Venue(new_id=new_id)
    for account in HOUSE:
        terms = AccountTerms(account=account, checks_funds=False, keeps_records=False)
        venue.open_account(terms, 0)
    tickers = [MarketTicker(f"KXBENCH-26DEC31-T{number}") for number in range(markets)]
    for ticker in tickers:
        market = MarketTerms(
            ticker=ticker,
            event_ticker=EventTicker("KXBENCH-26DEC31"),
            open_us=0,
            close_us=DAY_US,
            grid=CENT_GRID,
        )
        venue.operations.list_market(market, 0)
        _fill(venue, ticker, levels)
    return venue, tickers


def _fill(venue: Venue, ticker: MarketTicker, levels: int) -> None:
    for level in range(1, levels + 1):
        for side, price in (
            (BookSide.BID, _MIDDLE - 100 * level),
            (BookSide.ASK, _MIDDLE + 100 * level),
        ):
            outcome = venue.create_order(HOUSE[level % 2], order(ticker, side, price), 0)
            if not isinstance(outcome.result, OrderReceipt):
                raise TypeError(f"not placed: {outcome.result}")


def _peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    """Fill, and say by how much the memory grew."""
    before = _peak_kib()
    venue, tickers = filled_venue(MARKETS, levels=_LEVELS)
    grown = _peak_kib() - before
    book = venue.reads.book(tickers[-1])
    if book is None or len(book.bids) != _LEVELS:
        raise AssertionError("the books are not full")
    sys.stdout.write(f"{grown / _KIB}\n")


if __name__ == "__main__":
    main()
