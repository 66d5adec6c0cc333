"""One leadership: the real engine, runner, executor and order groups, from activation to its end."""

import asyncio
import contextlib
from collections.abc import Callable
from random import Random

from bot.app.draining import EntriesOff
from bot.domain.errors import BotError, StorageUnavailable
from bot.domain.events import (
    Event,
    ExchangeStatusRead,
    MarketsListed,
    Role,
    RoleChanged,
    StateLoaded,
    TimeAdvanced,
)
from bot.domain.ids import Epoch, InstanceId
from bot.engine.groups import GroupSettings
from bot.engine.inbox import EngineInbox
from bot.engine.runner import EngineRunner
from bot.engine.sending import Surroundings
from bot.kit.clock import Clock
from tests.sim.trading.defences import (
    NOTHING,
    Removed,
    engine_without,
    executor_without,
    groups_without,
    wire_without,
)
from tests.sim.trading.floor import Floor
from tests.sim.trading.folded import FoldedStore
from tests.sim.trading.store import SlowStore
from tests.sim.trading.stream import Stream
from tests.support.hands import HeardReplies, SwitchGate

_LOOK_S = 0.05
_DRAIN_S = 8.0


class Process:
    """What a leader runs. ``kill`` ends it wherever it is; what it has sent is on its way."""

    def __init__(
        self,
        floor: Floor,
        store: SlowStore,
        clock: Clock,
        random: Random,
        share: Callable[[], float],
        epoch: int,
        *,
        removed: Removed = NOTHING,
        approve_above_e6: int = 0,
    ) -> None:
        self.epoch = Epoch(epoch)
        self.gate = SwitchGate()
        self.replies = HeardReplies()
        self.is_dead = False
        self._floor, self._shared, self._clock = floor, store, clock
        self._store = FoldedStore(store)
        self._inbox = EngineInbox()
        self.engine = engine_without(
            removed, InstanceId(f"i{epoch}"), approve_above_e6=approve_above_e6
        )
        self.wire = wire = wire_without(removed, floor, random, share)
        made = groups_without(removed)
        self.groups = made(wire, self._store, clock, self.epoch, GroupSettings())  # type: ignore[arg-type]
        around = Surroundings(
            exchange=wire,  # type: ignore[arg-type]
            store=self._store,  # type: ignore[arg-type]
            gate=self.gate,
            groups=self.groups,
            clock=clock,
            random=random,
            replies=self.replies,
            messages_of=lambda _: (),
        )
        self.runner = EngineRunner(
            self.engine, executor_without(removed, around, self.submit), self._inbox
        )
        self.stream = Stream(floor, random, share, self.submit, self.runner)
        self._task: asyncio.Task[None] | None = None

    @property
    def is_leading(self) -> bool:
        """Whether it may trade, by its own account."""
        return self.engine.world.stance.role is Role.LEADING and not self.is_dead

    def submit(self, event: Event) -> None:
        """Give the engine an event."""
        if not self.is_dead:
            self._inbox.put(event)

    def start(self, *, is_clean: bool) -> None:
        """Begin the leadership."""
        self._task = asyncio.get_running_loop().create_task(self._run(is_clean=is_clean))

    def kill(self) -> None:
        """End it at once."""
        self.is_dead, self.gate.is_open = True, False
        self.stream.end()
        if self._task is not None:
            self._task.cancel()

    async def release(self) -> None:
        """The orderly end: entries off, exits stay."""
        self._become(Role.DRAINING)
        drain = EntriesOff(
            world=self.engine.world, runner=self.runner, groups=self.groups, drain_s=_DRAIN_S
        )
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_S):
                await drain.run()
        self.kill()

    async def gone(self) -> None:
        """Return when nothing of it runs any more.

        Raises:
            Whatever broke in it, save its being killed.
        """
        if self._task is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def failure(self) -> BaseException | None:
        """What broke in it, if something did."""
        if self._task is None or not self._task.done() or self._task.cancelled():
            return None
        return self._task.exception()

    # --- inside -----------------------------------------------------------------------------

    async def _run(self, *, is_clean: bool) -> None:
        self.stream.begin()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.runner.run())
            group.create_task(self._tell_time())
            group.create_task(self._activate(is_clean=is_clean))

    async def _tell_time(self) -> None:
        seconds = 0
        while True:
            now_us = self._clock.now_us()
            if seconds % 5 == 0:
                self._read_status()
            if seconds % 20 == 0 and self.engine.world.is_loaded:
                self.submit(MarketsListed(received_us=now_us, listings=self._floor.listings()))
            self.submit(TimeAdvanced(received_us=now_us))
            seconds += 1
            await asyncio.sleep(1.0)

    def _read_status(self) -> None:
        self.submit(
            ExchangeStatusRead(
                received_us=self._clock.now_us(),
                is_exchange_active=self._floor.venue.reads.is_exchange_active(),
                is_trading_active=self._floor.venue.reads.is_trading_active(),
                resume_us=None,
            )
        )

    async def _activate(self, *, is_clean: bool) -> None:
        """As the application does it: fence, load, reconcile, lead."""
        self._become(Role.ACTIVATING, is_clean=is_clean)
        while True:
            with contextlib.suppress(BotError):
                clean = Epoch(self.epoch - 1) if is_clean else None
                await self.groups.fence_predecessors(clean=clean)
                break
            await asyncio.sleep(0.3)
        self._floor.fenced_epoch = max(self._floor.fenced_epoch, self.epoch)
        while True:
            with contextlib.suppress(StorageUnavailable):
                state = await self._store.load(self._clock.now_us())
                break
            await asyncio.sleep(0.3)
        self.submit(StateLoaded(received_us=self._clock.now_us(), state=state))
        world = self.engine.world
        while not world.is_loaded:  # noqa: ASYNC110 - the engine is a value, it signals nothing
            await asyncio.sleep(_LOOK_S)
        self.submit(
            MarketsListed(received_us=self._clock.now_us(), listings=self._floor.listings())
        )
        while not world.stance.is_reconciled:  # noqa: ASYNC110 - as above
            await asyncio.sleep(_LOOK_S)
        if self._shared.leader == self.epoch:
            self._become(Role.LEADING)

    def _become(self, role: Role, *, is_clean: bool = True) -> None:
        self.submit(
            RoleChanged(
                received_us=self._clock.now_us(), role=role, epoch=self.epoch, is_clean=is_clean
            )
        )
