"""The life of one of our orders, told by messages that come late, twice or not at all.

Every function takes what is known and one message and returns what is known
after it. Knowledge only grows: a filled total never shrinks and a final state is
never left, but for ``ABANDONED``, which was a presumption. An outcome we do not
know is a state of its own (``UNKNOWN``) that only evidence ends; nothing is ever
sent again to find out.
"""

import msgspec
from msgspec.structs import replace

from bot.domain.ids import OrderId
from bot.domain.money import Money, Quantity
from bot.domain.orders import Fill, Order, OrderAck, OrderIntent, OrderStatus, TimeInForce
from bot.domain.records import OrderRecord
from bot.kit.times import SECOND_US

ANSWER_PATIENCE_US = 10 * SECOND_US
"""How long a send or cancel may go unanswered before the order is looked up."""
ABANDON_AFTER_US = 10 * SECOND_US
ABANDON_AFTER_LOOKUPS = 3
"""An order that this many complete lookups over this time did not find never arrived."""
CREATION_SLACK_US = 60 * SECOND_US
"""How far before our decision the venue's creation stamp may lie: clocks differ."""
CREATION_DELAY_US = 10 * 60 * SECOND_US
"""How long after it: a send may have been stuck, but not for ever."""

_WORKING = frozenset({OrderStatus.RESTING, OrderStatus.PARTIALLY_FILLED})
_UNANSWERED = frozenset({OrderStatus.SUBMITTING, OrderStatus.UNKNOWN})


class TrackedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order and all we know of it.

    ``filled`` is the most any message has claimed; ``booked`` is the part whose
    executions we hold, worth ``value`` at YES-leg prices and ``fees``.
    ``doubt_since_us`` is when its fate (or its cancel's) became doubtful.
    """

    intent: OrderIntent
    status: OrderStatus = OrderStatus.SUBMITTING
    order_id: OrderId | None = None
    filled: Quantity
    booked: Quantity
    value: Money
    fees: Money
    reason: str = ""
    doubt_since_us: int | None = None
    lookups: int = 0
    asked_us: int = 0
    """When the last question about it (send, cancel, lookup) went out."""
    updated_us: int

    @property
    def remaining(self) -> Quantity:
        """What may still fill."""
        return Quantity(0 if self.status.is_final else self.intent.quantity - self.filled)

    @property
    def is_final(self) -> bool:
        """Whether nothing can happen to it any more (its executions may still be on the way)."""
        return self.status.is_final

    @property
    def is_working(self) -> bool:
        """Whether it rests at the venue, as far as we know, with no cancel on the way."""
        return self.status in _WORKING

    @property
    def is_in_doubt(self) -> bool:
        """Whether its fate has to be looked up."""
        return self.doubt_since_us is not None and not self.is_final

    def record(self) -> OrderRecord:
        """What is stored."""
        return OrderRecord(
            client_order_id=self.intent.client_order_id,
            status=self.status,
            order_id=self.order_id,
            filled=self.filled,
            reason=self.reason,
            updated_us=self.updated_us,
        )


def submitted(intent: OrderIntent) -> TrackedOrder:
    """An order at the moment it is decided."""
    return TrackedOrder(
        intent=intent,
        filled=Quantity(0),
        booked=Quantity(0),
        value=Money(0),
        fees=Money(0),
        asked_us=intent.decided_us,
        updated_us=intent.decided_us,
    )


def acknowledged(order: TrackedOrder, ack: OrderAck, now_us: int) -> TrackedOrder:
    """The venue took it. Nothing remaining means it is over: filled, or cancelled at once."""
    order = _claimed(_seen(order, ack.order_id, now_us), ack.filled, now_us)
    if order.is_final:
        return order
    if ack.remaining == 0:
        return _ended(order, OrderStatus.CANCELED, now_us)
    if order.status is OrderStatus.CANCELING:
        return order
    return _rests(order, now_us)


def refused(order: TrackedOrder, code: str, reason: str, now_us: int) -> TrackedOrder:
    """The venue said no. Believed only of an order nothing else is known of."""
    return _never_was(order, OrderStatus.REJECTED, f"{code}: {reason}", now_us)


def not_sent(order: TrackedOrder, reason: str, now_us: int) -> TrackedOrder:
    """It never left."""
    return _never_was(order, OrderStatus.DENIED, reason, now_us)


def outcome_unknown(order: TrackedOrder, reason: str, now_us: int) -> TrackedOrder:
    """It left, and nobody knows. No effect on an order that is known to rest or to be over."""
    if order.status is not OrderStatus.SUBMITTING:
        return order
    return replace(
        order, status=OrderStatus.UNKNOWN, reason=reason, doubt_since_us=now_us, updated_us=now_us
    )


def reported(order: TrackedOrder, report: Order, now_us: int) -> TrackedOrder:
    """The venue's own view. It may be older than what we know, so it only adds."""
    filled = report.initial if report.status is OrderStatus.EXECUTED else report.filled
    order = _claimed(_seen(order, report.order_id, now_us), filled, now_us)
    if order.is_final:
        return order
    if report.status.is_final:
        return _ended(order, OrderStatus.CANCELED, now_us)
    if order.status is OrderStatus.CANCELING and not order.is_in_doubt:
        return order  # the report may have crossed our cancel on the way
    if order.intent.time_in_force is not TimeInForce.GOOD_TILL_CANCELED:
        return order  # an immediate order never rests: a passing state
    return _rests(order, now_us)


def filled_by(order: TrackedOrder, fill: Fill, now_us: int) -> TrackedOrder:
    """One execution, never seen before (the caller drops repeats).

    A fill does not settle a doubtful send: how much more may fill is still unknown.
    """
    booked = Quantity(order.booked + fill.quantity)
    order = replace(
        _seen(order, fill.order_id, now_us),
        booked=booked,
        value=Money(order.value + fill.price * fill.quantity),
        fees=Money(order.fees + fill.fee),
    )
    return _claimed(order, booked, now_us)


def cancel_sent(order: TrackedOrder, now_us: int) -> TrackedOrder:
    """We asked the venue to cancel it."""
    assert order.is_working
    return replace(order, status=OrderStatus.CANCELING, asked_us=now_us, updated_us=now_us)


def cancel_acknowledged(order: TrackedOrder, reduced_by: Quantity, now_us: int) -> TrackedOrder:
    """Cancelled. What was not reduced had been filled, whether we saw the fills or not."""
    order = _claimed(order, Quantity(order.intent.quantity - reduced_by), now_us)
    return order if order.is_final else _ended(order, OrderStatus.CANCELED, now_us)


def cancel_unsettled(order: TrackedOrder, reason: str, now_us: int) -> TrackedOrder:
    """``not_found`` proves nothing (cancelled, executed or unknown): look it up."""
    if order.is_final or order.is_in_doubt:
        return order
    return replace(order, doubt_since_us=now_us, reason=reason, updated_us=now_us)


def looked_up(order: TrackedOrder, now_us: int) -> TrackedOrder:
    """A lookup went out."""
    return replace(order, asked_us=now_us)


def missing(order: TrackedOrder, now_us: int) -> TrackedOrder:
    """A complete lookup did not find it. Enough of those, and it never arrived.

    An order the venue has named or filled cannot have been lost: its doubt stays.
    """
    if not order.is_in_doubt:
        return order
    order = replace(order, lookups=order.lookups + 1, updated_us=now_us)
    since_us = order.doubt_since_us or 0
    is_long = now_us - since_us >= ABANDON_AFTER_US and order.lookups >= ABANDON_AFTER_LOOKUPS
    if not is_long or order.order_id is not None or order.filled:
        return order
    return _ended(replace(order, reason="never arrived"), OrderStatus.ABANDONED, now_us)


def aged(order: TrackedOrder, now_us: int) -> TrackedOrder:
    """Put an order in doubt whose send or cancel has had no answer for too long."""
    is_asked = order.status in (OrderStatus.SUBMITTING, OrderStatus.CANCELING)
    if not is_asked or order.is_in_doubt or now_us - order.asked_us < ANSWER_PATIENCE_US:
        return order
    if order.status is OrderStatus.SUBMITTING:
        return outcome_unknown(order, "no answer", now_us)
    return cancel_unsettled(order, "no answer to the cancel", now_us)


def recovered(order: TrackedOrder, now_us: int) -> TrackedOrder:
    """An order read back from the store by a new process: whatever was on its way is in doubt."""
    if order.status is OrderStatus.SUBMITTING:
        return outcome_unknown(order, "process ended while sending", now_us)
    if order.status is OrderStatus.CANCELING:
        return cancel_unsettled(order, "process ended while cancelling", now_us)
    return order


def closed_by_venue(order: TrackedOrder, now_us: int) -> TrackedOrder:
    """The market is settled: nothing can fill any more."""
    return order if order.is_final else _ended(order, OrderStatus.CANCELED, now_us)


def matches(intent: OrderIntent, order: Order) -> bool:
    """Whether an order at the venue is the one we meant, in every respect it shows."""
    return (
        order.client_order_id == intent.client_order_id
        and order.ticker == intent.ticker
        and order.side is intent.side
        and order.price == intent.price
        and order.initial == intent.quantity
        and -CREATION_SLACK_US <= order.created_us - intent.decided_us <= CREATION_DELAY_US
    )


def _seen(order: TrackedOrder, order_id: OrderId, now_us: int) -> TrackedOrder:
    """The venue knows it. One we had given up is in doubt again."""
    if order.status is not OrderStatus.ABANDONED:
        return replace(order, order_id=order_id)
    return replace(
        order, order_id=order_id, status=OrderStatus.UNKNOWN, doubt_since_us=now_us, lookups=0
    )


def _claimed(order: TrackedOrder, filled: Quantity, now_us: int) -> TrackedOrder:
    """Raise the filled total; a completely filled order is executed."""
    if filled > order.filled:
        order = replace(order, filled=filled, updated_us=now_us)
    if not order.is_final and order.filled >= order.intent.quantity:
        return _ended(order, OrderStatus.EXECUTED, now_us)
    if order.status is OrderStatus.RESTING and order.filled:
        return replace(order, status=OrderStatus.PARTIALLY_FILLED)
    return order


def _rests(order: TrackedOrder, now_us: int) -> TrackedOrder:
    status = OrderStatus.PARTIALLY_FILLED if order.filled else OrderStatus.RESTING
    return replace(
        order, status=status, doubt_since_us=None, lookups=0, reason="", updated_us=now_us
    )


def _ended(order: TrackedOrder, status: OrderStatus, now_us: int) -> TrackedOrder:
    if order.filled >= order.intent.quantity:
        status = OrderStatus.EXECUTED
    return replace(order, status=status, doubt_since_us=None, updated_us=now_us)


def _never_was(order: TrackedOrder, status: OrderStatus, reason: str, now_us: int) -> TrackedOrder:
    if order.status not in _UNANSWERED or order.order_id is not None or order.filled:
        return order
    return _ended(replace(order, reason=reason), status, now_us)
