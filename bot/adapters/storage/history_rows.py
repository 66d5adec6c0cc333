"""Rows of the venue's past, from values and back."""

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from sqlalchemy import RowMapping

from bot.domain.ids import EventTicker, MarketTicker, SeriesTicker
from bot.domain.market import MarketStatus
from bot.domain.money import Price, Quantity
from bot.ports.market_history import (
    Candle,
    EventRecord,
    KnownMarket,
    MarketRecord,
    PriceBefore,
    SettlementRecord,
    Span,
)

_UNIT_OF = {
    "settlement_value": "settlement_value_e4",
    "yes_bid": "yes_bid_e4",
    "yes_ask": "yes_ask_e4",
    "last_price": "last_price_e4",
    "volume": "volume_e2",
    "open_interest": "open_interest_e2",
}
"""Fields whose column names their unit; the others are called alike."""
_EVENT_FIELDS = [field.name for field in fields(EventRecord)]
_MARKET_FIELDS = [field.name for field in fields(MarketRecord)]
_SETTLEMENT_FIELDS = [field.name for field in fields(SettlementRecord) if field.name != "prices"]


def event_row(event: EventRecord, at_us: int) -> dict[str, Any]:
    """An event as seen at ``at_us``."""
    seen = {"first_seen_us": at_us, "last_seen_us": at_us}
    return _row(event, _EVENT_FIELDS) | seen


def market_row(market: MarketRecord, at_us: int) -> dict[str, Any]:
    """A market as seen at ``at_us``."""
    return _row(market, _MARKET_FIELDS) | {
        "first_close_us": market.close_us,
        "first_seen_us": at_us,
        "last_seen_us": at_us,
    }


def candle_row(candle: Candle) -> dict[str, Any]:
    """A candle; where nothing traded its prices are empty."""
    return {
        "ticker": candle.ticker,
        "period_minutes": candle.period_minutes,
        "end_us": candle.end_us,
        **_span("bid", candle.bid),
        **_span("ask", candle.ask),
        **_span("price", candle.price),
        "price_mean_e4": candle.mean,
        "price_previous_e4": candle.previous,
        "volume_e2": candle.volume,
        "open_interest_e2": candle.open_interest,
    }


def settlement_row(settled: SettlementRecord, at_us: int) -> dict[str, Any]:
    """A result, without its prices."""
    return _row(settled, _SETTLEMENT_FIELDS) | {"recorded_us": at_us}


def price_rows(settled: SettlementRecord) -> list[dict[str, Any]]:
    """The prices before a settled market's close."""
    return [
        {
            "ticker": settled.ticker,
            "horizon_minutes": price.horizon_minutes,
            "yes_bid_e4": price.yes_bid,
            "yes_ask_e4": price.yes_ask,
            "last_price_e4": price.last_price,
            "observed_us": price.observed_us,
            "source": price.source,
        }
        for price in settled.prices
    ]


def known_market(row: RowMapping) -> KnownMarket:
    """A market joined with its event's ``strike_period``."""
    return KnownMarket(
        ticker=MarketTicker(row["ticker"]),
        event_ticker=EventTicker(row["event_ticker"]),
        series_ticker=SeriesTicker(row["series_ticker"]),
        market_type=row["market_type"],
        status=MarketStatus(row["status"]),
        strike_period=row["strike_period"],
        open_us=row["open_us"],
        close_us=row["close_us"],
        first_close_us=row["first_close_us"],
        settled_us=row["settled_us"],
        result=row["result"],
        settlement_value=_price(row["settlement_value_e4"]),
        volume=Quantity(row["volume_e2"]),
    )


def settlement_of(row: RowMapping, prices: Iterable[PriceBefore]) -> SettlementRecord:
    """A result with its prices."""
    return SettlementRecord(
        **{name: row[_UNIT_OF.get(name, name)] for name in _SETTLEMENT_FIELDS},
        prices=tuple(prices),
    )


def price_before(row: RowMapping) -> PriceBefore:
    """The stored prices at one horizon."""
    return PriceBefore(
        horizon_minutes=row["horizon_minutes"],
        yes_bid=_price(row["yes_bid_e4"]),
        yes_ask=_price(row["yes_ask_e4"]),
        last_price=_price(row["last_price_e4"]),
        observed_us=row["observed_us"],
        source=row["source"],
    )


def _row(value: object, names: Iterable[str]) -> dict[str, Any]:
    return {_UNIT_OF.get(name, name): getattr(value, name) for name in names}


def _span(name: str, span: Span | None) -> dict[str, Price | None]:
    parts = ("open", "high", "low", "close")
    return {f"{name}_{part}_e4": None if span is None else getattr(span, part) for part in parts}


def _price(value: int | None) -> Price | None:
    return None if value is None else Price(value)
