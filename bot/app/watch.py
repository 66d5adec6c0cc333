"""Looks after what an operator would look at, once a minute, and tells what begins and what ends.

The rules are in ``bot.alerts.watches``. What was told is stored with its message, so that
neither a restart nor a fail-over tells it again.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bot.adapters.storage.gaps import SqlGapStore
from bot.adapters.storage.trading import SqlTradingStore
from bot.alerts import watches
from bot.alerts.watches import Change, Finding, Pause, Purse, WatchFacts, WatchRules, WatchState
from bot.app.admin import freshness
from bot.app.operator import BotOperator
from bot.app.running import Running
from bot.app.sections import WatchSection
from bot.app.staleness import COLLECT
from bot.app.trading import TradingDesk
from bot.domain.alerts import AlertFacts, AlertKind
from bot.domain.errors import BotError, InvariantBroken
from bot.domain.ids import Epoch
from bot.domain.operations import WatchView
from bot.domain.records import BreakerRecord
from bot.engine import views
from bot.engine.world import World
from bot.kit.times import DAY_US, HOUR_US, MINUTE_US, SECOND_US, to_us
from bot.ports.messages import OutgoingMessage

logger = logging.getLogger(__name__)

WATCHES = "watches"
"""Kept beside the breakers."""
_EVERY_S = 60.0
_CALLS_WINDOW_US = 5 * MINUTE_US
_ATTESTATION_EVERY_US = HOUR_US
_PAUSES_AHEAD_US = 2 * DAY_US


class OperatorWatch:
    """A service of the leader."""

    name = "watch"

    def __init__(
        self, running: Running, operator: BotOperator, desk: TradingDesk | None, epoch: Epoch
    ) -> None:
        """Without a ``desk`` nothing is traded: only calls, keys and pauses are watched."""
        self._running = running
        self._operator = operator
        self._desk = desk
        self._epoch = epoch
        self._rules = watch_rules(running.settings.watch)
        self._store = SqlTradingStore(running.parts.database, running.scope)
        self._gaps = SqlGapStore(running.parts.database)
        self._state: WatchState | None = None
        self._calls: deque[tuple[int, int, int]] = deque()
        self._attested_until_us: int | None = None
        self._attestation_us: int | None = None

    async def run(self) -> None:
        """Look every minute until cancelled."""
        while True:
            await asyncio.sleep(_EVERY_S)
            try:
                await self.look()
            except BotError as fault:
                # What cannot be read now is told by whoever needs it.
                logger.info("not looked", extra={"reason": str(fault)})

    async def drain(self) -> None:
        """Nothing to finish."""

    async def look(self) -> None:
        """Judge everything once, and tell what changed.

        Raises:
            StorageUnavailable: the database is away.
            NotLeader: somebody else leads.
        """
        before = self._state if self._state is not None else await self._remembered()
        facts = await self._facts()
        after, found, changes = watches.look(facts, self._rules, before)
        after, pauses = watches.announce(await self._pauses(), self._rules, after, facts.now_us)
        messages = [
            *(one for change in changes for one in self._messages_of(change, facts)),
            *(one for pause in pauses for one in self._announced(pause, facts.now_us)),
        ]
        if after != before:
            await self._keep(after, messages, facts.now_us)
        self._state = after
        self._running.standing.watches = tuple(map(_view, found))

    # --- facts ------------------------------------------------------------------------------

    async def _facts(self) -> WatchFacts:
        running = self._running
        now_us = running.clock.now_us()
        marks = await freshness(running.parts.database, running.settings)
        collected_us = marks.done_us.get(COLLECT, running.started_us)
        calls, failed = self._counted(now_us)
        facts = WatchFacts(
            now_us=now_us,
            calls=calls,
            failed=failed,
            key_expires_us=_moment(running.settings.watch.api_key_expires),
            attested_until_us=await self._attested(now_us),
            purses=self._purses(),
            silent_us=now_us - collected_us,
            silent_max_us=round(running.settings.web.stale_after_s * SECOND_US),
        )
        world = self._world()
        return facts if world is None else self._of_trading(facts, world)

    def _of_trading(self, facts: WatchFacts, world: World) -> WatchFacts:
        tally = views.track_record(world, self._running.settings.watch.win_rate_trades)
        loss = views.day_loss_limit(world)
        return replace(
            facts,
            won=tally.wins,
            lost=tally.losses,
            break_even_e6=tally.break_even_e6,
            # Also those that are being opened: the limit counts them.
            positions=len(world.desk.open()),
            positions_max=world.settings.limits.concurrent_max,
            result_today=loss[0] if loss else None,
            loss_limit=loss[1] if loss else None,
            is_connected=world.feed.is_connected,
        )

    def _counted(self, now_us: int) -> tuple[int, int]:
        """Calls and failures of the last five minutes; business refusals are neither."""
        if self._desk is not None:
            view = views.api_view(self._desk.engine.world)
            return view.calls, view.failed
        total = self._operator.api_totals()
        self._calls.append((now_us, total.calls, total.failed))
        while len(self._calls) > 1 and now_us - self._calls[0][0] > _CALLS_WINDOW_US:
            self._calls.popleft()
        _, calls, failed = self._calls[0]
        return total.calls - calls, total.failed - failed

    def _world(self) -> World | None:
        """What is traded with, once the account is known."""
        world = self._desk.engine.world if self._desk is not None else None
        return world if world is not None and world.stance.is_reconciled else None

    def _purses(self) -> tuple[Purse, ...]:
        world = self._world()
        if world is None or self._running.settings.trading_mode == "watch":
            return ()
        every = views.purses(world)
        return tuple(Purse(shard=shard, cash=cash, need=need) for shard, cash, need in every)

    async def _attested(self, now_us: int) -> int | None:
        """Asked once an hour; what cannot be asked is not known."""
        asked_us = self._attestation_us
        if asked_us is None or now_us - asked_us >= _ATTESTATION_EVERY_US:
            self._attestation_us = now_us
            try:
                self._attested_until_us = await self._running.parts.exchange.attested_until_us()
            except BotError as fault:
                logger.info("location attestation not read", extra={"reason": str(fault)})
        return self._attested_until_us

    async def _pauses(self) -> Sequence[Pause]:
        """From the exchange's own schedule, as the exchange watch keeps it."""
        now_us = self._running.clock.now_us()
        planned = await self._gaps.closures(now_us, now_us + _PAUSES_AHEAD_US)
        return [
            Pause(start_us=one.start_us, end_us=one.end_us, why=one.kind.value) for one in planned
        ]

    # --- telling ----------------------------------------------------------------------------

    def _messages_of(self, change: Change, facts: WatchFacts) -> Sequence[OutgoingMessage]:
        told: AlertFacts = {"what": change.text}
        if change.is_end:
            told = {"watch": change.name, "what": change.text}
        elif change.kind is AlertKind.STALE:
            told = {"service": COLLECT, "seconds": (facts.silent_us or 0) // SECOND_US}
        return self._running.alerts.compose(change.kind, told)

    def _announced(self, pause: Pause, now_us: int) -> Sequence[OutgoingMessage]:
        return self._running.alerts.compose(
            AlertKind.PAUSE_AHEAD,
            {
                "minutes": -(-(pause.start_us - now_us) // MINUTE_US),
                "why": pause.why,
                "from_us": pause.start_us,
                "to_us": pause.end_us,
            },
        )

    # --- remembering ------------------------------------------------------------------------

    async def _remembered(self) -> WatchState:
        text = await self._running.queries.kept(WATCHES)
        if text is None:
            return watches.FRESH
        try:
            return watches.from_json(text)
        except InvariantBroken as fault:
            # At worst something is told twice.
            logger.warning("watches begin anew", extra={"reason": str(fault)})
            return watches.FRESH

    async def _keep(
        self, state: WatchState, messages: Sequence[OutgoingMessage], now_us: int
    ) -> None:
        begun = sorted(name for name, level in state.told.items() if level)
        record = BreakerRecord(
            name=WATCHES,
            tripped=False,
            reason=", ".join(begun),
            data_json=state.to_json(),
            changed_us=now_us,
        )
        await self._store.commit(self._epoch, (record,), messages, now_us)
        if messages:
            self._running.wakes.message_queued()


def watch_rules(section: WatchSection) -> WatchRules:
    """Where watches begin, as the settings have it."""
    return WatchRules(
        win_rate_trades_min=section.win_rate_trades_min,
        expiry_us=round(section.expiry_days * DAY_US),
        pause_ahead_us=round(section.pause_ahead_minutes * MINUTE_US),
    )


def _view(finding: Finding) -> WatchView:
    return WatchView(
        name=finding.name, is_calm=finding.level is watches.Level.CALM, text=finding.text
    )


def _moment(when: datetime | None) -> int | None:
    return None if when is None else to_us(when)
