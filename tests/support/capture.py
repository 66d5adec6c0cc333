"""Small captures in the two recorded layouts, written by ourselves."""

import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bot.kit.times import SECOND_US, format_rfc3339

START_US = 1_778_703_636_000_000
TICKER = "KXBTC15M-26MAY131630-30"


def write_lines(path: Path, lines: Iterable[Mapping[str, Any]], *, torn: str = "") -> Path:
    """A gzip of JSON lines, with blank lines between, as recorders leave them."""
    with gzip.open(path, "wt") as file:
        for line in lines:
            file.write(json.dumps(line) + "\n\n")
        file.write(torn)
    return path


def envelope(kind: str, at_s: int, seq: int | None, msg: Mapping[str, Any]) -> dict[str, Any]:
    """A recorder's envelope around a message."""
    return {
        "event_type": kind,
        "local_recv_ns": (START_US + at_s * SECOND_US) * 1_000,
        "market_ticker": TICKER,
        "sequence_number": seq,
        "payload_json": {"market_ticker": TICKER, **msg},
    }


def _ms(at_s: int) -> int:
    return START_US // 1_000 + at_s * 1_000


def folder(root: Path) -> Path:
    """Ten seconds of a market: announced, quoted, moved, traded up to 95 cents, closed."""
    where = root / "capture_1"
    where.mkdir()
    close = format_rfc3339(START_US + 10 * SECOND_US)
    watch = {"close_time": close, "status": "active", "strike": 79_625.14}
    write_lines(where / "watch_market-1.ndjson.gz", [envelope("watch_market", 0, None, watch)])
    snapshot = {
        "yes_dollars_fp": [["0.7600", "50.00"], ["0.8200", "10.00"]],
        "no_dollars_fp": [["0.1500", "7.50"]],
    }
    write_lines(
        where / "orderbook_snapshot-1.ndjson.gz",
        [
            envelope("orderbook_snapshot", 1, 1, snapshot),
            envelope("orderbook_snapshot", 9, 6, {}),
        ],
    )
    deltas = [
        (2, {"price_dollars": "0.8200", "delta_fp": "-10.00", "side": "yes"}),
        (3, {"price_dollars": "0.1600", "delta_fp": "2.00", "side": "no"}),
        (4, {"price_dollars": "0.9450", "delta_fp": "1.00", "side": "yes"}),
        (4, {"price_dollars": "0.9450", "delta_fp": "-5.00", "side": "yes"}),
    ]
    write_lines(
        where / "orderbook_delta-1.ndjson.gz",
        [
            envelope("orderbook_delta", at_s, seq, msg | {"ts_ms": _ms(at_s)})
            for seq, (at_s, msg) in enumerate(deltas, start=2)
        ],
        torn='{"event_type":"orderbook_del',
    )
    ticker = {
        "price_dollars": "0.9500", "yes_bid_dollars": "0.7600", "yes_ask_dollars": "0.8400",
        "yes_bid_size_fp": "50.00", "yes_ask_size_fp": "2.00", "last_trade_size_fp": "6.28",
        "volume_fp": "287.12", "open_interest_fp": "147.00", "dollar_volume": 143,
        "dollar_open_interest": 73, "ts": 1, "ts_ms": _ms(5), "time": "x", "yes_ask": 84,
    }  # fmt: skip
    write_lines(where / "ticker-1.ndjson.gz", [envelope("ticker", 5, None, ticker)])
    return where


def frames(root: Path, ticker: str = "KXNBAGAME-26MAR07UTAMIL-MIL") -> Path:
    """Raw frames with integer counts, as they were before March 2026, and a trade."""
    when = format_rfc3339(START_US)
    later = format_rfc3339(START_US + 2 * SECOND_US)

    def msg(**facts: Any) -> dict[str, Any]:
        return {"market_ticker": ticker, **facts}

    return write_lines(
        root / f"{ticker}.ndjson.gz",
        [
            {"type": "orderbook_snapshot", "sid": 1, "seq": 4, "msg": msg(
                yes=[[79, 12]], yes_dollars=[["0.7900", 12]], no=[[20, 3]],
                no_dollars=[["0.2000", 3]])},
            {"type": "orderbook_delta", "sid": 1, "seq": 9, "msg": msg(
                price=20, price_dollars="0.2000", delta=-1, delta_fp="-1.00", side="no", ts=when)},
            {"type": "subscribed", "id": 1, "msg": {"channel": "trade", "sid": 2}},
            {"type": "trade", "sid": 2, "seq": 7, "msg": msg(
                trade_id="a9d7a01e-e392-6f26-8044-49e3137fec65", yes_price=80, no_price=20,
                yes_price_dollars="0.8000", no_price_dollars="0.2000", count=2, count_fp="2.00",
                taker_side="yes", ts=(START_US + SECOND_US) // SECOND_US)},
            {"type": "orderbook_delta", "sid": 1, "seq": 12, "msg": msg(
                price_dollars="0.2000", delta=-2, side="no", ts=later)},
        ],
    )  # fmt: skip
