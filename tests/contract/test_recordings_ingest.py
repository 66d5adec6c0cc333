"""The recordings of the real exchange, through the real session into the tick store: nothing lost.

What must arrive is counted from the files themselves, by nothing but ``json`` and
``gzip``: deltas behind their first snapshot, different tickers, different trades.
``./scripts/test.sh -m whole`` reads every recording to its end.
"""

import gzip
import heapq
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import func, select

from bot.adapters.kalshi.settings import SessionSettings
from bot.adapters.storage.database import Database
from bot.adapters.storage.schema import metadata
from bot.adapters.storage.stream_postgres import PostgresStreamStore
from bot.adapters.storage.stream_sqlite import SqliteStreamStore
from bot.adapters.storage.urls import parse_address
from bot.domain.errors import StorageUnavailable
from bot.domain.ids import MarketTicker
from bot.domain.orders import BookSide
from bot.domain.quotes import BookDelta, BookSnapshot, PublicTrade, TickerUpdate
from bot.kit.frames import FrameFile, Item, read_records
from bot.ports.exchange import FeedEvent, FeedGap
from bot.ports.stream import BookChange, BookStart, Origin, StreamBatch, StreamStore
from tests.fakes.recordings import BEGINNING_OR_WHOLE, recordings
from tests.support.feeds import ToldSession

pytestmark = [pytest.mark.looptime(False), pytest.mark.timeout(600)]

NO_LEG = SessionSettings(uses_yes_price=False, wants_private=False)
SIDS = {"orderbook_delta": 2, "ticker": 1, "trade": 3}
CAPTURES = [
    pytest.param("20260513T202034Z", 76_647, 856),
    pytest.param("20260513T230108Z", 97_077, 845, marks=pytest.mark.whole),
    pytest.param("20260514T043808Z", 101_703, 842, marks=pytest.mark.whole),
    pytest.param("20260514T130107Z", 67_726, 803),
    pytest.param("20260515T091646Z", 88_127, 841, marks=pytest.mark.whole),
]
"""What each capture is called, how many deltas it has, and how many different tickers."""
_TICKER_FACTS = (
    *("price_dollars", "yes_bid_dollars", "yes_ask_dollars", "volume_fp", "open_interest_fp"),
    *("yes_bid_size_fp", "yes_ask_size_fp"),
)
_BATCH = 2_000
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Line:
    """One recorded message. ``is_new``: the recorder had connected anew."""

    market: str
    kind: str
    seq: int
    msg: dict[str, Any]
    at_us: int
    is_new: bool = False

    @property
    def frame(self) -> bytes:
        whole: dict[str, Any] = {"type": self.kind, "msg": self.msg}
        whole["sid"] = SIDS[self.kind.replace("_snapshot", "_delta")]
        if self.seq:
            whole["seq"] = self.seq
        return msgspec.json.encode(whole)


def lines_of(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            if line.strip():
                yield json.loads(line)


@lru_cache(maxsize=1)  # half a gigabyte each
def capture(folder: Path) -> list[Line]:
    """A capture in the order it arrived."""
    kinds = ("orderbook_snapshot", "orderbook_delta", "ticker")
    streams = [
        (
            (row["local_recv_ns"], row["sequence_number"] or 0, number, row)
            for number, row in enumerate(
                one for path in sorted(folder.glob(f"{kind}-*")) for one in lines_of(path)
            )
        )
        for kind in kinds
    ]
    return [
        Line(
            market=row["market_ticker"],
            kind=row["event_type"],
            seq=row["sequence_number"] or 0,
            msg=row["payload_json"],
            at_us=row["local_recv_ns"] // 1_000,
            is_new=row["sequence_number"] == 1,
        )
        for *_, row in heapq.merge(*streams, key=lambda one: one[:3])
    ]


def games(folder: Path, most: int | None) -> list[Line]:
    """Raw frames, one market a file; their numbers have holes, as the sid had other markets too.

    Of each file ``most`` lines are read, ``None`` for all.
    """
    found = []
    for path in sorted(folder.glob("*.ndjson.gz")):
        market = path.name.removesuffix(".ndjson.gz")
        for number, row in enumerate(islice(lines_of(path), most)):
            if row["type"] in ("orderbook_snapshot", "orderbook_delta", "trade"):
                line = Line(market=market, kind=row["type"], seq=0, msg=row["msg"], at_us=number)
                found.append(line)
    return found


def expected(lines: list[Line]) -> Counter[str]:
    """What must be in the tables, counted without any of the bot's code."""
    known: set[str] = set()
    found = Counter[str]()
    ticks: set[tuple[Any, ...]] = set()
    trades: set[str] = set()
    for line in lines:
        if line.kind == "orderbook_snapshot":
            known.add(line.market)
            found["book_snapshots"] += 1
        elif line.kind == "orderbook_delta":
            found["book_deltas"] += line.market in known
        elif line.kind == "ticker":
            facts = [line.msg.get(name, "0.00") for name in _TICKER_FACTS]
            ticks.add((line.market, line.msg["ts_ms"], *facts))
        else:
            trades.add(line.msg["trade_id"])
    found["market_ticks"], found["market_trades"] = len(ticks), len(trades)
    return +found


def opened(market: str) -> ToldSession:
    session = ToldSession(NO_LEG)
    session.session.watch([MarketTicker(market)], 0)
    session.connected(0)
    for data in session.session.frames_to_send():
        command = json.loads(data)
        (channel,) = command["params"]["channels"]
        if channel in SIDS:
            msg = {"channel": channel, "sid": SIDS[channel]}
            reply = {"type": "subscribed", "id": command["id"], "msg": msg}
            session.receive(json.dumps(reply), 0)
    return session


def heard(lines: list[Line]) -> Iterator[FeedEvent]:
    """What the session makes of it, a session for each market and connection."""
    sessions: dict[str, ToldSession] = {}
    for line in lines:
        if line.is_new or line.market not in sessions:
            sessions[line.market] = opened(line.market)
        yield from sessions[line.market].receive(line.frame, line.at_us)


@dataclass
class Chains:
    """Batches of what was heard: books as chains."""

    batch: StreamBatch = field(default_factory=StreamBatch)
    ends: dict[MarketTicker, tuple[int, int]] = field(default_factory=dict)

    def add(self, event: FeedEvent) -> None:
        match event:
            case TickerUpdate():
                self.batch.ticks.append(event)
            case PublicTrade():
                self.batch.trades.append(event)
            case BookSnapshot():
                began_us = max(event.received_us, self.ends.get(event.ticker, (-1, 0))[0] + 1)
                self.ends[event.ticker] = (began_us, 0)
                start = BookStart(
                    ticker=event.ticker, snapshot_us=began_us, origin=Origin.VENUE,
                    bids=event.bids, asks=event.asks,
                )  # fmt: skip
                self.batch.starts.append(start)
            case BookDelta():
                began_us, number = self.ends[event.ticker]
                self.ends[event.ticker] = (began_us, number + 1)
                self.batch.changes.append(
                    BookChange(
                        event.ticker, began_us, number + 1, event.side is BookSide.BID, event.price,
                        event.change, event.received_us, event.exchange_us,
                    )
                )  # fmt: skip
            case FeedGap():
                pytest.fail(f"a gap: {event.reason}")
            case _:
                pass


@pytest.fixture
async def store(database: Database, database_url: str) -> AsyncIterator[StreamStore]:
    address = parse_address(database_url)
    made: StreamStore = (
        SqliteStreamStore(address.path)
        if address.dialect == "sqlite"
        else PostgresStreamStore(address)
    )
    yield made
    await made.close()


async def append(store: StreamStore, batch: StreamBatch) -> None:
    """As whoever stores a stream does: a busy machine may lose a connection, and nothing with it."""
    for left in reversed(range(_TRIES)):
        try:
            await store.append(batch, may_repeat=True)
        except StorageUnavailable:
            if not left:
                raise
        else:
            return


async def stored(store: StreamStore, database: Database, lines: list[Line]) -> Counter[str]:
    chains = Chains()
    for event in heard(lines):
        chains.add(event)
        if len(chains.batch) >= _BATCH:
            await append(store, chains.batch)
            chains.batch = StreamBatch()
    await append(store, chains.batch)
    found = Counter[str]()
    async with database.read() as connection:
        for name in ("market_ticks", "market_trades", "book_snapshots", "book_deltas"):
            count = select(func.count()).select_from(metadata.tables[name])
            found[name] = (await connection.execute(count)).scalar_one()
    return +found


@pytest.mark.parametrize(("name", "deltas", "ticks"), CAPTURES)
async def test_a_capture_is_in_the_tick_store_to_the_last_delta(
    store: StreamStore, database: Database, name: str, deltas: int, ticks: int
) -> None:
    folder = recordings("ws_btc15m_2026-05") / f"rv600_next_evidence_shadow_{name}"
    lines = capture(folder)
    wanted = expected(lines)
    assert (wanted["book_deltas"], wanted["market_ticks"]) == (deltas, ticks)
    assert await stored(store, database, lines) == wanted


@pytest.mark.parametrize("most", BEGINNING_OR_WHOLE)
async def test_the_games_are_in_the_tick_store_to_the_last_trade(
    store: StreamStore, database: Database, most: int | None
) -> None:
    lines = games(recordings("ws_nba_2026-03"), most)
    wanted = expected(lines)
    assert wanted["book_snapshots"] >= 11
    assert wanted["book_deltas"] > 10_000
    assert wanted["market_trades"] > 100
    assert await stored(store, database, lines) == wanted


@pytest.mark.parametrize(("name", "deltas", "ticks"), CAPTURES)
def test_a_capture_survives_the_recorder_byte_by_byte(
    tmp_path: Path, name: str, deltas: int, ticks: int
) -> None:
    lines = capture(recordings("ws_btc15m_2026-05") / f"rv600_next_evidence_shadow_{name}")
    file = FrameFile(tmp_path / "00-a-0001.frames.zst", "a-0001", 0)
    items: list[Item] = [item for line in lines for item in (line.at_us, line.frame)]
    for at in range(0, len(items), 2_000):
        file.write(items[at : at + 2_000])
    assert file.close().frames == len(lines) > deltas + ticks
    assert [(one.at_us, one.data) for one in read_records(file.path)] == [
        (line.at_us, line.frame) for line in lines
    ]
    assert file.size < 30 * len(lines), "bytes a frame"
