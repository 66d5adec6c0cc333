"""Sends an order, once.

Whatever is not a clear answer is an unknown outcome: it is never sent again, and
the engine has it looked up.
"""

import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

from bot.domain.errors import (
    BotError,
    CredentialsRefused,
    ExchangeUnavailable,
    OrderRejected,
)
from bot.domain.events import (
    Event,
    OrderAcknowledged,
    OrderNotSent,
    OrderOutcomeUnknown,
    OrderRefused,
)
from bot.domain.ids import OrderGroupId
from bot.domain.orders import OrderAck, OrderIntent, Purpose, TimeInForce
from bot.engine.effects import Notice
from bot.engine.groups import OrderGroups
from bot.kit.clock import Clock
from bot.ports.exchange import Exchange
from bot.ports.messages import AuditEntry, OutgoingMessage
from bot.ports.trading import TradingStore

logger = logging.getLogger(__name__)

GROUP_TRIPPED = "exceeded_order_group_risk_limit"
"""The venue's word for an order whose group takes none until it is reset, which we never do."""


class TradingGate(Protocol):
    """The lead, as the order path sees it."""

    def may_trade(self) -> bool:
        """Whether a request to the exchange may start now. Cheap, and never optimistic."""
        ...


class HearsReplies(Protocol):
    """Where answers to commands go."""

    def reply(self, command_id: int, text: str, *, is_done: bool) -> None:
        """The answer to a command; ``is_done`` false is a refusal or a first word."""
        ...


def _no_act(_command_id: int) -> AuditEntry | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What one leadership's effects act on."""

    exchange: Exchange
    store: TradingStore
    gate: TradingGate
    groups: OrderGroups
    clock: Clock
    random: Random
    replies: HearsReplies
    messages_of: Callable[[Notice], Sequence[OutgoingMessage]]
    """Turns a notice into what is queued for the operators, in the same transaction."""
    act_of: Callable[[int], AuditEntry | None] = _no_act
    """The audit row of a command, stored with what makes the command's act durable."""
    is_dry_run: bool = False


class OrderSender:
    """The only caller of the exchange's order entry."""

    def __init__(
        self, around: Surroundings, group_refused: Callable[[OrderGroupId], None] = lambda _: None
    ) -> None:
        """``group_refused`` is told of a group that the venue says has tripped."""
        self._around = around
        self._group_refused = group_refused
        self._entries_stopped = False

    def stop_entries(self, *, stopped: bool = True) -> None:
        """Keep entries that are decided but not sent from leaving; takes effect at once."""
        self._entries_stopped = stopped

    def send(self, intent: OrderIntent) -> Coroutine[Any, Any, Event]:
        """Send a committed intent: in this call, if its group is made. Await what came of it."""
        if not _carries_group(intent):
            return self._send_now(intent, None)
        group = self._around.groups.made_for(intent.purpose, intent.exchange_index)
        return self._make_group(intent) if group is None else self._send_now(intent, group)

    async def _make_group(self, intent: OrderIntent) -> Event:
        try:
            refusal = self._why_not(intent)
            if refusal:
                return self.not_sent(intent, refusal)
            group = await self._around.groups.group_for(intent.purpose, intent.exchange_index)
        except BotError as fault:
            return self.not_sent(intent, str(fault) or type(fault).__name__)
        # Making a group may have taken long enough for the answer to change.
        return await self._send_now(intent, group)

    def _send_now(
        self, intent: OrderIntent, group: OrderGroupId | None
    ) -> Coroutine[Any, Any, Event]:
        refusal = self._why_not(intent)
        if refusal:
            return _said(self.not_sent(intent, refusal))
        try:
            asked = self._around.exchange.create_order(intent, order_group_id=group)
        except Exception as fault:  # noqa: BLE001 - the effect executor: doubt is a state
            return _said(self._after_fault(intent, fault))
        return self._answer(intent, asked, group)

    def not_sent(self, intent: OrderIntent, reason: str) -> OrderNotSent:
        """Say that it never left."""
        logger.info("order not sent", extra={**_facts(intent), "reason": reason})
        return OrderNotSent(
            received_us=self._around.clock.now_us(),
            client_order_id=intent.client_order_id,
            reason=reason,
        )

    async def _answer(
        self, intent: OrderIntent, asked: Awaitable[OrderAck], group: OrderGroupId | None
    ) -> Event:
        try:
            ack = await asked
        except Exception as fault:  # noqa: BLE001 - the effect executor: doubt is a state
            if group is not None and getattr(fault, "code", "") == GROUP_TRIPPED:
                # The frame that said so was lost, or is late: no order may carry it any more.
                self._group_refused(group)
            return self._after_fault(intent, fault)
        logger.info("order sent", extra={**_facts(intent), "filled_e2": ack.filled})
        return OrderAcknowledged(received_us=self._around.clock.now_us(), ack=ack)

    def _after_fault(self, intent: OrderIntent, fault: Exception) -> Event:
        now_us, mine = self._around.clock.now_us(), intent.client_order_id
        match fault:
            case OrderRejected():
                return OrderRefused(
                    received_us=now_us, client_order_id=mine, code=fault.code, reason=fault.reason
                )
            case CredentialsRefused():
                return OrderRefused(
                    received_us=now_us,
                    client_order_id=mine,
                    code="unauthorized",
                    reason=str(fault),
                )
            case ExchangeUnavailable():
                # Our own pace included: the exchange's 429 to an order is a rejection.
                return self.not_sent(intent, str(fault))
            case _:
                if not isinstance(fault, BotError):
                    logger.error("order send broke", extra=_facts(intent), exc_info=fault)
                reason = str(fault) or type(fault).__name__
                return OrderOutcomeUnknown(received_us=now_us, client_order_id=mine, reason=reason)

    def _why_not(self, intent: OrderIntent) -> str:
        if self._around.is_dry_run:
            return "dry run: it would have been sent"
        if not self._around.gate.may_trade():
            return "the lead is in doubt"
        if intent.purpose is Purpose.ENTRY and self._entries_stopped:
            return "entries are stopped"
        return ""


def _carries_group(intent: OrderIntent) -> bool:
    """Entries carry the epoch's group, and so do exits that may rest."""
    may_rest = intent.time_in_force is TimeInForce.GOOD_TILL_CANCELED
    return intent.purpose is Purpose.ENTRY or (intent.purpose is Purpose.TAKE_PROFIT and may_rest)


async def _said(event: Event) -> Event:
    return event


def _facts(intent: OrderIntent) -> dict[str, object]:
    return {
        "client_order_id": intent.client_order_id,
        "ticker": intent.ticker,
        "purpose": intent.purpose.value,
        "side": intent.side.value,
        "price_e4": intent.price,
        "quantity_e2": intent.quantity,
        "epoch": intent.epoch,
    }
