"""Public reads: exchange status, market listings, books, fee terms.

One unreadable market of a page is set aside with its reason; the others stay.
The page itself is strict: an answer without its list is never an empty list.
"""

import re
from functools import lru_cache

import msgspec

from bot.adapters.kalshi.wire.fields import (
    count_of,
    decode,
    instant_of,
    levels_of,
    millionths_of,
    number_text,
    optional_instant,
    optional_price,
    price_of,
    quoted_price,
    refuse_crossed,
    traded_price,
)
from bot.domain.errors import InvalidAmount, InvalidMessage
from bot.domain.ids import EventTicker, MarketTicker, SeriesTicker
from bot.domain.market import FeeTerms, Market, MarketStatus, PriceBand, PriceGrid
from bot.domain.quotes import BookSnapshot
from bot.ports.exchange import ExchangeStatus, ListedMarket, MarketPage, Quarantined

_NULL = msgspec.Raw(b"null")
# A listing repeats itself: the same few thousand prices, the times of an event's markets.
_quoted_price = lru_cache(maxsize=16_384)(quoted_price)
_traded_price = lru_cache(maxsize=16_384)(traded_price)
_count_of = lru_cache(maxsize=16_384)(count_of)
_instant_of = lru_cache(maxsize=16_384)(instant_of)
_optional_instant = lru_cache(maxsize=16_384)(optional_instant)
_REASON_LENGTH_MAX = 300


class _PriceRange(msgspec.Struct, frozen=True):
    start: str
    end: str
    step: str


class _Market(msgspec.Struct):
    ticker: str
    event_ticker: str
    status: str
    open_time: str
    close_time: str
    price_ranges: tuple[_PriceRange, ...]
    yes_bid_dollars: str
    yes_ask_dollars: str
    volume_fp: str
    volume_24h_fp: str
    open_interest_fp: str
    last_price_dollars: str | None = None
    yes_bid_size_fp: str = "0.00"
    yes_ask_size_fp: str = "0.00"
    exchange_index: int = 0
    title: str = ""
    yes_sub_title: str = ""
    expected_expiration_time: str | None = None
    updated_time: str | None = None
    strike_type: str | None = None
    floor_strike: msgspec.Raw = _NULL
    cap_strike: msgspec.Raw = _NULL
    result: str = ""
    settlement_value_dollars: str | None = None


class _Documented(_Market, forbid_unknown_fields=True):
    """The same with every further field of the document (3.34.0), to notice others."""

    market_type: msgspec.Raw = _NULL
    subtitle: msgspec.Raw = _NULL
    no_sub_title: msgspec.Raw = _NULL
    created_time: msgspec.Raw = _NULL
    expiration_time: msgspec.Raw = _NULL
    latest_expiration_time: msgspec.Raw = _NULL
    settlement_timer_seconds: msgspec.Raw = _NULL
    no_bid_dollars: msgspec.Raw = _NULL
    no_ask_dollars: msgspec.Raw = _NULL
    can_close_early: msgspec.Raw = _NULL
    notional_value_dollars: msgspec.Raw = _NULL
    previous_yes_bid_dollars: msgspec.Raw = _NULL
    previous_yes_ask_dollars: msgspec.Raw = _NULL
    previous_price_dollars: msgspec.Raw = _NULL
    settlement_ts: msgspec.Raw = _NULL
    settlement_bounds_type: msgspec.Raw = _NULL
    settlement_floor_dollars: msgspec.Raw = _NULL
    expiration_value: msgspec.Raw = _NULL
    occurrence_datetime: msgspec.Raw = _NULL
    fee_waiver_expiration_time: msgspec.Raw = _NULL
    early_close_condition: msgspec.Raw = _NULL
    functional_strike: msgspec.Raw = _NULL
    custom_strike: msgspec.Raw = _NULL
    rules_primary: msgspec.Raw = _NULL
    rules_secondary: msgspec.Raw = _NULL
    mve_collection_ticker: msgspec.Raw = _NULL
    mve_selected_legs: msgspec.Raw = _NULL
    primary_participant_key: msgspec.Raw = _NULL
    price_level_structure: msgspec.Raw = _NULL
    is_provisional: msgspec.Raw = _NULL
    # Out of the document since 09/2026, and still sent.
    liquidity_dollars: msgspec.Raw = _NULL


class _Named(msgspec.Struct):
    ticker: str


class _Page(msgspec.Struct):
    markets: list[msgspec.Raw] | None
    cursor: str = ""


class _Single(msgspec.Struct):
    market: msgspec.Raw


class _Sides(msgspec.Struct):
    yes_dollars: list[tuple[str, str]] | None
    no_dollars: list[tuple[str, str]] | None


class _Book(msgspec.Struct):
    orderbook_fp: _Sides


class _Fees(msgspec.Struct):
    fee_type: str
    fee_multiplier: msgspec.Raw


class _Series(msgspec.Struct):
    series: _Fees


class _Status(msgspec.Struct):
    exchange_active: bool
    trading_active: bool
    exchange_estimated_resume_time: str | None = None


_MARKET = msgspec.json.Decoder(_Market)
_DOCUMENTED = msgspec.json.Decoder(_Documented)
_UNKNOWN = re.compile(r"unknown field `([^`]*)`$")
_NAMED = msgspec.json.Decoder(_Named)
_PAGE = msgspec.json.Decoder(_Page)
_SINGLE = msgspec.json.Decoder(_Single)
_BOOK = msgspec.json.Decoder(_Book)
_SERIES = msgspec.json.Decoder(_Series)
_STATUS = msgspec.json.Decoder(_Status)


def read_status(body: bytes, server_us: int | None) -> ExchangeStatus:
    """``GET /exchange/status``; bodies of 500, 503 and 504 have the same shape."""
    status = decode(_STATUS, body)
    return ExchangeStatus(
        is_exchange_active=status.exchange_active,
        is_trading_active=status.trading_active,
        resume_us=optional_instant(status.exchange_estimated_resume_time),
        server_us=server_us,
    )


def read_market_page(
    body: bytes, series: SeriesTicker | None, server_us: int | None = None
) -> MarketPage:
    """``GET /markets`` and ``/historical/markets``."""
    page = decode(_PAGE, body)
    good: list[ListedMarket] = []
    bad: list[Quarantined] = []
    unknown: list[str] = []
    for raw in page.markets or ():
        try:
            good.append(_listed(raw, series, unknown))
        except InvalidMessage as error:
            bad.append(_quarantined(raw, error))
    return MarketPage(
        markets=tuple(good),
        quarantined=tuple(bad),
        cursor=page.cursor,
        server_us=server_us,
        unknown_fields=tuple(unknown),
    )


def _listed(raw: msgspec.Raw, series: SeriesTicker | None, unknown: list[str]) -> ListedMarket:
    """One market; the first field that no document knows is noted, and is no fault."""
    try:
        wire: _Market = decode(_DOCUMENTED, raw)
    except InvalidMessage as error:
        found = _UNKNOWN.search(str(error))
        if found is None:
            raise
        wire = decode(_MARKET, raw)
        unknown.append(found.group(1))
    return ListedMarket(market=_market(wire, series), raw=bytes(raw))


def read_market(body: bytes) -> ListedMarket:
    """``GET /markets/{ticker}``."""
    return read_listed(decode(_SINGLE, body).market, None)


def read_listed(raw: bytes | msgspec.Raw, series: SeriesTicker | None) -> ListedMarket:
    """One market object, wherever it was nested."""
    return ListedMarket(market=_market(decode(_MARKET, raw), series), raw=bytes(raw))


def read_order_book(body: bytes, ticker: MarketTicker, received_us: int) -> BookSnapshot:
    """``GET /markets/{ticker}/orderbook``: both lists are bids, NO priced on its own leg."""
    sides = decode(_BOOK, body).orderbook_fp
    bids = levels_of(sides.yes_dollars, is_complement=False)
    asks = levels_of(sides.no_dollars, is_complement=True)[::-1]
    refuse_crossed(bids, asks)
    return BookSnapshot(ticker=ticker, bids=bids, asks=asks, received_us=received_us)


def read_fee_terms(body: bytes) -> FeeTerms:
    """``GET /series/{ticker}``; fee types come as they are, the venue adds some."""
    series = decode(_SERIES, body).series
    return FeeTerms(fee_type=series.fee_type, multiplier_e6=millionths_of(series.fee_multiplier))


def _market(wire: _Market, series: SeriesTicker | None) -> Market:
    if not wire.ticker:
        raise InvalidMessage("a market without a ticker")
    return Market(
        ticker=MarketTicker(wire.ticker),
        event_ticker=EventTicker(wire.event_ticker),
        series_ticker=series,
        title=wire.title or wire.yes_sub_title,
        status=_status(wire.status),
        exchange_index=wire.exchange_index,
        grid=_grid(wire.price_ranges),
        open_us=_instant_of(wire.open_time),
        close_us=_instant_of(wire.close_time),
        expected_expiration_us=_optional_instant(wire.expected_expiration_time),
        updated_us=_optional_instant(wire.updated_time),
        yes_bid=_quoted_price(wire.yes_bid_dollars),
        yes_ask=_quoted_price(wire.yes_ask_dollars),
        yes_bid_size=_count_of(wire.yes_bid_size_fp),
        yes_ask_size=_count_of(wire.yes_ask_size_fp),
        last_price=_traded_price(wire.last_price_dollars),
        volume=_count_of(wire.volume_fp),
        volume_24h=_count_of(wire.volume_24h_fp),
        open_interest=_count_of(wire.open_interest_fp),
        strike_type=wire.strike_type or None,
        floor_strike=number_text(wire.floor_strike),
        cap_strike=number_text(wire.cap_strike),
        result=wire.result,
        settlement_value=optional_price(wire.settlement_value_dollars),
    )


def _status(text: str) -> MarketStatus:
    # A status we do not know may forbid orders: the market is set aside, not guessed at.
    try:
        return MarketStatus(text)
    except ValueError as error:
        raise InvalidMessage(f"unknown market status {text!r}") from error


@lru_cache(maxsize=256)
def _grid(ranges: tuple[_PriceRange, ...]) -> PriceGrid:
    if not ranges:
        raise InvalidMessage("a market without price_ranges")
    try:
        return PriceGrid(
            tuple(
                PriceBand(price_of(one.start), price_of(one.end), price_of(one.step))
                for one in ranges
            )
        )
    except InvalidAmount as error:
        raise InvalidMessage(str(error)) from error


def _quarantined(raw: msgspec.Raw, error: InvalidMessage) -> Quarantined:
    try:
        name = decode(_NAMED, raw).ticker
    except InvalidMessage:
        name = "?"
    return Quarantined(name=name or "?", reason=str(error)[:_REASON_LENGTH_MAX], raw=bytes(raw))
