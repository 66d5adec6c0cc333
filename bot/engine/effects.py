"""What the engine asks the outside world to do.

The runner executes one event's effects in order, and returns what came of them
as events. The contract, effect by effect:

===================== ========================================================================
``Commit``            one transaction under ``epoch``: all records and notices, or none.
                      Refused (``NotLeader``, ``TradingHalted``, store gone): every ``SendOrder``
                      of an intent inside it is skipped and answered with ``OrderNotSent``.
``SendOrder``         ask the gate, send once, answer with ``OrderAcknowledged``,
                      ``OrderRefused``, ``OrderNotSent`` or ``OrderOutcomeUnknown``. The intent
                      is in a ``Commit`` before it. Entries carry the epoch's entry group,
                      resting take-profits its exit group, immediate orders none.
``CancelOrder``       answer ``CancelAcknowledged`` or ``CancelUnsettled``. Needs no gate: a
                      cancel never opens risk.
``LookUpOrder``       find by our id, every page: ``OrderReported`` or ``OrderMissing``; on a
                      failed read nothing - the engine asks again.
``ReadFills``         fills of one order: a ``FillReported`` each.
``ReadExchange``      the whole account: one ``ExchangeRead``.
``TriggerEntryGroups`` shut the epoch's entry groups at the venue, now, before any write.
``RenewEntryGroups``  make new entry groups before the next entry (after an unhalt: a triggered
                      group is never reset).
``SaveHalt``          write ``risk_state`` (no fence), again and again until it is durable;
                      then ``HaltSaved``. Never blocks the effects after it.
``Reply``             a line to the operator who gave the command, by its number.
===================== ========================================================================
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import msgspec

from bot.domain.ids import ClientOrderId, Epoch, MarketTicker, OrderId
from bot.domain.orders import OrderIntent
from bot.domain.records import HaltRecord, Record


class NoticeKind(StrEnum):
    """What a person is told about; the alert catalogue holds one text for each."""

    BREAKER_TRIPPED = "breaker_tripped"
    BREAKER_RESET = "breaker_reset"
    HALT_SET = "halt_set"
    HALT_CLEARED = "halt_cleared"
    PAUSED = "paused"
    RESUMED = "resumed"
    POSITION_OPENED = "position_opened"
    POSITION_CLOSED = "position_closed"
    EXIT_STUCK = "exit_stuck"
    ORDER_UNKNOWN = "order_unknown"
    FOREIGN_ACTIVITY = "foreign_activity"
    RECONCILED = "reconciled"
    FILL_SEEN = "fill_seen"
    APPROVAL_WANTED = "approval_wanted"
    APPROVAL_ENDED = "approval_ended"
    PANIC_BEGUN = "panic_begun"
    PANIC_WAITS = "panic_waits"
    PANIC_ENDED = "panic_ended"
    CRITICAL_ERROR = "critical_error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something a human should read. ``facts`` fill the catalogue's text; amounts are text."""

    kind: NoticeKind
    facts: tuple[tuple[str, str], ...]


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """Write these together or not at all."""

    epoch: Epoch
    records: tuple[Record, ...]
    notices: tuple[Notice, ...] = ()


class SendOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Send a committed intent, once."""

    intent: OrderIntent


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrder:
    """Cancel an order of ours that the venue has named."""

    client_order_id: ClientOrderId
    order_id: OrderId
    ticker: MarketTicker


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUpOrder:
    """Find out what became of an order. ``since_us`` is safely before it was sent."""

    client_order_id: ClientOrderId
    ticker: MarketTicker
    since_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFills:
    """Fetch the fills of an order whose total is known but whose executions are not."""

    order_id: OrderId


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadExchange:
    """Read positions, orders, fills, settlements and balance for a reconciliation."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerEntryGroups:
    """Shut this epoch's entry groups at the venue."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewEntryGroups:
    """Replace this epoch's triggered entry groups by new ones."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveHalt:
    """Make a halt or its end durable."""

    record: HaltRecord
    command_id: int
    ends: HaltRecord | None = None
    """The halt that an unhalt is meant to end, and no other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Answer a command. ``is_done`` false says the command is refused or not finished yet."""

    command_id: int
    text: str
    is_done: bool


Effect: TypeAlias = (
    Commit
    | SendOrder
    | CancelOrder
    | LookUpOrder
    | ReadFills
    | ReadExchange
    | TriggerEntryGroups
    | RenewEntryGroups
    | SaveHalt
    | Reply
)
