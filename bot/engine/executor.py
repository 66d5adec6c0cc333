"""Carries out what the engine decided, in its order, and reports what came of it.

Commits are made one after the other, and an order leaves only after the commit
that holds its intent. What stops trading (group trigger, halt, replies) waits
for nothing, so that a halt works while the database is stalled.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import assert_never

from bot.domain.errors import (
    BotError,
    ExchangeUnavailable,
    NotLeader,
    OrderRejected,
    OutcomeUnknown,
    RequestRefused,
    StorageUnavailable,
    TradingHalted,
)
from bot.domain.events import (
    CancelAcknowledged,
    CancelUnsettled,
    Event,
    ExchangeRead,
    FillReported,
    HaltFound,
    HaltSaved,
    OrderGroupTripped,
    OrderMissing,
    OrderReported,
)
from bot.domain.ids import ClientOrderId, OrderGroupId
from bot.domain.orders import OrderIntent
from bot.domain.records import HaltRecord
from bot.engine.account_read import read_account
from bot.engine.effects import (
    CancelOrder,
    Commit,
    Effect,
    LookUpOrder,
    ReadExchange,
    ReadFills,
    RenewEntryGroups,
    Reply,
    SaveHalt,
    SendOrder,
    TriggerEntryGroups,
)
from bot.engine.sending import OrderSender, Surroundings
from bot.kit.backoff import Backoff

logger = logging.getLogger(__name__)

_RETRY = Backoff.of_ms(100, 2_000)


class EffectExecutor:
    """One leadership's hands."""

    def __init__(self, around: Surroundings, report: Callable[[Event], None]) -> None:
        self._around = around
        self._report = report
        self._batches: deque[tuple[Effect, ...]] = deque()
        self._batch_came = asyncio.Event()
        self._urgent: asyncio.Queue[Effect | OrderGroupTripped] = asyncio.Queue()
        self._begun: Awaitable[None] | None = None
        """The write of the oldest batch, where it has begun already."""
        self._group: asyncio.TaskGroup | None = None
        """Set while batches are worked off."""
        self._running = 0
        self._sender = OrderSender(around, self._on_refused_group)
        self._saving = asyncio.Lock()
        self._is_writing = False

    @property
    def is_busy(self) -> bool:
        """Whether anything decided is not finished."""
        return bool(self._running or self._batches or self._urgent.qsize())

    def hear(self, event: Event) -> bool:
        """Take note of an event on its way to the engine; whether the engine must know it.

        A group that the venue tripped takes no orders any more, so none may carry it.
        One that we triggered, or never made, is no news.
        """
        if not isinstance(event, OrderGroupTripped):
            return True
        if not self._around.groups.forget_tripped(event.order_group_id):
            return False
        # What was decided before the engine knew must not leave with a new group.
        self._sender.stop_entries()
        self._urgent.put_nowait(event)
        return True

    def _on_refused_group(self, group: OrderGroupId) -> None:
        now_us = self._around.clock.now_us()
        self._report(OrderGroupTripped(received_us=now_us, order_group_id=group))

    def take(self, effects: tuple[Effect, ...]) -> None:
        """Queue one event's effects; never waits."""
        ordered: list[Effect] = []
        for effect in effects:
            match effect:
                case TriggerEntryGroups():
                    self._sender.stop_entries()
                    # Now and once: a retry must not shut the groups made after an unhalt.
                    self._around.groups.condemn_entries()
                    self._urgent.put_nowait(effect)
                case SaveHalt():
                    if effect.record.halted:
                        self._sender.stop_entries()
                    self._urgent.put_nowait(effect)
                case Reply():
                    self._around.replies.reply(
                        effect.command_id, effect.text, is_done=effect.is_done
                    )
                case RenewEntryGroups():
                    self._around.groups.forget_entries()
                    self._sender.stop_entries(stopped=False)
                case _:
                    ordered.append(effect)
        if ordered and not self._sent_at_once(ordered):
            self._batches.append(tuple(ordered))
            self._batch_came.set()

    def _sent_at_once(self, effects: Sequence[Effect]) -> bool:
        """Begin to write the intent of a lone order, and send it if it is written in the call.

        Only where nothing is before it. A write that takes its time goes on in the order's turn.
        """
        if self._group is None or self._batches or self._is_writing:
            return False
        match effects:
            case [Commit(notices=()) as commit, SendOrder() as order]:
                around = self._around
                writing = around.store.commit(
                    commit.epoch, commit.records, (), around.clock.now_us()
                )
            case _:
                return False
        if isinstance(writing, asyncio.Future) and writing.done() and not writing.exception():
            self._send(self._group, order.intent)
            return True
        self._begun = writing
        return False

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._run_urgent(group), name="urgent effects")
            group.create_task(self._run_ordered(group), name="ordered effects")

    async def _run_urgent(self, group: asyncio.TaskGroup) -> None:
        while True:
            effect = await self._urgent.get()
            self._spawn(group, effect)

    async def _run_ordered(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        try:
            while True:
                self._batch_came.clear()
                while self._batches:
                    self._running += 1
                    self._is_writing = True
                    try:
                        await self._work_off(group, self._batches.popleft())
                    finally:
                        self._is_writing = False
                        self._running -= 1
                await self._batch_came.wait()
        finally:
            self._group = None
            if isinstance(self._begun, Coroutine):
                self._begun.close()

    async def _work_off(self, group: asyncio.TaskGroup, batch: tuple[Effect, ...]) -> None:
        refused: dict[ClientOrderId, str] = {}
        for effect in batch:
            if isinstance(effect, Commit):
                refused |= await self._commit(effect)
            elif isinstance(effect, SendOrder):
                intent = effect.intent
                if intent.client_order_id in refused:
                    reason = refused[intent.client_order_id]
                    self._report(self._sender.not_sent(intent, reason))
                else:
                    self._send(group, intent)
            else:
                self._spawn(group, effect)

    def _send(self, group: asyncio.TaskGroup, intent: OrderIntent) -> None:
        """Called in the turn of its commit: the order leaves before anything else."""
        self._running += 1
        group.create_task(self._hear(self._sender.send(intent)), name="SendOrder")

    async def _hear(self, sending: Awaitable[Event]) -> None:
        try:
            self._report(await sending)
        finally:
            self._running -= 1

    def _spawn(self, group: asyncio.TaskGroup, effect: Effect | OrderGroupTripped) -> None:
        self._running += 1
        group.create_task(self._act(effect), name=type(effect).__name__)

    async def _act(self, effect: Effect | OrderGroupTripped) -> None:
        try:
            await self._perform(effect)
        except ExchangeUnavailable as error:
            # The engine asks again for whatever it still needs.
            logger.warning(
                "api error", extra={"effect": type(effect).__name__, "reason": str(error)}
            )
        except BotError as error:
            logger.error(  # noqa: TRY400 - an expected class; its text says all
                "effect failed", extra={"effect": type(effect).__name__, "reason": str(error)}
            )
        finally:
            self._running -= 1

    async def _perform(  # noqa: C901, PLR0912 - one arm an effect
        self, effect: Effect | OrderGroupTripped
    ) -> None:
        match effect:
            case CancelOrder():
                await self._cancel(effect)
            case LookUpOrder():
                await self._look_up(effect)
            case ReadFills():
                await self._read_fills(effect)
            case ReadExchange():
                await self._read_exchange()
            case TriggerEntryGroups():
                await self._trigger_condemned()
            case OrderGroupTripped():
                await self._around.groups.note_triggered(effect.order_group_id)
            case SaveHalt():
                await self._save_halt(effect)
            case Commit() | SendOrder() | Reply() | RenewEntryGroups():
                raise AssertionError(f"{type(effect).__name__} is dealt with before")
            case _:
                assert_never(effect)

    async def _commit(self, commit: Commit) -> dict[ClientOrderId, str]:
        """Write it; returns why each intent inside may not be sent.

        A commit without an intent holds facts (fills, states) that must not be
        lost, so it is tried until it succeeds or this leadership ends.
        """
        around = self._around
        intents = [one for one in commit.records if isinstance(one, OrderIntent)]
        messages = [one for notice in commit.notices for one in around.messages_of(notice)]
        waits = _RETRY.waits(around.random)
        while True:
            writing, self._begun = self._begun, None
            try:
                await (
                    writing
                    or around.store.commit(
                        commit.epoch, commit.records, messages, around.clock.now_us()
                    )
                )
            except (NotLeader, TradingHalted) as refusal:
                logger.warning("commit refused", extra={"reason": str(refusal)})
                if isinstance(refusal, TradingHalted):
                    await self._report_halt()
                return {intent.client_order_id: str(refusal) for intent in intents}
            except StorageUnavailable as fault:
                logger.error("commit failed", extra={"reason": str(fault)})  # noqa: TRY400
                if intents:
                    return {intent.client_order_id: str(fault) for intent in intents}
                # Only now: chance is asked of the system, and an order would wait for it.
                await asyncio.sleep(next(waits))
            else:
                return {}

    async def _report_halt(self) -> None:
        """Tell the engine of the halt that refused a commit: it may have come by SQL."""
        try:
            record = await self._around.store.halt()
        except StorageUnavailable as fault:
            # The next entry is refused as well, and asks again.
            logger.warning("halt not read", extra={"reason": str(fault)})
            return
        self._report(HaltFound(received_us=self._around.clock.now_us(), record=record))

    async def _cancel(self, effect: CancelOrder) -> None:
        around, mine = self._around, effect.client_order_id
        try:
            ack = await around.exchange.cancel_order(effect.order_id, effect.ticker)
        except (OrderRejected, OutcomeUnknown, ExchangeUnavailable, RequestRefused) as fault:
            event: Event = CancelUnsettled(
                received_us=around.clock.now_us(), client_order_id=mine, reason=str(fault)
            )
        else:
            event = CancelAcknowledged(
                received_us=around.clock.now_us(), client_order_id=mine, reduced_by=ack.reduced_by
            )
        self._report(event)

    async def _look_up(self, effect: LookUpOrder) -> None:
        around, mine = self._around, effect.client_order_id
        order = await around.exchange.find_order(mine, effect.ticker, effect.since_us)
        now_us = around.clock.now_us()
        self._report(
            OrderReported(received_us=now_us, order=order)
            if order
            else OrderMissing(received_us=now_us, client_order_id=mine)
        )

    async def _read_fills(self, effect: ReadFills) -> None:
        for fill in await self._around.exchange.fills(order_id=effect.order_id):
            self._report(FillReported(received_us=self._around.clock.now_us(), fill=fill))

    async def _read_exchange(self) -> None:
        around = self._around
        requested_us = around.clock.now_us()
        cursor_us = await around.store.fill_cursor_us()
        truth = await read_account(around.exchange, cursor_us, requested_us)
        self._report(
            ExchangeRead(received_us=around.clock.now_us(), requested_us=requested_us, truth=truth)
        )

    async def _trigger_condemned(self) -> None:
        for wait_s in _RETRY.waits(self._around.random):
            try:
                await self._around.groups.trigger_condemned()
            except BotError as fault:
                # Triggering twice does no harm, so doubt is no reason to stop trying.
                logger.warning("api error", extra={"effect": "trigger", "reason": str(fault)})
                await asyncio.sleep(wait_s)
            else:
                return

    async def _save_halt(self, effect: SaveHalt) -> None:
        # One after the other: an older word must never overwrite a newer one.
        async with self._saving:
            held = await self._held_after(effect)
        now_us = self._around.clock.now_us()
        instead = held if held.halted and not effect.record.halted else None
        self._report(HaltSaved(received_us=now_us, command_id=effect.command_id, instead=instead))

    async def _held_after(self, effect: SaveHalt) -> HaltRecord:
        """Save it, however long that takes; returns what the store holds then."""
        for wait_s in _RETRY.waits(self._around.random):
            try:
                return await self._around.store.save_halt(
                    effect.record, self._around.act_of(effect.command_id), ends=effect.ends
                )
            except StorageUnavailable as fault:
                logger.error("halt not saved yet", extra={"reason": str(fault)})  # noqa: TRY400
                await asyncio.sleep(wait_s)
        raise AssertionError("the waits never end")
