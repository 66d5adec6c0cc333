"""Book frames to measure with: recorded ones where they are on this machine, else generated."""

import gzip
import heapq
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

import msgspec

Frames: TypeAlias = list[bytes]
_CAPTURES = "ws_btc15m_2026-05"
_MARKETS = 10
_LEVELS = 40
_CENT = 100


def frames(count: int) -> tuple[Frames, str]:
    """Snapshots and deltas of one subscription, numbered from 1, and where they are from."""
    root = os.environ.get("KALSHI_RECORDINGS")  # noqa: TID251 - benchmarks have no settings
    data = Path(root) if root else Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = data / _CAPTURES
    if folder.is_dir():
        return _numbered(islice(_recorded(folder), count)), f"recorded, {_CAPTURES}"
    return _numbered(islice(_generated(), count)), "generated, seed 1"


def _numbered(messages: Iterator[tuple[str, Any]]) -> Frames:
    return [
        msgspec.json.encode({"type": kind, "sid": 1, "seq": number, "msg": msg})
        for number, (kind, msg) in enumerate(messages, start=1)
    ]


def _recorded(folder: Path) -> Iterator[tuple[str, Any]]:
    """Several captures at once, as if their markets had been open together."""
    captures = [_capture(path) for path in sorted(folder.iterdir()) if path.is_dir()]
    for *_, kind, msg in heapq.merge(*captures, key=lambda row: row[:2]):
        yield kind, msg


def _capture(folder: Path) -> Iterator[tuple[int, int, str, Any]]:
    kinds = ("orderbook_snapshot", "orderbook_delta")
    files = [path for kind in kinds for path in folder.glob(f"{kind}-*")]
    rows = heapq.merge(*map(_rows, files), key=lambda row: row[:2])
    first_ns = 0
    for received_ns, seq, row in rows:
        first_ns = first_ns or received_ns
        yield received_ns - first_ns, seq, row["event_type"], row["payload_json"]


def _rows(path: Path) -> Iterator[tuple[int, int, dict[str, Any]]]:
    with gzip.open(path, "rb") as file:
        for line in file:
            if line.strip():
                row = msgspec.json.decode(line)
                yield row["local_recv_ns"], row["sequence_number"] or 0, row


def _generated() -> Iterator[tuple[str, Any]]:
    """Books of forty cent levels around a middle; most changes are deep, some at the top."""
    random = Random(1)  # noqa: S311 - repeatable, not secret
    markets = [f"KXBENCH-26DEC31-T{number}" for number in range(_MARKETS)]
    sizes: dict[tuple[str, str, int], int] = {}
    for market in markets:
        legs = {}
        for leg in ("yes", "no"):
            for cents in range(5, 5 + _LEVELS):
                sizes[market, leg, cents] = random.randint(1, 500) * _CENT
            legs[f"{leg}_dollars_fp"] = [
                [f"0.{cents:02d}00", f"{sizes[market, leg, cents] // _CENT}.00"]
                for cents in range(5, 5 + _LEVELS)
            ]
        yield "orderbook_snapshot", {"market_ticker": market, "market_id": "m", "clock": 1, **legs}
    clock = 1
    while True:
        clock += 1
        place = random.choice(markets), random.choice(("yes", "no")), random.randint(5, 4 + _LEVELS)
        size = sizes[place]
        change = -size if size and random.random() < 0.2 else random.randint(1, 90) * _CENT  # noqa: PLR2004 - seeded
        sizes[place] = size + change
        yield (
            "orderbook_delta",
            {
                "market_ticker": place[0],
                "market_id": "m",
                "clock": clock,
                "price_dollars": f"0.{place[2]:02d}00",
                "delta_fp": f"{change // _CENT}.00",
                "side": place[1],
                "ts": "2026-10-01T12:00:00.000000Z",
                "ts_ms": 1_790_000_000_000 + clock,
            },
        )
