"""What the market shows: levels, snapshots, deltas, quotes, public trades. All YES-leg prices.

``received_us`` is when we saw it and orders everything; ``exchange_us`` is the
venue's own stamp and is data only.
"""

from dataclasses import dataclass

import msgspec

from bot.domain.ids import FillId, MarketTicker
from bot.domain.money import Price, Quantity
from bot.domain.orders import BookSide


@dataclass(frozen=True, slots=True)
class BookLevel:
    """Resting quantity at one price."""

    price: Price
    quantity: Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class BookSnapshot:
    """The whole book of one market. Both sides best first; asks are 1 minus the NO bids."""

    ticker: MarketTicker
    bids: tuple[BookLevel, ...]
    asks: tuple[BookLevel, ...]
    received_us: int
    clock: int | None = None
    """The venue's book clock, equal on every connection; ``None`` where it sent none."""


class BookDelta(msgspec.Struct, frozen=True, gc=False):
    """A signed change of the resting quantity at one price."""

    ticker: MarketTicker
    side: BookSide
    price: Price
    change: Quantity
    received_us: int
    exchange_us: int | None = None
    clock: int | None = None


class Quote(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Best bid and ask; ``None`` is an empty side, with size 0."""

    ticker: MarketTicker
    bid: Price | None
    ask: Price | None
    bid_size: Quantity
    ask_size: Quantity
    received_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicTrade:
    """Someone else's execution. ``taker_side`` is the side that crossed the spread."""

    trade_id: FillId
    ticker: MarketTicker
    price: Price
    quantity: Quantity
    taker_side: BookSide
    is_block: bool
    executed_us: int
    received_us: int


class TickerUpdate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The venue's summary of one market (WebSocket ``ticker``)."""

    ticker: MarketTicker
    yes_bid: Price | None
    yes_ask: Price | None
    yes_bid_size: Quantity
    yes_ask_size: Quantity
    last_price: Price | None
    volume: Quantity
    open_interest: Quantity
    exchange_us: int
    received_us: int
