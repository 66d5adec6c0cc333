"""Rows of the stream's tables: from records and back, and as PostgreSQL's binary COPY.

A row is a tuple in the table's own order of columns. Prices keep the venue's way of
writing an empty side: a bid of 0, an ask of $1, a last price of 0.
"""

import json
import logging
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias
from zlib import crc32

import msgspec
from msgspec.structs import astuple
from sqlalchemy import Table

from bot.adapters.storage import tables_stream as tables
from bot.domain.errors import InvalidAmount
from bot.domain.ids import MarketTicker
from bot.domain.money import PAYOUT, Price, Quantity, parse_price
from bot.domain.quotes import BookLevel, PublicTrade, TickerUpdate
from bot.ports.exchange import MarketLifecycle
from bot.ports.stream import (
    BookChange,
    BookStart,
    GapEnd,
    GapReason,
    Origin,
    StreamBatch,
    StreamGap,
)

logger = logging.getLogger(__name__)

Row: TypeAlias = tuple[Any, ...]

EVERY_MARKET = 0
"""The number of no market: a gap of everything."""
COPY_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_TAIL = b"\xff\xff"

_SIGNED_32 = 1 << 31
_LARGEST = (1 << 63) - 1
_EMPTY_ASK = int(PAYOUT)
# Per tuple: the number of columns; per column: its width, then its value (PostgreSQL, COPY).
_tick = struct.Struct("!h" + "iq" * 6 + "ii" * 2 + "ih" * 3).pack
_tick_key = struct.Struct("!6xq" + "12x" * 5 + "4xi4xi").unpack_from
_change = struct.Struct("!h" + "iq" * 4 + "ii" * 2 + "ih" + "i?").pack
_change_key = struct.Struct("!6xq" + "12x" * 3 + "4xi4xi").unpack_from
_change_unstamped = struct.Struct("!h" + "iq" * 2 + "i" + "iq" + "ii" * 2 + "ih" + "i?").pack
_change_unstamped_key = struct.Struct("!6xq" + "12x" + "4x" + "12x" + "4xi4xi").unpack_from
_UNSTAMPED = slice(26, 30)
_NO_VALUE = b"\xff" * 4
# Numbers have one shortest form in MessagePack: the same content is the same bytes, for ever.
_encode = msgspec.msgpack.Encoder().encode
_CONTENT = slice(1, 8)
"""Of a tick's fields: all but its market and its stamps."""


@dataclass(frozen=True, slots=True)
class RowShape:
    """A table whose rows come by the thousand."""

    table: str
    columns: tuple[str, ...]
    key: tuple[str, str, str]
    """The columns that tell rows apart; the first is what partitions go by."""
    key_of: Callable[[bytes], Row]
    """Of a row as a tuple of binary COPY."""


def _columns(table: Table) -> tuple[str, ...]:
    return tuple(column.name for column in table.columns)


def change_key(packed: bytes) -> Row:
    """The key of a packed change, which may have no stamp."""
    if packed[_UNSTAMPED] == _NO_VALUE:
        return _change_unstamped_key(packed)
    return _change_key(packed)


TICKS = RowShape(
    table="market_ticks",
    columns=_columns(tables.market_ticks),
    key=("exchange_us", "market_no", "digest"),
    key_of=_tick_key,
)
CHANGES = RowShape(
    table="book_deltas",
    columns=_columns(tables.book_deltas),
    key=("snapshot_us", "market_no", "change_no"),
    key_of=change_key,
)


def tick_values(ticks: Iterable[TickerUpdate], numbers: Mapping[str, int]) -> list[Any]:
    """Rows of ``market_ticks``, one value after the other.

    When we received a tick is no part of its digest.

    Raises:
        KeyError: a market has no number.
        OverflowError: a number is larger than any database's.
    """
    # Written out, and names looked up once: it is most of what a stored tick costs us.
    values: list[Any] = []
    add, encode, checksum = values.extend, _encode, crc32
    for facts in map(astuple, ticks):
        ticker, bid, ask, bid_size, ask_size, price, volume, interest, at_us, received_us = facts
        add(
            (
                at_us,
                received_us,
                volume,
                interest,
                bid_size,
                ask_size,
                numbers[ticker],
                checksum(encode(facts[_CONTENT])) - _SIGNED_32,
                price or 0,
                bid or 0,
                ask or _EMPTY_ASK,
            )
        )
    return values


def packed_ticks(ticks: Iterable[TickerUpdate], numbers: Mapping[str, int]) -> list[bytes]:
    """The same rows as tuples of binary COPY.

    Raises:
        KeyError: a market has no number.
        OverflowError, struct.error: a number is too large for its column.
    """
    packed: list[bytes] = []
    add, pack, encode, checksum = packed.append, _tick, _encode, crc32
    for facts in map(astuple, ticks):
        ticker, bid, ask, bid_size, ask_size, price, volume, interest, at_us, received_us = facts
        digest = checksum(encode(facts[_CONTENT])) - _SIGNED_32
        add(
            pack(
                11,
                8,
                at_us,
                8,
                received_us,
                8,
                volume,
                8,
                interest,
                8,
                bid_size,
                8,
                ask_size,
                4,
                numbers[ticker],
                4,
                digest,
                2,
                price or 0,
                2,
                bid or 0,
                2,
                ask or _EMPTY_ASK,
            )
        )
    return packed


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


def change_values(changes: Iterable[BookChange], numbers: Mapping[str, int]) -> list[Any]:
    """Rows of ``book_deltas``, one value after the other; raises as :func:`tick_values`."""
    values: list[Any] = []
    for ticker, start_us, number, is_bid, price, size, received_us, at_us in changes:
        values += (start_us, received_us, at_us, size, numbers[ticker], number, price, is_bid)
    return values


def packed_changes(changes: Iterable[BookChange], numbers: Mapping[str, int]) -> list[bytes]:
    """The same rows as tuples of binary COPY; raises as :func:`packed_ticks`."""
    packed: list[bytes] = []
    for ticker, start_us, number, is_bid, price, size, received_us, at_us in changes:
        ends = (4, numbers[ticker], 4, number, 2, price, 1, is_bid)
        if at_us is None:
            packed.append(_change_unstamped(8, 8, start_us, 8, received_us, -1, 8, size, *ends))
        else:
            packed.append(_change(8, 8, start_us, 8, received_us, 8, at_us, 8, size, *ends))
    return packed


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


def trade_rows(trades: Iterable[PublicTrade]) -> list[Row]:
    """Rows of ``market_trades``."""
    return [_trade_row(trade) for trade in trades]


def _trade_row(trade: PublicTrade) -> Row:
    terms = (trade.ticker, trade.price, trade.quantity, trade.taker_side.value, trade.is_block)
    return (trade.trade_id, *terms, trade.executed_us, trade.received_us)


def storable(batch: StreamBatch) -> StreamBatch:
    """The same without what no column can hold, of which one would take all the others with it."""
    return replace(
        batch,
        ticks=[one for one in batch.ticks if _fits(one, _sizes_of(one))],
        changes=[one for one in batch.changes if _fits(one, (one.change,))],
        trades=[one for one in batch.trades if _fits(one, (one.quantity,))],
        prepared=None,
    )


def _fits(record: object, numbers: Sequence[int]) -> bool:
    is_fitting = all(-_LARGEST <= number <= _LARGEST for number in numbers)
    if not is_fitting:
        logger.warning("record does not fit its table", extra={"record": repr(record)})
    return is_fitting


def _sizes_of(tick: TickerUpdate) -> tuple[int, ...]:
    return (tick.volume, tick.open_interest, tick.yes_bid_size, tick.yes_ask_size)


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
