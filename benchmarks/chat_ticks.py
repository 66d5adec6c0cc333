"""What twenty commands a second cost an order: ticks with and without them, in turns."""

import asyncio
import contextlib
import json
import statistics
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from time import perf_counter_ns

from benchmarks.tick_exchange import Contestant, ExchangeServer
from benchmarks.tick_report import Samples
from benchmarks.tick_to_order import one_round, rsa_key

_WARM_UP = 60
_PER_SECOND = 20
_TURN_S = 2.0
_QUIET_S = 0.012
"""So long the bot has to write down what the exchange answered."""
_SETTLE_S = 0.5
"""Between two turns: the answers that are still under way belong to neither."""


@dataclass
class _Turns:
    """Samples turn by turn, in nanoseconds."""

    turns: list[list[int]] = field(default_factory=list)

    def us(self, share: float, every: int = 1, first: int = 0) -> float:
        """A quantile over all turns, or over one of ``every``, in microseconds."""
        return Samples([one for turn in self.turns[first::every] for one in turn]).us(share)

    @property
    def spread_us(self) -> list[float]:
        """The lowest and the highest median of a turn."""
        medians = [statistics.median(turn) / 1_000 for turn in self.turns]
        return [round(min(medians), 1), round(max(medians), 1)]


async def ticks_with_and_without(seconds: float) -> dict[str, object]:
    """Figures for the line of ``chat``."""
    quiet, talking, answered = _Turns(), _Turns(), 0
    async with contextlib.AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (directory / "key.pem").write_text(rsa_key())
        exchange = ExchangeServer()
        server = await exchange.listen()
        stack.callback(server.close)
        telegram = await stack.enter_async_context(_program("benchmarks.chat_telegram"))
        assert telegram.stdin is not None
        assert telegram.stdout is not None
        address = (await telegram.stdout.readline()).decode().strip()
        words = ["sqlite", str(exchange.port), str(directory)]
        words += [f"sqlite:///{directory}/bot.sqlite", "--telegram", address]
        client = exchange.add("sqlite")
        await stack.enter_async_context(_program("benchmarks.tick_clients", *words))
        await _connected(client)
        for number in range(_WARM_UP):
            await one_round(client, number)
        ends_ns, rounds = perf_counter_ns() + int(seconds * 1e9), count()
        while perf_counter_ns() < ends_ns:
            quiet.turns.append(await _turn(client, rounds))
            telegram.stdin.write(f"talk {_PER_SECOND} {_TURN_S}\n".encode())
            talking.turns.append(await _turn(client, rounds))
            said = json.loads(await telegram.stdout.readline())
            answered += said["answered"]
            await asyncio.sleep(_SETTLE_S)
    return _figures(quiet, talking) | {"commands_answered": answered}


async def _turn(client: Contestant, rounds: Iterator[int]) -> list[int]:
    """Ticks for a while; each one's time in ns."""
    ends_ns = perf_counter_ns() + int(_TURN_S * 1e9)
    taken: list[int] = []
    while perf_counter_ns() < ends_ns:
        taken.append(await one_round(client, next(rounds)))
        await asyncio.sleep(_QUIET_S)
    return taken


def _figures(quiet: _Turns, talking: _Turns) -> dict[str, object]:
    print(f"{'tick to order, us':24}{'turns':>7}{'p50':>8}{'p99':>9}{'medians':>14}")
    for name, one in (("no commands", quiet), ("20 commands a second", talking)):
        low, high = one.spread_us
        print(
            f"{name:24}{len(one.turns):>7}{one.us(0.5):>8.0f}{one.us(0.99):>9.0f}"
            f"{f'{low:.0f}-{high:.0f}':>14}"
        )
    return {
        "tick_to_order_ratio": round(talking.us(0.5) / quiet.us(0.5), 3),
        # What nothing at all makes of the same figure: every second quiet turn against the others.
        "tick_noise_ratio": round(quiet.us(0.5, 2) / quiet.us(0.5, 2, 1), 3),
        "tick_quiet_p50_us": round(quiet.us(0.5), 1),
        "tick_talking_p50_us": round(talking.us(0.5), 1),
        "tick_quiet_p99_us": round(quiet.us(0.99), 1),
        "tick_talking_p99_us": round(talking.us(0.99), 1),
        "tick_quiet_spread_us": quiet.spread_us,
        "tick_talking_spread_us": talking.spread_us,
    }


async def _connected(client: Contestant) -> None:
    try:
        async with asyncio.timeout(60):
            while client.send is None:  # noqa: ASYNC110 - once, at the start
                await asyncio.sleep(0.01)
            await client.is_subscribed.wait()
    except TimeoutError:
        raise SystemExit("the bot did not connect; its own words are above") from None
    await asyncio.sleep(1)


@contextlib.asynccontextmanager
async def _program(name: str, *words: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", name, *words, stdin=PIPE, stdout=PIPE
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.communicate()
