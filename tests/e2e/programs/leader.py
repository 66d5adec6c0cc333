"""A bot that only leads: the real store, elector, lifecycle and watchdog around a tiny service.

Speaks JSON lines on standard output: every change of role, and one ``trade`` for
each tenth of a second in which the gate is open. ``block`` on standard input
blocks the event loop for good.
"""

import argparse
import asyncio
import json
import os
import platform
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random, SystemRandom

from bot.adapters.storage.database import Database
from bot.adapters.storage.leases import SqlLeaseStore
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
CLOCK = SystemClock()


def say(kind: str, **facts: object) -> None:
    line = json.dumps({"kind": kind, "at_us": CLOCK.monotonic_us(), **facts})
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class Ticker:
    name = "ticker"

    def __init__(self, tenure: Tenure, activation_s: float) -> None:
        self._tenure = tenure
        self._activation_s = activation_s

    async def run(self) -> None:
        await asyncio.sleep(self._activation_s)
        await self._tenure.confirm()
        while True:
            await asyncio.sleep(0.1)
            if self._tenure.gate.may_trade():
                say("trade", epoch=self._tenure.epoch)

    async def drain(self) -> None:
        await asyncio.sleep(0.1)


def obey(loop: asyncio.AbstractEventLoop) -> None:
    if sys.stdin.readline().strip() == "block":
        loop.call_soon_threadsafe(threading.Event().wait)


async def open_database(url: str) -> Database:
    while True:
        try:
            return await Database.open(url)
        except StorageUnavailable:
            await asyncio.sleep(0.2)


async def run(given: argparse.Namespace) -> int:
    stop = asyncio.Event()
    stop_on_signals(stop)
    random = SystemRandom()
    database = await open_database(given.database)
    candidate = Candidate(
        instance_id=InstanceId(IdFactory(CLOCK, random).new()),
        scope=Scope("paper:main:0"),
        deployment_id=given.deployment,
        replica_id=None,
        host=platform.node(),
        pid=os.getpid(),
        code_version="test",
    )
    watchdog = Watchdog(CLOCK)
    elector = Elector(
        store=SqlLeaseStore(database),
        candidate=candidate,
        terms=SHORT,
        means=Means(clock=CLOCK, random=Random(), watchdog=watchdog),
    )

    @asynccontextmanager
    async def lead(tenure: Tenure) -> AsyncIterator[Sequence[Service]]:
        yield [Ticker(tenure, given.activation_s)]

    def told(change: RoleChange) -> None:
        say("role", role=change.role, reason=change.reason, epoch=change.epoch)

    lifecycle = Lifecycle(
        elector=elector, lead=lead, terms=SHORT, clock=CLOCK, stop=stop, told=told
    )
    say("start", instance=candidate.instance_id)
    loop = asyncio.get_running_loop()
    threading.Thread(target=obey, args=(loop,), daemon=True).start()
    code = await lifecycle.run()
    await database.close()
    return code


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("database")
    parser.add_argument("--deployment", default="d1")
    parser.add_argument("--activation-s", type=float, default=0.1)
    sys.exit(asyncio.run(run(parser.parse_args())))
