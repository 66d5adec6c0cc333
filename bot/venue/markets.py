"""Markets as the venue lists them: terms, state, and the summary a listing carries."""

from dataclasses import dataclass
from enum import StrEnum

from bot.domain.ids import EventTicker, MarketTicker
from bot.domain.market import CENT_GRID, FeeTerms, MarketStatus, PriceGrid
from bot.domain.money import Price, Quantity
from bot.venue.fees import STANDARD_FEES


class MarketResult(StrEnum):
    """How a market was determined."""

    YES = "yes"
    NO = "no"
    SCALAR = "scalar"


class MarketChange(StrEnum):
    """What happened to a market.

    The values are the venue's lifecycle ``event_type`` where it sends one. It
    sends none for ``opened``, ``closed``, ``disputed``, ``amended`` and
    ``fees_updated`` (which it announces per event).
    """

    CREATED = "created"
    OPENED = "opened"
    ACTIVATED = "activated"
    DEACTIVATED = "deactivated"
    CLOSE_DATE_UPDATED = "close_date_updated"
    CLOSED = "closed"
    DETERMINED = "determined"
    DISPUTED = "disputed"
    AMENDED = "amended"
    SETTLED = "settled"
    GRID_UPDATED = "price_level_structure_updated"
    FEES_UPDATED = "fees_updated"


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketTerms:
    """What a market is listed with. Everything a description adds is the server's business."""

    ticker: MarketTicker
    event_ticker: EventTicker
    open_us: int
    close_us: int
    exchange_index: int = 0
    grid: PriceGrid = CENT_GRID
    fees: FeeTerms = STANDARD_FEES
    fee_waiver_until_us: int = 0
    settlement_timer_us: int = 60_000_000

    def __post_init__(self) -> None:
        if self.open_us >= self.close_us:
            raise ValueError("close_us must be after open_us")
        if self.settlement_timer_us < 0:
            raise ValueError("settlement_timer_us must not be negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketView:
    """A market as a listing shows it. ``None`` is an empty side, an untraded market, no result."""

    ticker: MarketTicker
    event_ticker: EventTicker
    exchange_index: int
    status: MarketStatus
    grid: PriceGrid
    fees: FeeTerms
    open_us: int
    close_us: int
    settlement_timer_us: int
    yes_bid: Price | None
    yes_ask: Price | None
    yes_bid_size: Quantity
    yes_ask_size: Quantity
    last_price: Price | None
    last_size: Quantity
    volume: Quantity
    volume_24h: Quantity
    open_interest: Quantity
    clock: int
    result: MarketResult | None
    settlement_value: Price | None
    determined_us: int | None
    settled_us: int | None
    updated_us: int
