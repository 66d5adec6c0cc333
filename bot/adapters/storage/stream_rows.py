"""Rows of the stream's tables: from records and back, and as PostgreSQL's binary COPY.

A row is a tuple in the table's own order of columns. Prices keep the venue's way of
writing an empty side: a bid of 0, an ask of $1, a last price of 0.
"""

import json
import logging
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar
from zlib import crc32

from sqlalchemy import Table

from bot.adapters.storage import tables_stream as tables
from bot.domain.errors import InvalidAmount
from bot.domain.ids import MarketTicker
from bot.domain.money import PAYOUT, Price, Quantity, parse_price
from bot.domain.quotes import BookLevel, PublicTrade, TickerUpdate
from bot.ports.exchange import MarketLifecycle
from bot.ports.stream import BookChange, BookStart, GapEnd, GapReason, Origin, StreamGap

logger = logging.getLogger(__name__)

Row: TypeAlias = tuple[Any, ...]
T = TypeVar("T")

EVERY_MARKET = 0
"""The number of no market: a gap of everything."""
COPY_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_TAIL = b"\xff\xff"

_SIGNED_32 = 1 << 31
_LARGEST = (1 << 63) - 1
_EMPTY_ASK = int(PAYOUT)
# Per tuple: the number of columns; per column: its width, then its value (PostgreSQL, COPY).
_content = struct.Struct("<3h4q").pack
_tick = struct.Struct("!h" + "iq" * 6 + "ii" * 2 + "ih" * 3).pack
_change = struct.Struct("!h" + "iq" * 4 + "ii" * 2 + "ih" + "i?").pack
_change_unstamped = struct.Struct("!h" + "iq" * 2 + "i" + "iq" + "ii" * 2 + "ih" + "i?").pack


class DoesNotFit(Exception):
    """A number of the venue's that no column is wide enough for."""


@dataclass(frozen=True, slots=True)
class RowShape:
    """A table whose rows come by the thousand."""

    table: str
    columns: tuple[str, ...]
    key: tuple[str, str, str]
    """The columns that tell rows apart; the first is what partitions go by."""
    key_of: Callable[[Row], Row]
    pack: Callable[[Row], bytes]
    """A row as a tuple of binary COPY."""


def pack_tick(row: Row) -> bytes:
    """A row of ``market_ticks``."""
    a, b, c, d, e, f, g, h, i, j, k = row
    return _tick(11, 8, a, 8, b, 8, c, 8, d, 8, e, 8, f, 4, g, 4, h, 2, i, 2, j, 2, k)


def pack_change(row: Row) -> bytes:
    """A row of ``book_deltas``; a change may come without the venue's stamp."""
    a, b, stamp, d, e, f, g, h = row
    if stamp is None:
        return _change_unstamped(8, 8, a, 8, b, -1, 8, d, 4, e, 4, f, 2, g, 1, h)
    return _change(8, 8, a, 8, b, 8, stamp, 8, d, 4, e, 4, f, 2, g, 1, h)


def _columns(table: Table) -> tuple[str, ...]:
    return tuple(column.name for column in table.columns)


TICKS = RowShape(
    table="market_ticks",
    columns=_columns(tables.market_ticks),
    key=("exchange_us", "market_no", "digest"),
    key_of=lambda row: (row[0], row[6], row[7]),
    pack=pack_tick,
)
CHANGES = RowShape(
    table="book_deltas",
    columns=_columns(tables.book_deltas),
    key=("snapshot_us", "market_no", "change_no"),
    key_of=lambda row: (row[0], row[4], row[5]),
    pack=pack_change,
)


def tick_row(tick: TickerUpdate, market_no: int) -> Row:
    """A row of ``market_ticks``. When we received it is no part of the digest.

    Raises:
        DoesNotFit: a number is too large for its column.
    """
    price, bid = tick.last_price or 0, tick.yes_bid or 0
    ask = _EMPTY_ASK if tick.yes_ask is None else tick.yes_ask
    volume, interest = tick.volume, tick.open_interest
    bid_size, ask_size = tick.yes_bid_size, tick.yes_ask_size
    try:
        content = _content(price, bid, ask, volume, interest, bid_size, ask_size)
    except struct.error as fault:
        raise DoesNotFit from fault
    return (
        tick.exchange_us,
        tick.received_us,
        volume,
        interest,
        bid_size,
        ask_size,
        market_no,
        crc32(content) - _SIGNED_32,
        price,
        bid,
        ask,
    )


def tick_of(ticker: str, row: Sequence[Any]) -> TickerUpdate:
    """The tick of a row of ``market_ticks``."""
    exchange_us, received_us, volume, interest, bid_size, ask_size, _, _, price, bid, ask = row
    return TickerUpdate(
        ticker=MarketTicker(ticker),
        yes_bid=Price(bid) if bid else None,
        yes_ask=None if ask == _EMPTY_ASK else Price(ask),
        yes_bid_size=Quantity(bid_size),
        yes_ask_size=Quantity(ask_size),
        last_price=Price(price) if price else None,
        volume=Quantity(volume),
        open_interest=Quantity(interest),
        exchange_us=exchange_us,
        received_us=received_us,
    )


def change_row(change: BookChange, market_no: int) -> Row:
    """A row of ``book_deltas``; raises ``DoesNotFit``."""
    _check(change.change)
    _, snapshot_us, change_no, is_bid, price, size, received_us, exchange_us = change
    return (snapshot_us, received_us, exchange_us, size, market_no, change_no, price, is_bid)


def change_of(ticker: str, row: Sequence[Any]) -> BookChange:
    """The change of a row of ``book_deltas``."""
    snapshot_us, received_us, exchange_us, size, _, change_no, price, is_bid = row
    return BookChange(
        ticker=MarketTicker(ticker),
        snapshot_us=snapshot_us,
        change_no=change_no,
        is_bid=bool(is_bid),
        price=Price(price),
        change=Quantity(size),
        received_us=received_us,
        exchange_us=exchange_us,
    )


def start_row(start: BookStart, market_no: int) -> Row:
    """A row of ``book_snapshots``."""
    sides = (_levels_json(start.bids), _levels_json(start.asks))
    return (market_no, start.snapshot_us, start.origin.value, *sides)


def start_of(ticker: str, row: Sequence[Any]) -> BookStart:
    """The whole book of a row of ``book_snapshots``."""
    _, snapshot_us, origin, bids, asks = row
    return BookStart(
        ticker=MarketTicker(ticker),
        snapshot_us=snapshot_us,
        origin=Origin(origin),
        bids=_levels(bids),
        asks=_levels(asks),
    )


def lifecycle_row(event: MarketLifecycle, market_no: int) -> Row:
    """A row of ``lifecycle_events``."""
    value = _price_or_none(event.settlement_value)
    return (market_no, event.received_us, event.kind, event.close_us, event.result, value)


def gap_row(gap: StreamGap, market_no: int) -> Row:
    """A row of ``stream_gaps`` without its number."""
    known = (gap.stream, market_no, gap.reason.value, gap.from_us)
    return (*known, gap.to_us, gap.lost, gap.ended.value, gap.detail)


def gap_of(ticker: str | None, row: Sequence[Any]) -> StreamGap:
    """The gap of a row made by :func:`gap_row`."""
    stream, _, reason, from_us, to_us, lost, ended, detail = row
    return StreamGap(
        stream=stream,
        reason=GapReason(reason),
        from_us=from_us,
        ticker=None if ticker is None else MarketTicker(ticker),
        to_us=to_us,
        lost=lost,
        ended=GapEnd(ended),
        detail=detail,
    )


def trade_row(trade: PublicTrade) -> Row:
    """A row of ``market_trades``."""
    _check(trade.quantity)
    terms = (trade.ticker, trade.price, trade.quantity, trade.taker_side.value, trade.is_block)
    return (trade.trade_id, *terms, trade.executed_us, trade.received_us)


def fitting(make: Callable[[T], Row], records: Sequence[T]) -> list[Row]:
    """Rows of records. One that does not fit is left out: it would take its batch with it."""
    try:
        return [make(record) for record in records]
    except DoesNotFit:
        return [row for record in records for row in _fitting(make, record)]


def _fitting(make: Callable[[T], Row], record: T) -> Iterator[Row]:
    try:
        yield make(record)
    except DoesNotFit:
        logger.warning("record does not fit its table", extra={"record": repr(record)})


def _check(number: int) -> None:
    if not -_LARGEST <= number <= _LARGEST:
        raise DoesNotFit


def _levels_json(levels: Iterable[BookLevel]) -> str:
    return json.dumps([[one.price, one.quantity] for one in levels], separators=(",", ":"))


def _levels(text: str) -> tuple[BookLevel, ...]:
    return tuple(BookLevel(Price(price), Quantity(size)) for price, size in json.loads(text))


def _price_or_none(text: str | None) -> Price | None:
    if not text:
        return None
    try:
        return parse_price(text)
    except InvalidAmount:
        return None
