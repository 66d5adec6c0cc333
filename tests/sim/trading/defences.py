"""What keeps an account right, each of which a storm may go without.

Nothing of the bot is patched: a defence is left out by the parts a process is built
from - other settings, an engine that is told or tells less, a weaker store or wire.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from enum import StrEnum
from random import Random

import msgspec

from bot.domain.errors import BotError, OutcomeUnknown
from bot.domain.events import (
    CancelAcknowledged,
    EntryJudged,
    Event,
    ExchangeRead,
    FillReported,
    HaltCommanded,
    OrderMissing,
    OrderOutcomeUnknown,
    OrderRefused,
    StateLoaded,
)
from bot.domain.ids import ClientOrderId, Epoch, FillId, InstanceId, OrderGroupId, Scope
from bot.domain.orders import BookSide, OrderAck, OrderIntent
from bot.domain.records import Record
from bot.domain.signals import Signal
from bot.engine.core import Engine
from bot.engine.effects import CancelOrder, Effect, LookUpOrder
from bot.engine.executor import EffectExecutor
from bot.engine.groups import OrderGroups
from bot.engine.sending import Surroundings
from bot.engine.settings import EngineSettings
from bot.execution.rules import BracketRules
from bot.kit.times import HOUR_US, MINUTE_US
from bot.ports.messages import OutgoingMessage
from bot.strategies.base import MarketView, Opinion
from tests.fakes.trading import _Tables
from tests.sim.defences import LeavesGroups
from tests.sim.trading.floor import Floor
from tests.sim.trading.store import SlowStore
from tests.sim.trading.wire import Wire
from tests.support.rehearsed import RehearsedEngine
from tests.support.trading import Eager


class Defence(StrEnum):
    """One thing that a storm can do without."""

    VENUE_FENCE = "a successor triggers the older epochs' groups"
    DATABASE_FENCE = "the database refuses a stale epoch"
    COMMIT_FIRST = "an intent is durable before its order leaves"
    SENT_ONCE = "an order whose answer was lost is not sent again"
    UNKNOWN_IS_A_STATE = "an order whose answer was lost is not taken for refused"
    LOOKED_UP = "an order whose answer was lost is looked up"
    PATIENT = "an order that was not found once may still arrive"
    HALT_HEEDED = "the engine opens nothing from the moment of a halt"
    HALT_IN_SENDER = "what was decided before a halt does not leave after it"
    HALT_IN_DATABASE = "the database refuses an entry while halted"
    BRACKETS_LOADED = "a successor goes on with the brackets that were stored"
    FILLS_ONCE = "an execution counts once, however often it is told"
    COMPARED = "account and exchange are compared every minute"
    TAKE_PROFIT = "a take-profit rests for what is held"
    CANCEL_AWAITED = "nothing is sold before the take-profit is confirmed cancelled"
    REDUCE_ONLY = "an immediate exit may only reduce"
    STOP_WATCHED = "a stop is watched and fires"
    APPROVED_FIRST = "an entry above the threshold waits for a person"
    APPROVED_SIZE = "a person's yes is good for so many contracts"


ASKING = frozenset({Defence.APPROVED_FIRST, Defence.APPROVED_SIZE})
"""Of use only where a person is asked."""
Removed = frozenset[Defence]
NOTHING: Removed = frozenset()
_LATE_S = 0.5


def engine_without(
    removed: Removed, instance_id: InstanceId, *, approve_above_e6: int = 0
) -> Engine:
    """The engine of one leadership. ``approve_above_e6`` has larger entries approved."""
    rules = BracketRules()
    if Defence.STOP_WATCHED in removed:
        rules = BracketRules(
            stop_confirm_quotes=1_000_000, stop_confirm_us=HOUR_US, catastrophe_below_e4=10_000
        )
    strategies = [Eager(side=side) for side in (BookSide.BID, BookSide.ASK)]
    if Defence.TAKE_PROFIT in removed:
        strategies = [Aimless(side=one.side) for one in strategies]
    if Defence.APPROVED_FIRST in removed:
        approve_above_e6 = 0
    settings = EngineSettings(
        rules=rules,
        approve_above_e6=approve_above_e6,
        approval_valid_us=MINUTE_US,
        skipped_for_us=MINUTE_US,
    )
    return WeakEngine(settings, strategies, Scope("demo:main:0"), instance_id, removed)


def store_without(removed: Removed, random: Random) -> SlowStore:
    """The store of all leaderships."""
    return WeakStore(random, removed) if removed else SlowStore(random)


def wire_without(
    removed: Removed, floor: Floor, random: Random, share: Callable[[], float]
) -> Wire:
    """The way to the exchange."""
    return WeakWire(floor, random, share, removed) if removed else Wire(floor, random, share)


def executor_without(
    removed: Removed, around: Surroundings, report: Callable[[Event], None]
) -> EffectExecutor:
    """The hands of one leadership."""
    made = ForgetfulExecutor if Defence.HALT_IN_SENDER in removed else EffectExecutor
    return made(around, report)


def groups_without(removed: Removed) -> type[OrderGroups]:
    """The order groups of one leadership."""
    return LeavesGroups if Defence.VENUE_FENCE in removed else OrderGroups


class Aimless(Eager):
    """Wants no profit taken."""

    def on_quote(self, view: MarketView) -> Opinion:
        opinion = super().on_quote(view)
        if not isinstance(opinion, Signal):
            return opinion
        return msgspec.structs.replace(opinion, target_price=None)


class WeakEngine(RehearsedEngine):
    """Is told less than happened, or tells less than it decided."""

    def __init__(
        self,
        settings: EngineSettings,
        strategies: Iterable[Eager],
        scope: Scope,
        instance_id: InstanceId,
        removed: Removed,
    ) -> None:
        super().__init__(settings, tuple(strategies), scope, instance_id)
        self._removed = removed
        self._told = 0

    def handle(self, event: Event) -> tuple[Effect, ...]:
        heard = self._heard(event) if self._removed else event
        if heard is None:
            return ()
        halt = self.world.stance.halt
        effects = super().handle(heard)
        if isinstance(event, HaltCommanded) and Defence.HALT_HEEDED in self._removed:
            self.world.stance.halt = halt
        return self._said(effects) if self._removed else effects

    def _heard(self, event: Event) -> Event | None:  # noqa: PLR0911 - one arm a defence
        removed = self._removed
        match event:
            case OrderOutcomeUnknown() if Defence.UNKNOWN_IS_A_STATE in removed:
                return OrderRefused(
                    received_us=event.received_us,
                    client_order_id=event.client_order_id,
                    code="timeout",
                    reason=event.reason,
                )
            case OrderMissing() if Defence.PATIENT in removed:
                return OrderRefused(
                    received_us=event.received_us,
                    client_order_id=event.client_order_id,
                    code="not_found",
                    reason="looked up once",
                )
            case StateLoaded() if Defence.BRACKETS_LOADED in removed:
                return replace(event, state=replace(event.state, brackets=(), orders=()))
            case FillReported() if Defence.FILLS_ONCE in removed:
                self._told += 1
                fill_id = FillId(f"{event.fill.fill_id} {self._told}")
                return replace(event, fill=replace(event.fill, fill_id=fill_id))
            case EntryJudged() if Defence.APPROVED_SIZE in removed:
                return replace(event, contracts=None)
            case ExchangeRead() if Defence.COMPARED in removed:
                return None if self.world.stance.is_reconciled else event
            case _:
                return event

    def _said(self, effects: tuple[Effect, ...]) -> tuple[Effect, ...]:
        said: list[Effect] = []
        for effect in effects:
            if isinstance(effect, LookUpOrder) and Defence.LOOKED_UP in self._removed:
                continue
            said.append(effect)
            if isinstance(effect, CancelOrder) and Defence.CANCEL_AWAITED in self._removed:
                said += self._believed_cancelled(effect)
        return tuple(said)

    def _believed_cancelled(self, effect: CancelOrder) -> tuple[Effect, ...]:
        bracket = self.world.desk.of_order(effect.client_order_id)
        if bracket is None:
            return ()
        mine = [
            one for one in bracket.orders() if one.intent.client_order_id == effect.client_order_id
        ]
        left = mine[0].remaining if mine else None
        if left is None:
            return ()
        return super().handle(
            CancelAcknowledged(
                received_us=self.world.now_us,
                client_order_id=effect.client_order_id,
                reduced_by=left,
            )
        )


class WeakStore(SlowStore):
    """The database's side, less what is removed."""

    def __init__(self, random: Random, removed: Removed) -> None:
        super().__init__(random)
        self._removed = removed

    async def commit(
        self,
        epoch: Epoch,
        records: tuple[Record, ...],
        messages: tuple[OutgoingMessage, ...],
        now_us: int,
    ) -> None:
        has_intent = any(isinstance(one, OrderIntent) for one in records)
        if Defence.COMMIT_FIRST in self._removed and has_intent:
            asyncio.get_running_loop().call_later(_LATE_S, self._write_all, epoch, records)
        else:
            await super().commit(epoch, records, messages, now_us)

    def _write_all(self, epoch: Epoch, records: tuple[Record, ...]) -> None:
        with contextlib.suppress(BotError):
            self._check(epoch)
            for record in records:
                self._write(self.tables, epoch, record)

    def _check(self, epoch: Epoch) -> None:
        if Defence.DATABASE_FENCE not in self._removed:
            super()._check(epoch)

    def _write(self, tables: _Tables, epoch: Epoch, record: Record) -> None:
        halt = self.stored_halt
        if Defence.HALT_IN_DATABASE in self._removed and halt is not None:
            self.stored_halt = replace(halt, halted=False)
        try:
            super()._write(tables, epoch, record)
        finally:
            self.stored_halt = halt


class WeakWire(Wire):
    """The adapter's side, less what is removed."""

    def __init__(
        self, floor: Floor, random: Random, share: Callable[[], float], removed: Removed
    ) -> None:
        super().__init__(floor, random, share)
        self._removed = removed

    def create_order(
        self, intent: OrderIntent, *, order_group_id: OrderGroupId | None
    ) -> Awaitable[OrderAck]:
        if Defence.REDUCE_ONLY in self._removed:
            intent = msgspec.structs.replace(intent, reduce_only=False)
        sent = super().create_order(intent, order_group_id=order_group_id)
        if Defence.SENT_ONCE not in self._removed:
            return sent
        return self._until_answered(sent, intent, order_group_id)

    async def _until_answered(
        self, sent: Awaitable[OrderAck], intent: OrderIntent, group: OrderGroupId | None
    ) -> OrderAck:
        try:
            return await sent
        except OutcomeUnknown:
            again = ClientOrderId(f"{intent.client_order_id}r")
            renamed = msgspec.structs.replace(intent, client_order_id=again)
            ack = await super().create_order(renamed, order_group_id=group)
            return replace(ack, client_order_id=intent.client_order_id)


class ForgetfulExecutor(EffectExecutor):
    """Lets entries leave that were decided before a halt."""

    def take(self, effects: tuple[Effect, ...]) -> None:
        super().take(effects)
        self._sender.stop_entries(stopped=False)
