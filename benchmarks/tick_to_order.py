"""From a frame leaving the exchange to the order arriving there.

One exchange process (this one) stamps both ends; every contestant is a process
of its own, and they take turns in the same run, so that what disturbs one
disturbs all. See ``docs/performance.md`` for what is and is not in the figures.
"""

import asyncio
import contextlib
import json
import os
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from time import perf_counter_ns

import uvloop

from benchmarks.tick_exchange import (
    MARKETS,
    TRIGGER_BID,
    Contestant,
    ExchangeServer,
    canceled,
)

_NAMES = ("floor", "memory", "sqlite")
_LABELS = {
    "floor": "raw socket, fixed order (floor)",
    "memory": "the bot, nothing stored",
    "sqlite": "the bot, SQLite, synced to disk",
}
_WARM_UP = 60
_BLOCKS = 5
_ANSWER_S = 5.0
_PAUSE_S = 0.004
_ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Samples:
    """Nanoseconds of one contestant, in the order they were taken."""

    values: list[int] = field(default_factory=list)

    def us(self, share: float) -> float:
        """A quantile in microseconds."""
        ordered = sorted(self.values)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] / 1_000

    def spread(self) -> tuple[float, float]:
        """The lowest and highest median of consecutive blocks, in microseconds."""
        size = max(1, len(self.values) // _BLOCKS)
        medians = [
            statistics.median(self.values[at : at + size]) / 1_000
            for at in range(0, size * _BLOCKS, size)
            if self.values[at : at + size]
        ]
        return min(medians), max(medians)


def run(seconds: float) -> int:
    """Measure, print a table, and last one line of JSON."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        samples = runner.run(_measure(seconds))
    _print(samples)
    return 0


async def _measure(seconds: float) -> dict[str, Samples]:
    exchange = ExchangeServer()
    contestants = [exchange.add(name) for name in _NAMES]
    samples = {name: Samples() for name in _NAMES}
    async with contextlib.AsyncExitStack() as stack:
        server = await exchange.listen()
        stack.callback(server.close)
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        for name in _NAMES:
            await stack.enter_async_context(_process(name, exchange.port, directory))
        for contestant in contestants:
            await _until_ready(contestant)
        for round_number in range(_WARM_UP):
            for contestant in contestants:
                await _round(contestant, round_number)
        ends_ns = perf_counter_ns() + int(seconds * 1e9)
        for round_number, contestant in enumerate(cycle(contestants)):
            if perf_counter_ns() >= ends_ns:
                break
            taken = await _round(contestant, round_number // len(_NAMES))
            samples[contestant.name].values.append(taken)
    return samples


async def _round(client: Contestant, number: int) -> int:
    """Send one trigger, wait for its order, put everything back; the time between in ns."""
    assert client.send is not None
    market = MARKETS[number % len(MARKETS)]
    client.arrived = asyncio.get_running_loop().create_future()
    frame = client.delta(market, TRIGGER_BID, "5000.00")
    sent_ns = perf_counter_ns()
    client.send(frame)
    async with asyncio.timeout(_ANSWER_S):
        arrived_ns, order = await client.arrived
    client.arrived = None
    if client.name != "floor":
        await asyncio.sleep(_PAUSE_S)
        client.send(canceled(client, order))
        client.send(client.delta(market, TRIGGER_BID, "-5000.00"))
    await asyncio.sleep(_PAUSE_S)
    return arrived_ns - sent_ns


async def _until_ready(client: Contestant) -> None:
    async with asyncio.timeout(30):
        if client.name == "floor":
            while client.send is None:  # noqa: ASYNC110 - once, at the start
                await asyncio.sleep(0.01)
        else:
            await client.is_subscribed.wait()
    await asyncio.sleep(0.5)


@contextlib.asynccontextmanager
async def _process(name: str, port: int, directory: str) -> AsyncIterator[None]:
    command = [sys.executable, "-m", "benchmarks.tick_clients", name, str(port), directory]
    process = await asyncio.create_subprocess_exec(*command, cwd=_ROOT)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


def _print(samples: dict[str, Samples]) -> None:
    floor = samples["floor"].us(0.5)
    print(f"{'tick to order, us':36}{'rounds':>8}{'p50':>9}{'p99':>9}{'blocks':>16}{'x floor':>9}")
    for name in _NAMES:
        one = samples[name]
        low, high = one.spread()
        print(
            f"{_LABELS[name]:36}{len(one.values):>8}{one.us(0.5):>9.0f}{one.us(0.99):>9.0f}"
            f"{f'{low:.0f}-{high:.0f}':>16}{one.us(0.5) / floor:>9.1f}"
        )
    print(f"load {' '.join(f'{one:.1f}' for one in os.getloadavg())} on {os.cpu_count()} cpus")
    line = {
        "benchmark": "tick_to_order",
        "floor_p50_us": round(floor, 1),
        "floor_p99_us": round(samples["floor"].us(0.99), 1),
        "p50_us": round(samples["memory"].us(0.5), 1),
        "p99_us": round(samples["memory"].us(0.99), 1),
        "durable_p50_us": round(samples["sqlite"].us(0.5), 1),
        "durable_p99_us": round(samples["sqlite"].us(0.99), 1),
        "engine_ratio": round(samples["memory"].us(0.5) / floor, 2),
        "durable_ratio": round(samples["sqlite"].us(0.5) / floor, 2),
        "rounds": len(samples["memory"].values),
    }
    print(json.dumps(line))
