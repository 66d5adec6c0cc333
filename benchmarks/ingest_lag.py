"""How late an event loop gets to run while another thread stores ten thousand ticks a second.

The loop does what a stream's loop does of it: it appends the ticks to the queue. It is
compared with the same loop that does nothing, and with one whose queue nobody stores.
"""

import asyncio
import statistics
from random import SystemRandom
from time import perf_counter_ns

import uvloop

from benchmarks.ingest_ticks import one_of_each, some_ticks
from bot.adapters.storage.stream_postgres import PostgresStreamStore
from bot.adapters.storage.urls import parse_address
from bot.domain.quotes import TickerUpdate
from bot.kit.clock import SystemClock
from bot.kit.times import MINUTE_US
from bot.marketdata.stream_queue import StreamQueue
from bot.marketdata.stream_storing import StoringSettings
from bot.marketdata.stream_writer import StreamWriter
from bot.ports.exchange import FeedUp

_RATE = 10_000
_PROBE_S = 0.001
_PHASE_S = 2.0
_EACH = _RATE // 1_000
_CALM_US = 5 * MINUTE_US


def loop_lag(url: str, seconds: float) -> dict[str, object]:
    """Rounds of idle, filling and storing; medians of each round's 99th percentile."""
    lags: dict[str, list[float]] = {"idle": [], "filling": [], "storing": []}
    rounds = max(3, round(seconds / (3 * _PHASE_S)))
    stored = 0
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for _ in range(rounds):
            for name, late in lags.items():
                p99_us, new = runner.run(_phase(name, url))
                late.append(p99_us)
                stored += new
    found = {name: statistics.median(values) for name, values in lags.items()}
    expected = rounds * int(_PHASE_S * _RATE)
    told = ", ".join(f"{name} {value:.0f} us" for name, value in found.items())
    print(f"loop late at the 99th percentile: {told}; stored {stored} of {expected}")
    return {
        "loop_lag_p99_us": {name: round(value) for name, value in found.items()},
        "loop_lag_ratio": round(found["storing"] / found["idle"], 2),
        "loop_lag_stored_share": round(stored / expected, 3),
    }


async def _phase(name: str, url: str) -> tuple[float, int]:
    batches = list(some_ticks(int(_PHASE_S / _PROBE_S), _EACH)) if name != "idle" else []
    queue = StreamQueue("lag 0/1", 200_000, StoringSettings().batch)
    clock = SystemClock()
    writer = StreamWriter(
        queue,
        lambda: PostgresStreamStore(parse_address(url)),
        StoringSettings(),
        clock,
        SystemRandom(),
    )
    if name == "storing":
        _long_connected(queue, clock.now_us())
        writer.start()
        await asyncio.sleep(0.5)
    before = writer.counts.ticks_new
    late_ns = await _probe(queue, batches)
    if name == "storing":
        writer.stop()
        while writer.is_running:  # noqa: ASYNC110 - a thread signals nothing
            await asyncio.sleep(0.05)
    late_ns.sort()
    return late_ns[len(late_ns) * 99 // 100] / 1_000, writer.counts.ticks_new - before


def _long_connected(queue: StreamQueue, now_us: int) -> None:
    """As minutes after a start: nothing may be told again, every market has its number."""
    queue.tell(FeedUp(received_us=now_us - _CALM_US))
    for tick in one_of_each():
        queue.put(tick, tick.received_us)


async def _probe(queue: StreamQueue, batches: list[list[TickerUpdate]]) -> list[int]:
    """A timer every millisecond, which also appends what a millisecond brings."""
    late_ns: list[int] = []
    for number in range(int(_PHASE_S / _PROBE_S)):
        due_ns = perf_counter_ns() + int(_PROBE_S * 1e9)
        await asyncio.sleep(_PROBE_S)
        late_ns.append(perf_counter_ns() - due_ns)
        if batches:
            for tick in batches[number]:
                queue.put(tick, tick.received_us)
    return late_ns
