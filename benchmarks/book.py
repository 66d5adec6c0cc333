"""From a book frame to the best price: what the bot does with it against decoding it alone.

Three contestants take turns over the same frames: msgspec decoding one typed
object (the floor), the bot's session, wire reader and book, and nautilus_trader's
OrderBook fed from the same decoder (a process of its own, where its environment
exists: ``scripts/conformance.sh`` makes it). Time is the thread's own CPU time:
all three only compute, and a busy machine would measure its neighbours.
"""

import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter_ns, thread_time_ns
from typing import TypeAlias

import msgspec

from benchmarks.book_frames import Frames, frames
from bot.adapters.kalshi.session import FeedSession
from bot.adapters.kalshi.settings import SessionSettings
from bot.domain.ids import MarketTicker
from bot.domain.quotes import BookSnapshot
from bot.marketdata.book import OrderBook
from bot.ports.exchange import FeedNews, KeptBook

Contestant: TypeAlias = Callable[[], int]
"""One pass over all frames; the nanoseconds it took."""

_FRAMES = 60_000
_ROOT = Path(__file__).resolve().parents[1]
_NAUTILUS = _ROOT / ".conformance" / "nautilus" / "bin" / "python"
_TARGETS = {"ratio_to_decode": 0.35, "ratio_to_nautilus": 3.5}


class _Message(msgspec.Struct):
    market_ticker: str
    price_dollars: str = ""
    delta_fp: str = ""
    side: str = ""
    clock: int | None = None
    ts_ms: int | None = None
    yes_dollars_fp: list[tuple[str, str]] | None = None
    no_dollars_fp: list[tuple[str, str]] | None = None


class _Frame(msgspec.Struct):
    type: str
    sid: int
    seq: int
    msg: _Message


def run(seconds: float) -> int:
    """Measure, print a table, and last one line of JSON."""
    found, origin = frames(_FRAMES)
    with _nautilus(found) as (nautilus, reason):
        contestants: dict[str, Contestant] = {
            "decode": lambda: _decode(found),
            "bot": lambda: _bot(found),
        }
        if nautilus is not None:
            contestants["nautilus"] = nautilus
        taken: dict[str, list[int]] = {name: [] for name in contestants}
        gc.collect()
        gc.freeze()
        for one in contestants.values():
            one()
        ends_ns = perf_counter_ns() + int(seconds * 1e9)
        while perf_counter_ns() < ends_ns or len(taken["bot"]) < 3:  # noqa: PLR2004 - for a median
            for name, one in contestants.items():
                taken[name].append(one())
        gc.unfreeze()
    _print(taken, origin, len(found), reason)
    return 0


def _decode(found: Frames) -> int:
    decode = msgspec.json.Decoder(_Frame).decode
    began_ns = thread_time_ns()
    for frame in found:
        decode(frame)
    return thread_time_ns() - began_ns


def _bot(found: Frames) -> int:
    """The bot's own way: session, wire reader, book, and the best prices after each frame."""
    reader = _Reader()
    receive = _session(found, reader).receive
    began_ns = thread_time_ns()
    for number, frame in enumerate(found):
        receive(frame, number)
    took_ns = thread_time_ns() - began_ns
    if not any(reader.best):
        raise AssertionError("no book was built")
    return took_ns


class _Reader:
    """A listener that keeps the books, and both best prices of the one whose top changed last."""

    def __init__(self) -> None:
        self.books: dict[MarketTicker, OrderBook] = {}
        self.best = (0, 0)

    def book(self, snapshot: BookSnapshot) -> KeptBook:
        """See :meth:`FeedListener.book`."""
        book = self.books[snapshot.ticker] = OrderBook(snapshot.ticker, self._top_changed)
        book.apply_snapshot(snapshot)
        return book

    def news(self, event: FeedNews) -> None:
        """See :meth:`FeedListener.news`."""

    def read_ended(self) -> None:
        """See :meth:`FeedListener.read_ended`."""

    def _top_changed(self, book: OrderBook, _: int, __: int | None) -> None:
        self.best = book.best_bid, book.best_ask


def _session(found: Frames, reader: _Reader) -> FeedSession:
    """A session that has subscribed to every market, with what the benchmark leaves out off."""
    decode = msgspec.json.Decoder(_Frame).decode
    names = dict.fromkeys(decode(frame).msg.market_ticker for frame in found)
    session = FeedSession(
        SessionSettings(
            wants_private=False,
            wants_trades=False,
            uses_yes_price=False,
            markets_per_subscription=len(names),
        )
    )
    session.watch(map(MarketTicker, names), 0)
    session.connected(reader, 0)
    for data in session.frames_to_send():
        command = json.loads(data)
        (channel,) = command["params"]["channels"]
        if channel == "orderbook_delta":
            reply = {
                "type": "subscribed",
                "id": command["id"],
                "msg": {"channel": channel, "sid": 1},
            }
            session.receive(json.dumps(reply), 0)
    return session


@contextmanager
def _nautilus(found: Frames) -> Iterator[tuple[Contestant | None, str | None]]:
    """The other order book as a process that measures itself whenever it is told to."""
    if not _NAUTILUS.is_file():
        yield None, "nautilus_trader is not installed; ./scripts/conformance.sh installs it"
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frames.jsonl"
        path.write_bytes(b"\n".join(found))
        command = [str(_NAUTILUS), str(_ROOT / "benchmarks" / "book_of_nautilus.py"), str(path)]
        with subprocess.Popen(  # noqa: S603 - our own script
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            stdin, stdout = process.stdin, process.stdout
            if stdout.readline().strip() != "ready":
                yield None, "nautilus_trader did not start"
                return

            def measure() -> int:
                stdin.write("go\n")
                stdin.flush()
                return int(stdout.readline())

            yield measure, None
            stdin.close()


def _print(taken: dict[str, list[int]], origin: str, count: int, reason: str | None) -> None:
    medians = {name: statistics.median(values) / count for name, values in taken.items()}
    print(f"{count} frames, {origin}")
    print(f"{'contestant':12}{'rounds':>8}{'ns/frame':>10}{'lowest':>9}{'highest':>9}{'k/s':>8}")
    for name, values in taken.items():
        low, high = min(values) / count, max(values) / count
        print(
            f"{name:12}{len(values):>8}{medians[name]:>10.0f}{low:>9.0f}{high:>9.0f}"
            f"{1e6 / medians[name]:>8.0f}"
        )
    if reason:
        print(f"nautilus     {reason}")
    print(f"load {' '.join(f'{one:.1f}' for one in os.getloadavg())} on {os.cpu_count()} cpus")
    nautilus = medians.get("nautilus")
    line = {
        "benchmark": "book",
        "frames": origin,
        "ns_per_frame": round(medians["bot"]),
        "decode_ns_per_frame": round(medians["decode"]),
        "nautilus_ns_per_frame": None if nautilus is None else round(nautilus),
        "ratio_to_decode": round(medians["decode"] / medians["bot"], 3),
        "ratio_to_nautilus": None if nautilus is None else round(nautilus / medians["bot"], 2),
        "nautilus_reason": reason,
        "targets": _TARGETS,
    }
    print(json.dumps(line))


if __name__ == "__main__":
    sys.exit(run(10.0))
