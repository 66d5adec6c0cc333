"""Recordings of real feeds as one stream of events in the order they happened.

Three layouts are known: the bot's own recordings (``own_captures``); a folder
with one gzip of JSON lines per event type (``orderbook_delta-*.ndjson.gz`` ...),
each line a recorder's envelope around the venue's ``msg``; and a gzip of raw
frames per market. Frames of older formats,
with integer counts or cents, are read too. What cannot be read is skipped: a
recording is evidence, not a contract.
"""

import gzip
import heapq
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from bot.domain.ids import MarketTicker
from bot.domain.money import Price, Quantity, complement, parse_price, parse_quantity
from bot.domain.orders import BookSide
from bot.kit.times import SECOND_US, parse_rfc3339
from bot.simulator.capture_events import Kind, Recorded
from bot.simulator.own_captures import is_own, own_ends_us, read_own

_ENVELOPE_KINDS = ("orderbook_snapshot", "orderbook_delta", "ticker", "trade", "watch_market")
_WHOLE = 100


_Stream: TypeAlias = Iterator[tuple[tuple[int, int], Recorded]]
"""Events with the nanosecond they arrived in and their sequence number."""


def capture_files(root: Path) -> list[Path]:
    """The captures in a folder (or the one it is), in name order."""
    if is_own(root):
        return [root]
    if root.is_file() or _is_capture(root):
        return [root]
    found = [path for path in sorted(root.iterdir()) if path.is_dir() and _is_capture(path)]
    return found or sorted(root.glob("*.ndjson.gz"))


def _is_capture(path: Path) -> bool:
    return path.is_dir() and any(path.glob("orderbook_delta-*.gz"))


def has_tickers(captures: list[Path]) -> bool:
    """Whether the venue's own tickers were recorded."""
    return any(
        is_own(path) or (path.is_dir() and any(path.glob("ticker-*.gz"))) for path in captures
    )


def read_captures(captures: list[Path]) -> Iterator[Recorded]:
    """Every event of several captures by time."""
    return heapq.merge(*map(_read, captures), key=lambda event: event.at_us)


def _read(path: Path) -> Iterator[Recorded]:
    if is_own(path):
        return read_own(path)
    return _read_folder(path) if path.is_dir() else _read_frames(path)


def last_us(path: Path) -> int:
    """When a capture ends, where nothing in it says when its markets close: 0 where it does."""
    if is_own(path):
        return own_ends_us(path)
    if path.is_dir():
        return 0
    end_us = 0
    for event in read_captures([path]):
        end_us = event.at_us
    return end_us


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rb") as file:
        for line in file:
            if line.strip():
                try:
                    value = msgspec.json.decode(line)
                except msgspec.DecodeError:
                    continue  # a torn last line
                if isinstance(value, dict):
                    yield value


def _read_folder(folder: Path) -> Iterator[Recorded]:
    """The book, the tickers and the rest, each in its own order, by the venue's time.

    Arrival times of different channels jitter against each other by more than
    books stand still; the venue's stamps do not. Snapshots have no stamp and
    stay between the deltas they arrived between.
    """
    levels = [*_streams(folder, Kind.SNAPSHOT), *_streams(folder, Kind.DELTA)]
    book: _Stream = heapq.merge(*levels, key=lambda item: item[0])
    # Of one moment the watch of a market comes first, then its book, then what sums it up.
    streams = [*_streams(folder, Kind.WATCH), book]
    streams += [*_streams(folder, Kind.TRADE), *_streams(folder, Kind.TICKER)]
    return heapq.merge(*(_by_stamp(stream) for stream in streams), key=lambda event: event.at_us)


def _streams(folder: Path, kind: Kind) -> list[_Stream]:
    return [_read_envelopes(path, kind) for path in sorted(folder.glob(f"{kind}-*.gz"))]


def _by_stamp(stream: _Stream) -> Iterator[Recorded]:
    """One stream with the venue's time, which never runs backwards in it."""
    now_us = 0
    waiting: list[Recorded] = []
    for _, event in stream:
        if event.kind is Kind.SNAPSHOT:
            waiting.append(event)
            continue
        stamp = event.at_us if event.kind is Kind.WATCH else _stamp(event.msg) or event.at_us
        until_us = max(now_us, stamp)
        for snapshot in waiting:
            now_us = max(now_us, min(snapshot.at_us, until_us))
            yield replace(snapshot, at_us=now_us)
        waiting.clear()
        now_us = until_us
        yield replace(event, at_us=now_us)
    for snapshot in waiting:
        yield replace(snapshot, at_us=max(now_us, snapshot.at_us))


def _read_envelopes(path: Path, kind: Kind) -> _Stream:
    for line in _lines(path):
        received_ns = int(line["local_recv_ns"])
        order = int(line.get("sequence_number") or 0)
        ticker = MarketTicker(line["market_ticker"])
        event = Recorded(
            at_us=received_ns // 1_000, kind=kind, ticker=ticker, msg=line["payload_json"]
        )
        yield (received_ns, order), event


def _read_frames(path: Path) -> Iterator[Recorded]:
    """Raw frames carry the venue's time or none; none means that of the frame before."""
    waiting: list[tuple[Kind, dict[str, Any]]] = []
    now_us = 0
    for frame in _lines(path):
        if frame.get("type") not in set(_ENVELOPE_KINDS):
            continue
        kind, msg = Kind(frame["type"]), frame["msg"]
        at_us = _stamp(msg)
        if at_us is None and not now_us:
            waiting.append((kind, msg))
            continue
        now_us = max(now_us, at_us or 0)
        for old_kind, old_msg in waiting:
            yield _recorded(now_us, old_kind, old_msg)
        waiting.clear()
        yield _recorded(now_us, kind, msg)


def _recorded(at_us: int, kind: Kind, msg: dict[str, Any]) -> Recorded:
    return Recorded(at_us=at_us, kind=kind, ticker=MarketTicker(msg["market_ticker"]), msg=msg)


def _stamp(msg: dict[str, Any]) -> int | None:
    milliseconds, stamp = msg.get("ts_ms"), msg.get("ts")
    if isinstance(milliseconds, int):
        return milliseconds * 1_000
    if isinstance(stamp, str):
        return parse_rfc3339(stamp)
    return stamp * SECOND_US if isinstance(stamp, int) else None


# The venue's messages, old and new


def levels_of(msg: dict[str, Any], leg: str) -> Iterator[tuple[Price, Quantity]]:
    """One leg's levels of a snapshot, prices as YES prices."""
    rows = msg.get(f"{leg}_dollars_fp") or msg.get(f"{leg}_dollars") or ()
    for price, count in rows:
        yield _yes_price(price, leg), _count(count)


def change_of(msg: dict[str, Any]) -> tuple[BookSide, Price, Quantity]:
    """A delta's side, YES price and change."""
    leg = msg["side"]
    side = BookSide.BID if leg == "yes" else BookSide.ASK
    change = msg.get("delta_fp", msg.get("delta"))
    return side, _yes_price(msg["price_dollars"], leg), _count(change)


def trade_of(msg: dict[str, Any]) -> tuple[Price, Quantity, BookSide]:
    """A trade's YES price, count and taker side."""
    count = _count(msg.get("count_fp", msg.get("count")))
    side = BookSide.BID if msg.get("taker_side") == "yes" else BookSide.ASK
    return parse_price(msg["yes_price_dollars"]), count, side


def _yes_price(text: str, leg: str) -> Price:
    price = parse_price(text)
    return price if leg == "yes" else complement(price)


def _count(value: object) -> Quantity:
    if isinstance(value, int):
        return Quantity(value * _WHOLE)
    return parse_quantity(str(value))
