"""What the bot recorded, played again: the same books, agreeing with every ticker."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bot.adapters.kalshi.settings import SessionSettings, StreamSettings
from bot.adapters.kalshi.signing import load_signer
from bot.adapters.kalshi.socket import StreamSocket
from bot.adapters.recording.recorder import FrameRecorder
from bot.adapters.recording.shelf import Shelf, ShelfSettings
from bot.app.demo_parts import DemoParts
from bot.domain.ids import MarketTicker
from bot.domain.money import complement, format_price, parse_price
from bot.domain.orders import BookSide
from bot.kit.clock import SystemClock
from bot.kit.frames import SAID, FrameFile, Item, Told, frame_files, note
from bot.kit.times import HOUR_US, SECOND_US
from bot.marketdata.feed import FeedTranslator
from bot.simulator.capture_events import Kind
from bot.simulator.captures import capture_files, has_tickers, last_us
from bot.simulator.own_captures import own_series, read_own
from bot.simulator.recordings import open_recording
from bot.simulator.server import SimulatedExchange
from bot.simulator.session import Session
from bot.simulator.settings import SimulatorSettings, WorldSettings
from tests.support.exchange import Stand, stand
from tests.support.house import until
from tests.support.wire import Wire

START_US = 1_790_000_000 * SECOND_US
A, B = MarketTicker("KXA-26DEC31-T1"), MarketTicker("KXB-26DEC31-T1")


def frame(kind: str, ticker: str, seq: int, sid: int = 1, **msg: Any) -> bytes:
    whole = {"type": kind, "sid": sid, "seq": seq, "msg": {"market_ticker": ticker, **msg}}
    return json.dumps(whole).encode() + b"\n"


def snapshot(seq: int, ticker: str = A, bid: str = "0.4000", **more: Any) -> bytes:
    return frame("orderbook_snapshot", ticker, seq, yes_dollars_fp=[[bid, "5.00"]], **more)


def delta(seq: int, price: str, change: str, side: str = "yes", **more: Any) -> bytes:
    return frame("orderbook_delta", A, seq, price_dollars=price, delta_fp=change, side=side, **more)


def record(root: Path, connection: str, items: list[Item], began_us: int = START_US) -> Path:
    hour = began_us % (24 * HOUR_US) // HOUR_US
    path = root / "2026-09-21" / f"{hour:02d}-{connection}.frames.zst"
    file = FrameFile(path, connection, began_us)
    file.write([note(began_us, "began", uses_yes_price=True), began_us, *items])
    file.close()
    return path


def shown(root: Path) -> list[tuple[int, str, str]]:
    return [
        (event.at_us - START_US, event.kind, event.msg.get("delta_fp", ""))
        for event in read_own(root)
    ]


def test_a_lost_message_leaves_changes_out_until_the_next_snapshot(tmp_path: Path) -> None:
    record(
        tmp_path,
        "a-0001",
        [
            delta(1, "0.4000", "1.00"),
            snapshot(2),
            delta(3, "0.4000", "2.00"),
            delta(3, "0.4000", "2.00"),
            delta(5, "0.4000", "3.00"),
            snapshot(6),
            delta(7, "0.4000", "4.00"),
        ],
    )
    assert [what for _, _, what in shown(tmp_path)] == ["", "2.00", "", "4.00"]


def test_a_change_the_snapshot_already_holds_is_left_out(tmp_path: Path) -> None:
    items: list[Item] = [
        snapshot(1, clock=10), delta(2, "0.4000", "1.00", clock=10), delta(3, "0.4000", "2.00", clock=11),
    ]  # fmt: skip
    record(tmp_path, "a-0001", items)
    assert [what for _, _, what in shown(tmp_path)] == ["", "2.00"]


def test_of_two_connections_the_newest_that_shows_a_book_is_believed(tmp_path: Path) -> None:
    later = START_US + 10
    record(
        tmp_path,
        "a-0001",
        [snapshot(1), delta(2, "0.4000", "1.00"), later + 20, delta(3, "0.4000", "1.00")],
    )
    record(tmp_path, "b-0001", [later, snapshot(1), later + 20, delta(2, "0.4000", "9.00")], later)
    assert [what for _, _, what in shown(tmp_path)] == ["", "1.00", "", "9.00"]


def test_terms_come_with_the_first_word_of_a_market(tmp_path: Path) -> None:
    market = {"ticker": A, "close_us": START_US + HOUR_US, "floor_strike": "3.75"}
    record(tmp_path, "a-0001", [note(START_US, "listing", listing={"market": market})])
    record(tmp_path, "a-0002", [snapshot(1), snapshot(2)])
    first, second = read_own(tmp_path)
    assert first.msg["strike"] == 3.75
    assert "close_time" in first.msg
    assert "close_time" not in second.msg
    assert own_series(tmp_path) == ["KXA"]
    assert last_us(tmp_path) == START_US
    parts = DemoParts(home=tmp_path, exchange_port=1, page_port=2, seed=1, recording=tmp_path)
    assert parts._series() == ["KXA"]


def test_without_terms_the_series_are_those_that_were_asked_for(tmp_path: Path) -> None:
    command = {"id": 1, "cmd": "subscribe", "params": {"market_tickers": [A, B]}}
    record(tmp_path, "a-0001", [Told(START_US, SAID, json.dumps(command).encode()), snapshot(1)])
    assert own_series(tmp_path) == ["KXA", "KXB"]


def test_prices_of_either_leg_and_unreadable_frames(tmp_path: Path) -> None:
    ask = complement(parse_price("0.4500"))
    record(
        tmp_path,
        "a-0001",
        [
            b"no json", b"[]", frame("ticker", A, 0), b'{"type":"trade","msg":{}}',
            snapshot(1, no_dollars_fp=[["0.4500", "1.00"]]),
            delta(2, "0.4400", "1.00", side="no"),
        ],
    )  # fmt: skip
    book, _, change = read_own(tmp_path)
    assert book.msg["no_dollars_fp"] == [[format_price(ask), "1.00"]]
    assert change.msg["price_dollars"] == "0.5600"


def test_a_damaged_file_is_left_out(tmp_path: Path) -> None:
    record(tmp_path, "a-0001", [snapshot(1)])
    bad = tmp_path / "2026-09-21" / "99-x-0001.frames.zst"
    bad.write_bytes(b"not zstandard")
    assert [kind for _, kind, _ in shown(tmp_path)] == [Kind.SNAPSHOT]


# --- from the simulator's socket into files and back ----------------------------------------


async def live(root: Path) -> Mapping[MarketTicker, Any]:
    """Record a busy simulated exchange for some seconds; returns the books at the end."""
    settings = SimulatorSettings(worlds=WorldSettings(pace_us=400_000))
    async with SimulatedExchange(settings) as sim:
        clock = SystemClock()
        shelf = Shelf(
            ShelfSettings(
                dir=root, scope="paper:main:0", budget=1 << 26, free_min=0, keep_us=HOUR_US
            )
        )
        recorder = FrameRecorder(shelf, clock, "ab12cd34", [].append)
        feed = StreamSocket(
            sim.ws_url,
            StreamSettings(
                silence_max_s=60,
                connect_timeout_s=60,
                session=SessionSettings(wants_private=False, command_timeout_us=60 * SECOND_US),
            ),
            signer=load_signer(sim.keys.key_id, sim.keys.private_pem.decode()),
            clock=clock,
            random=Random(1),
            tapes=recorder,
        )
        translator = FeedTranslator([].append, feed.refresh)
        await feed.watch(list(sim.exchange.catalog.markets)[:40])
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(feed.run(translator)), loop.create_task(recorder.run())]
        await until(lambda: translator.agreement.compared > 40, 60)
        for task in tasks:
            task.cancel()
            await asyncio.wait({task})
    return translator.books


@pytest.mark.looptime(False)
async def test_what_was_recorded_plays_as_the_same_books_and_agrees_with_every_ticker(
    tmp_path: Path,
) -> None:
    books = await live(tmp_path)
    assert capture_files(tmp_path) == [tmp_path]
    assert has_tickers([tmp_path])
    made, wire = played(tmp_path, list(books))
    good, total = agreement(wire.sent)
    assert total > 20
    assert good == total
    traded = [ticker for ticker, book in books.items() if book.levels(BookSide.BID)]
    assert traded
    for ticker in traded:
        there = made.exchange.book(ticker)
        assert there is not None
        assert there.bids == books[ticker].levels(BookSide.BID)
        assert there.asks == books[ticker].levels(BookSide.ASK)


def played(root: Path, tickers: list[MarketTicker]) -> tuple[Stand, Wire]:
    made = stand()
    player = open_recording(made.exchange, root)
    made.exchange.world = player
    wire = Wire(capacity=10_000_000)
    session = Session(made.exchange, made.exchange.hub, wire.outlet())
    made.advance(1)
    known = [ticker for ticker in tickers if ticker in made.exchange.recorded]
    params = {"channels": ["orderbook_delta", "ticker"], "market_tickers": known or tickers}
    session.receive(json.dumps({"id": 1, "cmd": "subscribe", "params": params}))
    for _ in range(1_000):
        if player.is_over:
            break
        made.advance(SECOND_US // 10)
    assert player.is_over
    return made, wire


def agreement(frames: list[dict[str, Any]]) -> tuple[int, int]:
    """How many tickers name the best bid and ask of the book so far, of how many."""
    books: dict[str, tuple[dict[int, int], dict[int, int]]] = {}
    good = total = 0
    for one in frames:
        msg = one["msg"]
        match one["type"]:
            case "orderbook_snapshot":
                yes, no = (msg.get(f"{leg}_dollars_fp", []) for leg in ("yes", "no"))
                books[msg["market_ticker"]] = (_levels(yes), _levels(no))
            case "orderbook_delta":
                side = books[msg["market_ticker"]][msg["side"] == "no"]
                price = parse_price(msg["price_dollars"])
                side[price] = side.get(price, 0) + round(float(msg["delta_fp"]) * 100)
            case "ticker" if msg["market_ticker"] in books:
                yes_side, no_side = books[msg["market_ticker"]]
                total += 1
                bid = format_price(_top(yes_side))
                ask = format_price(complement(_top(no_side)))
                good += (bid, ask) == (msg["yes_bid_dollars"], msg["yes_ask_dollars"])
            case _:
                pass
    return good, total


def _levels(rows: list[list[str]]) -> dict[int, int]:
    return {parse_price(price): round(float(size) * 100) for price, size in rows}


def _top(levels: dict[int, int]) -> Any:
    return max((price for price, size in levels.items() if size > 0), default=0)


@pytest.mark.looptime(False)
async def test_every_file_but_the_first_is_played_alone_too(tmp_path: Path) -> None:
    """An hour whose earlier ones were removed by the budget still shows its books."""
    path = record(tmp_path, "a-0001", [snapshot(1), delta(2, "0.4000", "1.00")])
    record(
        tmp_path,
        "a-0001",
        [delta(3, "0.4000", "1.00"), snapshot(4, bid="0.3900"), delta(5, "0.3900", "1.00")],
        START_US + HOUR_US,
    )
    assert len(frame_files(tmp_path)) == 2
    path.unlink()
    assert [kind for _, kind, _ in shown(tmp_path)] == [Kind.SNAPSHOT, Kind.DELTA]
