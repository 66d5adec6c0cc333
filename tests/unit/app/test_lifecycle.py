"""One process's life on virtual time, with the real elector on tables in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random

from bot.app.lifecycle import Lifecycle, Role, RoleChange, Tenure
from bot.domain.errors import NotLeader, StorageUnavailable
from bot.domain.ids import InstanceId, Scope
from bot.domain.leadership import Candidate, InstanceState
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
        self.tables = MemoryLeases(self.clock)
        self._group = group
        self.bots: list[Bot] = []

    def start(self, name: str, deployment: str = "d1", **behaviour: object) -> Bot:
        store = MemoryLeaseStore(self.tables)
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


async def test_a_lone_process_goes_from_standby_to_leading_and_ends_clean(looptime) -> None:
    async with house() as h:
        bot = h.start("a")
        await asyncio.sleep(5)
        assert bot.roles == [Role.ACTIVATING, Role.LEADING]
        assert bot.trades
        bot.stop.set()
        assert await bot.task == 0
        assert bot.log == ["built", "drained", "ended", "closed"]
        assert bot.roles[2:] == [Role.DRAINING, Role.ENDED]
        row = h.tables.rows[InstanceId("a")]
        assert row.state is InstanceState.STOPPED
        assert row.stop_reason == "stopped by signal"
        lease = h.tables.leases[SCOPE]
        assert lease.holder is None
        assert lease.clean_release


async def test_a_deploy_hands_over_cleanly_and_the_old_one_exits_zero(looptime) -> None:
    async with house() as h:
        old = h.start("a")
        await asyncio.sleep(5)
        new = h.start("b", "d2")
        await until(lambda: bool(new.trades), 3)
        assert old.roles[2:4] == [Role.DRAINING, Role.RELEASED]
        assert old.changes[2].rival == "b"
        assert new.changes[0].is_clean
        async with asyncio.timeout(5):
            assert await old.task == 0
        assert old.changes[-1].reason.startswith("superseded: b leads")


async def test_the_old_one_stays_while_the_new_one_activates_and_returns_if_it_dies(
    looptime,
) -> None:
    async with house() as h:
        old = h.start("a")
        await asyncio.sleep(3)
        new = h.start("b", "d2", activates=False)
        await asyncio.sleep(60)
        assert old.lifecycle.role is Role.RELEASED
        assert not old.task.done()
        new.task.cancel()
        new.store.is_refused = True
        await until(lambda: old.lifecycle.role is Role.LEADING, 18)
        assert old.log.count("built") == 2


async def test_the_new_one_failing_gives_the_lead_back(looptime) -> None:
    async with house() as h:
        old = h.start("a")
        await asyncio.sleep(3)
        new = h.start("b", "d2", activates=False, fault=RuntimeError("bad build"))
        assert await new.task == 1
        await until(lambda: old.lifecycle.role is Role.LEADING, 5)
        assert h.tables.rows[InstanceId("b")].stop_reason == "failed: ExceptionGroup"


async def test_a_second_start_of_one_deployment_stands_by_with_zero(looptime) -> None:
    async with house() as h:
        first = h.start("a")
        await asyncio.sleep(3)
        second = h.start("b")
        async with asyncio.timeout(6):
            assert await second.task == 0
        assert second.changes[-1].reason.startswith("standby: a leads since ")
        assert second.log == []
        assert first.lifecycle.role is Role.LEADING


async def test_losing_the_database_demotes_in_the_process_and_recovers(looptime) -> None:
    async with house() as h:
        bot = h.start("a")
        await asyncio.sleep(3)
        bot.store.is_cut = True
        await asyncio.sleep(60)
        assert bot.lifecycle.role is Role.STANDBY
        assert bot.log == ["built", "ended"]
        last_us = bot.trades[-1][1]
        assert last_us <= 3_000_000 + TERMS.gate_us
        bot.store.is_cut = False
        await until(lambda: bot.lifecycle.role is Role.LEADING, 5)
        assert bot.changes[-2].unled_us > 50_000_000
        assert bot.exits == []


async def test_a_refused_write_ends_the_tenure_and_not_the_process(looptime) -> None:
    async with house() as h:
        bot = h.start("a")
        await asyncio.sleep(3)
        bot.fault = NotLeader("stale leader epoch")
        await asyncio.sleep(5)
        assert bot.lifecycle.role is Role.LEADING
        assert bot.roles.count(Role.ACTIVATING) == 2
        bot.fault = StorageUnavailable("gone")
        await asyncio.sleep(5)
        assert bot.roles.count(Role.ACTIVATING) == 3


async def test_a_bug_exits_one_and_frees_the_lead(looptime) -> None:
    async with house() as h:
        bot = h.start("a")
        await asyncio.sleep(3)
        bot.fault = RuntimeError("bug")
        assert await bot.task == 1
        lease = h.tables.leases[SCOPE]
        assert lease.holder is None
        assert not lease.clean_release


async def test_a_drain_that_does_not_end_is_cut_and_told_as_unclean(looptime) -> None:
    async with house() as h:
        bot = h.start("a", drain_s=3_600)
        await asyncio.sleep(3)
        began_us = h.clock.monotonic_us()
        bot.stop.set()
        assert await bot.task == 0
        assert h.clock.monotonic_us() - began_us <= TERMS.drain_us + 1_000_000
        assert not h.tables.leases[SCOPE].clean_release


async def test_services_that_cling_end_the_process_with_75(looptime) -> None:
    async with house() as h:
        bot = h.start("a", clings=True)
        await asyncio.sleep(3)
        bot.store.is_cut = True
        await until(lambda: bool(bot.exits), 14)
        assert bot.exits == [75]


async def test_a_typed_deactivation_drains_and_exits_zero_and_nobody_grabs(looptime) -> None:
    async with house() as h:
        bot = h.start("a")
        await asyncio.sleep(3)
        began_us = h.clock.monotonic_us()
        h.tables.type_active(InstanceId("a"), False)
        await until(lambda: Role.DRAINING in bot.roles, 2.5)
        assert bot.changes[2].is_deactivated
        assert await bot.task == 0
        assert h.clock.monotonic_us() - began_us <= 12_000_000
        assert bot.changes[-1].is_deactivated
        await asyncio.sleep(30)
        assert h.tables.leases[SCOPE].holder is None
        again = h.start("b")
        await until(lambda: again.lifecycle.role is Role.LEADING, 2)


async def test_an_activated_old_one_takes_over_and_the_newer_steps_down(looptime) -> None:
    async with house() as h:
        old = h.start("a")
        await asyncio.sleep(3)
        new = h.start("b", "d2", activates=False)
        await asyncio.sleep(5)
        h.tables.type_active(InstanceId("a"), True)
        await until(lambda: old.lifecycle.role is Role.LEADING, 6)
        async with asyncio.timeout(5):
            assert await new.task == 0
        restarted = h.start("c", "d2")
        async with asyncio.timeout(8):
            assert await restarted.task == 0
        later = h.start("d", "d3")
        await until(lambda: later.lifecycle.role is Role.LEADING, 6)


async def test_stopping_before_leading_ends_at_once(looptime) -> None:
    async with house() as h:
        bot = h.start("a")
        bot.store.is_refused = True
        await asyncio.sleep(5)
        bot.stop.set()
        assert await bot.task == 0
        assert bot.roles == [Role.ENDED]
