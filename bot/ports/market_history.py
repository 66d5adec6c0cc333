"""The venue's past: what it lists, candles, trades, settlements, and where they are kept.

Prices are of the YES leg. What is read page by page has a *mark* in the store,
and rows and mark are stored in one transaction: a mark therefore never claims
what is not there, whenever the process dies. A mark is moved *from* a value: if
somebody else moved it meanwhile, nothing of the call is stored and it raises
``MarkMoved``, so that two readers of the same market never undo one another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.domain.ids import EventTicker, MarketTicker, SeriesTicker
from bot.domain.market import MarketStatus
from bot.domain.money import Price, Quantity
from bot.domain.quotes import PublicTrade
from bot.ports.collection import QuarantinedItem


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecord:
    """One event as listed. Fee overrides are ``None`` where the series' terms hold."""

    event_ticker: EventTicker
    series_ticker: SeriesTicker
    title: str
    sub_title: str
    is_exclusive: bool
    collateral_return_type: str
    strike_us: int | None
    strike_period: str | None
    fee_type_override: str | None
    fee_multiplier_override_e6: int | None
    exchange_index: int
    updated_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketRecord:
    """One market as listed, with everything that is kept of it.

    Strikes are the venue's text. ``price_ranges_json`` and ``details_json`` are
    canonical JSON; the details are what only some markets have, or people read.
    """

    ticker: MarketTicker
    event_ticker: EventTicker
    series_ticker: SeriesTicker
    title: str
    market_type: str
    status: MarketStatus
    exchange_index: int
    strike_type: str | None
    floor_strike: str | None
    cap_strike: str | None
    open_us: int
    close_us: int
    expected_expiration_us: int | None
    latest_expiration_us: int | None
    can_close_early: bool
    settlement_timer_s: int
    price_ranges_json: str
    details_json: str
    result: str
    settlement_value: Price | None
    settled_us: int | None
    yes_bid: Price | None
    yes_ask: Price | None
    last_price: Price | None
    volume: Quantity
    open_interest: Quantity
    created_us: int | None
    updated_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownMarket:
    """A stored market as far as reading its past needs it."""

    ticker: MarketTicker
    event_ticker: EventTicker
    series_ticker: SeriesTicker
    market_type: str
    status: MarketStatus
    strike_period: str | None
    """Of its event; ``None`` where that is not known."""
    open_us: int
    close_us: int
    first_close_us: int
    settled_us: int | None
    result: str
    settlement_value: Price | None
    volume: Quantity


@dataclass(frozen=True, slots=True)
class Span:
    """Open, high, low and close of one price."""

    open: Price
    high: Price
    low: Price
    close: Price


@dataclass(frozen=True, slots=True, kw_only=True)
class Candle:
    """One period of one market, named by its end.

    An empty side is quoted as the venue does it: a bid of 0, an ask of 1. ``price`` and
    ``mean`` are ``None`` where nothing traded; ``previous`` is the close before it.
    """

    ticker: MarketTicker
    period_minutes: int
    end_us: int
    bid: Span
    ask: Span
    price: Span | None
    mean: Price | None
    previous: Price | None
    volume: Quantity
    open_interest: Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceBefore:
    """What a market showed so long before its close.

    ``observed_us`` is when the prices were last seen to hold; ``source`` says by what
    (``candle_1``, ``candle_60``, ``snapshot`` ...). A side is ``None`` where it was empty.
    """

    horizon_minutes: int
    yes_bid: Price | None
    yes_ask: Price | None
    last_price: Price | None
    observed_us: int
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementRecord:
    """How one market ended. The ledger that forecasts are judged by.

    ``first_close_us`` is the close when the market was first seen: one that closed
    earlier was closed by its outcome, so a horizon before its close looks ahead.
    """

    ticker: MarketTicker
    event_ticker: EventTicker
    series_ticker: SeriesTicker
    macro_event_type: str
    market_type: str
    result: str
    settlement_value: Price | None
    expiration_value: str
    open_us: int
    close_us: int
    first_close_us: int
    settled_us: int | None
    volume: Quantity
    prices: tuple[PriceBefore, ...] = ()


@dataclass(frozen=True, slots=True)
class MarkMove:
    """A mark of ``ingest_state`` and where it goes. ``before`` is ``None`` for a new one."""

    key: str
    before: str | None
    after: str


class MarketHistoryStore(Protocol):
    """Every call may raise ``StorageUnavailable``. Counts are rows that are new or differ."""

    async def save_listing(
        self,
        events: Sequence[EventRecord],
        markets: Sequence[MarketRecord],
        quarantined: Sequence[QuarantinedItem],
        at_us: int,
    ) -> int:
        """Store what was listed at ``at_us``; returns how many markets are new.

        What the venue updated later than this listing says is left as it is.
        """
        ...

    async def missing_events(self, tickers: Sequence[EventTicker]) -> Sequence[EventTicker]:
        """Those of ``tickers`` that are not stored, in order, each once."""
        ...

    async def markets_of(
        self,
        *,
        series: Sequence[SeriesTicker] = (),
        tickers: Sequence[MarketTicker] = (),
        open_before_us: int | None = None,
        live_since_us: int | None = None,
    ) -> Sequence[KnownMarket]:
        """Stored markets, by close and ticker; an empty filter is none.

        ``live_since_us`` leaves out what had closed before it and was not first seen
        after it.
        """
        ...

    async def unsettled(
        self, closed_before_us: int, series: Sequence[SeriesTicker] = ()
    ) -> Sequence[KnownMarket]:
        """Markets closed before this that are not in the ledger, by close and ticker."""
        ...

    async def save_candles(
        self, candles: Sequence[Candle], moves: Sequence[MarkMove], at_us: int
    ) -> int:
        """Store candles, newer readings replacing older ones, and move the marks.

        Raises:
            MarkMoved: a mark was not where ``moves`` says; nothing was stored.
        """
        ...

    async def save_trades(
        self, trades: Sequence[PublicTrade], moves: Sequence[MarkMove], at_us: int
    ) -> int:
        """Store trades, each once by its id whoever saw it first, and move the marks.

        Raises:
            MarkMoved: as :meth:`save_candles`.
        """
        ...

    async def prices_before(
        self, ticker: MarketTicker, close_us: int, horizons_minutes: Sequence[int]
    ) -> Sequence[PriceBefore]:
        """The newest stored observation at each horizon before the close; none is left out."""
        ...

    async def save_settlements(self, settled: Sequence[SettlementRecord], at_us: int) -> int:
        """Store results and their prices; a repeat replaces both."""
        ...

    async def settlements(
        self,
        *,
        series: Sequence[SeriesTicker] = (),
        since_us: int | None = None,
        until_us: int | None = None,
    ) -> Sequence[SettlementRecord]:
        """The ledger by close and ticker; times are of the close, ``until_us`` excluded."""
        ...

    async def markets_with_past(
        self, before_us: int, after: MarketTicker, limit: int
    ) -> Sequence[MarketTicker]:
        """Markets behind ``after`` with candles or trades older than this, by name."""
        ...

    async def prune_past(self, tickers: Sequence[MarketTicker], before_us: int, batch: int) -> int:
        """Delete at most ``batch`` candles, and as many trades, of these that are older.

        Returns how many rows went; fewer than ``batch`` when nothing is left.
        """
        ...

    async def marks(self, keys: Sequence[str]) -> Mapping[str, str]:
        """The marks among ``keys`` that exist."""
        ...

    async def put_marks(self, marks: Mapping[str, str], at_us: int) -> None:
        """Set marks that nobody contends for."""
        ...
