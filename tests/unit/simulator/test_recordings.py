"""Recordings as worlds: books over REST and WebSocket follow what was recorded."""

import json
from pathlib import Path
from typing import Any

import pytest

from bot.domain.ids import MarketTicker
from bot.simulator.recordings import RecordingPlayer, open_recording
from bot.simulator.session import Session
from tests.fakes.recordings import recordings
from tests.support import capture
from tests.support.exchange import START_US, Stand, order_body, stand
from tests.support.wire import Wire

SECOND = 1_000_000
BTC = MarketTicker(capture.TICKER)
GAME = MarketTicker("KXNBAGAME-26MAR07UTAMIL-MIL")


def playing(root: Path) -> tuple[Stand, RecordingPlayer]:
    made = stand()
    player = open_recording(made.exchange, root)
    made.exchange.world = player
    return made, player


def listen(made: Stand, ticker: str, *channels: str) -> Wire:
    wire = Wire(capacity=10_000_000)
    session = Session(made.exchange, made.exchange.hub, wire.outlet())
    params = {"channels": list(channels), "market_tickers": [ticker]}
    session.receive(json.dumps({"id": 1, "cmd": "subscribe", "params": params}))
    return wire


def book(made: Stand, ticker: str) -> Any:
    return made.call("GET", f"/markets/{ticker}/orderbook").body["orderbook_fp"]


def test_a_folder_plays_through_the_normal_channels(tmp_path: Path) -> None:
    made, player = playing(capture.folder(tmp_path))
    market = made.call("GET", f"/markets/{BTC}").body["market"]
    assert (market["floor_strike"], market["price_level_structure"]) == (
        79_625.14, "tapered_deci_cent",
    )  # fmt: skip
    wire = listen(made, BTC, "orderbook_delta", "ticker")
    made.advance(SECOND)
    assert book(made, BTC) == {
        "yes_dollars": [["0.7600", "50.00"], ["0.8200", "10.00"]],
        "no_dollars": [["0.1500", "7.50"]],
    }
    made.advance(4 * SECOND)
    assert book(made, BTC) == {
        "yes_dollars": [["0.7600", "50.00"]],
        "no_dollars": [["0.1500", "7.50"], ["0.1600", "2.00"]],
    }
    sequenced = [frame["seq"] for frame in wire.sent if "seq" in frame]
    assert sequenced == list(range(1, len(sequenced) + 1))
    kinds = [frame["type"] for frame in wire.sent]
    assert kinds.count("orderbook_delta") == 4
    ticker = next(frame["msg"] for frame in wire.sent if frame["type"] == "ticker")
    assert (ticker["yes_bid_dollars"], ticker["volume_fp"]) == ("0.7600", "287.12")
    assert ticker["ts_ms"] == (START_US + 5 * SECOND) // 1_000
    assert "yes_ask" not in ticker
    assert not player.is_over


def test_the_recorded_end_closes_and_decides_the_market(tmp_path: Path) -> None:
    made, player = playing(capture.folder(tmp_path))
    for _ in range(12):
        made.advance(SECOND)
    assert player.is_over
    assert book(made, BTC) == {"yes_dollars": [], "no_dollars": []}
    market = made.call("GET", f"/markets/{BTC}").body["market"]
    assert (market["status"], market["result"]) == ("determined", "yes")


def test_raw_frames_get_a_ticker_of_their_own(tmp_path: Path) -> None:
    made, _ = playing(capture.frames(tmp_path))
    wire = listen(made, GAME, "ticker", "trade")
    for _ in range(3):
        made.advance(SECOND)
    trades = [frame["msg"] for frame in wire.sent if frame["type"] == "trade"]
    assert [(msg["yes_price_dollars"], msg["count_fp"]) for msg in trades] == [("0.8000", "2.00")]
    tickers = [frame["msg"] for frame in wire.sent if frame["type"] == "ticker"]
    assert tickers[-1]["yes_ask_dollars"] == "1.0000"
    assert tickers[-1]["volume_fp"] == "2.00"
    rows = made.call("GET", f"/markets/trades?ticker={GAME}").body["trades"]
    assert len(rows) == 1
    market = made.call("GET", f"/markets/{GAME}").body["market"]
    assert market["price_level_structure"] == "linear_cent"


def test_nobody_trades_with_a_recording(tmp_path: Path) -> None:
    made, _ = playing(capture.folder(tmp_path))
    answer = made.call("POST", "/portfolio/events/orders", order_body(ticker=BTC))
    assert (answer.status, answer.body["error"]["code"]) == (403, "read_only_recording")
    batch = made.call(
        "POST", "/portfolio/events/orders/batched", {"orders": [order_body(ticker=BTC)]}
    )
    assert batch.body["orders"][0]["error"]["code"] == "read_only_recording"


def test_deltas_before_any_snapshot_are_not_trusted(tmp_path: Path) -> None:
    delta = {"price_dollars": "0.20", "delta_fp": "5.00", "side": "yes", "ts_ms": 1}
    path = capture.write_lines(
        tmp_path / "KXA-B-C.ndjson.gz",
        [
            {
                "type": "orderbook_delta",
                "sid": 1,
                "seq": 1,
                "msg": {"market_ticker": "KXA-B-C", **delta},
            }
        ],
    )
    made, _ = playing(path)
    assert book(made, "KXA-B-C") == {"yes_dollars": [], "no_dollars": []}


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no capture"):
        open_recording(stand().exchange, tmp_path)


def best_bid(levels: dict[str, int]) -> str:
    held = [price for price, size in levels.items() if size > 0]
    return max(held, default="0.0000")


def agreement(frames: list[dict[str, Any]]) -> tuple[int, int]:
    """How often the book rebuilt from frames has the recorded ticker's best bid, of how many."""
    bids: dict[str, int] = {}
    good = total = 0
    for frame in frames:
        msg = frame["msg"]
        if frame["type"] == "orderbook_snapshot":
            bids = {p: round(float(c) * 100) for p, c in msg.get("yes_dollars_fp", [])}
        elif frame["type"] == "orderbook_delta" and msg["side"] == "yes":
            price = msg["price_dollars"]
            bids[price] = bids.get(price, 0) + round(float(msg["delta_fp"]) * 100)
        elif frame["type"] == "ticker" and bids:
            total += 1
            good += best_bid(bids) == msg["yes_bid_dollars"]
    return good, total


def test_a_book_rebuilt_from_a_real_capture_agrees_with_its_tickers() -> None:
    captures = sorted(path for path in recordings("ws_btc15m_2026-05").iterdir() if path.is_dir())
    made, player = playing(captures[0])
    ticker = next(iter(made.exchange.recorded))
    wire = listen(made, ticker, "orderbook_delta", "ticker")
    for _ in range(580):
        made.advance(SECOND)
    good, total = agreement(wire.sent)
    assert total > 300
    assert good / total >= 0.98
    rest = book(made, ticker)["yes_dollars"]
    snapshot = made.exchange.book(ticker)
    assert snapshot is not None
    assert len(rest) == len(snapshot.bids)
    assert not player.is_over
