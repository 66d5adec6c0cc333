"""Markets: static terms, price grid, lifecycle, and the top of book a listing carries."""

from dataclasses import dataclass
from enum import StrEnum

from bot.domain.errors import InvalidAmount
from bot.domain.ids import EventTicker, MarketTicker, SeriesTicker
from bot.domain.money import PAYOUT, Price, Quantity


class MarketStatus(StrEnum):
    """The venue's own words, so a log line can be searched in its docs."""

    INITIALIZED = "initialized"
    ACTIVE = "active"
    INACTIVE = "inactive"
    CLOSED = "closed"
    DETERMINED = "determined"
    DISPUTED = "disputed"
    AMENDED = "amended"
    FINALIZED = "finalized"


class StrikeType(StrEnum):
    """How a market's strikes are read. ``functional`` and later come as they are."""

    GREATER = "greater"
    GREATER_OR_EQUAL = "greater_or_equal"
    LESS = "less"
    LESS_OR_EQUAL = "less_or_equal"
    BETWEEN = "between"
    FUNCTIONAL = "functional"
    CUSTOM = "custom"
    STRUCTURED = "structured"


@dataclass(frozen=True, slots=True)
class PriceBand:
    """Prices from ``start`` to ``end``, both included, every ``step``."""

    start: Price
    end: Price
    step: Price

    def __post_init__(self) -> None:
        if not (0 <= self.start < self.end <= PAYOUT and self.step > 0):
            raise InvalidAmount(f"not a price band: {self}")
        if (self.end - self.start) % self.step:
            raise InvalidAmount(f"step does not divide the band: {self}")


@dataclass(frozen=True, slots=True)
class PriceGrid:
    """The prices one market accepts, from its ``price_ranges``.

    Bands meet at their ends. The grid's *name* is ignored on purpose: the
    venue adds names, and the ranges are its stated source of truth.
    """

    bands: tuple[PriceBand, ...]

    def snap_down(self, price: Price) -> Price:
        """The highest valid price that is not above ``price``."""
        band = self._band_of(price)
        return Price(price - (price - band.start) % band.step)

    def snap_up(self, price: Price) -> Price:
        """The lowest valid price that is not below ``price``."""
        band = self._band_of(price)
        return Price(price + (band.start - price) % band.step)

    def accepts(self, price: Price) -> bool:
        """Whether an order may carry ``price``: on the grid and strictly inside $0 and $1."""
        return 0 < price < PAYOUT and self.snap_down(price) == price

    def _band_of(self, price: Price) -> PriceBand:
        for band in self.bands:
            if band.start <= price <= band.end:
                return band
        raise InvalidAmount(f"{price} is outside every band")


CENT_GRID = PriceGrid((PriceBand(Price(0), PAYOUT, Price(100)),))
"""Whole cents, the grid of nearly every market (and valid inside every other grid)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """One listed market as the venue last described it.

    Prices are of the YES leg. ``yes_bid``/``yes_ask`` are ``None`` where the
    side is empty (the wire says 0.0000 and 1.0000). A listing may be 15 s old:
    trade from the book, never from these. ``series_ticker`` is what the request
    asked for, as the venue's market object does not carry it. Strikes stay text.
    """

    ticker: MarketTicker
    event_ticker: EventTicker
    series_ticker: SeriesTicker | None
    title: str
    status: MarketStatus
    exchange_index: int
    grid: PriceGrid
    open_us: int
    close_us: int
    expected_expiration_us: int | None
    updated_us: int | None
    yes_bid: Price | None
    yes_ask: Price | None
    yes_bid_size: Quantity
    yes_ask_size: Quantity
    last_price: Price | None
    volume: Quantity
    volume_24h: Quantity
    open_interest: Quantity
    strike_type: str | None
    floor_strike: str | None
    cap_strike: str | None
    result: str
    settlement_value: Price | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeTerms:
    """What a fill costs in one series: the venue's ``fee_type`` and multiplier (in millionths)."""

    fee_type: str
    multiplier_e6: int
