"""One leadership's trading: engine, executor, monitor, and the way into and out of it."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from bot.adapters.kalshi.order_path import OrderPathKeeper
from bot.adapters.recording.recorder import FrameRecorder
from bot.adapters.storage.database import Database
from bot.adapters.storage.trading import SqlTradingStore
from bot.app.draining import DoubtWatch, EntriesOff
from bot.app.lifecycle import Tenure
from bot.app.memory import MemoryKeeper
from bot.app.other_bot import OtherBot
from bot.app.recording import listing_tape
from bot.app.rehearsal import rehearser_of
from bot.app.replies import ReplyBoard
from bot.app.running import Running
from bot.app.trading_settings import (
    engine_settings,
    group_settings,
    market_filter,
    monitor_settings,
    strategies,
)
from bot.console.buttons import RUN_PREFIX
from bot.domain.alerts import AlertKind
from bot.domain.errors import BotError, StorageUnavailable
from bot.domain.events import (
    Event,
    HaltFound,
    Role,
    RoleChanged,
    StateLoaded,
)
from bot.domain.ids import Epoch
from bot.domain.records import HaltRecord
from bot.engine import views
from bot.engine.core import Engine
from bot.engine.effects import Notice, NoticeKind
from bot.engine.executor import EffectExecutor
from bot.engine.groups import OrderGroups
from bot.engine.inbox import EngineInbox
from bot.engine.monitor import MarketMonitor
from bot.engine.runner import EngineRunner
from bot.engine.sending import Surroundings
from bot.kit.backoff import Backoff
from bot.kit.clock import Clock
from bot.kit.tasks import Service, together
from bot.ports.exchange import Exchange, MarketFeed
from bot.ports.messages import AuditEntry, MessageButton, OutgoingMessage

logger = logging.getLogger(__name__)

_RETRY = Backoff(base_s=0.5, cap_s=10.0)
_LOOK_S = 0.005
_HALT_LOOK_S = 2.0


class TradingDesk:
    """Built when a leadership begins, dropped when it ends."""

    def __init__(
        self,
        running: Running,
        tenure: Tenure,
        exchange: Exchange,
        feed: MarketFeed,
        recorder: FrameRecorder | None = None,
    ) -> None:
        settings, means = running.settings, running.parts.means
        self.tenure = tenure
        self.exchange = exchange
        self.replies = ReplyBoard()
        self.acts: dict[int, AuditEntry] = {}
        """Audit rows of commands under way, stored together with what they change."""
        self.store = SqlTradingStore(running.parts.database, running.scope)
        self._running = running
        self._inbox = EngineInbox()
        self._recorder = recorder
        self.engine = Engine(
            engine_settings(settings),
            strategies(settings),
            running.scope,
            running.parts.candidate.instance_id,
        )
        self.groups = OrderGroups(
            exchange, self.store, means.clock, tenure.epoch, group_settings(settings)
        )
        around = Surroundings(
            exchange=exchange,
            store=self.store,
            gate=tenure.gate,
            groups=self.groups,
            clock=means.clock,
            random=means.random,
            replies=self.replies,
            messages_of=self._messages_of,
            act_of=self.acts.get,
            is_dry_run=settings.dry_run,
        )
        executor = EffectExecutor(around, self.submit)
        self.runner = EngineRunner(self.engine, executor, self._inbox)
        self.monitor = MarketMonitor(
            exchange,
            feed,
            means.clock,
            monitor_settings(settings),
            market_filter(settings),
            submit=self.submit,
            held=lambda: views.held_markets(self.engine.world),
            api_calls=running.parts.exchange.counter.take,
            feed_changed=self._on_feed,
            known=running.warmth.take,
        )
        self.monitor.read_by(self.runner)
        if recorder is not None:
            self.monitor.listed = listing_tape(settings, recorder, means.clock).hear
        self.other_bot = OtherBot(running, tenure, exchange, self.store, self.groups)
        self.activation = Activation(running, self)

    def submit(self, event: Event) -> None:
        """Give the engine an event."""
        self._inbox.put(event)

    def events_waiting(self) -> int:
        """How many events the engine has not looked at yet."""
        return len(self._inbox)

    def open_positions(self) -> int:
        """How many markets we hold something in."""
        return len(self.engine.world.ledger.open_positions())

    def _on_feed(self, reason: str | None) -> None:
        """The stream was lost for a reason, or is back."""
        if reason is None:
            self._running.alerts.post(AlertKind.WEBSOCKET_UP, {})
        else:
            self._running.alerts.post(AlertKind.WEBSOCKET_DOWN, {"reason": reason})

    def services(self) -> Sequence[Service]:
        """In starting order; drained the other way round, so trading is let go first."""
        # First, so that it is the last to end.
        kept: Sequence[Service] = () if self._recorder is None else (self._recorder,)
        clock = self._running.clock
        signed: Sequence[Service] = ()
        if self._running.settings.trading_mode != "paper":
            rehearser = rehearser_of(
                self._running, self.engine, self.runner, self.store, self.tenure.gate
            )
            signed = (OrderPathKeeper(self._running.parts.exchange), rehearser)
        halts = HaltWatch(self, clock)
        doubt = DoubtWatch(self.tenure.gate, clock, self.submit)
        memory = MemoryKeeper(clock)
        return (*kept, memory, *signed, self.runner, self.monitor, halts, doubt, self.activation)

    def _messages_of(self, notice: Notice) -> Sequence[OutgoingMessage]:
        facts = dict(notice.facts)
        messages = self._running.alerts.compose(AlertKind(notice.kind.value), facts)
        if notice.kind is NoticeKind.APPROVAL_WANTED:
            messages = tuple(
                replace(one, buttons=buttons_of(facts["id"], facts["contracts"]))
                for one in messages
            )
        if messages:
            self._running.wakes.message_queued()
        return messages


def buttons_of(proposal: str, contracts: str) -> tuple[tuple[MessageButton, ...], ...]:
    """Buy all of it, half of it or nothing. A proposal is answered once, so is each button."""
    whole = int(contracts.partition(".")[0])
    words = [(f"Buy {whole}", f"approve {proposal}")]
    if half := whole // 2:
        words.append((f"Half ({half})", f"approve {proposal} {half}"))
    words.append(("Skip", f"skip {proposal}"))
    return (tuple(MessageButton(label=one, data=f"{RUN_PREFIX}/{line}") for one, line in words),)


class StoreReadier:
    """Makes the database ready for orders while the leadership begins."""

    name = "store readier"

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self) -> None:
        """Once, then stay."""
        await self._database.prepare_writes()
        await asyncio.Event().wait()

    async def drain(self) -> None:
        """Nothing to finish."""


class HaltWatch:
    """Finds a halt that somebody wrote into the database, before an entry runs into it."""

    name = "halt watch"

    def __init__(self, desk: TradingDesk, clock: Clock) -> None:
        self._desk = desk
        self._clock = clock

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(_HALT_LOOK_S)
            with contextlib.suppress(StorageUnavailable):  # whoever needs it tells of it
                record = await self._desk.store.halt()
                if record.halted:
                    self._desk.submit(HaltFound(received_us=self._clock.now_us(), record=record))

    async def drain(self) -> None:
        """Nothing to finish."""


class Activation:
    """From elected to leading: fence the predecessors, load, reconcile, open the gate."""

    name = "activation"

    def __init__(self, running: Running, desk: TradingDesk) -> None:
        self._running = running
        self._desk = desk
        self.done = asyncio.Event()
        """Set once this instance trades."""
        self._work: asyncio.Task[None] | None = None
        self._is_draining = False

    async def run(self) -> None:
        """Activate, then stay."""
        if not self._is_draining:
            async with asyncio.TaskGroup() as group:
                self._work = group.create_task(self._activate(), name="activate")
        await asyncio.Event().wait()

    async def drain(self) -> None:
        """Entries off, what is in flight finishes, resting entries are cancelled, exits stay.

        An activation under way ends here: it must not lead after the drain.
        """
        self._is_draining = True
        if self._work is not None:
            self._work.cancel()
            await asyncio.wait({self._work})
        self._become(Role.DRAINING)
        desk = self._desk
        await EntriesOff(
            world=desk.engine.world,
            runner=desk.runner,
            groups=desk.groups,
            drain_s=self._running.settings.leadership.drain_s,
        ).run()
        desk.replies.close()

    async def _activate(self) -> None:
        desk, tenure = self._desk, self._desk.tenure
        previous = tenure.acquisition.previous
        clean = previous.epoch if previous.clean_release else None
        self._become(Role.ACTIVATING, is_clean=previous.clean_release)
        # Nobody trades meanwhile: what does not depend on one another is asked together.
        async with together() as group:
            fencing = group.create_task(self._fence(clean), name="fence")
            looking = group.create_task(desk.other_bot.find(), name="look for other bots")
            await self._begin_unhalted()
        fenced, rival = fencing.result(), looking.result()
        if rival is not None:
            await desk.other_bot.halt_beside(rival)
        now_us = self._running.clock.now_us()
        desk.submit(StateLoaded(received_us=now_us, state=await desk.store.load(now_us)))
        # Stops of what we hold are watched only once their markets are.
        await self._until(lambda: desk.engine.world.is_loaded)
        desk.monitor.look_again()
        await self._until(lambda: desk.engine.world.stance.is_reconciled)
        if await tenure.confirm():
            self._become(Role.LEADING)
            brackets = len(desk.engine.world.desk.open())
            self._running.leading({"brackets": brackets, "groups_fenced": fenced})
            self.done.set()

    def _become(self, role: Role, *, is_clean: bool = True) -> None:
        self._desk.submit(
            RoleChanged(
                received_us=self._running.clock.now_us(),
                role=role,
                epoch=self._desk.tenure.epoch,
                is_clean=is_clean,
            )
        )

    async def _until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():  # noqa: ASYNC110 - the engine is a value, it signals nothing
            await asyncio.sleep(_LOOK_S)

    async def _fence(self, clean: Epoch | None) -> int:
        """Trigger the older epochs' groups before anything else, however long it takes."""
        for wait_s in _RETRY.waits(self._running.parts.means.random):
            with contextlib.suppress(BotError):
                return await self._desk.groups.fence_predecessors(clean=clean)
            logger.warning("api error", extra={"task": "fence predecessors"})
            await asyncio.sleep(wait_s)
        raise AssertionError("the waits never end")

    async def _begin_unhalted(self) -> None:
        """Only where the settings say so (the demo): a first start is halted otherwise.

        Who only watches has nothing to be halted.
        """
        section = self._running.settings.trading
        if not (section.starts_unhalted or section.read_only):
            return
        halt = await self._desk.store.halt()
        if halt.halted and not halt.changed_us:
            await self._desk.store.save_halt(
                HaltRecord(
                    halted=False,
                    reason="",
                    set_by="configuration",
                    changed_us=self._running.clock.now_us(),
                ),
                ends=halt,
            )
            logger.warning("first start unhalted by configuration")
