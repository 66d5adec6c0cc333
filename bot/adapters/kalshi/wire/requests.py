"""Request bodies and query strings. Prices and counts leave as strings, times as Unix seconds."""

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from bot.domain.ids import MarketTicker, OrderGroupId
from bot.domain.money import Quantity, format_price, format_quantity
from bot.domain.orders import OrderIntent, Purpose, SelfTradePrevention, TimeInForce
from bot.kit.times import SECOND_US
from bot.ports.exchange import MarketQuery
from bot.ports.history_reads import (
    EVENTS_PER_PAGE,
    MARKETS_PER_PAGE,
    TRADES_PER_PAGE,
    CandleQuery,
    EventQuery,
    RecordQuery,
    TradeQuery,
)

Params: TypeAlias = tuple[tuple[str, str], ...]

EMPTY_BODY = b"{}"
"""The venue wants a JSON body on every POST and PUT."""


class _Create(msgspec.Struct, omit_defaults=True):
    ticker: str
    client_order_id: str
    side: str
    count: str
    price: str
    time_in_force: str
    self_trade_prevention_type: str
    exchange_index: int
    post_only: bool = False
    reduce_only: bool = False
    cancel_order_on_pause: bool = False
    expiration_time: int | None = None
    order_group_id: str | None = None
    subaccount: int = 0


class _CreateGroup(msgspec.Struct, omit_defaults=True):
    contracts_limit_fp: str
    exchange_index: int
    subaccount: int = 0


_ENCODER = msgspec.json.Encoder()


def create_order_body(
    intent: OrderIntent, order_group_id: OrderGroupId | None, subaccount: int
) -> bytes:
    """``CreateOrderV2Request``.

    A resting entry asks to be cancelled in a pause: the market that comes back is
    another one. Exits stay.
    """
    rests = intent.time_in_force is TimeInForce.GOOD_TILL_CANCELED
    return _ENCODER.encode(
        _Create(
            ticker=intent.ticker,
            client_order_id=intent.client_order_id,
            side=intent.side.value,
            count=format_quantity(intent.quantity),
            price=format_price(intent.price),
            time_in_force=intent.time_in_force.value,
            self_trade_prevention_type=SelfTradePrevention.TAKER_AT_CROSS.value,
            exchange_index=intent.exchange_index,
            post_only=intent.post_only,
            reduce_only=intent.reduce_only,
            cancel_order_on_pause=rests and intent.purpose is Purpose.ENTRY,
            expiration_time=_seconds(intent.expires_us),
            order_group_id=order_group_id,
            subaccount=subaccount,
        )
    )


def create_group_body(limit: Quantity, exchange_index: int, subaccount: int) -> bytes:
    """``CreateOrderGroupRequest``."""
    return _ENCODER.encode(
        _CreateGroup(
            contracts_limit_fp=format_quantity(limit),
            exchange_index=exchange_index,
            subaccount=subaccount,
        )
    )


def market_params(query: MarketQuery, cursor: str, limit: int) -> Params:
    """``GET /markets``. The venue refuses impossible mixes of filters itself, with a reason."""
    return _given(
        ("limit", str(limit)),
        ("cursor", cursor),
        ("series_ticker", query.series_ticker),
        ("status", query.status),
        ("tickers", ",".join(query.tickers)),
        ("min_close_ts", _text(_seconds(query.min_close_us))),
        ("max_close_ts", _text(_seconds_up(query.max_close_us))),
        ("min_updated_ts", _text(_seconds(query.min_updated_us))),
        ("mve_filter", "exclude" if query.excludes_combos else None),
    )


def event_params(query: EventQuery, cursor: str) -> Params:
    """``GET /events``."""
    return _given(
        ("limit", str(EVENTS_PER_PAGE)),
        ("cursor", cursor),
        ("with_nested_markets", "true"),
        ("series_ticker", query.series_ticker),
        ("status", query.status),
        ("tickers", ",".join(query.tickers)),
    )


def record_params(query: RecordQuery, cursor: str) -> Params:
    """``GET /markets`` and ``/historical/markets``; the latter takes one filter only."""
    series = None if query.is_archived and query.tickers else query.series_ticker
    return _given(
        ("limit", str(MARKETS_PER_PAGE)),
        ("cursor", cursor),
        ("series_ticker", series),
        ("tickers", ",".join(query.tickers)),
        ("min_updated_ts", _text(_seconds(query.min_updated_us))),
    )


def candle_params(query: CandleQuery) -> Params:
    """Candlesticks of either tier: the live one takes a list of markets, commas between."""
    return _given(
        ("market_tickers", "" if query.is_archived else ",".join(query.tickers)),
        ("start_ts", _text(_seconds(query.start_us))),
        ("end_ts", _text(_seconds(query.end_us))),
        ("period_interval", str(query.period_minutes)),
    )


def trade_params(query: TradeQuery, cursor: str) -> Params:
    """Trades of either tier. Bounds are whole seconds: outwards, so that none is missed."""
    return _given(
        ("limit", str(TRADES_PER_PAGE)),
        ("cursor", cursor),
        ("ticker", query.ticker),
        ("min_ts", _text(_seconds(query.min_us))),
        ("max_ts", _text(_seconds_up(query.max_us))),
    )


def account_params(
    *,
    subaccount: int,
    ticker: MarketTicker | None = None,
    since_us: int | None = None,
    extra: Sequence[tuple[str, str | None]] = (),
) -> Params:
    """Filters common to the account's listings."""
    return _given(
        ("subaccount", str(subaccount)),
        ("ticker", ticker),
        ("min_ts", _text(_seconds(since_us))),
        *extra,
    )


def _given(*pairs: tuple[str, str | None]) -> Params:
    return tuple((name, value) for name, value in pairs if value)


def _seconds(at_us: int | None) -> int | None:
    return None if at_us is None else at_us // SECOND_US


def _seconds_up(at_us: int | None) -> int | None:
    return None if at_us is None else -(-at_us // SECOND_US)


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)
