"""The past: events and markets as they are kept, candles of both tiers, public trades.

One unreadable item is set aside with its reason. The answer itself is strict: one
without its list is never an empty list.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from bot.adapters.kalshi.wire.fields import (
    count_of,
    decode,
    instant_of,
    micros_of_seconds,
    millionths_of,
    number_text,
    optional_instant,
    optional_price,
    price_of,
    side_of,
)
from bot.adapters.kalshi.wire.markets import read_listed
from bot.domain.errors import InvalidMessage
from bot.domain.ids import EventTicker, FillId, MarketTicker, SeriesTicker
from bot.domain.money import PRICE_PLACES, Price
from bot.domain.quotes import PublicTrade
from bot.ports.exchange import Quarantined
from bot.ports.history_reads import CandlePage, HistoryCutoff, ListingPage, TradePage
from bot.ports.market_history import Candle, EventRecord, MarketRecord, Span

T = TypeVar("T")
_NULL = msgspec.Raw(b"null")
_REASON_LENGTH_MAX = 300
# Kept in columns of their own, or gone a moment later.
_NOT_DETAILS = frozenset(
    {
        "ticker",
        "event_ticker",
        "title",
        "market_type",
        "status",
        "exchange_index",
        "strike_type",
        "floor_strike",
        "cap_strike",
        "open_time",
        "close_time",
        "expected_expiration_time",
        "latest_expiration_time",
        "expiration_time",
        "can_close_early",
        "settlement_timer_seconds",
        "price_ranges",
        "result",
        "settlement_value_dollars",
        "settlement_ts",
        "created_time",
        "updated_time",
        "yes_bid_dollars",
        "yes_ask_dollars",
        "no_bid_dollars",
        "no_ask_dollars",
        "yes_bid_size_fp",
        "yes_ask_size_fp",
        "last_price_dollars",
        "volume_fp",
        "volume_24h_fp",
        "open_interest_fp",
        "liquidity_dollars",
        "previous_price_dollars",
        "previous_yes_bid_dollars",
        "previous_yes_ask_dollars",
    }
)


class _Event(msgspec.Struct):
    event_ticker: str
    series_ticker: str
    mutually_exclusive: bool
    title: str = ""
    sub_title: str = ""
    collateral_return_type: str = ""
    strike_date: str | None = None
    strike_period: str | None = None
    fee_type_override: str | None = None
    fee_multiplier_override: msgspec.Raw = _NULL
    exchange_index: int = 0
    last_updated_ts: str | None = None
    markets: list[msgspec.Raw] | None = None


class _Events(msgspec.Struct):
    events: list[msgspec.Raw] | None
    cursor: str = ""


class _Markets(msgspec.Struct):
    markets: list[msgspec.Raw] | None
    cursor: str = ""


class _More(msgspec.Struct):
    """What a kept market has beyond a traded one."""

    market_type: str = "binary"
    latest_expiration_time: str | None = None
    can_close_early: bool = False
    settlement_timer_seconds: int = 0
    settlement_ts: str | None = None
    created_time: str | None = None
    price_ranges: list[dict[str, str]] = []


class _Ohlc(msgspec.Struct):
    """Both spellings: the live tier's keys end in ``_dollars``, the archive's do not."""

    open_dollars: str | None = None
    high_dollars: str | None = None
    low_dollars: str | None = None
    close_dollars: str | None = None
    mean_dollars: str | None = None
    previous_dollars: str | None = None
    open: str | None = None
    high: str | None = None
    low: str | None = None
    close: str | None = None
    mean: str | None = None
    previous: str | None = None


class _Candle(msgspec.Struct):
    end_period_ts: int
    yes_bid: _Ohlc
    yes_ask: _Ohlc
    price: _Ohlc
    volume_fp: str | None = None
    volume: str | None = None
    open_interest_fp: str | None = None
    open_interest: str | None = None


class _MarketCandles(msgspec.Struct):
    candlesticks: list[msgspec.Raw] | None
    market_ticker: str = ""
    ticker: str = ""


class _Batch(msgspec.Struct):
    markets: list[_MarketCandles] | None


class _Trade(msgspec.Struct):
    trade_id: str
    ticker: str
    yes_price_dollars: str
    count_fp: str
    created_time: str
    taker_book_side: str | None = None
    taker_outcome_side: str | None = None
    taker_side: str | None = None
    is_block_trade: bool = False


class _Trades(msgspec.Struct):
    trades: list[msgspec.Raw] | None
    cursor: str = ""


class _Cutoff(msgspec.Struct):
    market_settled_ts: str
    trades_created_ts: str


_EVENT = msgspec.json.Decoder(_Event)
_EVENTS = msgspec.json.Decoder(_Events)
_MARKETS = msgspec.json.Decoder(_Markets)
_MORE = msgspec.json.Decoder(_More)
_FACTS: "msgspec.json.Decoder[dict[str, Any]]" = msgspec.json.Decoder(dict[str, Any])
_CANDLE = msgspec.json.Decoder(_Candle)
_MARKET_CANDLES = msgspec.json.Decoder(_MarketCandles)
_BATCH = msgspec.json.Decoder(_Batch)
_TRADE = msgspec.json.Decoder(_Trade)
_TRADES = msgspec.json.Decoder(_Trades)
_CUTOFF = msgspec.json.Decoder(_Cutoff)
_CANONICAL = msgspec.json.Encoder(order="deterministic")


def read_history_cutoff(body: bytes) -> HistoryCutoff:
    """``GET /historical/cutoff``."""
    wire = decode(_CUTOFF, body)
    return HistoryCutoff(
        markets_us=instant_of(wire.market_settled_ts), trades_us=instant_of(wire.trades_created_ts)
    )


def read_event_page(body: bytes) -> ListingPage:
    """``GET /events?with_nested_markets=true``."""
    page = decode(_EVENTS, body)
    bad: list[Quarantined] = []
    wires = _each(page.events, "events", lambda raw: decode(_EVENT, raw), bad)
    events = _each(wires, "events", _event, bad)
    markets: list[MarketRecord] = []
    for wire in wires:
        series = SeriesTicker(wire.series_ticker)
        read = _reading(series)
        markets += _each(wire.markets or [], "markets", read, bad)
    return ListingPage(
        events=tuple(events), markets=tuple(markets), quarantined=tuple(bad), cursor=page.cursor
    )


def read_record_page(body: bytes, series: SeriesTicker) -> ListingPage:
    """``GET /markets`` and ``/historical/markets`` of one series."""
    page = decode(_MARKETS, body)
    bad: list[Quarantined] = []
    markets = _each(page.markets, "markets", _reading(series), bad)
    return ListingPage(
        events=(), markets=tuple(markets), quarantined=tuple(bad), cursor=page.cursor
    )


def read_record(raw: bytes | msgspec.Raw, series: SeriesTicker) -> MarketRecord:
    """One market object with everything that is kept of it."""
    market, more = read_listed(raw, series).market, decode(_MORE, raw)
    facts = decode(_FACTS, raw)
    ranges = [[one["start"], one["end"], one["step"]] for one in more.price_ranges]
    details = {
        name: facts[name] for name in facts if name not in _NOT_DETAILS and _says(facts[name])
    }
    return MarketRecord(
        ticker=market.ticker,
        event_ticker=market.event_ticker,
        series_ticker=series,
        title=market.title,
        market_type=more.market_type,
        status=market.status,
        exchange_index=market.exchange_index,
        strike_type=market.strike_type,
        floor_strike=market.floor_strike,
        cap_strike=market.cap_strike,
        open_us=market.open_us,
        close_us=market.close_us,
        expected_expiration_us=market.expected_expiration_us,
        latest_expiration_us=optional_instant(more.latest_expiration_time),
        can_close_early=more.can_close_early,
        settlement_timer_s=more.settlement_timer_seconds,
        price_ranges_json=_CANONICAL.encode(ranges).decode(),
        details_json=_CANONICAL.encode(details).decode(),
        result=market.result,
        settlement_value=market.settlement_value,
        settled_us=optional_instant(more.settlement_ts),
        yes_bid=market.yes_bid,
        yes_ask=market.yes_ask,
        last_price=market.last_price,
        volume=market.volume,
        open_interest=market.open_interest,
        created_us=optional_instant(more.created_time),
        updated_us=market.updated_us,
    )


def read_candle_batch(body: bytes, period_minutes: int) -> CandlePage:
    """``GET /markets/candlesticks``."""
    batch = decode(_BATCH, body)
    if batch.markets is None:
        raise InvalidMessage("no list of markets")
    good: list[Candle] = []
    bad: list[Quarantined] = []
    for one in batch.markets:
        read = _candle_reading(MarketTicker(one.market_ticker), period_minutes)
        good += _each(one.candlesticks, one.market_ticker, read, bad)
    known = frozenset(MarketTicker(one.market_ticker) for one in batch.markets)
    return CandlePage(candles=tuple(good), quarantined=tuple(bad), known=known)


def read_candles(body: bytes, ticker: MarketTicker, period_minutes: int) -> CandlePage:
    """``GET .../markets/{ticker}/candlesticks`` of either tier."""
    bad: list[Quarantined] = []
    read = _candle_reading(ticker, period_minutes)
    good = _each(decode(_MARKET_CANDLES, body).candlesticks, ticker, read, bad)
    return CandlePage(candles=tuple(good), quarantined=tuple(bad), known=frozenset({ticker}))


def read_trade_page(body: bytes, received_us: int) -> TradePage:
    """``GET /markets/trades`` and ``/historical/trades``."""
    page = decode(_TRADES, body)
    bad: list[Quarantined] = []
    good = _each(page.trades, "trades", lambda raw: _trade(decode(_TRADE, raw), received_us), bad)
    return TradePage(trades=tuple(good), quarantined=tuple(bad), cursor=page.cursor)


def _each(
    items: Sequence[Any] | None, what: str, read: Callable[[Any], T], bad: list[Quarantined]
) -> list[T]:
    """The readable items; the others go to ``bad``."""
    if items is None:
        raise InvalidMessage(f"no list of {what}")
    good: list[T] = []
    for item in items:
        try:
            good.append(read(item))
        except InvalidMessage as error:
            bad.append(_set_aside(item, what, error))
    return good


def _set_aside(item: Any, what: str, error: InvalidMessage) -> Quarantined:
    raw = bytes(item) if isinstance(item, msgspec.Raw) else _CANONICAL.encode(item)
    try:
        facts = decode(_FACTS, raw)
    except InvalidMessage:
        facts = {}
    names = [facts.get(name) for name in ("ticker", "event_ticker", "trade_id")]
    named = next((name for name in names if isinstance(name, str) and name), what)
    return Quarantined(name=named, reason=str(error)[:_REASON_LENGTH_MAX], raw=raw)


def _says(value: object) -> bool:
    return value is not None and value not in ("", [], {})


def _event(wire: _Event) -> EventRecord:
    if not wire.event_ticker or not wire.series_ticker:
        raise InvalidMessage("an event without a ticker or a series")
    has_multiplier = number_text(wire.fee_multiplier_override) is not None
    return EventRecord(
        event_ticker=EventTicker(wire.event_ticker),
        series_ticker=SeriesTicker(wire.series_ticker),
        title=wire.title,
        sub_title=wire.sub_title,
        is_exclusive=wire.mutually_exclusive,
        collateral_return_type=wire.collateral_return_type,
        strike_us=optional_instant(wire.strike_date),
        strike_period=wire.strike_period or None,
        fee_type_override=wire.fee_type_override or None,
        fee_multiplier_override_e6=(
            millionths_of(wire.fee_multiplier_override) if has_multiplier else None
        ),
        exchange_index=wire.exchange_index,
        updated_us=optional_instant(wire.last_updated_ts),
    )


def _reading(series: SeriesTicker) -> Callable[[Any], MarketRecord]:
    return lambda raw: read_record(raw, series)


def _candle_reading(ticker: MarketTicker, period_minutes: int) -> Callable[[Any], Candle]:
    return lambda raw: _candle(decode(_CANDLE, raw), ticker, period_minutes)


def _candle(wire: _Candle, ticker: MarketTicker, period_minutes: int) -> Candle:
    if not ticker:
        raise InvalidMessage("candles of a market without a ticker")
    return Candle(
        ticker=ticker,
        period_minutes=period_minutes,
        end_us=micros_of_seconds(wire.end_period_ts),
        bid=_span(wire.yes_bid),
        ask=_span(wire.yes_ask),
        price=_span(wire.price) if wire.price.open_dollars or wire.price.open else None,
        mean=_mean(wire.price.mean_dollars or wire.price.mean),
        previous=optional_price(wire.price.previous_dollars or wire.price.previous),
        volume=count_of(_given(wire.volume_fp or wire.volume)),
        open_interest=count_of(_given(wire.open_interest_fp or wire.open_interest)),
    )


def _span(wire: _Ohlc) -> Span:
    return Span(
        price_of(_given(wire.open_dollars or wire.open)),
        price_of(_given(wire.high_dollars or wire.high)),
        price_of(_given(wire.low_dollars or wire.low)),
        price_of(_given(wire.close_dollars or wire.close)),
    )


def _given(text: str | None) -> str:
    if not text:
        raise InvalidMessage("a candle without one of its numbers")
    return text


def _mean(text: str | None) -> Price | None:
    """A mean need not fall on the grid: what is below $0.0001 is cut."""
    if not text:
        return None
    whole, _, fraction = text.partition(".")
    return price_of(f"{whole}.{fraction[:PRICE_PLACES] or '0'}")


def _trade(wire: _Trade, received_us: int) -> PublicTrade:
    if not wire.trade_id or not wire.ticker:
        raise InvalidMessage("a trade without an id or a market")
    return PublicTrade(
        trade_id=FillId(wire.trade_id),
        ticker=MarketTicker(wire.ticker),
        price=price_of(wire.yes_price_dollars),
        quantity=count_of(wire.count_fp),
        taker_side=side_of(wire.taker_book_side, wire.taker_outcome_side or wire.taker_side),
        is_block=wire.is_block_trade,
        executed_us=instant_of(wire.created_time),
        received_us=received_us,
    )
