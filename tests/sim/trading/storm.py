"""What happens to a bot: markets move, answers are lost, people act, processes die and come back."""

import asyncio
from collections.abc import Callable
from random import Random

from bot.domain.events import (
    BreakerResetCommanded,
    CloseCommanded,
    EntryJudged,
    ForeignAcknowledged,
    HaltCommanded,
    PanicCommanded,
    ReconcileCommanded,
    UnhaltCommanded,
)
from bot.domain.records import HaltRecord
from tests.sim.trading.approvals import ApprovalJudge
from tests.sim.trading.defences import NOTHING, Removed, store_without
from tests.sim.trading.floor import TICKERS, Floor
from tests.sim.trading.loop import VirtualClock, VirtualLoop
from tests.sim.trading.process import Process
from tests.sim.trading.watch import Watch

STORM_S, CALM_S, STILL_S = 150.0, 150.0, 15.0
_FAULTS = 0.25
"""Share of calls and private frames that something happens to."""
_MUTE_AFTER_S, _MUTE_S = 20.0, 65.0
"""It ends early enough for one more comparison, a minute after the last, to find everything."""
_ACTOR = "tg:1"


class Storm:
    """One history, decided by its seed."""

    def __init__(
        self,
        seed: int,
        loop: VirtualLoop,
        removed: Removed = NOTHING,
        *,
        approve_above_e6: int = 0,
    ) -> None:
        self.clock = VirtualClock(loop)
        names = ("floor", "store", "storm", "wire")
        floor, store, self._random, self._wire = (Random(f"{seed} {name}") for name in names)
        self.store = store_without(removed, store)
        self.store.stored_halt = HaltRecord(halted=False, reason="", set_by="t", changed_us=1)
        self.floor = Floor(
            self.clock, floor, self.store, ApprovalJudge(self.store, approve_above_e6)
        )
        self.floor.heard = self._broadcast
        self.processes: list[Process] = []
        self._ending: list[Process] = []
        """Dead or dying; a frozen one may still do harm."""
        self._is_calm = False
        self._removed = removed
        self._approve_above_e6 = approve_above_e6
        self._commands = 0
        self._epoch = 0
        self._watcher = Watch(self.floor, self.store)
        self._kill_armed: Callable[[], None] | None = None
        self.store.after_commit = self._on_commit
        self._releasing = False

    @property
    def leader(self) -> Process:
        """The newest process."""
        return self.processes[-1]

    async def run(self) -> None:
        """Storm, calm, stillness."""
        self.start(is_clean=True)
        async with asyncio.TaskGroup() as group:
            living = [
                group.create_task(one()) for one in (self._markets, self._people, self._watch)
            ]
            trouble = group.create_task(self._trouble())
            await asyncio.sleep(STORM_S)
            trouble.cancel()
            await self._calm()
            await asyncio.sleep(CALM_S)
            living[0].cancel()
            await asyncio.sleep(STILL_S)
            for one in living[1:]:
                one.cancel()

    async def end(self) -> list[str]:
        """Nothing runs any more; what broke in a process meanwhile."""
        self.leader.kill()
        crashes: list[str] = []
        for process in self.processes:
            try:
                await process.gone()
            except Exception as failure:  # noqa: BLE001 - whatever it is, it is the finding
                crashes.append(_crash(failure))
        return crashes

    def start(self, *, is_clean: bool) -> None:
        """The next leadership."""
        self._epoch += 1
        self.store.leader = self._epoch  # type: ignore[assignment]
        process = Process(
            self.floor,
            self.store,
            self.clock,
            self._wire,
            self._share,
            self._epoch,
            removed=self._removed,
            approve_above_e6=self._approve_above_e6,
        )
        self.processes.append(process)
        process.start(is_clean=is_clean)

    def _share(self) -> float:
        return 0.0 if self._is_calm else _FAULTS

    def _broadcast(self, event: object) -> None:
        for process in self.processes[-2:]:
            process.stream.take(event)  # type: ignore[arg-type]

    async def _calm(self) -> None:
        self._is_calm = True
        self._kill_armed = None
        self.store.is_away = False
        self.leader.wire.swallows_next, self.leader.wire.overtake = False, None
        self.floor.silent.clear()
        self.floor.switch(is_active=True)
        while self._releasing or self.leader.is_dead:  # noqa: ASYNC110 - a hand-over ends it
            await asyncio.sleep(0.1)
        # Nobody comes after this leader and reads everything anew: comparing alone finds these.
        for after_s, is_mute in ((_MUTE_AFTER_S, True), (_MUTE_AFTER_S + _MUTE_S, False)):
            asyncio.get_running_loop().call_later(
                after_s, setattr, self.leader.stream, "is_mute", is_mute
            )

    # --- the markets ------------------------------------------------------------------------

    async def _markets(self) -> None:
        while True:
            await asyncio.sleep(self._random.uniform(0.05, 0.6))
            self.floor.pass_time()
            self.floor.move(self._random.choice(TICKERS))

    # --- trouble ----------------------------------------------------------------------------

    async def _trouble(self) -> None:
        acts = (
            (5, self._kill),
            (3, self._kill_in_commit),
            (2, self._freeze),
            (2, self._hand_over),
            (5, self._cut),
            (3, self._pause),
            (3, self._store_away),
            (1, self._settle),
            (6, self._by_hand),
            (3, self._swallow),
            (3, self._overtake),
        )
        async with asyncio.TaskGroup() as group:
            while True:
                await asyncio.sleep(self._random.expovariate(1 / 5.0))
                [(_, act)] = self._random.choices(acts, [weight for weight, _ in acts])
                self.floor.happened[act.__name__.strip("_")] += 1
                if not self._releasing:
                    act(group)

    def _kill(self, _: asyncio.TaskGroup) -> None:
        self.leader.kill()
        self.start(is_clean=False)

    def _kill_in_commit(self, _: asyncio.TaskGroup) -> None:
        """The next time an intent becomes durable, its process dies before it knows."""
        self._kill_armed = self._kill_and_restart

    def _kill_and_restart(self) -> None:
        self.leader.kill()
        self.start(is_clean=False)

    def _on_commit(self) -> None:
        armed, self._kill_armed = self._kill_armed, None
        if armed is not None and not self._releasing:
            armed()

    def _freeze(self, _: asyncio.TaskGroup) -> None:
        """It loses the lead and does not know: its gate is open for seconds."""
        old = self.leader
        self.start(is_clean=False)
        asyncio.get_running_loop().call_later(self._random.uniform(0.5, 8), old.kill)

    def _hand_over(self, group: asyncio.TaskGroup) -> None:
        self._releasing = True
        group.create_task(self._release())

    async def _release(self) -> None:
        try:
            await self.leader.release()
        finally:
            self.leader.kill()
            self.start(is_clean=True)
            self._releasing = False

    def _cut(self, _: asyncio.TaskGroup) -> None:
        self.leader.stream.cut()

    def _pause(self, _: asyncio.TaskGroup) -> None:
        self.floor.switch(is_active=False)
        later = asyncio.get_running_loop().call_later
        later(self._random.uniform(1, 12), lambda: self.floor.switch(is_active=True))

    def _store_away(self, _: asyncio.TaskGroup) -> None:
        self.store.is_away = True
        later = asyncio.get_running_loop().call_later
        later(self._random.uniform(0.5, 6), lambda: setattr(self.store, "is_away", False))

    def _settle(self, _: asyncio.TaskGroup) -> None:
        self.floor.settle(self._random.choice(TICKERS))

    def _by_hand(self, _: asyncio.TaskGroup) -> None:
        self.floor.trade_by_hand(self._random.choice(TICKERS))

    def _swallow(self, _: asyncio.TaskGroup) -> None:
        self.leader.wire.swallows_next = True

    def _overtake(self, _: asyncio.TaskGroup) -> None:
        """Its next entry is still on the way when a successor has taken over."""
        overtaken = self.leader

        def take_over() -> None:
            if overtaken is self.leader and not self._releasing and not self._is_calm:
                self._kill_and_restart()

        overtaken.wire.overtake = take_over

    # --- people -----------------------------------------------------------------------------

    async def _people(self) -> None:
        while True:
            await asyncio.sleep(self._random.uniform(2, 8))
            if self.leader.is_leading:
                self._act()
                if self._approve_above_e6:
                    self._answer()

    def _answer(self) -> None:
        """Somebody presses buttons: of questions that wait, are answered or long over; twice."""
        world, random = self.leader.engine.world, self._random
        waiting = [one.name for one in world.ramp.proposals]
        old = [one.proposal for one in self.store.tables.approvals.values()]
        names = [*waiting, *waiting, *old[-3:]]
        for name in random.sample(names, min(2, len(names))):
            contracts = random.choice((None, None, 1, 5, 1_000_000))
            is_approved = random.random() < 0.8
            if is_approved:
                self.floor.approvals.pressed.setdefault(name, set()).add(contracts)
            for _ in range(random.choice((1, 1, 2))):
                self.floor.happened["buttons pressed"] += 1
                self.leader.submit(
                    EntryJudged(  # type: ignore[arg-type]
                        **self._given(),
                        proposal=name,
                        is_approved=is_approved,
                        contracts=contracts,
                    )
                )

    def _given(self) -> dict[str, object]:
        self._commands += 1
        return {
            "received_us": self.clock.now_us(),
            "command_id": self._commands,
            "actor": _ACTOR,
        }

    def _act(self) -> None:
        leader, random = self.leader, self._random
        self._go_on(leader)
        world = leader.engine.world
        is_halted = world.stance.halt is not None and world.stance.halt.halted
        if self._is_calm or is_halted:
            return
        fate = random.random()
        if fate < 0.12:
            leader.submit(HaltCommanded(**self._given(), reason="storm"))  # type: ignore[arg-type]
        elif fate < 0.2:
            ticker = random.choice((*TICKERS, None))
            leader.submit(CloseCommanded(**self._given(), ticker=ticker))  # type: ignore[arg-type]
        elif fate < 0.23:
            leader.submit(PanicCommanded(**self._given(), is_everything=random.random() < 0.3))  # type: ignore[arg-type]
        elif fate < 0.3:
            leader.submit(ReconcileCommanded(**self._given()))  # type: ignore[arg-type]

    def _go_on(self, leader: Process) -> None:
        """Whatever stopped it: a person has seen it and lets it trade."""
        world = leader.engine.world
        for state in world.stance.breakers:
            if state.is_tripped:
                reset = BreakerResetCommanded(**self._given(), name=state.name, is_forced=True)  # type: ignore[arg-type]
                leader.submit(reset)
        for ticker in sorted(set(world.foreign.seen) - world.foreign.acknowledged):
            leader.submit(ForeignAcknowledged(**self._given(), ticker=ticker))  # type: ignore[arg-type]
        if world.stance.halt is not None and world.stance.halt.halted:
            leader.submit(UnhaltCommanded(**self._given()))  # type: ignore[arg-type]

    # --- looking on -------------------------------------------------------------------------

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            for process in self.processes:
                failure = process.failure()
                if failure is not None:
                    self.floor.broken.append(_crash(failure))
                    return
            self._watcher.look(self.leader)


def _crash(failure: BaseException) -> str:
    return f"crash: {failure!r} {getattr(failure, 'exceptions', '')}"
