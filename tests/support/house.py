"""Whole processes but for their work: real elector and lifecycle on tables in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random

from bot.app.lifecycle import Lifecycle, Role, RoleChange, Tenure
from bot.domain.ids import InstanceId, Scope
from bot.domain.leadership import Candidate
from bot.kit.tasks import Service
from bot.leadership.elector import Elector, Means
from bot.leadership.lease import LeaseTerms
from tests.fakes.leases import MemoryLeases, MemoryLeaseStore
from tests.fakes.loop_clock import LoopClock

SCOPE = Scope("paper:main:0")
TERMS = LeaseTerms()


class NoWatchdog:
    def start(self) -> None: ...
    def arm(self, deadline_us: int) -> None: ...
    def disarm(self) -> None: ...


class Trader:
    """A leader's service: confirms, trades while the gate is open, drains in its own time."""

    name = "trader"

    def __init__(self, bot: "Bot", tenure: Tenure) -> None:
        self._bot, self._tenure = bot, tenure

    async def run(self) -> None:
        bot = self._bot
        try:
            if bot.activates:
                await asyncio.sleep(bot.activation_s)
                await self._tenure.confirm()
            while True:
                await asyncio.sleep(0.1)
                if bot.fault is not None:
                    fault, bot.fault = bot.fault, None
                    raise fault
                if self._tenure.gate.may_trade():
                    bot.trades.append((self._tenure.epoch, bot.clock.monotonic_us()))
        except asyncio.CancelledError:
            if bot.clings:
                await asyncio.sleep(3_600)
            raise
        finally:
            bot.log.append("ended")

    async def drain(self) -> None:
        await asyncio.sleep(self._bot.drain_s)
        self._bot.log.append("drained")


@dataclass
class Bot:
    """One process: what it is told to do wrong, and what it did."""

    clock: LoopClock
    store: MemoryLeaseStore
    lifecycle: Lifecycle | None = None
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    activates: bool = True
    clings: bool = False
    drain_s: float = 0.2
    activation_s: float = 0.0
    fault: Exception | None = None
    trades: list[tuple[int, int]] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    changes: list[RoleChange] = field(default_factory=list)
    exits: list[int] = field(default_factory=list)
    task: asyncio.Task[int] | None = None

    @property
    def roles(self) -> list[Role]:
        return [change.role for change in self.changes]

    @asynccontextmanager
    async def lead(self, tenure: Tenure) -> AsyncIterator[Sequence[Service]]:
        self.log.append("built")
        yield [Trader(self, tenure)]
        self.log.append("closed")


class House:
    """Processes on one database."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self.clock = LoopClock()
        self.database_clock = LoopClock()
        self.tables = MemoryLeases(self.database_clock)
        self._group = group
        self.bots: list[Bot] = []

    def connect(self) -> MemoryLeaseStore:
        return MemoryLeaseStore(self.tables)

    def start(self, name: str, deployment: str = "d1", **behaviour: object) -> Bot:
        store = self.connect()
        bot = Bot(self.clock, store, **behaviour)
        candidate = Candidate(
            instance_id=InstanceId(name),
            scope=SCOPE,
            deployment_id=deployment,
            replica_id=None,
            host="box",
            pid=1,
            code_version="0",
        )
        means = Means(clock=self.clock, random=Random(name), watchdog=NoWatchdog())
        elector = Elector(store=store, candidate=candidate, terms=TERMS, means=means)
        bot.lifecycle = Lifecycle(
            elector=elector,
            lead=bot.lead,
            terms=TERMS,
            clock=self.clock,
            stop=bot.stop,
            told=bot.changes.append,
            end_process=bot.exits.append,
        )
        bot.task = self._group.create_task(bot.lifecycle.run())
        self.bots.append(bot)
        return bot

    def no_two_traded_at_once(self) -> None:
        """Every trade of a later epoch is later than every trade of an earlier one."""
        trades = sorted(trade for bot in self.bots for trade in bot.trades)
        assert trades == sorted(trades, key=lambda trade: trade[1])


@asynccontextmanager
async def house() -> AsyncIterator[House]:
    async with asyncio.TaskGroup() as group:
        built = House(group)
        yield built
        built.no_two_traded_at_once()
        for bot in built.bots:
            bot.task.cancel()


async def until(true: Callable[[], bool], limit_s: float) -> None:
    async with asyncio.timeout(limit_s):
        while not true():  # noqa: ASYNC110 - virtual time, any condition
            await asyncio.sleep(0.05)
