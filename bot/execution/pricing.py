"""Limit prices on the grid, for a position on either side.

A holder of NO thinks in NO prices, the venue in YES prices. Everything here
works in the *own* price of the held side and turns to the YES leg at the end.
Entries and take-profits are snapped so that they are never worse than asked,
exits so that they are never less willing.
"""

from bot.domain.market import PriceGrid
from bot.domain.money import PAYOUT, Money, Price, Quantity, complement
from bot.domain.orders import BookSide, own_price
from bot.domain.quotes import Quote


def own_value(side: BookSide, yes_value: Money, quantity: Quantity) -> Money:
    """A sum of YES-leg price times quantity, in the held side's prices."""
    return yes_value if side is BookSide.BID else Money(PAYOUT * quantity - yes_value)


def own_bid(side: BookSide, quote: Quote) -> tuple[Price | None, Quantity]:
    """What others pay for the held side now, and for how many. ``None``: nobody does."""
    if side is BookSide.BID:
        return quote.bid, quote.bid_size
    return (complement(quote.ask) if quote.ask is not None else None), quote.ask_size


def own_ask(side: BookSide, quote: Quote) -> Price | None:
    """What others ask for the held side now."""
    if side is BookSide.BID:
        return quote.ask
    return complement(quote.bid) if quote.bid is not None else None


def entry_limit(grid: PriceGrid, side: BookSide, own: Price) -> Price | None:
    """The YES-leg price of an entry that pays at most ``own``; ``None`` if the grid has none."""
    price = own_price(side, own)
    snapped = grid.snap_down(price) if side is BookSide.BID else grid.snap_up(price)
    return snapped if grid.accepts(snapped) else None


def take_profit_limit(grid: PriceGrid, side: BookSide, own: Price) -> Price | None:
    """The YES-leg price of a resting exit that receives at least ``own``."""
    price = own_price(side, own)
    snapped = grid.snap_up(price) if side is BookSide.BID else grid.snap_down(price)
    return snapped if grid.accepts(snapped) else None


def exit_limit(grid: PriceGrid, side: BookSide, own: Price) -> Price:
    """The YES-leg price of an immediate exit that accepts ``own`` or a little less.

    Where the grid ends, the last price it has.
    """
    lowest = _lowest_own(grid, side)
    price = own_price(side, Price(max(own, lowest)))
    snapped = grid.snap_down(price) if side is BookSide.BID else grid.snap_up(price)
    return snapped if grid.accepts(snapped) else own_price(side, lowest)


def _lowest_own(grid: PriceGrid, side: BookSide) -> Price:
    if side is BookSide.BID:
        return grid.snap_up(Price(1))
    return complement(grid.snap_down(Price(PAYOUT - 1)))
