"""The venue's past as it can be asked for: listings, candles, trades, and where live data ends.

What is asked for here can wait: an implementation lets everything else go first.
Every call may raise ``ExchangeUnavailable`` (after its retries), ``RequestRefused``
and ``InvalidMessage``; an item that cannot be read is set aside, the others stay.
"""

from dataclasses import dataclass
from typing import Protocol

from bot.domain.ids import EventTicker, MarketTicker, SeriesTicker
from bot.domain.quotes import PublicTrade
from bot.ports.exchange import Quarantined
from bot.ports.market_history import Candle, EventRecord, MarketRecord

EVENTS_PER_PAGE = 200
MARKETS_PER_PAGE = 1_000
TRADES_PER_PAGE = 1_000
CANDLES_PER_CALL = 10_000
"""Periods times markets that one live call may span."""
ARCHIVED_CANDLES_PER_CALL = 5_000
CANDLE_MARKETS_PER_CALL = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class EventQuery:
    """Which events to list, with their markets. ``status`` is the venue's filter word."""

    series_ticker: SeriesTicker | None = None
    status: str | None = None
    tickers: tuple[EventTicker, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordQuery:
    """Which markets of one series to list. ``is_archived`` asks the historical tier.

    ``min_updated_us`` finds changes of terms and status by hand, not by time; it goes with
    nothing else and not with the archive.
    """

    series_ticker: SeriesTicker
    tickers: tuple[MarketTicker, ...] = ()
    min_updated_us: int | None = None
    is_archived: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingPage:
    """One page of events with their markets, or of markets alone; ``cursor`` ends empty."""

    events: tuple[EventRecord, ...]
    markets: tuple[MarketRecord, ...]
    quarantined: tuple[Quarantined, ...]
    cursor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CandleQuery:
    """Candles whose period ends within the span, both ends included.

    The archive answers for one market at a time.
    """

    tickers: tuple[MarketTicker, ...]
    start_us: int
    end_us: int
    period_minutes: int
    is_archived: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CandlePage:
    """What was found. A period without a change has no candle."""

    candles: tuple[Candle, ...]
    quarantined: tuple[Quarantined, ...]
    known: frozenset[MarketTicker]
    """The markets the tier answered for. One it does not know is left out without a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeQuery:
    """Trades of one market from ``min_us`` to ``max_us``, both included, to the second."""

    ticker: MarketTicker
    min_us: int
    max_us: int
    is_archived: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TradePage:
    """One page, the newest trade first; ``cursor`` is empty on the last."""

    trades: tuple[PublicTrade, ...]
    quarantined: tuple[Quarantined, ...]
    cursor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryCutoff:
    """What is older than these instants is only in the archive. They move forward."""

    markets_us: int
    """Of the settlement: its market, and that market's candles."""
    trades_us: int


class HistoryReads(Protocol):
    """See the module."""

    async def cutoff(self) -> HistoryCutoff:
        """Where the live tier ends now."""
        ...

    async def event_page(self, query: EventQuery, cursor: str = "") -> ListingPage:
        """Events with their markets. An unknown cursor gives page one: callers guard loops."""
        ...

    async def record_page(self, query: RecordQuery, cursor: str = "") -> ListingPage:
        """Markets of a series, without events."""
        ...

    async def candles(self, query: CandleQuery) -> CandlePage:
        """Candles of some markets.

        Raises:
            RequestRefused: the span is too long, or an archived market is not known (404).
        """
        ...

    async def trade_page(self, query: TradeQuery, cursor: str = "") -> TradePage:
        """Public trades. A market the tier does not know has none."""
        ...
