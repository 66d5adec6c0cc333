"""The elector on virtual time against the leadership tables in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random

import pytest

from bot.domain.ids import InstanceId, Scope
from bot.domain.leadership import Candidate, InstanceState
from bot.leadership.elector import (
    Change,
    Deposed,
    Elected,
    Elector,
    Ended,
    Means,
    Resigning,
    ResignReason,
)
from bot.leadership.lease import LeaseTerms, Move
from bot.leadership.watchdog import Watchdog
from tests.fakes.leases import MemoryLeases, MemoryLeaseStore
from tests.fakes.loop_clock import LoopClock

SCOPE = Scope("paper:main:0")
TERMS = LeaseTerms()


class SilentWatchdog:
    """Remembers the deadline; virtual time must not end the test process."""

    def __init__(self) -> None:
        self.deadline_us: int | None = None

    def start(self) -> None:
        pass

    def arm(self, deadline_us: int) -> None:
        self.deadline_us = deadline_us

    def disarm(self) -> None:
        self.deadline_us = None


@dataclass
class Node:
    """One process."""

    elector: Elector
    store: MemoryLeaseStore
    watchdog: SilentWatchdog
    changes: list[Change] = field(default_factory=list)

    @property
    def name(self) -> InstanceId:
        return self.elector.candidate.instance_id

    async def follow(self) -> None:
        while True:
            self.changes.append(await self.elector.next_change())


class Cluster:
    """Any number of nodes on one set of tables."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self.clock = LoopClock()
        self.tables = MemoryLeases(self.clock)
        self._group = group
        self._tasks: dict[str, list[asyncio.Task[None]]] = {}

    def start(
        self,
        name: str,
        deployment: str = "d1",
        *,
        is_exclusive: bool = False,
        is_warm: Callable[[], bool] = lambda: True,
    ) -> Node:
        store, watchdog = MemoryLeaseStore(self.tables), SilentWatchdog()
        candidate = Candidate(
            instance_id=InstanceId(name),
            scope=SCOPE,
            deployment_id=deployment,
            replica_id=None,
            host="box",
            pid=1,
            code_version="0",
        )
        means = Means(clock=self.clock, random=Random(name), watchdog=watchdog)  # type: ignore[arg-type]
        elector = Elector(
            store=store,
            candidate=candidate,
            terms=TERMS,
            means=means,
            is_exclusive=is_exclusive,
            is_warm=is_warm,
        )
        node = Node(elector, store, watchdog)
        self._tasks[name] = [
            self._group.create_task(elector.run()),
            self._group.create_task(node.follow()),
        ]
        return node

    def kill(self, name: str) -> None:
        for task in self._tasks.pop(name, []):
            task.cancel()

    def kill_all(self) -> None:
        for name in list(self._tasks):
            self.kill(name)


@asynccontextmanager
async def running() -> AsyncIterator[Cluster]:
    async with asyncio.TaskGroup() as group:
        cluster = Cluster(group)
        yield cluster
        cluster.kill_all()


async def test_a_lone_start_leads_at_once_and_trades_after_activation(looptime) -> None:
    async with running() as cluster:
        a = cluster.start("a")
        await asyncio.sleep(0.5)
        assert isinstance(a.changes[0], Elected)
        assert not a.elector.gate.may_trade()
        assert await a.elector.confirm(a.elector.gate.epoch)
        assert a.elector.gate.may_trade()
        assert cluster.tables.rows[a.name].state is InstanceState.LEADING


async def test_renewals_keep_the_gate_open_for_hours(looptime) -> None:
    async with running() as cluster:
        a = cluster.start("a")
        await asyncio.sleep(0.5)
        await a.elector.confirm(a.elector.gate.epoch)
        for _ in range(600):
            await asyncio.sleep(6)
            assert a.elector.gate.may_trade()
        assert len(a.changes) == 1


async def test_a_new_deployment_takes_over_within_two_seconds_of_the_release(looptime) -> None:
    async with running() as cluster:
        a = cluster.start("a")
        await asyncio.sleep(3.3)
        await a.elector.confirm(a.elector.gate.epoch)
        b = cluster.start("b", "d2")
        await asyncio.sleep(0.2)
        resigning = a.changes[-1]
        assert isinstance(resigning, Resigning)
        assert resigning.reason is ResignReason.SUPERSEDED
        assert resigning.successor == b.name
        assert not a.elector.gate.may_trade()
        await asyncio.sleep(4)
        assert b.changes == []
        await a.elector.release(is_clean=True, is_leaving=False)
        await asyncio.sleep(0.2)
        won = b.changes[0]
        assert isinstance(won, Elected)
        assert won.acquisition.previous.clean_release
        await asyncio.sleep(5)
        assert not any(isinstance(change, Ended) for change in a.changes)
        await b.elector.confirm(b.elector.gate.epoch)
        await asyncio.sleep(4)
        assert isinstance(a.changes[-1], Ended)
        assert a.changes[-1].move is Move.YIELD


async def test_a_hand_over_waits_for_no_poll_and_no_pause(looptime) -> None:
    async with running() as cluster:
        a = cluster.start("a")
        await asyncio.sleep(3.3)
        await a.elector.confirm(a.elector.gate.epoch)
        b = cluster.start("b", "d2")
        await asyncio.sleep(0.01)
        assert isinstance(a.changes[-1], Resigning)
        await asyncio.sleep(0.5)
        await a.elector.release(is_clean=True, is_leaving=False)
        await asyncio.sleep(0.01)
        assert isinstance(b.changes[-1], Elected)


async def test_a_living_leader_goes_on_until_its_successor_is_warm(looptime) -> None:
    readiness = [False]
    async with running() as cluster:
        a = cluster.start("a")
        await asyncio.sleep(1)
        cluster.start("b", "d2", is_warm=lambda: readiness[0])
        await asyncio.sleep(10)
        assert [type(change) for change in a.changes] == [Elected]
        readiness[0] = True
        await asyncio.sleep(1.5)
        assert isinstance(a.changes[-1], Resigning)


async def test_a_dead_leader_is_succeeded_the_moment_its_lease_is_over(looptime) -> None:
    async with running() as cluster:
        cluster.start("a")
        await asyncio.sleep(1)
        cluster.kill("a")
        for number, deployment in enumerate(("d1", "d2")):
            name = f"b{number}"
            b = cluster.start(name, deployment)
            await asyncio.sleep(14.9)
            assert b.changes == []
            await asyncio.sleep(0.15)
            assert isinstance(b.changes[-1], Elected)
            cluster.kill(name)


async def test_a_dead_or_departed_leader_is_succeeded_cold(looptime) -> None:
    async with running() as cluster:
        cluster.start("a")
        await asyncio.sleep(1)
        cluster.kill("a")
        b = cluster.start("b", "d2", is_warm=lambda: False)
        await asyncio.sleep(17)
        assert isinstance(b.changes[-1], Elected)
        await b.elector.release(is_clean=True, is_leaving=True)
        c = cluster.start("c", "d3", is_warm=lambda: False)
        await asyncio.sleep(0.5)
        assert isinstance(c.changes[-1], Elected)


async def test_a_storm_of_hints_costs_twenty_readings_a_second(looptime) -> None:
    async with running() as cluster:
        cluster.start("a")
        b = cluster.start("b", "d2")
        await asyncio.sleep(1)
        before = b.store.reads
        for _ in range(1_000):
            for wake in cluster.tables.listeners:
                wake()
            await asyncio.sleep(0.001)
        assert b.store.reads - before <= 22


async def test_the_old_one_takes_the_lead_back_when_its_successor_dies_first(looptime) -> None:
    async with running() as cluster:
        a = cluster.start("a")
        await asyncio.sleep(1)
        cluster.start("b", "d2")
        await asyncio.sleep(1)
        await a.elector.release(is_clean=True, is_leaving=False)
        await asyncio.sleep(1)
        cluster.kill("b")
        await asyncio.sleep(20)
        assert isinstance(a.changes[-1], Elected)


@pytest.mark.parametrize("repeat", range(9))
async def test_a_killed_bot_leads_again_within_the_lease(looptime, repeat: int) -> None:
    async with running() as cluster:
        for number in range(repeat):
            cluster.start(f"a{number}")
            await asyncio.sleep(18)
            cluster.kill(f"a{number}")
        again = cluster.start("again")
        await asyncio.sleep(16.5)
        assert [type(change) for change in again.changes] == [Elected]


async def test_two_starts_of_one_deployment_leave_one_leader_and_one_standby(looptime) -> None:
    async with running() as cluster:
        a, b = cluster.start("a"), cluster.start("b")
        await asyncio.sleep(8)
        kinds = sorted(type(node.changes[0]).__name__ for node in (a, b))
        assert kinds == ["Elected", "Ended"]
        ended = next(node.changes[0] for node in (a, b) if isinstance(node.changes[0], Ended))
        assert ended.move is Move.STAND_BY
        assert ended.led_s is not None


async def test_an_old_build_that_restarts_never_leads(looptime) -> None:
    async with running() as cluster:
        cluster.start("a", "d1")
        await asyncio.sleep(1)
        cluster.kill("a")
        b = cluster.start("b", "d2")
        await asyncio.sleep(20)
        old = cluster.start("c", "d1")
        await asyncio.sleep(10)
        assert [type(change) for change in old.changes] == [Ended]
        assert old.changes[0].move is Move.YIELD
        assert [type(change) for change in b.changes] == [Elected]


@pytest.mark.parametrize("deployment", ["d1", "d2"])
async def test_nobody_stands_by_for_one_that_died_while_he_could_not_look(
    looptime, deployment: str
) -> None:
    async with running() as cluster:
        cluster.start("first", "d1")
        await asyncio.sleep(1)
        cluster.kill("first")
        cluster.start("a", deployment)
        await asyncio.sleep(20)
        b = cluster.start("b", "d1")
        await asyncio.sleep(3)
        assert not b.changes, "it saw one movement, which may have been the last"
        b.store.is_cut = True
        await asyncio.sleep(10)
        cluster.kill("a")
        await asyncio.sleep(10)
        b.store.is_cut = False
        await asyncio.sleep(20)
        assert [type(change) for change in b.changes] == [Elected]


async def test_a_hanging_database_shuts_the_gate_deposes_and_is_survived(looptime) -> None:
    async with running() as cluster:
        a = cluster.start("a")
        await asyncio.sleep(0.5)
        await a.elector.confirm(a.elector.gate.epoch)
        a.store.is_cut = True
        await asyncio.sleep(8.5)
        assert not a.elector.gate.may_trade()
        assert len(a.changes) == 1
        await asyncio.sleep(3)
        assert isinstance(a.changes[-1], Deposed)
        assert a.watchdog.deadline_us is not None
        assert cluster.clock.monotonic_us() < a.watchdog.deadline_us + 1_000_000
        await a.elector.release(is_clean=False, is_leaving=False)
        assert a.watchdog.deadline_us is None
        first = a.changes[0].acquisition.epoch
        await asyncio.sleep(40)
        a.store.is_cut = False
        await asyncio.sleep(4)
        assert isinstance(a.changes[-1], Elected)
        assert a.changes[-1].acquisition.epoch > first


async def test_deposed_comes_before_the_watchdog(looptime) -> None:
    async with running() as cluster:
        a = cluster.start("a")
        await asyncio.sleep(3)
        a.store.is_cut = True
        deadline_us = a.watchdog.deadline_us
        await asyncio.sleep(10.15)
        assert isinstance(a.changes[-1], Deposed)
        assert deadline_us - cluster.clock.monotonic_us() >= 850_000


async def test_a_short_outage_is_survived_without_losing_the_lead(looptime) -> None:
    async with running() as cluster:
        a = cluster.start("a")
        await asyncio.sleep(0.5)
        await a.elector.confirm(a.elector.gate.epoch)
        a.store.is_refused = True
        await asyncio.sleep(7)
        a.store.is_refused = False
        await asyncio.sleep(3)
        assert a.elector.gate.may_trade()
        assert len(a.changes) == 1


async def test_a_partitioned_leader_has_stopped_before_the_other_begins(looptime) -> None:
    async with running() as cluster:
        a = cluster.start("a")
        await asyncio.sleep(1)
        await a.elector.confirm(a.elector.gate.epoch)
        a.store.is_cut = True
        b = cluster.start("b", "d2")
        while not b.changes:
            await asyncio.sleep(0.05)
            if b.changes:
                assert not a.elector.gate.is_held()
        assert isinstance(a.changes[-1], Deposed)
        a.store.is_cut = False
        await a.elector.release(is_clean=False, is_leaving=False)
        await b.elector.confirm(b.elector.gate.epoch)
        await asyncio.sleep(6)
        assert isinstance(a.changes[-1], Ended)


async def test_a_typed_deactivation_stops_the_leader_within_one_heartbeat(looptime) -> None:
    async with running() as cluster:
        a = cluster.start("a")
        await asyncio.sleep(1)
        await a.elector.confirm(a.elector.gate.epoch)
        cluster.tables.is_mute = True
        cluster.tables.type_active(a.name, False)
        await asyncio.sleep(2.2)
        assert not a.elector.gate.may_trade()
        resigning = a.changes[-1]
        assert isinstance(resigning, Resigning)
        assert resigning.reason is ResignReason.DEACTIVATED
        assert resigning.deadline_us - cluster.clock.monotonic_us() <= TERMS.stop_us
        assert await a.elector.release(is_clean=True, is_leaving=False)
        await asyncio.sleep(8)
        assert isinstance(a.changes[-1], Ended)
        assert a.changes[-1].move is Move.LEAVE
        assert cluster.tables.leases[SCOPE].holder is None


async def test_the_leader_typed_off_and_on_again_leads_under_a_new_epoch(looptime) -> None:
    async with running() as cluster:
        a = cluster.start("a")
        await asyncio.sleep(1)
        cluster.tables.type_active(a.name, False)
        cluster.tables.type_active(a.name, True)
        await asyncio.sleep(2.5)
        kind = type(a.changes[-1])
        assert kind is Deposed
        await a.elector.release(is_clean=False, is_leaving=False)
        await asyncio.sleep(1)
        assert isinstance(a.changes[-1], Elected)


async def test_an_idle_instance_typed_active_takes_over_from_the_newer_one(looptime) -> None:
    async with running() as cluster:
        a = cluster.start("a")
        await asyncio.sleep(1)
        b = cluster.start("b", "d2")
        await asyncio.sleep(1)
        await a.elector.release(is_clean=True, is_leaving=False)
        await asyncio.sleep(1)
        assert isinstance(b.changes[0], Elected)
        cluster.tables.type_active(a.name, True)
        await asyncio.sleep(3)
        assert isinstance(b.changes[-1], Resigning)
        assert b.changes[-1].successor == a.name
        await b.elector.release(is_clean=True, is_leaving=False)
        await asyncio.sleep(1)
        assert isinstance(a.changes[-1], Elected)


async def test_an_activation_that_ends_after_the_drain_began_does_not_open_the_gate(
    looptime,
) -> None:
    async with running() as cluster:
        a = cluster.start("a")
        await asyncio.sleep(1)
        await a.elector.drain()
        assert not await a.elector.confirm(a.elector.gate.epoch)
        assert not a.elector.gate.may_trade()
        assert cluster.tables.rows[a.name].state is InstanceState.DRAINING


async def test_a_drain_while_the_confirmation_is_stored_takes_it_back(looptime) -> None:
    async with running() as cluster:
        a = cluster.start("a")
        await asyncio.sleep(0.5)
        a.store.is_cut = True
        async with asyncio.TaskGroup() as group:
            confirming = group.create_task(a.elector.confirm(a.elector.gate.epoch))
            await asyncio.sleep(0.1)
            assert a.elector.gate.may_trade()
            await a.elector.drain()
        assert not confirming.result()
        assert not a.elector.gate.may_trade()


async def test_leaving_does_not_take_the_lead_back(looptime) -> None:
    async with running() as cluster:
        a = cluster.start("a")
        await asyncio.sleep(1)
        assert await a.elector.release(is_clean=True, is_leaving=True)
        await asyncio.sleep(30)
        await a.elector.retire("stopped by signal")
        assert len(a.changes) == 1
        assert cluster.tables.rows[a.name].stop_reason == "stopped by signal"
        assert cluster.tables.leases[SCOPE].holder is None


async def test_a_lease_that_could_not_be_released_is_released_when_the_database_returns(
    looptime,
) -> None:
    async with running() as cluster:
        a = cluster.start("a")
        await asyncio.sleep(1)
        a.store.is_cut = True
        b = cluster.start("b", "d2")
        await asyncio.sleep(11)
        assert isinstance(a.changes[-1], Deposed)
        assert not await a.elector.release(is_clean=False, is_leaving=False)
        assert b.changes == []
        a.store.is_cut = False
        await asyncio.sleep(2.5)
        won = b.changes[0]
        assert isinstance(won, Elected)
        assert not won.acquisition.previous.clean_release


async def test_a_lock_holder_on_one_host_need_not_wait_for_the_whole_lease(looptime) -> None:
    async with running() as cluster:
        cluster.start("a")
        await asyncio.sleep(1)
        cluster.kill("a")
        b = cluster.start("b", is_exclusive=True)
        await asyncio.sleep(6.5)
        assert [type(change) for change in b.changes] == [Elected]


async def test_no_database_at_start_is_waited_for(looptime) -> None:
    async with running() as cluster:
        a = cluster.start("a")
        a.store.is_refused = True
        await asyncio.sleep(300)
        assert a.changes == []
        a.store.is_refused = False
        await asyncio.sleep(1)
        assert isinstance(a.changes[0], Elected)


async def test_a_deleted_row_is_written_again(looptime) -> None:
    async with running() as cluster:
        a = cluster.start("a")
        await asyncio.sleep(1)
        del cluster.tables.rows[a.name]
        await asyncio.sleep(2.5)
        assert isinstance(a.changes[-1], Resigning)
        await a.elector.release(is_clean=True, is_leaving=False)
        await asyncio.sleep(2)
        assert isinstance(a.changes[-1], Elected)


async def test_a_watchdog_fits_where_the_fake_does(looptime) -> None:
    real = Watchdog(LoopClock(), lambda: None)
    assert all(callable(getattr(real, name)) for name in ("start", "arm", "disarm"))
