"""The bot's own recordings as events: what it heard, in the order it heard it.

Several connections may have heard the same market at once, in a hand-over; then
the newest that has shown its book is believed. After a lost message a book's
changes are left out until its next snapshot, as the bot itself did.
"""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from bot.domain.errors import InvalidAmount
from bot.domain.ids import MarketTicker
from bot.domain.money import complement, format_price, parse_price
from bot.kit.frames import (
    HEARD,
    NOTE,
    SAID,
    DamagedFile,
    Record,
    Summary,
    frame_files,
    read_note,
    read_records,
    read_summary,
)
from bot.kit.times import format_rfc3339
from bot.simulator.capture_events import Kind, Recorded

_BOOK_KINDS = (Kind.SNAPSHOT, Kind.DELTA)
_KINDS = frozenset({Kind.SNAPSHOT, Kind.DELTA, Kind.TICKER, Kind.TRADE})


def is_own(path: Path) -> bool:
    """Whether a folder or file holds recordings of the bot."""
    return bool(frame_files(path))


def read_own(root: Path) -> Iterator[Recorded]:
    """Every event of a folder by time, from the first file to the last."""
    files = _summaries(root)
    terms = _terms(files)
    talks = [(path, summary) for path, summary in files if summary.frames]
    believed = _Believed(terms)
    for group in _overlapping(talks):
        streams = [_heard(path, summary.connection) for path, summary in group]
        yield from believed.pick(heapq.merge(*streams, key=lambda one: one[0].at_us))


def own_ends_us(root: Path) -> int:
    """When the last file ends."""
    return max((summary.ended_us for _, summary in _summaries(root)), default=0)


def own_series(root: Path) -> list[str]:
    """The series whose markets were watched."""
    files = _summaries(root)
    tickers = set(_terms(files)) or {ticker for path, _ in files for ticker in _asked_for(path)}
    return sorted({ticker.partition("-")[0] for ticker in tickers})


def _asked_for(path: Path) -> Iterator[MarketTicker]:
    """The markets of the commands in a file."""
    for record in read_records(path):
        if record.kind == SAID:
            params = msgspec.json.decode(record.data).get("params", {})
            yield from map(MarketTicker, params.get("market_tickers", ()))


def _summaries(root: Path) -> list[tuple[Path, Summary]]:
    """Files that can be read, by when they began."""
    found = []
    for path in frame_files(root):
        try:
            found.append((path, read_summary(path)))
        except DamagedFile:
            continue  # a recording is evidence, not a contract
    return sorted(found, key=lambda one: (one[1].began_us, one[0]))


def _overlapping(files: Sequence[tuple[Path, Summary]]) -> Iterator[list[tuple[Path, Summary]]]:
    """Files in groups: all of one are earlier than all of the next."""
    group: list[tuple[Path, Summary]] = []
    until_us = 0
    for path, summary in files:
        if group and summary.began_us >= until_us:
            yield group
            group = []
        group.append((path, summary))
        until_us = max(until_us, summary.ended_us)
    if group:
        yield group


def _terms(files: Sequence[tuple[Path, Summary]]) -> dict[MarketTicker, dict[str, Any]]:
    """When each market closes and its strike, as the bot was told last."""
    found: dict[MarketTicker, dict[str, Any]] = {}
    for path, summary in files:
        if summary.frames:
            continue
        for record in read_records(path):
            listing = read_note(record).get("listing")
            if isinstance(listing, dict):
                market = listing["market"]
                terms: dict[str, Any] = {"close_time": format_rfc3339(market["close_us"])}
                if market["floor_strike"] is not None:
                    terms["strike"] = float(market["floor_strike"])
                found[MarketTicker(market["ticker"])] = terms
    return found


def _heard(path: Path, connection: str) -> Iterator[tuple[Recorded, str]]:
    """One file's events and its connection, without what follows on a lost message."""
    talk = _Talk()
    for record in read_records(path):
        event = talk.event(record)
        if event is not None:
            yield event, connection


@dataclass(slots=True)
class _Talk:
    """How far the sequences of one connection have come."""

    uses_yes_price: bool = True
    last_seq: dict[int, int] = field(default_factory=dict)
    clocks: dict[MarketTicker, tuple[int, int | None]] = field(default_factory=dict)
    """Of each known book: its sid, and the book clock of its snapshot."""

    def event(self, record: Record) -> Recorded | None:
        """What a record shows, if it is of a kind that can be played."""
        if record.kind == NOTE:
            said = read_note(record)
            self.uses_yes_price = bool(said.get("uses_yes_price", self.uses_yes_price))
            return None
        return self._frame(record) if record.kind == HEARD else None

    def _frame(self, record: Record) -> Recorded | None:
        try:
            frame = msgspec.json.decode(record.data)
            sid, seq = int(frame.get("sid") or 0), int(frame.get("seq") or 0)
            if seq and not self._follows(sid, seq):
                return None
            if frame.get("type") not in _KINDS:
                return None
            kind, msg = Kind(frame["type"]), frame["msg"]
            ticker = MarketTicker(msg["market_ticker"])
            if kind in _BOOK_KINDS and not self._is_known(kind, ticker, sid, msg):
                return None
            if self.uses_yes_price and kind in _BOOK_KINDS:
                msg = _on_no_leg(msg)
        except (msgspec.DecodeError, KeyError, TypeError, ValueError, AttributeError):
            return None
        return Recorded(at_us=record.at_us, kind=kind, ticker=ticker, msg=msg)

    def _follows(self, sid: int, seq: int) -> bool:
        """Count a message; a repeated one is left out, a hole makes the sid's books unknown."""
        last = self.last_seq.get(sid)
        if last is not None and seq <= last:
            return False
        if last is not None and seq != last + 1:
            self.clocks = {ticker: one for ticker, one in self.clocks.items() if one[0] != sid}
        self.last_seq[sid] = seq
        return True

    def _is_known(self, kind: Kind, ticker: MarketTicker, sid: int, msg: dict[str, Any]) -> bool:
        clock = msg.get("clock")
        if kind is Kind.SNAPSHOT:
            self.clocks[ticker] = (sid, clock)
            return True
        if ticker not in self.clocks:
            return False
        shown = self.clocks[ticker][1]
        return clock is None or shown is None or clock > shown


class _Believed:
    """One voice for each market."""

    def __init__(self, terms: dict[MarketTicker, dict[str, Any]]) -> None:
        self._terms = terms
        self._voices: dict[MarketTicker, str] = {}
        self._began: dict[str, int] = {}
        self._early: dict[MarketTicker, Recorded] = {}
        """The last ticker of a market whose book is still to come: they belong together."""

    def pick(self, events: Iterator[tuple[Recorded, str]]) -> Iterator[Recorded]:
        """The events of whom is believed. A market's first one also tells its terms."""
        for event, connection in events:
            self._began.setdefault(connection, len(self._began))
            if event.kind is Kind.SNAPSHOT:
                self._voices[event.ticker] = self._newer(event.ticker, connection)
            elif event.kind is Kind.TICKER and event.ticker not in self._voices:
                self._early[event.ticker] = event
                continue
            if self._voices.get(event.ticker, connection) != connection:
                continue
            terms = self._terms.pop(event.ticker, None)
            if terms:
                event.msg.update(terms)
            yield event
            early = self._early.pop(event.ticker, None)
            if early is not None:
                yield replace(early, at_us=event.at_us)

    def _newer(self, ticker: MarketTicker, connection: str) -> str:
        before = self._voices.get(ticker, connection)
        return max(before, connection, key=lambda name: self._began[name])


def _on_no_leg(msg: dict[str, Any]) -> dict[str, Any]:
    """A book message with NO prices of the NO side, as other recordings have them."""
    if "price_dollars" in msg:
        price = msg["price_dollars"]
        return {**msg, "price_dollars": _other_leg(price)} if msg["side"] == "no" else msg
    rows = [[_other_leg(price), size] for price, size in msg.get("no_dollars_fp") or ()]
    return {**msg, "no_dollars_fp": rows}


@cache
def _other_leg(price: str) -> str:
    """Raises ``ValueError`` where it is no price."""
    try:
        return format_price(complement(parse_price(price)))
    except InvalidAmount as fault:
        raise ValueError(str(fault)) from fault
