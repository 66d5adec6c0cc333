"""What may go wrong, drawn by the seed: faults for a while, then calm."""

from collections.abc import Callable
from random import Random

from bot.domain.errors import ActivationRefused
from bot.domain.events import (
    BreakerResetCommanded,
    ForeignAcknowledged,
    HaltCommanded,
    UnhaltCommanded,
)
from bot.domain.ids import InstanceId
from bot.domain.money import Price
from bot.domain.records import HaltRecord
from bot.kit.times import SECOND_US
from tests.sim.database import SCOPE
from tests.sim.links import Link, at_once
from tests.sim.market import BID
from tests.sim.process import KILLED, Host, Process, Site

HOSTS = 3
POINTS = ("before commit", "after commit", "before send")
_FALL = Price(8_300)
_LEASE_US = 15 * SECOND_US


class Storm:
    """Hosts, their processes, and everything that befalls them."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.world = site.world
        self.random: Random = site.world.random
        rate = self.random.choice((0.0, 0.02, 0.07))
        self.hosts = [
            Host(self.world, f"h{number}", 1 + self.random.uniform(-rate, rate))
            for number in range(HOSTS)
        ]
        self.processes: list[Process] = []
        self.newest = 0
        self.is_calm = False
        self.pause_s = self.random.choice((4.0, 10.0, 16.0))
        """The longest time between two faults."""
        self.is_stopped = False
        """Whether a person keeps the bot down."""
        self.jumped_us = -_LEASE_US
        """When the database's clock did."""
        self.said = 0
        self.restores = self.random.random() < 0.2
        """Whether backups are put back in this run."""

    # --- processes --------------------------------------------------------------------------

    @property
    def living(self) -> list[Process]:
        return [one for one in self.processes if one.is_alive]

    @property
    def leader(self) -> Process | None:
        """The process with a desk whose epoch the database has, if any."""
        lease = self.site.database.lease
        for one in self.living:
            if lease is not None and one.desk is not None and one.name == lease.holder:
                return one
        return None

    def deploy(self, number: int, host: Host | None = None) -> None:
        """Start a deployment on a free machine; on the given one whatever runs there is killed."""
        free = [one for one in self.hosts if one.process is None or not one.process.is_alive]
        if host is None:
            if not free:
                return
            host = self.random.choice(free)
        host.deployment = f"d{number}"
        self.newest = max(self.newest, number)
        self.start(host)

    def start(self, host: Host) -> None:
        """A new process on this machine, unless one runs there."""
        if self.is_stopped or (host.process is not None and host.process.is_alive):
            return
        name = f"i{len(self.processes) + 1:03}"
        self.site.observer.deployments[name] = int(host.deployment[1:])
        process = Process(self.site, host, name)
        host.process = process
        self.processes.append(process)
        self.site.market.listeners.append(process.hear_fill)
        self.site.observer.count("starts")

    def look_after(self) -> None:
        """The platform: whatever failed is started again, and its supervisor may have buried it."""
        for host in self.hosts:
            process = host.process
            if process is not None and process.exit_code not in (None, 0):
                if self.random.random() < 0.5:
                    self._bury(process)
                self.start(host)
        self.world.after(self.random.uniform(1, 4) * SECOND_US, self.look_after)

    def _bury(self, process: Process) -> None:
        """What a supervisor does that saw its child end, where it reaches the database."""
        if process.leases.is_cut_out or process.leases.is_refused:
            return
        name = InstanceId(process.name)
        if name in self.site.database.leases.rows:
            at_once(self.site.database.lease_store().bury(SCOPE, name, "ended"))
            self.site.observer.count("burials")

    # --- signals ----------------------------------------------------------------------------

    def signal(self) -> None:
        """One more signal for whoever leads, now or soon, and the next one later."""
        self._signal()
        pause = self.random.uniform(4.0, 7.0) if self.is_calm else self.random.uniform(0.8, 3.0)
        self.world.after(pause * SECOND_US, self.signal)

    def _signal(self, most_s: float = 1.5) -> None:
        ticker = self.site.market.list_next()
        self.site.observer.tickers.append(ticker)
        falls = self.random.random() < 0.15
        for process in self.living:
            self._quote(process, ticker, BID, 0.05, most_s)
            if process.desk is not None:
                process.desk.monitor.listed.append(ticker)
        if falls:
            for after_s in (8, 11, 14):
                self.world.after(
                    after_s * SECOND_US,
                    lambda: [self._quote(one, ticker, _FALL, 0.05, 0.5) for one in self.living],
                )

    def _quote(self, process: Process, ticker, bid: Price, least_s: float, most_s: float) -> None:
        def tell() -> None:
            desk = process.desk
            if desk is not None:
                process.venue.tell(lambda: desk.monitor.quote(ticker, bid))

        self.world.after(self.random.uniform(least_s, most_s) * SECOND_US, tell)

    def repeat(self) -> None:
        """A stream that has just been opened begins with the present prices."""
        for process in self.living:
            for ticker in self.site.observer.tickers[-2:]:
                self._quote(process, ticker, BID, 0.05, 1.0)
        self.world.after(self.random.uniform(1, 4) * SECOND_US, self.repeat)

    # --- faults -----------------------------------------------------------------------------

    def strike(self) -> None:
        """One fault, and the next one later."""
        if self.is_calm:
            return
        faults: list[tuple[int, Callable[[Process], None]]] = [
            (6, self.stop_signal),
            (4, self.block),
            (5, self.suspend),
            (14, self.lie_in_wait),
            (4, self.kill),
            (3, self.terminate),
            (6, self.cut),
            (4, self.slow),
            (3, self.fade),
            (3, self.refuse),
            (2, self.heal),
            (6, self.deploy_next),
            (4, self.deploy_same),
            (2, self.deploy_old),
            (3, self.jump_database),
            (2, self.jump_host),
            (2, self.type_statement),
            (3, self.halt_or_unhalt),
            (3 if self.restores else 0, self.restore),
        ]
        weights = [weight for weight, _ in faults]
        fault = self.random.choices([one for _, one in faults], weights)[0]
        leader = self.leader
        target = leader if leader is not None and self.random.random() < 0.7 else None
        if target is None and self.living:
            target = self.random.choice(self.living)
        if target is not None:
            self.site.observer.count(fault.__name__)
            fault(target)
            self._heal_later(target)
        self.world.after(self.random.uniform(0.3, self.pause_s) * SECOND_US, self.strike)

    def _heal_later(self, process: Process) -> None:
        def heal() -> None:
            if not process.links_are_well:
                self.heal(process)

        self.world.after(self._while_us(4, 25), heal)

    def _while_us(self, least_s: float, most_s: float) -> float:
        return self.random.uniform(least_s, most_s) * SECOND_US

    def stop_signal(self, process: Process) -> None:
        process.stall(self._while_us(1, 30), threads_too=True)

    def block(self, process: Process) -> None:
        process.stall(self._while_us(1, 16), threads_too=False)

    def suspend(self, process: Process) -> None:
        wall_stops, boot_stops = self.random.choice(
            ((False, False), (False, True), (True, False), (True, True))
        )
        process.suspend(self._while_us(1, 40), wall_stops=wall_stops, boot_stops=boot_stops)

    def lie_in_wait(self, process: Process) -> None:
        """A stop at the worst moment: between a check and what it permits."""
        kinds: list[Callable[[], None]] = [
            lambda: process.stall(self._while_us(2, 40), threads_too=True),
            lambda: process.stall(self._while_us(2, 15), threads_too=False),
            lambda: self.suspend(process),
            lambda: process.end(KILLED),
        ]
        process.ambush[self.random.choice(POINTS)] = self.random.choice(kinds)

    def kill(self, process: Process) -> None:
        process.end(KILLED)

    def terminate(self, process: Process) -> None:
        process.loop.call_soon(process.stop.set)

    def cut(self, process: Process) -> None:
        for link in self._some(process):
            link.is_cut_out, link.is_cut_back = self.random.choice(
                ((True, True), (True, False), (False, True))
            )

    def slow(self, process: Process) -> None:
        for link in self._some(process):
            link.delay_us = (0, self.random.choice((200_000, 1_000_000, 2_500_000)))

    def fade(self, process: Process) -> None:
        """The lease's connection answers late, then not at all; the orders' goes on."""
        link = process.leases
        link.delay_us = (500_000, 950_000)

        def cut() -> None:
            link.is_cut_out = link.is_cut_back = not self.is_calm

        self.world.after(self._while_us(2, 6), cut)

    def refuse(self, process: Process) -> None:
        for link in self._some(process):
            link.is_refused = True

    def heal(self, process: Process) -> None:
        for link in process.links:
            link.heal()

    def deploy_next(self, process: Process) -> None:
        self.deploy(self.newest + 1)

    def deploy_same(self, process: Process) -> None:
        self.deploy(int(process.deployment[1:]))

    def deploy_old(self, process: Process) -> None:
        self.deploy(self.random.randint(1, self.newest))

    def jump_database(self, process: Process) -> None:
        if self.is_stopped:
            return
        seconds = self.random.choice((-3_600, -20, -5, 5, 20, 3_600))
        self.jumped_us = self.world.now_us
        self.site.database.clock.step_us += seconds * SECOND_US

    def jump_host(self, process: Process) -> None:
        clock = process.host.clock
        clock.step_us += self.random.choice((-30, -2, 2, 30)) * SECOND_US
        self.world.after(self._while_us(2, 20), clock.synchronise)

    def type_statement(self, process: Process) -> None:
        tables = self.site.database.leases
        name = InstanceId(process.name)
        if name not in tables.rows:
            return
        wanted = self.random.random() < 0.6
        try:
            tables.type_active(name, wanted)
        except ActivationRefused:
            return
        if wanted:
            self.site.observer.activated.add(process.name)

    def halt_or_unhalt(self, process: Process) -> None:
        """A person's halt, and its end a while later."""
        by_sql = self.random.random() < 0.5
        self.say(halted=True, by_sql=by_sql)
        self._signal(most_s=0.3)
        self.world.after(self._while_us(3, 12), lambda: self.say(halted=False, by_sql=False))

    def say(self, *, halted: bool, by_sql: bool) -> None:
        """A person's word: typed into the database, or said to the leader when there is one."""
        leader = self.leader
        if leader is None or leader.desk is None or by_sql:
            now_us = self.site.database.clock.now_us()
            self.site.database.trading.set_halt(
                HaltRecord(halted=halted, reason="test", set_by="person", changed_us=now_us)
            )
            return
        self.said += 1
        desk, now_us = leader.desk, leader.host.clock.now_us()
        event = (
            HaltCommanded(received_us=now_us, command_id=self.said, actor="person", reason="test")
            if halted
            else UnhaltCommanded(received_us=now_us, command_id=self.said, actor="person")
        )
        leader.trading.tell(lambda: desk.submit(event))

    def restore(self, process: Process) -> None:
        """Everything that runs is stopped, but for what cannot be; then the copy is put back."""
        if self.world.now_us - self.jumped_us > _LEASE_US:
            self.is_stopped = True
            self._try_restore()

    def _try_restore(self) -> None:
        """As the tool does: not while somebody leads, until the person gives up."""
        for one in self.living:
            if not one.loop.stops:
                one.end(KILLED)
        lease, database = self.site.database.lease, self.site.database
        if lease is None or (lease.holder and lease.expires_us > database.clock.now_us()):
            # A lease of before the database's clock was set back looks held for an hour.
            self.is_stopped = not self.is_calm
            if self.is_stopped:
                self.world.after(SECOND_US, self._try_restore)
            return
        if database.restore():
            self.site.observer.restores.append(self.world.now_us)
        self.is_stopped = False

    def _some(self, process: Process) -> tuple[Link, ...]:
        both = (process.leases, process.trading)
        return self.random.choice((both, both, both[:1], (process.venue,), process.links))

    # --- calm -------------------------------------------------------------------------------

    def calm(self) -> None:
        """Nothing goes wrong any more: everything works, and somebody must lead."""
        self.is_calm = True
        for process in self.processes:
            process.ambush.clear()
            process.recover()
            for link in process.links:
                link.heal()
        for host in self.hosts:
            host.clock.synchronise()
        self.deploy_at_last()
        self.persuade()

    def deploy_at_last(self) -> None:
        """One more deployment, as soon as a machine is free."""
        is_full = all(one.process is not None and one.process.is_alive for one in self.hosts)
        if is_full or self.is_stopped:
            self.world.after(SECOND_US, self.deploy_at_last)
        else:
            self.deploy(self.newest + 1)

    def persuade(self) -> None:
        """A person ends what halts or tripped, and takes over what the engine gave up."""
        self.say(halted=False, by_sql=False)
        leader = self.leader
        if leader is not None and leader.desk is not None:
            desk = leader.desk
            for one in desk.engine.world.stance.breakers:
                if one.is_tripped:
                    self.said += 1
                    desk.submit(
                        BreakerResetCommanded(
                            received_us=leader.host.clock.now_us(),
                            command_id=self.said,
                            actor="person",
                            name=one.name,
                            is_forced=True,
                        )
                    )
            for bracket in desk.engine.world.desk.open():
                if bracket.orphan_reason:
                    self.said += 1
                    desk.submit(
                        ForeignAcknowledged(
                            received_us=leader.host.clock.now_us(),
                            command_id=self.said,
                            actor="person",
                            ticker=bracket.plan.ticker,
                        )
                    )
        self.world.after(5 * SECOND_US, self.persuade)

    def back_up(self) -> None:
        """As every night, only oftener."""
        self.site.database.back_up()
        self.world.after(self._while_us(10, 40), self.back_up)
