"""From a frame leaving the exchange to the order arriving there.

One exchange process (this one) stamps both ends; every contestant is a process
of its own, and they take turns in the same run, so that what disturbs one
disturbs all. See ``docs/performance.md`` for what is and is not in the figures.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from time import perf_counter_ns

import uvloop
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from benchmarks.tick_clients import READY
from benchmarks.tick_commit import BareCommit, postgres_commit, sqlite_commit
from benchmarks.tick_exchange import MARKETS, TRIGGER_BID, Contestant, ExchangeServer, canceled
from benchmarks.tick_report import Found, Samples, show
from tests.support.postgres import NoServer, running_server

_WARM_UP = 60
_ANSWER_S = 20.0
_PAUSE_S = 0.004
_QUIET_S = 0.012
"""So long a bot that stores has to write down what the exchange answered."""
_BURST_EVERY = 8
_BURST_FRAMES = 100
_ROOT = Path(__file__).resolve().parents[1]
_PEERS = ("sdk", "official")


@dataclass
class _Stage:
    """Who takes part, and where they live."""

    exchange: ExchangeServer
    directory: Path
    found: Found = field(default_factory=Found)
    contestants: list[Contestant] = field(default_factory=list)
    commits: dict[str, BareCommit] = field(default_factory=dict)


def run(seconds: float, *, peers: bool = False, postgres: bool = False) -> int:
    """Measure, print a table, and last one line of JSON."""
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(_postgres()) if postgres else ""
        runner = stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
        found = runner.run(_measure(seconds, url, peers=peers))
    show(found)
    return 0


@contextlib.contextmanager
def _postgres() -> Iterator[str]:
    """A server of its own with durable settings; no address where none can be run."""
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(running_server(durable=True))
        except NoServer as fault:
            print(f"without PostgreSQL: {fault}")
            yield ""
            return
        yield server.url("postgres")


async def _measure(seconds: float, postgres: str, *, peers: bool) -> Found:
    async with contextlib.AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stage = _Stage(ExchangeServer(), directory)
        server = await stage.exchange.listen()
        stack.callback(server.close)
        (directory / "key.pem").write_text(rsa_key())
        sqlite = directory / "benchmark.sqlite"
        databases = {"memory": "", READY: "", "sqlite": f"sqlite:///{sqlite}"}
        if postgres:
            databases["postgres"] = postgres
        await _join(stage, stack, "floor", [sys.executable, "-m", "benchmarks.tick_clients"])
        for name, url in databases.items():
            command = [sys.executable, "-m", "benchmarks.tick_clients"]
            await _join(stage, stack, name, command, url)
        if peers:
            await _join_peers(stage, stack)
        for number in range(_WARM_UP):
            for contestant in stage.contestants:
                await one_round(contestant, number)
        stage.commits["sqlite"] = await sqlite_commit(sqlite)
        if postgres:
            stage.commits["postgres"] = await postgres_commit(postgres)
        await _take_turns(stage, seconds)
    return stage.found


async def _take_turns(stage: _Stage, seconds: float) -> None:
    ends_ns = perf_counter_ns() + int(seconds * 1e9)
    for number in count():
        for contestant in stage.contestants:
            if perf_counter_ns() >= ends_ns:
                return
            # A sync is cheaper soon after another: neither always has the better place.
            if number % 2:
                await _bare_commit(stage, contestant.name)
            await _turn(stage, contestant, number)
            if not number % 2:
                await _bare_commit(stage, contestant.name)


async def _turn(stage: _Stage, contestant: Contestant, number: int) -> None:
    is_burst = number % _BURST_EVERY >= _BURST_EVERY - 2
    samples = stage.found.bursts if is_burst else stage.found.single
    taken_ns = await one_round(contestant, number, _BURST_FRAMES if is_burst else 0)
    if contestant.name in stage.commits:
        await asyncio.sleep(_QUIET_S)
    samples.setdefault(contestant.name, Samples()).values.append(taken_ns)


async def _bare_commit(stage: _Stage, name: str) -> None:
    commit = stage.commits.get(name)
    if commit is not None:
        stage.found.commits.setdefault(name, Samples()).values.append(await commit())
        await asyncio.sleep(_QUIET_S)


async def one_round(client: Contestant, number: int, before: int = 0) -> int:
    """Send one trigger, wait for its order, put everything back; the time between in ns.

    ``before`` so many other changes are sent with it, in front.
    """
    assert client.send is not None
    market = client.markets[number % len(client.markets)]
    client.arrived = asyncio.get_running_loop().create_future()
    frames = client.burst(market, before) + client.delta(market, TRIGGER_BID, "5000.00")
    sent_ns = perf_counter_ns()
    client.send(frames)
    try:
        async with asyncio.timeout(_ANSWER_S):
            arrived_ns, order = await client.arrived
    except TimeoutError:
        raise SystemExit(f"no order of {client.name} within {_ANSWER_S:.0f} s") from None
    client.arrived = None
    if client.name != "floor":
        await asyncio.sleep(_PAUSE_S)
        if client.orders_sid:
            client.send(canceled(client, order))
        client.send(client.delta(market, TRIGGER_BID, "-5000.00"))
    await asyncio.sleep(_PAUSE_S)
    return arrived_ns - sent_ns


async def _join_peers(stage: _Stage, stack: contextlib.AsyncExitStack) -> None:
    for name in _PEERS:
        python = _ROOT / ".conformance" / name / "bin" / "python"
        if not python.exists():
            stage.found.reasons[name] = "not installed; ./scripts/conformance.sh installs it"
            continue
        script = _ROOT / "benchmarks" / "tick_peers.py"
        await _join(stage, stack, name, [str(python), str(script)])


async def _join(
    stage: _Stage,
    stack: contextlib.AsyncExitStack,
    name: str,
    command: list[str],
    database: str = "",
) -> None:
    markets = MARKETS[:1] if name in _PEERS else MARKETS
    contestant = stage.exchange.add(name, markets)
    arguments = [
        name,
        str(stage.exchange.port),
        str(stage.directory),
        *([database] * bool(database)),
    ]
    await stack.enter_async_context(_process(stage, name, [*command, *arguments]))
    try:
        async with asyncio.timeout(30):
            while contestant.send is None:  # noqa: ASYNC110 - once, at the start
                await asyncio.sleep(0.01)
            if name != "floor":
                await contestant.is_subscribed.wait()
    except TimeoutError:
        raise SystemExit(f"{name} did not connect within 30 s; its own words are above") from None
    await asyncio.sleep(0.5)
    stage.contestants.append(contestant)


@contextlib.asynccontextmanager
async def _process(stage: _Stage, name: str, command: list[str]) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(*command, cwd=_ROOT, stdout=subprocess.PIPE)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        said, _ = await process.communicate()
        if said:
            stage.found.said[name] = json.loads(said)


def rsa_key() -> str:
    """What every contestant signs with: the kind of key that most accounts have."""
    key = generate_private_key(public_exponent=65_537, key_size=2_048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem.decode()
