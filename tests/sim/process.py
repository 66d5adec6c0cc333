"""One process of the bot: elector, gate, lifecycle and desk on a machine that may fail."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random

from bot.app.lifecycle import Lifecycle, Tenure
from bot.domain.errors import StorageUnavailable
from bot.domain.events import FillReported
from bot.domain.ids import InstanceId
from bot.domain.leadership import Candidate
from bot.domain.orders import Fill, OrderIntent
from bot.kit.tasks import Service
from bot.kit.times import SECOND_US
from bot.leadership.elector import Elector, Means
from bot.leadership.gate import Moment
from tests.sim.database import SCOPE, Database
from tests.sim.defences import (
    Defence,
    EarlyGate,
    ReleasesFirst,
    Removed,
    WeakGate,
    groups_without,
    terms_without,
)
from tests.sim.desk import Desk, Outsides
from tests.sim.exchange import RemoteExchange, refused
from tests.sim.links import Link, Remote
from tests.sim.market import Market
from tests.sim.watch import Observer, Sent
from tests.sim.watchdog import NoWatchdog, WorldWatchdog
from tests.sim.world import HostClock, MachineLoop, World

KILLED = 137
_LONG_US = 3_600 * SECOND_US
_STATEMENT_S = 10.0
"""As the client of the real database."""


class Host:
    """A machine: its clocks, and the process it runs, if any."""

    def __init__(self, world: World, name: str, rate: float) -> None:
        self.name = name
        self.clock = HostClock(world, rate)
        self.process: Process | None = None
        self.deployment = "d0"
        self.restarts = False
        """Whether it starts the bot again when it failed."""


@dataclass(frozen=True, slots=True)
class Site:
    """What all processes share."""

    world: World
    database: Database
    market: Market
    observer: Observer
    removed: Removed


class Process:
    """From its start to its end."""

    def __init__(self, site: Site, host: Host, name: str) -> None:
        self.site, self.host, self.name = site, host, name
        self.deployment = host.deployment
        self.world = site.world
        self.loop = MachineLoop(site.world, host.clock)
        self.random = Random(f"{name} {site.world.random.random()}")
        self.exit_code: int | None = None
        self.ended_us = 0
        self.stop = asyncio.Event()
        self.desk: Desk | None = None
        self.thread_stops = 0
        """Above zero: its threads do not run either."""
        self.is_deceived = False
        """Whether it slept without any of its clocks telling."""
        self._ends: list[Callable[[], None]] = []
        self.ambush: dict[str, Callable[[], None]] = {}
        """What befalls the process at a named point of the order path, once."""
        self.leases = Link(site.world, self.loop, _database_refused)
        self.trading = Link(site.world, self.loop, _database_refused)
        self.venue = Link(site.world, self.loop, refused)
        self.store = RemoteLeases(self, site.database.lease_store())
        self.elector = self._elector()
        self.lifecycle = Lifecycle(
            elector=self.elector,
            lead=self.lead,
            terms=terms_without(site.removed),
            clock=host.clock,
            stop=self.stop,
            told=lambda change: site.observer.role_changed(self.name, change),
            end_process=self.end,
        )
        self._task = self.loop.create_task(self._main())

    @property
    def is_alive(self) -> bool:
        return self.exit_code is None

    @property
    def links(self) -> tuple[Link, Link, Link]:
        return (self.leases, self.trading, self.venue)

    @property
    def links_are_well(self) -> bool:
        return all(link.is_well for link in self.links)

    def end(self, code: int) -> None:
        """It is gone from one moment to the next, whatever it was doing."""
        if self.exit_code is None:
            self.exit_code, self.ended_us = code, self.world.now_us
            self.loop.is_dead = True
            self.desk = None
            self.site.observer.ended(self.name, code)

    def stall(self, us: float, *, threads_too: bool) -> None:
        """Its loop does not run for a while: a blocking call, or with the threads a SIGSTOP."""
        self.loop.stops += 1
        self.thread_stops += threads_too

        def go_on() -> None:
            self.loop.stops -= 1
            self.thread_stops -= threads_too

        self._recover(us, go_on)

    def suspend(self, us: float, *, wall_stops: bool, boot_stops: bool) -> None:
        """Its machine is not scheduled for a while, and not all of its clocks may tell."""
        clock = self.host.clock
        clock.suspend(wall_stops=wall_stops, boot_stops=boot_stops)
        self.is_deceived = self.is_deceived or clock.is_deceiving
        self.stall(us, threads_too=True)
        self._recover(us, clock.resume)
        if wall_stops:
            late_us = us + self.world.random.uniform(1, 30) * SECOND_US
            self.world.after(late_us, clock.synchronise)

    def recover(self) -> None:
        """End now whatever holds it."""
        for end in list(self._ends):
            end()

    def _recover(self, us: float, end: Callable[[], None]) -> None:
        def once() -> None:
            if once in self._ends:
                self._ends.remove(once)
                end()

        self._ends.append(once)
        self.world.after(us, once)

    def suffer(self, point: str) -> bool:
        """Let happen what lies in wait at this point; whether something did."""
        befalls = self.ambush.pop(point, None)
        if befalls is not None:
            befalls()
        return befalls is not None

    def _elector(self) -> Elector:
        removed, clock = self.site.removed, self.host.clock
        watchdog = NoWatchdog() if Defence.WATCHDOG in removed else WorldWatchdog(self)
        terms = terms_without(removed)
        kind = ReleasesFirst if Defence.DRAIN_FIRST in removed else Elector
        elector = kind(
            store=self.store,
            candidate=Candidate(
                instance_id=InstanceId(self.name),
                scope=SCOPE,
                deployment_id=self.deployment,
                replica_id=None,
                host=self.host.name,
                pid=1,
                code_version="0",
            ),
            terms=terms,
            means=Means(clock=clock, random=self.random, watchdog=watchdog),
        )
        elector.gate = WeakGate(terms, clock, removed)
        return elector

    async def _main(self) -> None:
        code = await self.lifecycle.run()
        if self.exit_code is None:
            self.end(code)

    @asynccontextmanager
    async def lead(self, tenure: Tenure) -> AsyncIterator[Sequence[Service]]:
        """The leader's services."""
        removed = self.site.removed
        gate = EarlyGate(tenure.gate) if Defence.GATE_AT_SEND in removed else tenure.gate
        store = RemoteTrading(self, gate if isinstance(gate, EarlyGate) else None)
        out = Outsides(
            exchange=RemoteExchange(
                self.venue,
                self.site.market,
                terms_without(removed).order_timeout_us / 1_000_000,
                removed,
                self.sending,
                self.before_send,
            ),
            store=store,
            clock=self.host.clock,
            random=self.random,
            gate=gate,
            groups=groups_without(removed),
        )
        self.desk = desk = Desk(tenure, out)
        desk.monitor.listed = list(self.site.observer.tickers)
        poller = Poller(self, tenure)
        try:
            yield (poller, *desk.services())
        finally:
            self.desk = None

    def sending(self, intent: OrderIntent) -> None:
        """The last check is passed."""
        clock, renewed = self.host.clock, self.store.renewed
        age_us = renewed.elapsed_us(clock)
        self.site.observer.sending(
            Sent(
                at_us=self.world.now_us,
                process=self.name,
                epoch=intent.epoch,
                intent=intent,
                renewal_age_us=age_us,
                is_deceived=self.is_deceived,
            )
        )

    async def before_send(self) -> None:
        """And the request has not left."""
        if self.suffer("before send"):
            await asyncio.sleep(0)

    def hear_fill(self, fill: Fill) -> None:
        """The private channel of the stream."""
        desk = self.desk
        if desk is not None:
            self.venue.tell(
                lambda: desk.submit(FillReported(received_us=self.host.clock.now_us(), fill=fill))
            )


class Poller:
    """Stands for the Telegram poller: asks for updates while the lease is certainly held."""

    name = "poller"

    def __init__(self, process: Process, tenure: Tenure) -> None:
        self._process, self._tenure = process, tenure

    async def run(self) -> None:
        while True:
            if self._tenure.gate.is_held():
                self._process.site.observer.polled(self._process, self._tenure.epoch)
            await asyncio.sleep(1.0)

    async def drain(self) -> None:
        """Nothing to finish."""


class RemoteLeases(Remote):
    """The lease statements over the wire, and when the last good one was sent."""

    def __init__(self, process: Process, local: object) -> None:
        super().__init__(process.leases, local)
        self._process = process
        self.renewed = Moment(monotonic_us=-_LONG_US, boottime_us=-_LONG_US, wall_us=0)
        """What the process's clocks said at the sending of its last good renewal."""

    async def acquire(self, *given: object) -> object:
        sent = self._now()
        won = await self._far("acquire", *given)
        if won is not None:
            self.renewed = sent
        return won

    async def renew(self, *given: object) -> object:
        sent = self._now()
        renewal = await self._far("renew", *given)
        if renewal.is_kept:
            self.renewed = sent
        return renewal

    async def hear(self, scope: object, wake: Callable[[], None]) -> None:
        tables = self._process.site.database.leases

        def hint() -> None:
            self._link.tell(wake)

        tables.listeners.append(hint)
        try:
            await asyncio.Event().wait()
        finally:
            tables.listeners.remove(hint)

    def _now(self) -> Moment:
        return Moment.of(self._process.host.clock)

    async def _far(self, name: str, *given: object):
        return await Remote.__getattr__(self, name)(*given)


class RemoteTrading(Remote):
    """The trading store over the wire."""

    def __init__(self, process: Process, early: EarlyGate | None) -> None:
        super().__init__(process.trading, process.site.database.trading)
        self._process = process
        self._early = early

    async def commit(self, *given: object) -> None:
        if self._early is not None:
            self._early.ask()
        if self._process.suffer("before commit"):
            await asyncio.sleep(0)
        far = self.__getattr__("commit")
        if Defence.COMMIT_FIRST in self._process.site.removed:
            task = self._process.loop.create_task(_quietly(far(*given)))
            self._process.site.observer.background.add(task)
            return
        await far(*given)
        if self._process.suffer("after commit"):
            await asyncio.sleep(0)

    def __getattr__(self, name: str) -> Callable[..., Awaitable[object]]:
        far = super().__getattr__(name)

        async def call(*given: object, **named: object) -> object:
            try:
                async with asyncio.timeout(_STATEMENT_S):
                    return await far(*given, **named)
            except TimeoutError:
                raise StorageUnavailable("no answer in time") from None

        return call


async def _quietly(call: object) -> None:
    try:
        await call  # type: ignore[misc]
    except Exception:  # noqa: BLE001 - nobody hears of it: that is the point
        return


def _database_refused() -> Exception:
    return StorageUnavailable("connection refused")
