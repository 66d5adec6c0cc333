"""What recording costs: on the way of a frame, in the writer's thread, on the disk, read back.

The way of a frame is a connection's own code (``Talk.frame`` through session and
books), with a tape and without, turn and turn about in the same process. Writing is the
thread's work alone, half-second batches of what a busy feed brings.
"""

import json
import os
import statistics
import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from time import perf_counter, thread_time

from benchmarks.book_frames import Frames, frames
from bot.adapters.kalshi.rehearsal import StreamRehearsal
from bot.adapters.kalshi.settings import SessionSettings, StreamSettings
from bot.adapters.recording.recorder import KeptTape
from bot.kit.clock import SystemClock
from bot.kit.frames import FrameFile, Item, read_records
from bot.marketdata.feed import FeedTranslator

_FRAMES = 200_000
_BATCH = 2_500
"""Half a second at 5,000 frames a second."""
_BLOCK = 20_000
_ROUNDS_MIN = 5
_START_US = 1_790_000_000_000_000


def run(seconds: float) -> int:
    """Measure, print a table, and last one line of JSON."""
    made, source = frames(_FRAMES)
    with_tape, without = _on_the_way(seconds)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "00-bench-0001.frames.zst"
        write_us, size = _written(path, made)
        read = _read(path, len(made))
    extra_ns = (statistics.median(with_tape) - statistics.median(without)) * 1e9
    print(f"{len(made)} frames of {sum(map(len, made)) // len(made)} bytes, {source}")
    print(f"a frame with its books, no tape    {statistics.median(without) * 1e9:8.0f} ns")
    print(f"the same with a tape               {extra_ns:+8.0f} ns")
    print(f"in the writer's thread             {write_us * 1e3:8.0f} ns a frame")
    print(f"on the disk                        {size / len(made):8.1f} bytes a frame")
    print(f"read back                          {read:8,.0f} frames/s")
    print(f"load {' '.join(f'{one:.1f}' for one in os.getloadavg())} on {os.cpu_count()} cpus")
    line = {
        "benchmark": "recorder",
        "on_the_way_ns": round(extra_ns),
        "frame_ns": round(statistics.median(without) * 1e9),
        "writer_us": round(write_us, 2),
        "bytes_per_frame": round(size / len(made), 1),
        "read_frames_per_s": round(read),
    }
    print(json.dumps(line))
    return 0


def _on_the_way(seconds: float) -> tuple[list[float], list[float]]:
    """Seconds a frame in each round: with a tape, and without."""
    tape = KeptTape("bench-0001")
    plain, taped = _stream(None), _stream(tape)
    ways: dict[str, Callable[[], None]] = {"with": taped.step, "without": plain.step}
    took: dict[str, list[float]] = {name: [] for name in ways}
    ends = perf_counter() + seconds / 2
    while perf_counter() < ends or len(took["with"]) < _ROUNDS_MIN:
        for name, step in ways.items():
            began = thread_time()
            for _ in range(_BLOCK):
                step()
            took[name].append((thread_time() - began) / _BLOCK)
        tape.take()
    return took["with"], took["without"]


def _stream(tape: KeptTape | None) -> StreamRehearsal:
    settings = StreamSettings(session=SessionSettings(wants_private=False))
    translator = FeedTranslator(lambda _: None, lambda _: None)
    return StreamRehearsal(translator, SystemClock(), settings, tape)


def _written(path: Path, made: Frames) -> tuple[float, int]:
    """Microseconds of CPU a frame, and bytes of the file."""
    file = FrameFile(path, "bench-0001", _START_US)
    places = [*range(0, len(made), _BATCH), len(made)]
    batches: list[list[Item]] = [
        [_START_US + first, *made[first:last]] for first, last in pairwise(places)
    ]
    began = thread_time()
    for batch in batches:
        file.write(batch)
    took = thread_time() - began
    file.close()
    return took * 1e6 / len(made), file.size


def _read(path: Path, count: int) -> float:
    """Frames a second of CPU."""
    began = thread_time()
    found = sum(1 for _ in read_records(path))
    if found != count:
        raise AssertionError(f"{found} frames, not {count}")
    return found / (thread_time() - began)
