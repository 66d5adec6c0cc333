"""WebSocket messages: the envelope, then each payload by its type.

The envelope is read first and alone, so that sequence numbers are counted even
for a payload that cannot be read or a type that did not exist yet.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Literal

import msgspec

from bot.adapters.kalshi.wire.account import order_status_of
from bot.adapters.kalshi.wire.fields import (
    TIME_MS_MAX,
    count_of,
    decode,
    inner_price,
    levels_of,
    micros_of_ms,
    micros_of_seconds,
    money_of,
    optional_instant,
    price_of,
    quantity_of,
    quoted_price,
    refuse_crossed,
    side_of,
    traded_price,
)
from bot.domain.errors import InvalidMessage
from bot.domain.ids import ClientOrderId, FillId, MarketTicker, OrderGroupId, OrderId
from bot.domain.money import PAYOUT, Price, Quantity, complement, format_price
from bot.domain.orders import BookSide, Fill, Order
from bot.domain.quotes import BookDelta, BookSnapshot, PublicTrade, TickerUpdate
from bot.ports.exchange import MarketLifecycle, OrderGroupChanged, OwnFill, OwnOrder

UNUSUAL = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, KeyError)
"""What reading any frame as a usual book change may raise."""

_COUNTS_KEPT = 20_000
_USUAL_COUNT = re.compile(r"(-?[0-9]{1,9})\.([0-9]{2})").fullmatch
_NOTHING = msgspec.Raw(b"null")


class Envelope(msgspec.Struct):
    """What every message carries; 0 stands for an absent number."""

    type: str
    id: int = 0
    sid: int = 0
    seq: int = 0
    msg: msgspec.Raw = _NOTHING


class SubscribedMsg(msgspec.Struct):
    """One channel of a subscribe command is on, under this sid."""

    channel: str
    sid: int


class TickersMsg(msgspec.Struct):
    """The full set of a subscription after a change, where the venue lists it."""

    market_tickers: list[str] | None = None


class ErrorMsg(msgspec.Struct):
    """A refused command or a dead subscription."""

    code: int
    msg: str = ""
    market_ticker: str = ""
    market_tickers: list[str] | None = None

    @property
    def culprits(self) -> frozenset[str]:
        """The markets it names."""
        return frozenset(filter(None, (self.market_ticker, *(self.market_tickers or ()))))


class _Named(msgspec.Struct):
    market_ticker: str


class _Snapshot(msgspec.Struct):
    market_ticker: str
    clock: int | None = None
    yes_dollars_fp: list[tuple[str, str]] | None = None
    no_dollars_fp: list[tuple[str, str]] | None = None


class _Delta(msgspec.Struct):
    market_ticker: str
    price_dollars: str
    delta_fp: str
    side: str
    clock: int | None = None
    ts_ms: int | None = None


class UsualDelta(msgspec.Struct, gc=False):
    """A book change with the venue's stamp."""

    market_ticker: MarketTicker
    price_dollars: str
    delta_fp: str
    side: Literal["yes", "no"]
    ts_ms: Annotated[int, msgspec.Meta(ge=0, le=TIME_MS_MAX)]
    clock: int | None = None


class DeltaFrame(msgspec.Struct, tag_field="type", tag="orderbook_delta", gc=False):
    """A book change with its envelope, decoded in one go."""

    msg: UsualDelta
    sid: int = 0
    seq: int = 0


class _Ticker(msgspec.Struct):
    market_ticker: str
    yes_bid_dollars: str
    yes_ask_dollars: str
    volume_fp: str
    open_interest_fp: str
    ts_ms: int
    price_dollars: str | None = None
    yes_bid_size_fp: str = "0.00"
    yes_ask_size_fp: str = "0.00"


class _Trade(msgspec.Struct):
    trade_id: str
    market_ticker: str
    yes_price_dollars: str
    count_fp: str
    ts: int = 0
    ts_ms: int = 0
    taker_book_side: str | None = None
    taker_outcome_side: str | None = None
    taker_side: str | None = None
    is_block_trade: bool = False


class _OwnFill(msgspec.Struct):
    trade_id: str
    order_id: str
    market_ticker: str
    is_taker: bool
    yes_price_dollars: str
    count_fp: str
    fee_cost: str
    ts_ms: int
    client_order_id: str = ""
    book_side: str | None = None
    outcome_side: str | None = None


class _OwnOrder(msgspec.Struct):
    order_id: str
    ticker: str
    status: str
    yes_price_dollars: str
    initial_count_fp: str
    fill_count_fp: str
    remaining_count_fp: str
    client_order_id: str = ""
    exchange_index: int = 0
    book_side: str | None = None
    outcome_side: str | None = None
    order_group_id: str | None = None
    created_ts_ms: int | None = None
    last_updated_ts_ms: int | None = None
    created_time: str | None = None
    last_update_time: str | None = None


class _Lifecycle(msgspec.Struct):
    event_type: str
    market_ticker: str
    close_ts: int | None = None
    result: str | None = None
    settlement_value: str | None = None


class _GroupUpdate(msgspec.Struct):
    event_type: str
    order_group_id: str


_ENVELOPE = msgspec.json.Decoder(Envelope)
_SUBSCRIBED = msgspec.json.Decoder(SubscribedMsg)
_TICKERS = msgspec.json.Decoder(TickersMsg | list | None)
_ERROR = msgspec.json.Decoder(ErrorMsg)
_NAMED = msgspec.json.Decoder(_Named)
_SNAPSHOT = msgspec.json.Decoder(_Snapshot)
_DELTA = msgspec.json.Decoder(_Delta)
_TICKER = msgspec.json.Decoder(_Ticker)
_TRADE = msgspec.json.Decoder(_Trade)
_OWN_FILL = msgspec.json.Decoder(_OwnFill)
_OWN_ORDER = msgspec.json.Decoder(_OwnOrder)
_LIFECYCLE = msgspec.json.Decoder(_Lifecycle)
_GROUP_UPDATE = msgspec.json.Decoder(_GroupUpdate)


def read_envelope(frame: bytes | str) -> Envelope:
    """The outer object of one frame."""
    return decode(_ENVELOPE, frame)


def read_subscribed(raw: msgspec.Raw) -> SubscribedMsg:
    """The payload of ``subscribed``."""
    return decode(_SUBSCRIBED, raw)


def read_ok(raw: msgspec.Raw) -> TickersMsg:
    """The payload of ``ok``; a list of subscriptions counts as no statement about tickers."""
    found: object = decode(_TICKERS, raw)
    return found if isinstance(found, TickersMsg) else TickersMsg()


def read_stream_error(raw: msgspec.Raw) -> ErrorMsg:
    """The payload of ``error``."""
    return decode(_ERROR, raw)


def market_named(raw: msgspec.Raw) -> MarketTicker | None:
    """Whose payload it is, as far as that can be read."""
    try:
        return MarketTicker(decode(_NAMED, raw).market_ticker)
    except InvalidMessage:
        return None


class UsualCounts(dict[str, Quantity]):
    """Sizes by their text; one that was not seen before is read and kept.

    Sizes repeat: one change in ten brings a new text.
    """

    def __missing__(self, text: str) -> Quantity:
        """The size. Raises ``KeyError`` for a text in another notation."""
        found = _USUAL_COUNT(text)
        if found is None:
            raise KeyError(text)
        count = Quantity(int(found[1] + found[2]))
        if len(self) < _COUNTS_KEPT:
            self[text] = count
        return count


@cache
def usual_prices(*, is_complement: bool) -> Mapping[str, Price]:
    """Every text of a price somebody can trade at as a YES price. Made once for each leg."""
    inner = map(Price, range(1, PAYOUT))
    return {format_price(price): complement(price) if is_complement else price for price in inner}


def delta_decoder() -> Callable[[bytes | str], DeltaFrame]:
    """Reads a frame that is a book change, in one go; raises one of ``UNUSUAL`` for others."""
    return msgspec.json.Decoder(DeltaFrame).decode


def read_snapshot(
    raw: msgspec.Raw, received_us: int, *, uses_yes_price: bool = True
) -> BookSnapshot:
    """A whole book. ``uses_yes_price`` says on which leg NO levels were asked for."""
    wire = decode(_SNAPSHOT, raw)
    bids = levels_of(wire.yes_dollars_fp, is_complement=False)
    asks = levels_of(wire.no_dollars_fp, is_complement=not uses_yes_price)[::-1]
    refuse_crossed(bids, asks)
    return BookSnapshot(
        ticker=MarketTicker(wire.market_ticker),
        bids=bids,
        asks=asks,
        received_us=received_us,
        clock=wire.clock,
    )


def read_delta(raw: msgspec.Raw, received_us: int, *, uses_yes_price: bool = True) -> BookDelta:
    """A change of one level."""
    wire = decode(_DELTA, raw)
    price = inner_price(wire.price_dollars)
    side = side_of(None, wire.side)
    if side is BookSide.ASK and not uses_yes_price:
        price = complement(price)
    return BookDelta(
        ticker=MarketTicker(wire.market_ticker),
        side=side,
        price=price,
        change=quantity_of(wire.delta_fp),
        received_us=received_us,
        exchange_us=None if wire.ts_ms is None else micros_of_ms(wire.ts_ms),
        clock=wire.clock,
    )


def read_ticker(raw: msgspec.Raw, received_us: int) -> TickerUpdate:
    """The venue's summary of one market."""
    wire = decode(_TICKER, raw)
    return TickerUpdate(
        ticker=MarketTicker(wire.market_ticker),
        yes_bid=quoted_price(wire.yes_bid_dollars),
        yes_ask=quoted_price(wire.yes_ask_dollars),
        yes_bid_size=count_of(wire.yes_bid_size_fp),
        yes_ask_size=count_of(wire.yes_ask_size_fp),
        last_price=traded_price(wire.price_dollars),
        volume=count_of(wire.volume_fp),
        open_interest=count_of(wire.open_interest_fp),
        exchange_us=micros_of_ms(wire.ts_ms),
        received_us=received_us,
    )


def read_trade(raw: msgspec.Raw, received_us: int) -> PublicTrade:
    """Someone's execution; frames before mid 2026 carry only ``taker_side`` and seconds."""
    wire = decode(_TRADE, raw)
    executed_us = micros_of_ms(wire.ts_ms) if wire.ts_ms else micros_of_seconds(wire.ts)
    return PublicTrade(
        trade_id=FillId(wire.trade_id),
        ticker=MarketTicker(wire.market_ticker),
        price=inner_price(wire.yes_price_dollars),
        quantity=count_of(wire.count_fp),
        taker_side=side_of(wire.taker_book_side, wire.taker_outcome_side or wire.taker_side),
        is_block=wire.is_block_trade,
        executed_us=executed_us or received_us,
        received_us=received_us,
    )


def read_own_fill(raw: msgspec.Raw, received_us: int) -> OwnFill:
    """An execution of ours. ``side`` on this message is as entered, so it is not read."""
    wire = decode(_OWN_FILL, raw)
    fill = Fill(
        fill_id=FillId(wire.trade_id),
        order_id=OrderId(wire.order_id),
        ticker=MarketTicker(wire.market_ticker),
        side=side_of(wire.book_side, wire.outcome_side),
        price=price_of(wire.yes_price_dollars),
        quantity=count_of(wire.count_fp),
        fee=money_of(wire.fee_cost),
        is_taker=wire.is_taker,
        executed_us=micros_of_ms(wire.ts_ms),
    )
    client_order_id = ClientOrderId(wire.client_order_id) if wire.client_order_id else None
    return OwnFill(fill=fill, client_order_id=client_order_id, received_us=received_us)


def read_own_order(raw: msgspec.Raw, received_us: int) -> OwnOrder:
    """A change of one of our orders."""
    wire = decode(_OWN_ORDER, raw)
    created_us = _moment(wire.created_ts_ms, wire.created_time)
    updated_us = _moment(wire.last_updated_ts_ms, wire.last_update_time)
    order = Order(
        order_id=OrderId(wire.order_id),
        client_order_id=ClientOrderId(wire.client_order_id) if wire.client_order_id else None,
        ticker=MarketTicker(wire.ticker),
        exchange_index=wire.exchange_index,
        side=side_of(wire.book_side, wire.outcome_side),
        status=order_status_of(wire.status),
        price=price_of(wire.yes_price_dollars),
        initial=count_of(wire.initial_count_fp),
        filled=count_of(wire.fill_count_fp),
        remaining=count_of(wire.remaining_count_fp),
        order_group_id=OrderGroupId(wire.order_group_id) if wire.order_group_id else None,
        created_us=created_us or updated_us or received_us,
        updated_us=updated_us or created_us or received_us,
    )
    return OwnOrder(order=order, received_us=received_us)


def read_lifecycle(raw: msgspec.Raw, received_us: int) -> MarketLifecycle:
    """A step of a market's life; the venue's own words in ``kind``."""
    wire = decode(_LIFECYCLE, raw)
    return MarketLifecycle(
        ticker=MarketTicker(wire.market_ticker),
        kind=wire.event_type,
        close_us=None if wire.close_ts is None else micros_of_seconds(wire.close_ts),
        result=wire.result,
        settlement_value=wire.settlement_value,
        received_us=received_us,
    )


def read_group_change(raw: msgspec.Raw, received_us: int) -> OrderGroupChanged:
    """A change of one of our order groups."""
    wire = decode(_GROUP_UPDATE, raw)
    return OrderGroupChanged(
        order_group_id=OrderGroupId(wire.order_group_id),
        kind=wire.event_type,
        received_us=received_us,
    )


def _moment(milliseconds: int | None, text: str | None) -> int | None:
    return optional_instant(text) if milliseconds is None else micros_of_ms(milliseconds)
