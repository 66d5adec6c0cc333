"""Judge: books rebuilt by the real client from replayed captures agree with the ticker channel.

The measure is the recording's own: the same comparison made on the recorded
lines alone, by arrival, without any of the bot's code. A ticker agrees when the
book held its best bid within 100 ms of it, as the two channels are not ordered.
"""

import asyncio
import gzip
import heapq
import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from bot.adapters.kalshi.gateway import KalshiFeed
from bot.adapters.kalshi.settings import SessionSettings, StreamSettings, hosts_of
from bot.adapters.kalshi.signing import load_signer
from bot.domain.ids import MarketTicker
from bot.domain.quotes import BookSnapshot, TickerUpdate
from bot.kit.clock import SystemClock
from bot.kit.times import parse_rfc3339
from bot.marketdata.feed import FeedTranslator
from bot.ports.exchange import FeedGap, FeedNews, KeptBook
from bot.simulator.server import API, SimulatedExchange
from bot.simulator.settings import RateLimits, SimulatorSettings
from conformance.verdicts import Unavailable, Verdict, judged

_NEAR_MS = 100
_LEAST_PER_MILLE = 980
_STEP_MS = 1_000
_STEPS_AFTER_END = 5
_DRAIN_S = 0.002
_CAPTURE_S = 900
_SHORT_CAPTURE_S = 120


@dataclass(slots=True)
class Score:
    """Best bids over time and the tickers to compare them with."""

    at_ms: dict[str, list[int]] = field(default_factory=dict)
    bids: dict[str, list[str | None]] = field(default_factory=dict)
    tickers: list[tuple[str, int, str | None]] = field(default_factory=list)
    closes_ms: dict[str, int] = field(default_factory=dict)
    """From then on the exchange has no book, while the ticker keeps its last word."""
    latest_ms: int = 0
    deltas: int = 0
    gaps: int = 0

    def note(self, market: str, at_ms: int, bid: str | None) -> None:
        """The best bid from now on."""
        bids = self.bids.setdefault(market, [])
        if not bids or bids[-1] != bid:
            bids.append(bid)
            self.at_ms.setdefault(market, []).append(at_ms)

    def agreed(self) -> tuple[int, int]:
        """How many tickers agree, and how many there are with a book."""
        compared = [
            (market, at_ms, bid)
            for market, at_ms, bid in self.tickers
            if market in self.bids and at_ms < self.closes_ms[market]
        ]
        return sum(self._held(*one) for one in compared), len(compared)

    def _held(self, market: str, at_ms: int, bid: str | None) -> bool:
        at = self.at_ms[market]
        first = max(0, bisect_left(at, at_ms - _NEAR_MS) - 1)
        return bid in self.bids[market][first : bisect_right(at, at_ms + _NEAR_MS)]


async def judge_replay(recordings: Path, *, is_short: bool) -> list[Verdict]:
    """One verdict for each capture. Raises ``Unavailable`` without the recordings."""
    root = recordings / "ws_btc15m_2026-05"
    if not root.is_dir():
        raise Unavailable(f"no recordings at {root}; set KALSHI_RECORDINGS to their folder")
    captures = sorted(path for path in root.iterdir() if path.is_dir())
    seconds = _SHORT_CAPTURE_S if is_short else _CAPTURE_S
    return [await _judge(path, seconds) for path in captures[: 1 if is_short else None]]


async def _judge(capture: Path, seconds: int) -> Verdict:
    own, ours = recorded_score(capture, seconds), await replayed_score(capture, seconds)
    (own_agreed, own_all), (agreed, every) = own.agreed(), ours.agreed()
    own_share, share = own_agreed * 1_000 // max(own_all, 1), agreed * 1_000 // max(every, 1)
    findings = []
    if ours.gaps:
        findings.append(f"{ours.gaps} gaps in a stream that has none")
    if not every or not own_all:
        findings.append(f"{every} tickers compared, recorded {own_all}")
    elif share < max(_LEAST_PER_MILLE, own_share):
        findings.append(f"{agreed} of {every} agree, recorded {own_agreed} of {own_all}")
    checked = (
        f"{ours.deltas} deltas; {agreed} of {every} tickers agree,"
        f" in the recording alone {own_agreed} of {own_all}"
    )
    return judged(f"replay {capture.name[-16:]}", checked, findings)


# The recording alone


def recorded_score(capture: Path, seconds: int) -> Score:
    """Rebuild from the recorded lines with dictionaries of strings."""
    score, books = Score(closes_ms=_closes(capture)), dict[str, dict[str, int]]()
    first_ns = 0
    for received_ns, _, row in _rows(capture):
        first_ns = first_ns or received_ns
        if received_ns - first_ns > seconds * 1_000_000_000:
            break
        market, msg, at_ms = row["market_ticker"], row["payload_json"], received_ns // 1_000_000
        if row["event_type"] == "ticker":
            bid = msg["yes_bid_dollars"]
            score.tickers.append((market, at_ms, None if bid == "0.0000" else bid))
        elif row["event_type"] == "orderbook_snapshot":
            books[market] = {p: _hundredths(c) for p, c in msg.get("yes_dollars_fp") or ()}
        elif market in books and msg["side"] == "yes":
            level = books[market].get(msg["price_dollars"], 0) + _hundredths(msg["delta_fp"])
            books[market][msg["price_dollars"]] = level
        if market in books:
            held = (price for price, count in books[market].items() if count > 0)
            score.note(market, at_ms, max(held, default=None))
    return score


def _closes(capture: Path) -> dict[str, int]:
    rows = (row for path in capture.glob("watch_market-*") for *_, row in _lines(path))
    return {
        row["market_ticker"]: parse_rfc3339(row["payload_json"]["close_time"]) // 1_000
        for row in rows
    }


def _rows(capture: Path) -> Iterator[tuple[int, int, dict[str, Any]]]:
    files = [
        path
        for kind in ("orderbook_snapshot", "orderbook_delta", "ticker")
        for path in capture.glob(f"{kind}-*")
    ]
    return heapq.merge(*map(_lines, files), key=lambda one: one[:2])


def _lines(path: Path) -> Iterator[tuple[int, int, dict[str, Any]]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in filter(str.strip, file):
            row = json.loads(line)
            yield int(row["local_recv_ns"]), int(row["sequence_number"] or 0), row


def _hundredths(text: str) -> int:
    return round(float(text) * 100)


# Through the exchange and the client


async def replayed_score(capture: Path, seconds: int) -> Score:
    """Play the capture on the simulated exchange and rebuild with the bot's own client."""
    settings = SimulatorSettings(
        speed=0,
        recording=capture,
        limits=RateLimits(is_on=False),
        socket_buffer_frames=1_000_000,
        tick_ms=60_000,
    )
    score = Score()
    async with AsyncExitStack() as stack:
        sim = await stack.enter_async_context(SimulatedExchange(settings))
        feed = _feed(sim)
        group = await stack.enter_async_context(asyncio.TaskGroup())
        reader = group.create_task(feed.run(_Reader(feed, score)))
        watched: tuple[MarketTicker, ...] = ()
        for _ in range(seconds * 1_000 // _STEP_MS + _STEPS_AFTER_END):
            await sim.advance(ms=_STEP_MS)
            if tuple(sim.exchange.recorded) != watched:
                watched = tuple(sim.exchange.recorded)
                await feed.watch(watched)
            await _drain(score)
        reader.cancel()
        for ticker in watched:
            market = sim.exchange.market(ticker)
            assert market is not None  # it was listed when it was watched
            score.closes_ms[ticker] = market.close_us // 1_000
    return score


def _feed(sim: SimulatedExchange) -> KalshiFeed:
    hosts = hosts_of("demo", sim.base_url.removesuffix(API), f"ws://127.0.0.1:{sim.port}")
    settings = StreamSettings(session=SessionSettings(wants_private=False, wants_trades=False))
    signer = load_signer(sim.keys.key_id, sim.keys.private_pem.decode())
    return KalshiFeed(hosts, settings, signer=signer, clock=SystemClock(), random=Random(1))  # noqa: S311 - backoff only


class _Reader:
    """A listener: books kept by the bot's own translator, their best bids noted."""

    def __init__(self, feed: KalshiFeed, score: Score) -> None:
        self._translator = FeedTranslator(lambda _: None, feed.refresh)
        self.score = score

    def book(self, snapshot: BookSnapshot) -> KeptBook:
        """See :meth:`FeedListener.book`."""
        book = self._translator.book(snapshot)
        self.note(snapshot.ticker, None)
        return _NotedBook(book, self, snapshot.ticker)

    def news(self, event: FeedNews) -> None:
        """See :meth:`FeedListener.news`."""
        self._translator.news(event)
        score = self.score
        if isinstance(event, TickerUpdate):
            bid = None if event.yes_bid is None else f"{event.yes_bid:05d}"
            score.latest_ms = max(score.latest_ms, event.exchange_us // 1_000)
            score.tickers.append((event.ticker, event.exchange_us // 1_000, bid))
        elif isinstance(event, FeedGap):
            score.gaps += 1

    def read_ended(self) -> None:
        """See :meth:`FeedListener.read_ended`."""
        self._translator.read_ended()

    def note(self, ticker: MarketTicker, exchange_us: int | None) -> None:
        """The best bid after a snapshot or a change."""
        # A snapshot has no stamp: it is as late as the last thing heard.
        score = self.score
        at_ms = score.latest_ms if exchange_us is None else exchange_us // 1_000
        score.latest_ms = max(score.latest_ms, at_ms)
        book = self._translator.books[ticker]
        if book.is_trusted:
            bid = book.best_bid
            score.note(ticker, at_ms, f"{bid:05d}" if bid else None)


class _NotedBook:
    """A kept book whose best bid is noted after every change."""

    def __init__(self, book: KeptBook, reader: _Reader, ticker: MarketTicker) -> None:
        self._book = book
        self._reader = reader
        self._ticker = ticker

    def change_bid(self, *given: Any) -> None:
        """See :meth:`KeptBook.change_bid`."""
        self._book.change_bid(*given)
        self._changed(given[-1])

    def change_ask(self, *given: Any) -> None:
        """See :meth:`KeptBook.change_ask`."""
        self._book.change_ask(*given)
        self._changed(given[-1])

    def _changed(self, exchange_ms: int | None) -> None:
        self._reader.score.deltas += 1
        self._reader.note(self._ticker, None if exchange_ms is None else exchange_ms * 1_000)


async def _drain(score: Score) -> None:
    """Wait until the client has read what was sent."""
    seen = -1
    while seen != (now := score.deltas + len(score.tickers)):
        seen = now
        await asyncio.sleep(_DRAIN_S)
