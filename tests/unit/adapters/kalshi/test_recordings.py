"""Real captures through the session: every frame is read and the rebuilt book is right."""

import gzip
import heapq
import json
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import pytest

from bot.adapters.kalshi.settings import SessionSettings
from bot.domain.errors import InvalidMessage
from bot.domain.ids import MarketTicker
from bot.domain.money import Price
from bot.domain.orders import BookSide
from bot.domain.quotes import BookDelta, BookSnapshot, PublicTrade, TickerUpdate
from bot.ports.exchange import FeedEvent, FeedGap
from tests.fakes.recordings import BEGINNING_OR_WHOLE, recordings
from tests.support.feeds import ToldSession

Top: TypeAlias = tuple[Price | None, Price | None]
NO_LEG = SessionSettings(uses_yes_price=False, wants_private=False)


def session_for(ticker: str, sids: dict[str, int]) -> ToldSession:
    session = ToldSession(NO_LEG)
    session.watch([MarketTicker(ticker)], 0)
    session.connected(0)
    for data in session.frames_to_send():
        command = json.loads(data)
        (channel,) = command["params"]["channels"]
        if channel in sids:
            msg = {"channel": channel, "sid": sids[channel]}
            reply = {"type": "subscribed", "id": command["id"], "msg": msg}
            session.receive(json.dumps(reply).encode(), 0)
    return session


class Book:
    """What a consumer would rebuild."""

    def __init__(self) -> None:
        self.sides: dict[BookSide, dict[Price, int]] = {BookSide.BID: {}, BookSide.ASK: {}}
        self.is_trusted = False

    def apply(self, event: FeedEvent) -> None:
        match event:
            case BookSnapshot():
                for side, levels in ((BookSide.BID, event.bids), (BookSide.ASK, event.asks)):
                    self.sides[side] = {level.price: level.quantity for level in levels}
                self.is_trusted = True
            case BookDelta():
                assert self.is_trusted
                side = self.sides[event.side]
                side[event.price] = side.get(event.price, 0) + event.change
                assert side[event.price] >= 0
                if not side[event.price]:
                    del side[event.price]
            case FeedGap():
                self.is_trusted = False

    def top(self) -> Top:
        bid = max(self.sides[BookSide.BID], default=None)
        return bid, min(self.sides[BookSide.ASK], default=None)


def lines(path: Path) -> Iterator[str]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from (line for line in file if line.strip())


def capture(folder: Path) -> Iterator[dict[str, Any]]:
    """All events of a capture in the order they arrived."""
    parts = []
    for kind in ("orderbook_snapshot", "orderbook_delta", "ticker"):
        rows = (
            msgspec.json.decode(line) for path in folder.glob(f"{kind}-*") for line in lines(path)
        )
        parts.append(
            (
                (row["local_recv_ns"], row["sequence_number"] or 0, number, row)
                for number, row in enumerate(rows)
            )
        )
    for *_, row in heapq.merge(*parts, key=lambda one: one[:3]):
        yield row


def by_market(folder: Path) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in capture(folder):
        found.setdefault(row["market_ticker"], []).append(row)
    return found


CAPTURES = [
    "rv600_next_evidence_shadow_20260513T202034Z",
    "rv600_next_evidence_shadow_20260513T230108Z",
    "rv600_next_evidence_shadow_20260514T043808Z",
    "rv600_next_evidence_shadow_20260514T130107Z",
    "rv600_next_evidence_shadow_20260515T091646Z",
]


@dataclass(slots=True)
class Tops:
    """Best bid and ask over time, to compare with a channel that is not ordered with the book's."""

    at_ms: list[int] = field(default_factory=list)
    tops: list[Top] = field(default_factory=list)

    def note(self, now_ms: int, top: Top) -> None:
        if not self.tops or self.tops[-1] != top:
            self.at_ms.append(now_ms)
            self.tops.append(top)

    def had(self, now_ms: int, top: Top) -> bool:
        first = max(0, bisect_left(self.at_ms, now_ms - 100) - 1)
        return top in self.tops[first : bisect_right(self.at_ms, now_ms + 100)]


def rebuild(
    ticker: str, rows: list[dict[str, Any]]
) -> tuple[Counter[type], Tops, list[TickerUpdate]]:
    session, book = session_for(ticker, {"orderbook_delta": 2, "ticker": 1}), Book()
    counts, tops, tickers = Counter[type](), Tops(), list[TickerUpdate]()
    for row in rows:
        if row["sequence_number"] == 1:
            # The recorder had reconnected.
            session = session_for(ticker, {"orderbook_delta": 2, "ticker": 1})
        message = {"type": row["event_type"], "msg": row["payload_json"]}
        message["sid"] = 1 if row["event_type"] == "ticker" else 2
        message["seq"] = row["sequence_number"] or 0
        for event in session.receive(msgspec.json.encode(message), row["local_recv_ns"] // 1_000):
            counts[type(event)] += 1
            book.apply(event)
            if isinstance(event, TickerUpdate):
                tickers.append(event)
        if book.is_trusted:
            tops.note(row["local_recv_ns"] // 1_000_000, book.top())
    return counts, tops, tickers


@pytest.mark.parametrize("name", CAPTURES)
def test_a_capture_is_read_without_a_gap_and_agrees_with_the_ticker(name: str) -> None:
    agreed = compared = 0
    counts = Counter[type]()
    for ticker, rows in by_market(recordings("ws_btc15m_2026-05") / name).items():
        more, tops, tickers = rebuild(ticker, rows)
        counts += more
        compared += len(tickers)
        agreed += sum(
            tops.had(one.received_us // 1_000, (one.yes_bid, one.yes_ask)) for one in tickers
        )
    assert counts[FeedGap] == 0
    assert counts[BookDelta] > 1_000
    assert compared > 100
    assert agreed >= 0.98 * compared


@pytest.mark.parametrize("most", BEGINNING_OR_WHOLE)
def test_frames_of_another_format_year_are_read_tolerantly(most: int | None) -> None:
    folder = recordings("ws_nba_2026-03")
    seen: dict[type, int] = {}
    for path in sorted(folder.glob("*.ndjson.gz")):
        ticker = path.name.removesuffix(".ndjson.gz")
        session, book = session_for(ticker, {"orderbook_delta": 1, "trade": 2}), Book()
        for number, line in enumerate(islice(lines(path), most)):
            message = json.loads(line)
            # One file holds one market of many on its sid, so its numbers have holes.
            message.pop("seq", None)
            for event in session.receive(json.dumps(message), number):
                book.apply(event)
                seen[type(event)] = seen.get(type(event), 0) + 1
    assert FeedGap not in seen
    assert seen[BookDelta] > 10_000
    assert seen[BookSnapshot] >= 11
    assert seen[PublicTrade] > 100


def test_deltas_before_any_snapshot_never_come_through() -> None:
    for path in sorted((recordings("ws_nba_2026-03") / "dirty").glob("*.gz")):
        ticker = path.name.removesuffix(".ndjson.gz")
        session, book = session_for(ticker, {"orderbook_delta": 1, "trade": 2}), Book()
        for number, line in enumerate(lines(path)):
            try:
                events = session.receive(line, number)
            except InvalidMessage:
                continue
            for event in events:
                if isinstance(event, BookDelta) and not book.is_trusted:
                    pytest.fail("a delta of an unknown book")
                try:
                    book.apply(event)
                except AssertionError:
                    # An empty snapshot in mid-stream is wrong but well-formed: the book's own
                    # check of negative sizes is what finds it.
                    book.is_trusted = False
                    break


def test_recorded_frames_of_both_legs_show_the_same_scale() -> None:
    folder = recordings("wire_samples_2026-06")
    for leg, name in ((True, "ws__orderbook_trade_yes"), (False, "ws__orderbook_trade_noleg")):
        ticker = json.loads((folder / f"{name}.meta.json").read_text())["subscribe_cmd"]["params"]
        session = ToldSession(SessionSettings(uses_yes_price=leg, wants_private=False))
        session.watch(map(MarketTicker, ticker["market_tickers"]), 0)
        session.connected(0)
        for data in session.frames_to_send():
            command = json.loads(data)
            (channel,) = command["params"]["channels"]
            sid = {"orderbook_delta": 1, "trade": 2}.get(channel)
            if sid is not None:
                msg = {"channel": channel, "sid": sid}
                reply = {"type": "subscribed", "id": command["id"], "msg": msg}
                session.receive(json.dumps(reply), 0)
        events = [
            event
            for line in (folder / f"{name}.jsonl").read_text().splitlines()
            if line.strip() and '"subscribed"' not in line
            for event in session.receive(line, 0)
        ]
        (book,) = [event for event in events if isinstance(event, BookSnapshot)]
        assert book.asks
        assert all(bid.price < ask.price for bid in book.bids for ask in book.asks)
        assert not [event for event in events if isinstance(event, FeedGap)]
