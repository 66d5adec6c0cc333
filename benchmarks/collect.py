"""Storing every open market: the bot's collect cycle beside the barest pipeline there could be.

One process is the simulator with 50,000 quoted markets and no request limit. The contestants
take turns, each in a process of its own with an empty database (``collect_contestants.py``), so
that whatever disturbs one disturbs both and memory is its own. A last turn of the bot keeps the
pace that it keeps at Kalshi.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

_ROOT = Path(__file__).resolve().parents[1]
_HERE = Path(__file__).parent
_MARKETS = 50_000
_ROUNDS_MIN = 3
_UNPACED, _PACE = 1_000, 10
_TARGETS = {"pipeline_ratio": 0.5, "peak_extra_mb": 150}


def run(seconds: float) -> int:
    """Measure, print what was seen, and last one line of JSON."""
    with _exchange("free") as address:
        rounds = list(_rounds(address, seconds))
        paced = _turn("bot", address, _PACE)
    bare = [one["bare"]["seconds"] for one in rounds]
    bot = [one["bot"]["seconds"] for one in rounds]
    for name, figures in (("bare", bare), ("bot", bot)):
        shown = ", ".join(f"{one:.1f}" for one in figures)
        cpu = statistics.median(one[name]["cpu_s"] for one in rounds)
        print(f"{name:<5} {shown} s; processor {cpu:.1f} s")
    last = rounds[-1]["bot"]
    budget_s = max(0, paced["requests"] - _PACE) / _PACE
    print(
        f"{last['markets']} markets with {last['requests']} requests; at {_PACE} requests a second"
        f" the budget alone takes {budget_s:.1f} s, the cycle took {paced['seconds']:.1f} s"
    )
    print(f"load {' '.join(f'{one:.1f}' for one in os.getloadavg())} on {os.cpu_count()} cpus")
    line = {
        "pipeline_ratio": round(statistics.median(bare) / statistics.median(bot), 3),
        "pipeline_ratios": [round(one / other, 3) for one, other in zip(bare, bot, strict=True)],
        "peak_extra_mb": max(one["bot"]["peak_extra_mb"] for one in rounds),
        "bare_peak_extra_mb": max(one["bare"]["peak_extra_mb"] for one in rounds),
        "markets": last["markets"],
        "requests": last["requests"],
        "requests_per_market": round(last["requests"] / last["markets"], 5),
        "bytes_per_market": last["bytes"] // last["markets"],
        "budget_s": round(budget_s, 1),
        "with_budget_s": paced["seconds"],
        "is_bound_by_budget": paced["seconds"] <= 1.5 * budget_s,
        "targets": _TARGETS,
    }
    print(json.dumps(line))
    return 0


def _rounds(address: list[str], seconds: float) -> Iterator[dict[str, dict[str, Any]]]:
    """Each a turn of both, the first mover changing."""
    deadline, number = perf_counter() + seconds, 0
    while number < _ROUNDS_MIN or perf_counter() < deadline:
        names = ("bare", "bot") if number % 2 else ("bot", "bare")
        told = {name: _turn(name, address, _UNPACED) for name in names}
        assert told["bot"]["markets"] == told["bare"]["markets"] == _MARKETS, told
        yield told
        number += 1


def _turn(name: str, address: list[str], per_second: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run(  # noqa: S603 - our own script
            [
                sys.executable,
                str(_HERE / "collect_contestants.py"),
                name,
                *address,
                directory,
                str(per_second),
            ],
            cwd=_ROOT,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


@contextmanager
def _exchange(limits: str) -> Iterator[list[str]]:
    """The simulator in a process of its own; yields its two addresses."""
    command = [sys.executable, str(_HERE / "collect_exchange.py"), str(_MARKETS), limits]
    with subprocess.Popen(  # noqa: S603 - our own script
        command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield process.stdout.readline().split()
        finally:
            process.stdin.close()
