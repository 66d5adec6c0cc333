"""A bot that only leads: the real store, elector, lifecycle and watchdog around a tiny service.

Speaks JSON lines on standard output: every change of role, and one ``trade`` for
each tenth of a second in which the gate is open. With ``--venue`` the trades are
orders instead: sent to that port of the loopback under the epoch, after the older
epochs were shut out there. ``block`` on standard input blocks the event loop for
good; ``freeze`` stops the process between the gate's answer and the next order. ``hold``
blocks the whole interpreter. With ``--supervised`` it is the supervisor of such a bot.
"""

import argparse
import asyncio
import ctypes
import json
import os
import platform
import signal
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random, SystemRandom

from typing_extensions import override

from bot.adapters.storage.database import Database
from bot.adapters.storage.leases import SqlLeaseStore
from bot.app.burial import bury
from bot.app.lifecycle import Lifecycle, RoleChange, Tenure, stop_on_signals
from bot.domain.errors import StorageUnavailable
from bot.domain.ids import InstanceId, Scope
from bot.domain.leadership import Candidate
from bot.kit.clock import SystemClock
from bot.kit.ids import IdFactory
from bot.kit.tasks import Service
from bot.leadership.elector import Elector, Means
from bot.leadership.lease import LeaseTerms
from bot.leadership.watchdog import Watchdog
from bot.ops.pulse import OPTION, START_OPTION, Identity, Pulse
from bot.ops.supervisor import Supervisor

SHORT = LeaseTerms(
    lease_us=6_000_000,
    renew_us=800_000,
    retry_us=200_000,
    poll_us=300_000,
    database_timeout_us=800_000,
    gate_us=3_200_000,
    order_timeout_us=800_000,
    stop_us=4_000_000,
    watchdog_us=4_800_000,
    drain_us=4_000_000,
    settle_us=2_000_000,
)
TERMS = {"short": SHORT, "default": LeaseTerms()}
CLOCK = SystemClock()


def say(kind: str, **facts: object) -> None:
    line = json.dumps({"kind": kind, "at_us": CLOCK.monotonic_us(), **facts})
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class Orders:
    """What a process was told on standard input."""

    def __init__(self) -> None:
        self.is_to_freeze = False

    def obey(self, loop: asyncio.AbstractEventLoop) -> None:
        for line in sys.stdin:
            match line.strip():
                case "block":
                    loop.call_soon_threadsafe(threading.Event().wait)
                case "hold":
                    ctypes.PyDLL(None).sleep(600)
            self.is_to_freeze = line.strip() == "freeze"


class Ticker:
    name = "ticker"

    def __init__(self, tenure: Tenure, given: argparse.Namespace, orders: Orders) -> None:
        self._tenure = tenure
        self._given = given
        self._orders = orders

    async def run(self) -> None:
        await asyncio.sleep(self._given.activation_s)
        await self.begin()
        await self._tenure.confirm()
        while True:
            await asyncio.sleep(self._given.pace_s)
            if self._tenure.gate.may_trade():
                if self._orders.is_to_freeze:
                    self._orders.is_to_freeze = False
                    os.kill(os.getpid(), signal.SIGSTOP)
                await self.trade()

    async def begin(self) -> None:
        """What comes before the gate opens."""

    async def trade(self) -> None:
        say("trade", epoch=self._tenure.epoch)

    async def drain(self) -> None:
        await asyncio.sleep(0.1)


class Trader(Ticker):
    """Its trades are orders that arrive somewhere, one at a time."""

    def __init__(self, tenure: Tenure, given: argparse.Namespace, orders: Orders) -> None:
        super().__init__(tenure, given, orders)
        self._turn = asyncio.Lock()

    @override
    async def begin(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._given.venue)
        await self._send("fence")

    @override
    async def trade(self) -> None:
        async with self._turn:
            await self._send("order")

    @override
    async def drain(self) -> None:
        async with self._turn:
            return

    async def _send(self, verb: str) -> None:
        self._writer.write(f"{verb} {self._tenure.epoch}\n".encode())
        await self._reader.readline()


async def open_database(url: str) -> Database:
    while True:
        try:
            return await Database.open(url)
        except StorageUnavailable:
            await asyncio.sleep(0.2)


def watchdog_of(given: argparse.Namespace, candidate: Candidate) -> Watchdog:
    if given.supervisor_fd is None:
        return Watchdog(CLOCK)
    pulse = Pulse(given.supervisor_fd, given.start_id)
    pulse.watch()
    pulse.introduce(
        Identity(instance_id=candidate.instance_id, scope=candidate.scope, database=given.database)
    )
    return Watchdog(CLOCK, told=pulse.beat)


async def run(given: argparse.Namespace) -> int:
    terms = TERMS[given.terms]
    stop = asyncio.Event()
    stop_on_signals(stop)
    random = SystemRandom()
    database = await open_database(given.database)
    candidate = Candidate(
        instance_id=InstanceId(IdFactory(CLOCK, random).new()),
        scope=Scope(given.scope),
        deployment_id=given.deployment,
        replica_id=None,
        host=platform.node(),
        pid=os.getpid(),
        code_version="test",
    )
    watchdog = watchdog_of(given, candidate)
    elector = Elector(
        store=SqlLeaseStore(database),
        candidate=candidate,
        terms=terms,
        means=Means(clock=CLOCK, random=Random(), watchdog=watchdog),
    )

    orders = Orders()

    @asynccontextmanager
    async def lead(tenure: Tenure) -> AsyncIterator[Sequence[Service]]:
        service = Ticker if given.venue is None else Trader
        yield [service(tenure, given, orders)]

    def told(change: RoleChange) -> None:
        facts = {"role": change.role, "reason": change.reason, "epoch": change.epoch}
        say("role", **facts, rival=change.rival)

    lifecycle = Lifecycle(
        elector=elector, lead=lead, terms=terms, clock=CLOCK, stop=stop, told=told
    )
    say("start", instance=candidate.instance_id, pid=candidate.pid)
    loop = asyncio.get_running_loop()
    threading.Thread(target=orders.obey, args=(loop,), daemon=True).start()
    code = await lifecycle.run()
    await database.close()
    return code


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("database")
    parser.add_argument("--deployment", default="d1")
    parser.add_argument("--scope", default="paper:main:0")
    parser.add_argument("--activation-s", type=float, default=0.1)
    parser.add_argument("--terms", choices=sorted(TERMS), default="short")
    parser.add_argument("--pace-s", type=float, default=0.1)
    parser.add_argument("--venue", type=int)
    parser.add_argument("--supervised", action="store_true")
    parser.add_argument(OPTION, dest="supervisor_fd", type=int)
    parser.add_argument(START_OPTION, dest="start_id")
    parsed = parser.parse_args()
    if parsed.supervised and parsed.supervisor_fd is None:
        sys.exit(Supervisor([sys.executable, *sys.orig_argv[1:]], bury).run())
    sys.exit(asyncio.run(run(parsed)))
