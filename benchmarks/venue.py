"""The simulated exchange: orders matched, over HTTP too, fan-out to subscribers, memory of books.

Over HTTP client and exchange share one process and one core, so the figure is
that of both; its floor is the same request to a path that does not exist, which
leaves the HTTP stack alone. Books are filled in a process of their own, which
reports how much its memory grew.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from time import perf_counter_ns
from typing import TypeAlias

import aiohttp
import uvloop

from benchmarks.venue_books import HOUSE, MARKETS, filled_venue, order
from bot.adapters.kalshi.signing import Signer, load_signer
from bot.domain.money import Money
from bot.domain.orders import BookSide
from bot.kit.clock import SystemClock
from bot.simulator.server import API, SimulatedExchange
from bot.simulator.settings import KeyType, RateLimits, SimulatorSettings
from conformance.stage import list_market, open_house, quote

Rates: TypeAlias = dict[str, list[float]]

_ROOT = Path(__file__).resolve().parents[1]
_BLOCK = 4_000
_HTTP_BLOCK = 300
_AT_ONCE = 8
_SUBSCRIBERS = 50
_CHANGES = 200
_TICKER = "KXBENCH-26DEC31-A"
_OTHER = "KXBENCH-26DEC31-B"
"""Traded over HTTP: nobody listens to it."""
_ORDERS = f"{API}/portfolio/events/orders"
_MEMORY_TARGET_MB = 300
_ANSWER_S = 30


def run(seconds: float) -> int:
    """Measure, print a table, and last one line of JSON."""
    rates: Rates = {"in process": [], "HTTP floor": [], "HTTP": [], "fan-out": []}
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_measure(rates, seconds))
    memory_mb = _memory_mb()
    _print(rates, memory_mb)
    return 0


async def _measure(rates: Rates, seconds: float) -> None:
    settings = SimulatorSettings(
        world="empty",
        limits=RateLimits(is_on=False),
        key_type=KeyType.ED25519,
        tick_ms=1_000,
        cash={0: Money(10**15)},  # a quick machine buys more than the usual account can pay
    )
    async with AsyncExitStack() as stack:
        sim = await stack.enter_async_context(SimulatedExchange(settings))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        open_house(sim)
        list_market(sim, _TICKER)
        list_market(sim, _OTHER)
        signer = load_signer(sim.keys.key_id, sim.keys.private_pem.decode())
        subscribers = [await _subscribe(session, sim, signer) for _ in range(_SUBSCRIBERS)]
        ends_ns = perf_counter_ns() + int(seconds * 1e9)
        while perf_counter_ns() < ends_ns or len(rates["HTTP"]) < 3:  # noqa: PLR2004 - for a median
            rates["in process"].append(_rate(_BLOCK, _matcher()))
            rates["fan-out"].append(await _fan_out(sim, subscribers))
            quote(sim, _OTHER, [(BookSide.ASK, 9_000, _HTTP_BLOCK)])
            rates["HTTP"].append(await _over_http(session, sim, signer, _ORDERS, 201))
            rates["HTTP floor"].append(await _over_http(session, sim, signer, f"{API}/no", 404))


def _rate(count: int, act: Callable[[], None]) -> float:
    began_ns = perf_counter_ns()
    act()
    return count * 1e9 / (perf_counter_ns() - began_ns)


# In process


def _matcher() -> Callable[[], None]:
    """Every second order takes the one that rests before it."""
    venue, (ticker, *_) = filled_venue(1, levels=5)
    bid = order(ticker, BookSide.BID, 4_900)
    ask = order(ticker, BookSide.ASK, 4_900)

    def act() -> None:
        for number in range(_BLOCK):
            request, account = (ask, HOUSE[1]) if number % 2 else (bid, HOUSE[0])
            outcome = venue.create_order(account, request, 1 + number)
            if not outcome.events:
                raise AssertionError(f"order {number} was refused: {outcome.result}")

    return act


# Over sockets


async def _subscribe(
    session: aiohttp.ClientSession, sim: SimulatedExchange, signer: Signer
) -> aiohttp.ClientWebSocketResponse:
    headers = signer.headers(SystemClock().now_us() // 1_000, "GET", "/trade-api/ws/v2")
    socket = await session.ws_connect(sim.ws_url, headers=headers)
    params = {"channels": ["orderbook_delta"], "market_tickers": [_TICKER]}
    await socket.send_str(json.dumps({"id": 1, "cmd": "subscribe", "params": params}))
    for _ in range(2):
        await socket.receive_str()
    return socket


async def _fan_out(
    sim: SimulatedExchange, subscribers: list[aiohttp.ClientWebSocketResponse]
) -> float:
    """Frames a second, from the first change to the last frame read by the last subscriber."""

    async def read(socket: aiohttp.ClientWebSocketResponse) -> None:
        for _ in range(_CHANGES):
            await socket.receive_str()

    began_ns = perf_counter_ns()
    async with asyncio.timeout(_ANSWER_S), asyncio.TaskGroup() as group:
        for socket in subscribers:
            group.create_task(read(socket))
        for number in range(_CHANGES):
            quote(sim, _TICKER, [(BookSide.BID, 100 + 100 * (number % 40), 1)])
            await asyncio.sleep(0)
    return _CHANGES * len(subscribers) * 1e9 / (perf_counter_ns() - began_ns)


async def _over_http(
    session: aiohttp.ClientSession, sim: SimulatedExchange, signer: Signer, path: str, status: int
) -> float:
    """Signed requests a second, several at once; each order takes what rests."""
    left = iter(range(_HTTP_BLOCK))
    url = sim.base_url.removesuffix(API) + path

    async def client() -> None:
        for _ in left:
            headers = signer.headers(SystemClock().now_us() // 1_000, "POST", path)
            async with session.post(url, headers=headers, data=_BODY) as response:
                body = await response.text()
                if response.status != status or ("fill_count" in body) != (path == _ORDERS):
                    raise AssertionError(body)

    began_ns = perf_counter_ns()
    async with asyncio.timeout(_ANSWER_S), asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(client())
    return _HTTP_BLOCK * 1e9 / (perf_counter_ns() - began_ns)


_BODY = json.dumps(
    {
        "ticker": _OTHER,
        "side": "bid",
        "count": "1.00",
        "price": "0.9000",
        "time_in_force": "immediate_or_cancel",
        "self_trade_prevention_type": "taker_at_cross",
    }
)


# Memory


def _memory_mb() -> float:
    command = [sys.executable, "-m", "benchmarks.venue_books"]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, check=True, text=True)  # noqa: S603 - our own
    return float(done.stdout)


def _print(rates: Rates, memory_mb: float) -> None:
    labels = {
        "in process": "orders matched in process",
        "HTTP floor": "requests of nothing over HTTP (floor)",
        "HTTP": f"orders over HTTP, {_AT_ONCE} at once",
        "fan-out": f"frames to {_SUBSCRIBERS} subscribers",
    }
    print(f"{'per second':38}{'rounds':>8}{'median':>12}{'lowest':>12}{'highest':>12}")
    for name, values in rates.items():
        print(
            f"{labels[name]:38}{len(values):>8}{statistics.median(values):>12.0f}"
            f"{min(values):>12.0f}{max(values):>12.0f}"
        )
    print(f"books of {MARKETS} markets, 40 levels each: {memory_mb:.0f} MB")
    print(f"load {' '.join(f'{one:.1f}' for one in os.getloadavg())} on {os.cpu_count()} cpus")
    middle = {name: statistics.median(values) for name, values in rates.items()}
    line = {
        "benchmark": "venue",
        "orders_per_s": round(middle["in process"]),
        "http_orders_per_s": round(middle["HTTP"]),
        "fan_out_frames_per_s": round(middle["fan-out"]),
        "fan_out_subscribers": _SUBSCRIBERS,
        "http_share_of_floor": round(middle["HTTP"] / middle["HTTP floor"], 3),
        "books_mb": round(memory_mb, 1),
        "targets": {"books_mb": _MEMORY_TARGET_MB},
    }
    print(json.dumps(line))
