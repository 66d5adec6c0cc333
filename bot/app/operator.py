"""The bot as its operator meets it: reads from the engine and the store, acts through both.

With an engine, acts travel its inbox, so they are ordered with everything else.
Without one (mode collect) a halt and its end are the store's alone.
"""

import asyncio
import logging
import platform
from typing import TypedDict

from bot import __version__
from bot.adapters.storage.collection import SqlCollectionStore
from bot.adapters.storage.migrations import code_version
from bot.adapters.storage.trading import SqlTradingStore
from bot.app.adjusting import AdjustingDesk
from bot.app.alert_desk import AlertDesk
from bot.app.backups import make_backup
from bot.app.channel_settings import outside_channels
from bot.app.channels import failing_channels
from bot.app.cockpit import CockpitDesk
from bot.app.data_desk import DataDesk
from bot.app.loops import loop_views
from bot.app.panic import word_of_panic
from bot.app.people import PeopleDesk
from bot.app.reasons import funnel_of, opinion_of
from bot.app.replies import EngineReply
from bot.app.restore_check import check_restore
from bot.app.roster import InstanceRoll
from bot.app.running import Running
from bot.app.trading import TradingDesk
from bot.collect.gaps import count_missing
from bot.console.access import AccessSettings, Doorkeeper
from bot.domain.alerts import AlertKind
from bot.domain.errors import ExchangeUnavailable, StorageUnavailable
from bot.domain.events import (
    BreakerResetCommanded,
    CloseCommanded,
    CommandEvent,
    EntriesCancelCommanded,
    EntryJudged,
    ForeignAcknowledged,
    HaltCommanded,
    PanicCommanded,
    ReconcileCommanded,
    UnhaltCommanded,
)
from bot.domain.handles import EntryView, ProposalView
from bot.domain.ids import InstanceId, MarketTicker
from bot.domain.money import Money
from bot.domain.operations import (
    AccountView,
    ApiView,
    Authority,
    BackupFile,
    Banner,
    BreakerView,
    CollectView,
    Done,
    GapsView,
    HaltView,
    InstanceView,
    Outcome,
    PnlView,
    PositionView,
    QualityView,
    Refused,
    StatusView,
    StopKind,
    StopReason,
    VersionView,
    WhyView,
)
from bot.domain.records import HaltRecord
from bot.domain.tradingday import NEW_YORK, trading_day
from bot.engine import views
from bot.kit.times import parse_rfc3339
from bot.marketdata.book import OrderBook
from bot.ops.backup import BackupKind
from bot.ports.backups import BackupContents
from bot.ports.cockpit import Cockpit
from bot.ports.messages import AuditEntry, Channel

logger = logging.getLogger(__name__)

_NO_HALT = "There is no halt to end."
_DECISIONS_SHOWN = 10
_ACT_TOLD_MAX = 200
_SAVED_WITHIN_S = 10.0
_COMPARED_WITHIN_S = 20.0
_LOOK_S = 0.05
_FAILURES = ("timeout", "connection", "http_5", "http_401")
_COLLECTS_ONLY = StopReason(
    kind=StopKind.OFF, why="mode collect does not trade", remedy="start it with --mode trade"
)


class _Given(TypedDict):
    """What every command carries."""

    received_us: int
    command_id: int
    actor: str


class BotOperator:
    """Implements ``Operator`` for one leadership."""

    def __init__(
        self, running: Running, desk: TradingDesk | None, people: PeopleDesk | None = None
    ) -> None:
        """Without ``people`` nobody may speak but through the page and the command line."""
        self._running = running
        self._adjusting = AdjustingDesk(running, desk, self._carry_out)
        self._people = people or PeopleDesk(running, Doorkeeper(AccessSettings()))
        self._desk = desk
        self._trading = SqlTradingStore(running.parts.database, running.scope)
        self._collection = SqlCollectionStore(running.parts.database)
        self._data = DataDesk(running)
        self.alerts = AlertDesk(running)
        self._roll = InstanceRoll(running)
        self.cockpit: Cockpit = CockpitDesk(running, desk)

    @property
    def people(self) -> PeopleDesk:
        """See ``Operator.people``."""
        return self._people

    @property
    def adjusting(self) -> AdjustingDesk:
        """See ``Operator.adjusting``."""
        return self._adjusting

    # --- acts -------------------------------------------------------------------------------

    def halt_now(self, authority: Authority, reason: str) -> None:
        """See ``Operator.halt_now``."""
        if self._desk is not None:
            self._desk.submit(HaltCommanded(**self._given(authority), reason=reason))

    async def halt(self, authority: Authority, reason: str) -> HaltView:
        """See ``Operator.halt``."""
        if self._desk is None:
            await self._trading.save_halt(self._halt_record(authority, halted=True, reason=reason))
            facts = {"by": authority.actor, "reason": reason}
            await self._running.alerts.tell(AlertKind.HALT_SET, facts)
            return await self.halt_state()
        view = views.halt_view(self._desk.engine.world)
        if view is None or not view.is_halted or not view.is_saved:
            await self._ask(
                HaltCommanded(
                    received_us=self._running.clock.now_us(),
                    # ``halt_now`` may have used the number: an answer needs one of its own.
                    command_id=self._running.parts.means.random.getrandbits(62),
                    actor=authority.actor,
                    reason=reason,
                )
            )
        return await self.halt_state()

    async def unhalt(self, authority: Authority) -> Outcome:
        """See ``Operator.unhalt``."""
        if self._desk is None:
            before = await self._trading.halt()
            if not before.halted:
                return Done(text=_NO_HALT)
            act = self._act(authority, "/unhalt", "done: the halt is ended")
            stored = await self._trading.save_halt(
                self._halt_record(authority, halted=False, reason=""), act, ends=before
            )
            if stored.halted:
                return Refused(why=f"halted meanwhile: {stored.reason}", remedy="/unhalt again")
            await self._running.alerts.tell(AlertKind.HALT_CLEARED, {"by": authority.actor})
            return Done(text="The halt is ended. This instance collects; it does not trade.")
        command = UnhaltCommanded(**self._given(authority))
        # Stored with the halt's end, so that a successor knows that it happened.
        acts = self._desk.acts
        # It is written before it takes effect, so it claims no more than it is.
        done = "done: the halt is ended, unless another came meanwhile"
        acts[authority.number] = self._act(authority, "/unhalt", done)
        try:
            answer = await self._ask(command)
        finally:
            del acts[authority.number]
        if answer.text == "not halted":
            return Done(text=_NO_HALT)
        outcome = _outcome(answer, done="The halt is ended", remedy="/status shows what is missing")
        if isinstance(outcome, Done):
            await self._desk.other_bot.accept()
        return outcome

    async def reset_breaker(self, authority: Authority, name: str, *, force: bool) -> Outcome:
        """See ``Operator.reset_breaker``."""
        if self._desk is None:
            return Refused(why="mode collect has no breakers", remedy="start it with --mode trade")
        answer = await self._ask(
            BreakerResetCommanded(**self._given(authority), name=name, is_forced=force)
        )
        remedy = f"/breakers shows what holds {name}"
        if authority.channel == Channel.CLI:  # where there is no /breakers
            tripped = ", ".join(one.name for one in await self.breakers() if one.is_tripped)
            remedy = f"tripped now: {tripped or 'none'}"
        outcome = _outcome(answer, done="", remedy=remedy)
        if isinstance(outcome, Done):
            await self._until_saved(self._desk, name)
            line = f"/reset_breaker {name}{' force' if force else ''}"
            await self._running.audit.record(self._act(authority, line, f"done: {outcome.text}"))
        return outcome

    async def acknowledge(self, authority: Authority, ticker: MarketTicker) -> Outcome:
        """See ``Operator.acknowledge``."""
        event = ForeignAcknowledged(**self._given(authority), ticker=ticker)
        return await self._carry_out(authority, f"/acknowledge {ticker}", event)

    async def close(self, authority: Authority, ticker: MarketTicker | None) -> Outcome:
        """See ``Operator.close``."""
        event = CloseCommanded(**self._given(authority), ticker=ticker)
        return await self._carry_out(authority, f"/close {ticker or 'all'}", event)

    async def panic(self, authority: Authority, *, everything: bool) -> Outcome:
        """See ``Operator.panic``."""
        if self._desk is None:
            await self.halt(authority, "panic")
        event = PanicCommanded(**self._given(authority), is_everything=everything)
        line = f"/panic{' everything' if everything else ''}"
        begun = await self._carry_out(authority, line, event)
        if self._desk is None or isinstance(begun, Refused):
            return begun
        return Done(text=f"{begun.text}. {await word_of_panic(self._desk)}")

    async def reconcile(self, authority: Authority) -> Outcome:
        """See ``Operator.reconcile``."""
        event = ReconcileCommanded(**self._given(authority))
        try:
            async with asyncio.timeout(_COMPARED_WITHIN_S):
                return await self._carry_out(authority, "/reconcile", event)
        except TimeoutError:
            why = "the exchange's account was not read in time"
            return Refused(why=why, remedy="it is read every minute anyway")

    async def judge_entry(
        self,
        authority: Authority,
        proposal: str,
        *,
        is_approved: bool,
        contracts: int | None = None,
    ) -> Outcome:
        """See ``Operator.judge_entry``."""
        event = EntryJudged(
            **self._given(authority),
            proposal=proposal,
            is_approved=is_approved,
            contracts=contracts,
        )
        word = "/approve" if is_approved else "/skip"
        only = "" if contracts is None else f" {contracts}"
        return await self._carry_out(authority, f"{word} {proposal}{only}", event)

    async def cancel_entries(self, authority: Authority, chosen: str | None = None) -> Outcome:
        """See ``Operator.cancel_entries``."""
        event = EntriesCancelCommanded(**self._given(authority), chosen=chosen)
        return await self._carry_out(authority, f"/cancel {chosen or 'all'}", event)

    async def adopt(self, authority: Authority) -> Outcome:
        """See ``Operator.adopt``."""
        if self._desk is None:
            why = "mode collect does not look for other bots"
            return Refused(why=why, remedy="start it with --mode trade")
        return await self._desk.other_bot.adopt(authority)

    async def hand_over(self, authority: Authority, successor: InstanceId) -> Outcome:
        """See ``Operator.hand_over``."""
        return await self._roll.hand_over(authority, successor)

    async def backup(self, authority: Authority) -> BackupFile:
        """See ``Operator.backup``."""
        running = self._running
        made = await make_backup(
            running.settings,
            running.parts.database,
            running.clock,
            kind=BackupKind.MANUAL,
            contents=BackupContents.CORE,
        )
        done = f"backup {made.path} {made.sha256}"
        await running.audit.record(self._act(authority, "/backup", done))
        return made

    async def check_restore(self, authority: Authority) -> Outcome:
        """See ``Operator.check_restore``."""
        running = self._running
        outcome = await check_restore(running.settings, running.parts.database, running.clock)
        if isinstance(outcome, Done):
            done = f"done: {outcome.text}"[:_ACT_TOLD_MAX]
            await running.audit.record(self._act(authority, "/restore_check", done))
        return outcome

    async def repair(self, authority: Authority) -> Outcome:
        """See ``Operator.repair``. Given again, it does what is left."""
        is_done, told = await self._data.repair()
        await self._running.audit.record(self._act(authority, "/repair", told[:_ACT_TOLD_MAX]))
        if is_done:
            return Done(text=told)
        return Refused(why=told, remedy="send /repair again for what is left")

    # --- reads ------------------------------------------------------------------------------

    def banner(self) -> Banner:
        """See ``Operator.banner``."""
        return self._running.banner()

    async def halt_state(self) -> HaltView:
        """See ``Operator.halt_state``."""
        view = views.halt_view(self._desk.engine.world) if self._desk else None
        if view is not None:
            return view
        stored = await self._trading.halt()
        return HaltView(
            is_halted=stored.halted,
            reason=stored.reason,
            set_by=stored.set_by,
            changed_us=stored.changed_us,
        )

    async def breakers(self) -> tuple[BreakerView, ...]:
        """See ``Operator.breakers``."""
        return views.breaker_views(self._desk.engine.world) if self._desk else ()

    async def status(self) -> StatusView:
        """See ``Operator.status``."""
        running, desk = self._running, self._desk
        world = desk.engine.world if desk else None
        selection = desk.monitor.selection if desk else None
        missing = await count_missing(self._collection)
        seen = len(selection.watched) + len(selection.left_out) if selection else None
        return StatusView(
            now_us=running.clock.now_us(),
            started_us=running.started_us,
            stop=views.stop_reason(world) if world else _COLLECTS_ONLY,
            halt=await self.halt_state(),
            breakers=await self.breakers(),
            account=views.account_view(world) if world else None,
            pnl=views.pnl_view(world) if world else None,
            open_positions=len(world.ledger.open_positions()) if world else None,
            open_positions_max=world.settings.limits.concurrent_max if world else None,
            markets_seen=seen,
            markets_eligible=len(selection.watched) if selection else None,
            feed=views.feed_view(world) if world else None,
            api=views.api_view(world) if world else self.api_totals(),
            collect=await self._collect(missing),
            unsent_messages=await self._unsent(),
            loops=loop_views(running),
            watches=running.standing.watches,
            channels_failing=await failing_channels(running),
        )

    async def positions(self) -> tuple[PositionView, ...]:
        """See ``Operator.positions``."""
        return views.position_views(self._desk.engine.world) if self._desk else ()

    async def entries(self) -> tuple[EntryView, ...]:
        """See ``Operator.entries``."""
        return views.entry_views(self._desk.engine.world) if self._desk else ()

    async def proposals(self) -> tuple[ProposalView, ...]:
        """See ``Operator.proposals``."""
        return views.proposal_views(self._desk.engine.world) if self._desk else ()

    async def pnl(self) -> PnlView:
        """See ``Operator.pnl``."""
        if self._desk is not None:
            return views.pnl_view(self._desk.engine.world)
        nothing = Money(0)
        return PnlView(
            trading_day=trading_day(self._running.clock.now_us(), NEW_YORK),
            realized=nothing,
            unrealized=nothing,
            fees=nothing,
            baseline=None,
            trades=0,
            wins=0,
            losses=0,
        )

    async def balance(self) -> AccountView:
        """See ``Operator.balance``."""
        view = views.account_view(self._desk.engine.world) if self._desk else None
        if view is not None:
            return view
        if self._running.settings.trading_mode == "paper":
            # The account at the exchange is another one: its money is not traded with.
            known = "not known yet" if self._desk else "known in mode trade only"
            raise ExchangeUnavailable(f"the paper account is {known}")
        balance = await self._running.parts.exchange.balance()
        return AccountView(
            as_of_us=self._running.clock.now_us(),
            cash=balance.cash,
            equity=Money(balance.cash + balance.portfolio_value),
            exposure=balance.portfolio_value,
            baseline=None,
            by_shard=balance.by_shard,
        )

    async def instances(self) -> tuple[InstanceView, ...]:
        """See ``Operator.instances``."""
        return await self._roll.views()

    async def gaps(self) -> GapsView:
        """See ``Operator.gaps``."""
        return await self._data.gaps()

    async def quality(self) -> QualityView:
        """See ``Operator.quality``."""
        return await self._data.quality()

    async def why(self, ticker: MarketTicker | None) -> WhyView:
        """See ``Operator.why``."""
        world = self._desk.engine.world if self._desk else None
        decisions = await self._running.queries.decisions(_DECISIONS_SHOWN, ticker)
        if ticker is not None:
            decisions = [*opinion_of(self._desk, ticker, self._running.clock.now_us()), *decisions]
        return WhyView(
            ticker=ticker,
            stop=views.stop_reason(world) if world else _COLLECTS_ONLY,
            funnel=funnel_of(self._desk),
            decisions=tuple(decisions),
        )

    async def version(self) -> VersionView:
        """See ``Operator.version``."""
        deployment = self._running.settings.deployment.deployment_id
        return VersionView(
            version=__version__,
            deployment=deployment or "off a platform",
            schema=str(code_version()),
            python=platform.python_version(),
        )

    # --- helpers ----------------------------------------------------------------------------

    def _given(self, authority: Authority) -> _Given:
        return _Given(
            received_us=self._running.clock.now_us(),
            command_id=authority.number,
            actor=authority.actor,
        )

    async def _ask(self, event: CommandEvent) -> EngineReply:
        assert self._desk is not None
        answer = self._desk.replies.expect(event.command_id)
        self._desk.submit(event)
        return await answer

    async def _carry_out(self, authority: Authority, line: str, event: CommandEvent) -> Outcome:
        """Have the engine do it, and put it on record.

        Repeated by a successor before the record is written, it finds the work done.
        """
        if self._desk is None:
            why = "mode collect holds no positions and sends no orders"
            return Refused(why=why, remedy="start it with --mode trade")
        outcome = _outcome(await self._ask(event), done="", remedy="/status shows what holds now")
        if isinstance(outcome, Done):
            await self._running.audit.record(self._act(authority, line, f"done: {outcome.text}"))
        return outcome

    async def _until_saved(self, desk: TradingDesk, name: str) -> None:
        """Until the reset of a breaker is durable.

        Raises:
            StorageUnavailable: it is not for now; it is retried, and holds here.
        """
        reset_us = next(
            one.changed_us for one in desk.engine.world.stance.breakers if one.name == name
        )
        try:
            async with asyncio.timeout(_SAVED_WITHIN_S):
                while (await self._running.queries.breaker_changed_us(name) or 0) < reset_us:  # noqa: ASYNC110 - a row has no event
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            raise StorageUnavailable(f"{name} is reset here, and not saved yet") from None

    def _act(self, authority: Authority, command: str, outcome: str) -> AuditEntry:
        return AuditEntry(
            number=authority.number,
            at_us=authority.at_us,
            channel=Channel(authority.channel),
            actor=authority.actor,
            command=command,
            outcome=outcome,
            epoch=self._running.standing.epoch,
        )

    def _halt_record(self, authority: Authority, *, halted: bool, reason: str) -> HaltRecord:
        return HaltRecord(
            halted=halted,
            reason=reason,
            set_by=authority.actor,
            changed_us=self._running.clock.now_us(),
        )

    async def _collect(self, missing: int) -> CollectView:
        status = await self._running.queries.collect_status()
        return CollectView(
            last_success_us=_moment(status.get("last_success_at_utc")),
            last_error_us=_moment(status.get("last_error_at_utc")),
            missing_hours=missing,
        )

    def api_totals(self) -> ApiView:
        """Calls since this process began."""
        totals = self._running.parts.exchange.counter.totals
        failed = sum(count for kind, count in totals.items() if kind.startswith(_FAILURES))
        return ApiView(calls=sum(totals.values()), failed=failed)

    async def _unsent(self) -> int:
        outbox = self._running.outbox
        return sum(
            [await outbox.waiting(one) for one in outside_channels(self._running.recipients)]
        )

    def left_out(self) -> tuple[tuple[str, int], ...]:
        """How many markets each reason left out of the watch list, largest first."""
        return self._desk.monitor.selection.funnel() if self._desk else ()

    def books(self) -> tuple[OrderBook, ...]:
        """The books of the watched markets as they are kept."""
        return tuple(self._desk.monitor.books.values()) if self._desk else ()

    def agreement(self) -> str | None:
        """How often the kept books agree with the venue's own summary; ``None`` before any."""
        if self._desk is None or not self._desk.monitor.agreement.compared:
            return None
        seen = self._desk.monitor.agreement
        permille = seen.equal * 1_000 // seen.compared
        return f"{permille // 10}.{permille % 10} % of {seen.compared}"


def _outcome(answer: EngineReply, *, done: str, remedy: str) -> Outcome:
    if answer.is_refused:
        return Refused(why=answer.text, remedy=remedy)
    return Done(text=f"{done}, {answer.text}" if done else answer.text)


def _moment(text: str | None) -> int | None:
    return None if text is None else parse_rfc3339(text)
