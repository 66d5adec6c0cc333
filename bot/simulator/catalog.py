"""What the venue's model does not need to know: titles, rules, strikes, series, events.

A listing is the venue's market plus one of these descriptions. Volumes of the
time before the simulation began belong here too, because the venue only counts
what it matched itself.
"""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bot.domain.ids import EventTicker, MarketTicker, SeriesTicker
from bot.domain.market import CENT_GRID, FeeTerms, PriceBand, PriceGrid
from bot.domain.money import PAYOUT, Price, Quantity
from bot.venue.fees import STANDARD_FEES

_NONE = Quantity(0)
_LOW_EDGE, _HIGH_EDGE = Price(1_000), Price(9_000)

TAPERED_GRID = PriceGrid(
    (
        PriceBand(Price(0), _LOW_EDGE, Price(10)),
        PriceBand(_LOW_EDGE, _HIGH_EDGE, Price(100)),
        PriceBand(_HIGH_EDGE, PAYOUT, Price(10)),
    )
)
"""``tapered_deci_cent``: tenths of a cent near the edges."""
DECI_GRID = PriceGrid((PriceBand(Price(0), PAYOUT, Price(10)),))

_GRID_NAMES = {
    CENT_GRID: "linear_cent",
    TAPERED_GRID: "tapered_deci_cent",
    DECI_GRID: "deci_cent",
}


def grid_name(grid: PriceGrid) -> str:
    """The venue's label of a grid; only the ranges bind."""
    return _GRID_NAMES.get(grid, "banded_centi_cent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A recurring question, e.g. ``KXCPI``."""

    ticker: SeriesTicker
    title: str
    category: str
    frequency: str
    tags: tuple[str, ...] = ()
    fees: FeeTerms = STANDARD_FEES
    exchange_index: int = 0
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One occasion of a series; its markets are decided together."""

    ticker: EventTicker
    series_ticker: SeriesTicker
    title: str
    sub_title: str
    is_exclusive: bool
    strike_us: int
    created_us: int
    exchange_index: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketInfo:
    """One market's description. Strikes are numbers for reading, never for money."""

    ticker: MarketTicker
    event_ticker: EventTicker
    series_ticker: SeriesTicker
    title: str
    yes_sub_title: str
    no_sub_title: str
    rules_primary: str
    created_us: int
    expected_expiration_us: int
    latest_expiration_us: int
    rules_secondary: str = ""
    strike_type: str | None = None
    floor_strike: float | None = None
    cap_strike: float | None = None
    custom_strike: str | None = None
    prior_volume: Quantity = _NONE
    prior_volume_24h: Quantity = _NONE
    prior_open_interest: Quantity = _NONE

    @property
    def market_id(self) -> str:
        """The venue's UUID of the market; the same ticker always has the same."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, self.ticker))


class Catalog:
    """Every series, event and market description, in listing order."""

    def __init__(self) -> None:
        self.series: dict[SeriesTicker, Series] = {}
        self.events: dict[EventTicker, Event] = {}
        self.markets: dict[MarketTicker, MarketInfo] = {}
        self._of_event: dict[EventTicker, list[MarketTicker]] = {}
        self._of_id: dict[str, MarketTicker] = {}
        self._newest_first: list[MarketInfo] = []

    def add_series(self, series: Series) -> None:
        """List a series, or replace its description."""
        self.series[series.ticker] = series

    def add_event(self, event: Event) -> None:
        """List an event of a known series."""
        if event.series_ticker not in self.series:
            raise ValueError(f"{event.ticker} names the unknown series {event.series_ticker}")
        self.events[event.ticker] = event

    def add_market(self, info: MarketInfo) -> None:
        """Describe a market of a known event."""
        if info.event_ticker not in self.events:
            raise ValueError(f"{info.ticker} names the unknown event {info.event_ticker}")
        self.markets[info.ticker] = info
        self._of_event.setdefault(info.event_ticker, []).append(info.ticker)
        self._of_id[info.market_id] = info.ticker

    def markets_of(self, event: EventTicker) -> Iterator[MarketInfo]:
        """The markets of an event."""
        return (self.markets[ticker] for ticker in self._of_event.get(event, ()))

    def newest_first(self) -> Sequence[MarketInfo]:
        """Every market, the last created first, then by ticker."""
        if len(self._newest_first) != len(self.markets):
            self._newest_first = sorted(
                self.markets.values(), key=lambda info: (-info.created_us, info.ticker)
            )
        return self._newest_first

    def ticker_of_id(self, market_id: str) -> MarketTicker | None:
        """The market with this UUID."""
        return self._of_id.get(market_id)
