"""How fast the chat answers under load, and what it costs an order.

First the deployed bot, as one process with SQLite, reads 5,000 changes of books a
second while people ask for ``/status``; the Bot API is the stand-in in this process.
Then ``tick_to_order``'s bot takes ticks with and without twenty commands a second,
in turns.
"""

import asyncio
import contextlib
import json
import os
import statistics
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import perf_counter_ns

import psutil
import uvloop

from benchmarks.chat_ticks import ticks_with_and_without
from bot.domain.ids import MarketTicker
from bot.kit.clock import SystemClock
from bot.simulator.server import SimulatedExchange
from bot.simulator.settings import RateLimits, SimulatorSettings
from tests.e2e.support.bot import Program, home_of
from tests.e2e.support.market import Market
from tests.fakes.telegram_server import FakeTelegram

_MARKETS = 50
_EVENT = "KXFED-26DEC"
_RATE = 5_000
_PEOPLE = range(101, 121)
"""So many that nobody is spoken to more often than once a second, Telegram's limit."""
_PAUSE_S = 0.25
_ANSWER_S = 10.0
_TARGETS = {"status_p95_ms": 150, "tick_to_order_ratio": 1.05}


@dataclass
class _Status:
    """What the first part found."""

    taken_ms: list[float] = field(default_factory=list)
    frames: int = 0
    books: int = 0
    """How many the bot keeps and trusts."""
    seconds: float = 0.0
    cpu_percent: int = 0


def run(seconds: float) -> int:
    """Measure, print, and last one line of JSON."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        status = runner.run(_status(seconds / 2))
        ticks = runner.run(ticks_with_and_without(seconds / 2))
    taken = sorted(status.taken_ms)
    line = {
        "benchmark": "chat",
        "status_p50_ms": round(statistics.median(taken), 1),
        "status_p95_ms": round(taken[len(taken) * 95 // 100], 1),
        "status_worst_ms": round(taken[-1], 1),
        "status_asked": len(taken),
        "frames_per_s": round(status.frames / status.seconds),
        "books_trusted": status.books,
        "bot_cpu_percent": status.cpu_percent,
        **ticks,
        "targets": _TARGETS,
    }
    print(f"load {' '.join(f'{one:.1f}' for one in os.getloadavg())} on {os.cpu_count()} cpus")
    print(json.dumps(line))
    return 0


async def _status(seconds: float) -> _Status:
    settings = SimulatorSettings(world="empty", limits=RateLimits(is_on=False))
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        exchange = await stack.enter_async_context(SimulatedExchange(settings))
        for number in range(_MARKETS):
            Market(exchange, MarketTicker(f"{_EVENT}-T{number}"))
        telegram = await stack.enter_async_context(FakeTelegram())
        telegram.date = SystemClock().now_us() // 1_000_000
        feed = await stack.enter_async_context(_feed())
        assert feed.stdout is not None
        port = int(await feed.stdout.readline())
        database = f"sqlite:///{folder}/bot.sqlite"
        home = await stack.enter_async_context(home_of(folder, database, exchange, telegram))
        home.take_time()
        home.settings |= {
            "KALSHI_WS_URL": f"ws://127.0.0.1:{port}",
            "BOT_MODE": "trade",
            "BOT_TRADING__ALWAYS_WATCH": '["KXFED"]',
            "BOT_TRADING__STARTS_UNHALTED": "true",
            "TELEGRAM_ADMIN_IDS": ",".join(map(str, _PEOPLE)),
        }
        bot = home.bot()
        await bot.reach("leading", limit_s=120)
        # The news of the start goes to everybody first, each at Telegram's pace.
        await telegram.until(lambda: all(telegram.said[one] for one in _PEOPLE), 60)
        return await _asked(seconds, telegram, feed, bot)


@contextlib.asynccontextmanager
async def _feed() -> AsyncIterator[Process]:
    command = ["benchmarks.feed_exchange", str(_MARKETS), str(_MARKETS), _EVENT]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *command, stdin=PIPE, stdout=PIPE
    )
    try:
        yield process
    finally:
        process.terminate()
        await process.wait()


async def _asked(seconds: float, telegram: FakeTelegram, feed: Process, bot: Program) -> _Status:
    """People ask one after the other while the books change."""
    assert feed.stdin is not None
    assert feed.stdout is not None
    found = _Status()
    process = psutil.Process(bot.process.pid)
    feed.stdin.write(f"steady {_RATE} {seconds + 3}\n".encode())
    await asyncio.sleep(2)
    process.cpu_percent()
    began_ns, random = perf_counter_ns(), Random(1)  # noqa: S311 - repeatable
    people = list(_PEOPLE)
    while perf_counter_ns() - began_ns < seconds * 1e9:
        person = people.pop(0)
        people.append(person)
        found.taken_ms.append(await _once(telegram, person))
        await asyncio.sleep(random.uniform(0.5, 1.5) * _PAUSE_S)
    found.cpu_percent = round(process.cpu_percent())
    books = await bot.page("/books")
    found.books = sum(one["is_trusted"] for one in books.values())
    found.frames = json.loads(await feed.stdout.readline())
    found.seconds = seconds + 3
    return found


async def _once(telegram: FakeTelegram, person: int) -> float:
    """Ask for the status; the time until its answer is there, in milliseconds."""
    before = len(telegram.said[person])
    sent_ns = perf_counter_ns()
    telegram.type(person, "/status")
    await telegram.until(
        lambda: any("API errors:" in one.text for one in telegram.said[person][before:]), _ANSWER_S
    )
    return (perf_counter_ns() - sent_ns) / 1e6
