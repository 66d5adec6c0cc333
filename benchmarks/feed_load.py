"""Thousands of markets on the bot's real feed: steady load, a burst, and the collector's pauses.

Socket, session, books, inbox and the engine's runner are the bot's own; the engine
is one that only looks at the clock. The exchange is another process
(``feed_exchange``), which knows what every book must be in the end.
"""

import asyncio
import gc
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass, field
from random import SystemRandom
from time import perf_counter_ns, process_time_ns, thread_time_ns
from typing import Any, cast

import psutil
import uvloop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.feed_exchange import STAMPS, stamp
from bot.adapters.kalshi import dialing
from bot.adapters.kalshi.gateway import KalshiFeed
from bot.adapters.kalshi.settings import SessionSettings, StreamSettings, hosts_of
from bot.adapters.kalshi.signing import Signer
from bot.domain.events import Event, QuoteChanged
from bot.domain.ids import MarketTicker
from bot.domain.orders import BookSide
from bot.engine.effects import Effect
from bot.engine.executor import EffectExecutor
from bot.engine.inbox import EngineInbox
from bot.engine.runner import EngineRunner
from bot.kit.clock import SystemClock
from bot.kit.memory import CalmMemory
from bot.marketdata.feed import FeedTranslator

_MARKETS = 10_000
_BUSY = 5_000
_RATE = 5_000
_BURST = 100_000
_WARM_S = 5.0
_MAX_LINE = 1 << 28


class _Engine:
    """Decides nothing; notes how old a stamped quote is when it gets here."""

    def __init__(self, inbox: EngineInbox) -> None:
        self._inbox = inbox
        self.ages_us: list[int] = []
        self.quotes = 0
        self.inbox_max = 0

    def handle(self, event: Event) -> tuple[Effect, ...]:
        """See :class:`bot.engine.core.Engine`."""
        self.inbox_max = max(self.inbox_max, len(self._inbox))
        if isinstance(event, QuoteChanged):
            self.quotes += 1
            if event.quote.bid_size >= STAMPS:
                self.ages_us.append((stamp() - event.quote.bid_size) % STAMPS)
        return ()

    def forget(self) -> None:
        """Begin a new count."""
        self.ages_us, self.quotes, self.inbox_max = [], 0, 0


class _NoEffects:
    """An executor without work."""

    is_busy = False

    async def run(self) -> None:
        """See :class:`EffectExecutor`."""
        await asyncio.Event().wait()

    def hear(self, _: Event) -> bool:
        """See :class:`EffectExecutor`."""
        return True

    def take(self, _: tuple[Effect, ...]) -> None:
        """See :class:`EffectExecutor`."""


@dataclass(slots=True)
class _Pauses:
    """What the garbage collector took, in nanoseconds of CPU time: a neighbour is no pause."""

    began_ns: int = 0
    taken: list[int] = field(default_factory=list)

    def look(self, phase: str, _: dict[str, int]) -> None:
        """A ``gc.callbacks``."""
        if phase == "start":
            self.began_ns = thread_time_ns()
        else:
            self.taken.append(thread_time_ns() - self.began_ns)


class _Stand:
    """The bot's side, connected."""

    def __init__(self, port: int, process: Process) -> None:
        clock, random = SystemClock(), SystemRandom()
        self.process = process
        self.inbox = EngineInbox()
        self.engine = _Engine(self.inbox)
        self.memory = CalmMemory()
        self.feed = KalshiFeed(
            hosts_of("demo", None, f"ws://127.0.0.1:{port}"),
            StreamSettings(session=SessionSettings(wants_private=False, wants_trades=False)),
            signer=Signer("bench", Ed25519PrivateKey.generate()),
            clock=clock,
            random=random,
        )
        effects = cast(EffectExecutor, _NoEffects())
        self.runner = EngineRunner(self.engine, effects, self.inbox)
        self.translator = FeedTranslator(self.inbox.put, self.feed.refresh, self.runner)

    async def ask(self, line: str) -> Any:
        """Let the exchange do something; returns what it says when it is done."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(line.encode() + b"\n")
        return json.loads(await self.process.stdout.readline())

    async def loaded(self) -> None:
        """Return once every book is there."""
        names = [MarketTicker(f"KXLOAD-26DEC-T{number}") for number in range(_MARKETS)]
        await self.feed.watch(names)
        books = self.translator.books
        while len(books) < _MARKETS or self.translator.unsynced():  # noqa: ASYNC110 - books are values
            await asyncio.sleep(0.1)

    async def read(self) -> None:
        """Return once nothing is under way any more."""
        quotes = -1
        while quotes != self.engine.quotes or len(self.inbox):
            quotes = self.engine.quotes
            await asyncio.sleep(0.3)

    async def keep(self) -> None:
        """As the leader's memory keeper does."""
        while True:
            await asyncio.sleep(5)
            self.memory.keep()

    async def wrong_books(self) -> int:
        """How many books are not what the exchange says they are."""
        true = await self.ask("books")
        sides = {"bids": BookSide.BID, "asks": BookSide.ASK}
        return sum(
            {str(one.price): int(one.quantity) for one in book.levels(side)} != true[name][word]
            for name, book in self.translator.books.items()
            for word, side in sides.items()
        )


def run(seconds: float) -> int:
    """Measure, print, and last one line of JSON."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        line = runner.run(_measure(seconds))
    print(f"load {' '.join(f'{one:.1f}' for one in os.getloadavg())} on {os.cpu_count()} cpus")
    print(json.dumps(line))
    return 0


async def _measure(seconds: float) -> dict[str, object]:
    command = [sys.executable, "-m", "benchmarks.feed_exchange", str(_MARKETS), str(_BUSY)]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, limit=_MAX_LINE
    )
    assert process.stdout is not None
    stand = _Stand(int(await process.stdout.readline()), process)
    stand.memory.begin()
    async with asyncio.TaskGroup() as group:
        runs = group.create_task(stand.runner.run())
        tasks = [
            group.create_task(stand.feed.run(stand.translator)),
            group.create_task(stand.keep()),
        ]
        await stand.loaded()
        stand.memory.keep()
        await stand.ask(f"steady {_RATE} {_WARM_S}")
        pauses = _Pauses()
        gc.callbacks.append(pauses.look)
        steady = await _steadily(stand, seconds)
        burst = await _at_once(stand) | await _while_stalled(stand, runs)
        gc.callbacks.remove(pauses.look)
        wrong = await stand.wrong_books()
        for task in tasks:
            task.cancel()
    process.terminate()
    await process.wait()
    stand.memory.end()
    return {
        "benchmark": "feed_load",
        "library": dialing.fastest().__module__.rpartition("_")[2],
        "markets": _MARKETS,
        "busy_markets": _BUSY,
        **steady,
        **burst,
        "books_wrong": wrong,
        "reconnects": stand.feed.reconnects,
        "gc_pause_max_ms": round(max(pauses.taken, default=0) / 1e6, 3),
        "gc_passes": len(pauses.taken),
    }


async def _steadily(stand: _Stand, seconds: float) -> dict[str, object]:
    engine, process = stand.engine, psutil.Process()
    await stand.read()
    engine.forget()
    memory, cpu_ns, began_ns = process.memory_info().rss, process_time_ns(), perf_counter_ns()
    sent = await stand.ask(f"steady {_RATE} {seconds}")
    passed_ns, cpu_ns = perf_counter_ns() - began_ns, process_time_ns() - cpu_ns
    await stand.read()
    ages = sorted(engine.ages_us)
    grown = process.memory_info().rss - memory - sys.getsizeof(ages) - 32 * len(ages)
    found: dict[str, object] = {
        "messages": sent,
        "messages_per_s": round(sent * 1e9 / passed_ns),
        "p50_us": ages[len(ages) // 2],
        "p99_us": ages[len(ages) * 99 // 100],
        "inbox_max": engine.inbox_max,
        "memory_grown_mb": round(grown / 1e6, 1),
        "cpu_percent": round(100 * cpu_ns / passed_ns),
    }
    print(f"steady  {found}")
    return found


async def _at_once(stand: _Stand) -> dict[str, object]:
    """A burst while the engine keeps up as it can."""
    engine = stand.engine
    engine.forget()
    cpu_ns = process_time_ns()
    await stand.ask(f"burst {_BURST}")
    await stand.read()
    found: dict[str, object] = {
        "burst_frames": _BURST,
        "burst_cpu_us_per_frame": round((process_time_ns() - cpu_ns) / _BURST / 1e3, 2),
        "burst_quotes": engine.quotes,
        "burst_inbox_max": engine.inbox_max,
    }
    print(f"burst   {found}")
    return found


async def _while_stalled(stand: _Stand, runs: asyncio.Task[None]) -> dict[str, object]:
    """A burst while the engine does not get to anything; afterwards it sees the latest only."""
    runs.cancel()
    stand.engine.forget()
    await stand.ask(f"burst {_BURST}")
    size = -1
    while size != len(stand.inbox):
        size = len(stand.inbox)
        await asyncio.sleep(0.3)
    async with asyncio.TaskGroup() as group:
        again = group.create_task(stand.runner.run())
        await stand.read()
        again.cancel()
    found: dict[str, object] = {
        "stalled_frames": _BURST,
        "stalled_inbox": size,
        "stalled_quotes": stand.engine.quotes,
    }
    print(f"stalled {found}")
    return found


if __name__ == "__main__":
    sys.exit(run(10.0))
