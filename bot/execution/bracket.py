"""One position from its entry to its end: entry, resting take-profit, synthetic stop.

A bracket is a value. Facts (acks, fills, cancels, settlement) change it through
the functions here; what to do next is decided in ``protection`` from the facts
alone, so a restart in between changes nothing. Its state is derived, never set.

It never closes more than it holds: ``held`` counts what the venue has confirmed
as entered, less everything any exit is known to have filled, less what left by
other hands. Exits are sized from ``held``, and one exit order works at a time.
"""

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from bot.domain.ids import BracketId, ClientOrderId, EventTicker, MarketTicker, SignalId, StrategyId
from bot.domain.money import Money, Price, Quantity, cost
from bot.domain.orders import BookSide, Fill, own_price
from bot.domain.records import BracketState, ExitReason
from bot.execution.order_state import TrackedOrder, closed_by_venue, filled_by
from bot.execution.pricing import own_value

OrderChange = Callable[[TrackedOrder], TrackedOrder]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided once, at the signal. Prices are of the YES leg."""

    bracket_id: BracketId
    signal_id: SignalId
    strategy_id: StrategyId
    ticker: MarketTicker
    event_ticker: EventTicker
    title: str
    exchange_index: int
    side: BookSide
    entry_price: Price
    stop_price: Price | None
    target_price: Price | None
    wanted: Quantity
    opened_us: int


class PastExits(msgspec.Struct, frozen=True, kw_only=True):
    """Exit orders that are over and fully booked, in sum, in the held side's prices."""

    filled: Quantity
    value: Money
    fees: Money


NO_EXITS = PastExits(filled=Quantity(0), value=Money(0), fees=Money(0))


class StopWatch(msgspec.Struct, frozen=True):
    """A stop seen but not yet confirmed: since when, and on how many quotes."""

    since_us: int
    quotes: int
    last_quote_us: int


class Bracket(msgspec.Struct, frozen=True, kw_only=True):
    """A plan and everything that has happened to it.

    No dataclass, like all that an order waits for: those are slow to make and to change.
    """

    plan: Plan
    entry: TrackedOrder
    take_profit: TrackedOrder | None = None
    exit: TrackedOrder | None = None
    unbooked: tuple[TrackedOrder, ...] = ()
    """Earlier exit orders whose executions have not all arrived."""
    past: PastExits = NO_EXITS
    outside: Quantity
    """Contracts that left by other hands (a person closed them in the app)."""
    outside_value: Money
    attempt: int = 0
    """Exit orders made so far: part of their ids, so none is ever sent twice."""
    wants_out: ExitReason | None = None
    exit_floor: Price | None = None
    """Own price below which the wish to get out is dropped (a take-profit that slipped away)."""
    rounds: int = 0
    next_order_us: int = 0
    next_read_us: int = 0
    stop_watch: StopWatch | None = None
    settled_price: Price | None = None
    orphan_reason: str = ""
    exit_reason: ExitReason | None = None
    entered_us: int | None = None
    closed_us: int | None = None
    updated_us: int

    @property
    def state(self) -> BracketState:
        """Where it stands."""
        if self.orphan_reason:
            return BracketState.ORPHAN
        if self.closed_us is not None:
            is_settled = self.exit_reason is ExitReason.SETTLEMENT
            return BracketState.SETTLED if is_settled else BracketState.CLOSED
        if self.wants_out is not None:
            return BracketState.EXITING
        return self._open_state()

    def _open_state(self) -> BracketState:
        if self.entered == 0:
            return BracketState.PENDING_ENTRY
        if not self.entry.is_final:
            return BracketState.PARTIAL
        is_resting = self.take_profit is not None and not self.take_profit.is_final
        return BracketState.TP_WORKING if is_resting else BracketState.OPEN

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do (an orphan waits for a person instead)."""
        return self.closed_us is not None and not self.orphan_reason

    @property
    def entered(self) -> Quantity:
        """Contracts the entry is known to have bought."""
        return self.entry.filled

    @property
    def exited(self) -> Quantity:
        """Contracts our exits are known to have sold."""
        return Quantity(self.past.filled + sum(order.filled for order in self.exits()))

    @property
    def settled(self) -> Quantity:
        """Contracts the settlement paid out."""
        if self.settled_price is None:
            return Quantity(0)
        return Quantity(max(0, self.entered - self.exited - self.outside))

    @property
    def held(self) -> Quantity:
        """Contracts we surely hold now; what every exit is sized from."""
        if self.settled_price is not None:
            return Quantity(0)
        return Quantity(max(0, self.entered - self.exited - self.outside))

    @property
    def is_over_closed(self) -> bool:
        """Whether more left than ever came: two facts contradict each other."""
        return self.entered < self.exited + self.outside

    @property
    def entry_cost(self) -> Money:
        """What the entry paid, at its limit where executions are still on the way."""
        return self._worth(self.entry)

    @property
    def exit_value(self) -> Money:
        """What left came to: sales, other hands, settlement."""
        sales = sum(self._worth(order) for order in self.exits())
        payout = 0
        if self.settled_price is not None:
            payout = cost(own_price(self.plan.side, self.settled_price), self.settled)
        return Money(self.past.value + sales + self.outside_value + payout)

    @property
    def fees(self) -> Money:
        """Fees of every execution booked so far."""
        working = sum(order.fees for order in (self.entry, *self.exits()))
        return Money(self.past.fees + working)

    @property
    def profit(self) -> Money:
        """Realised profit after fees, once it is over."""
        return Money(self.exit_value - self.entry_cost - self.fees)

    def exits(self) -> tuple[TrackedOrder, ...]:
        """Every exit order that is not summed up in ``past``."""
        exits = self.unbooked
        if self.take_profit is not None:
            exits = (*exits, self.take_profit)
        return exits if self.exit is None else (*exits, self.exit)

    def orders(self) -> tuple[TrackedOrder, ...]:
        """Every order that may still change."""
        return (self.entry, *self.exits())

    def _worth(self, order: TrackedOrder) -> Money:
        side = self.plan.side
        on_the_way = Quantity(order.filled - order.booked)
        limit = own_price(side, order.intent.price)
        return Money(own_value(side, order.value, order.booked) + cost(limit, on_the_way))


def opened(plan: Plan, entry: TrackedOrder) -> Bracket:
    """A bracket at the moment its entry is decided."""
    return Bracket(
        plan=plan,
        entry=entry,
        outside=Quantity(0),
        outside_value=Money(0),
        updated_us=plan.opened_us,
    )


def with_order(
    bracket: Bracket, order_id: ClientOrderId, change: OrderChange, now_us: int
) -> Bracket:
    """Apply a change to the order that carries this id; without one, nothing changes."""

    def changed(order: TrackedOrder) -> TrackedOrder:
        return change(order) if order.intent.client_order_id == order_id else order

    after = replace(
        bracket,
        entry=changed(bracket.entry),
        take_profit=changed(bracket.take_profit) if bracket.take_profit else None,
        exit=changed(bracket.exit) if bracket.exit else None,
        unbooked=tuple(changed(order) for order in bracket.unbooked),
    )
    return bracket if after == bracket else _after_fact(after, now_us)


def with_fill(bracket: Bracket, order_id: ClientOrderId, fill: Fill, now_us: int) -> Bracket:
    """Book an execution of one of its orders, also of one already summed up."""
    if any(order.intent.client_order_id == order_id for order in bracket.orders()):
        return with_order(bracket, order_id, lambda order: filled_by(order, fill, now_us), now_us)
    value = own_value(bracket.plan.side, cost(fill.price, fill.quantity), fill.quantity)
    past = PastExits(
        filled=Quantity(bracket.past.filled + fill.quantity),
        value=Money(bracket.past.value + value),
        fees=Money(bracket.past.fees + fill.fee),
    )
    return _after_fact(replace(bracket, past=past), now_us)


def with_outside_exit(
    bracket: Bracket, quantity: Quantity, price: Price, now_us: int
) -> tuple[Bracket, Quantity]:
    """Contracts left by other hands at this YES-leg price. Returns how many were ours."""
    taken = Quantity(min(quantity, bracket.held))
    if taken <= 0:
        return bracket, Quantity(0)
    value = cost(own_price(bracket.plan.side, price), taken)
    after = replace(
        bracket,
        outside=Quantity(bracket.outside + taken),
        outside_value=Money(bracket.outside_value + value),
    )
    return _after_fact(after, now_us), taken


def with_settlement(bracket: Bracket, price: Price, now_us: int) -> Bracket:
    """The market paid ``price`` per YES contract: nothing rests or trades there any more."""
    if bracket.settled_price is not None:
        return bracket
    after = replace(
        bracket,
        settled_price=price,
        entry=closed_by_venue(bracket.entry, now_us),
        take_profit=_closed(bracket.take_profit, now_us),
        exit=_closed(bracket.exit, now_us),
    )
    return _after_fact(after, now_us)


def leaving(bracket: Bracket, reason: ExitReason, now_us: int) -> Bracket:
    """Want out, once and for all: a second reason does not replace the first.

    But for a wish to take a profit at a floor, which may be given up: any other reason is firmer.
    """
    is_firm = bracket.wants_out is not None and bracket.exit_floor is None
    if is_firm or bracket.closed_us is not None:
        return bracket
    return replace(
        bracket,
        wants_out=reason,
        exit_floor=None,
        rounds=0,
        next_order_us=0,
        updated_us=now_us,
    )


def orphaned(bracket: Bracket, reason: str, now_us: int) -> Bracket:
    """Hand it to a person: the bot no longer understands it."""
    return replace(bracket, orphan_reason=reason, updated_us=now_us)


def dismissed(bracket: Bracket, now_us: int) -> Bracket:
    """A person took over what the bot did not understand: it is no business of ours any more."""
    return replace(
        bracket,
        orphan_reason="",
        closed_us=now_us,
        exit_reason=ExitReason.OUTSIDE,
        outside=Quantity(max(0, bracket.entered - bracket.exited)),
        updated_us=now_us,
    )


def without_finished_exits(bracket: Bracket) -> Bracket:
    """Put exit orders that are over out of the way; booked ones are summed up."""
    done = [order for order in bracket.exits() if order.is_final]
    if not done:
        return bracket
    side, past = bracket.plan.side, bracket.past
    for order in done:
        if order.booked >= order.filled:
            past = PastExits(
                filled=Quantity(past.filled + order.filled),
                value=Money(past.value + own_value(side, order.value, order.booked)),
                fees=Money(past.fees + order.fees),
            )
    return replace(
        bracket,
        past=past,
        unbooked=tuple(order for order in done if order.booked < order.filled),
        take_profit=_unfinished(bracket.take_profit),
        exit=_unfinished(bracket.exit),
    )


def _after_fact(bracket: Bracket, now_us: int) -> Bracket:
    """What every new fact may entail: a first fill, a late fill, a contradiction."""
    bracket = replace(bracket, updated_us=now_us)
    if bracket.entered and bracket.entered_us is None:
        bracket = replace(bracket, entered_us=now_us)
    if bracket.is_over_closed and not bracket.orphan_reason:
        return orphaned(bracket, "more was sold than bought", now_us)
    if bracket.closed_us is not None and bracket.held:
        # A late fill: what looked finished holds contracts again and needs protection.
        return replace(bracket, closed_us=None, exit_reason=None, wants_out=None)
    return bracket


def _closed(order: TrackedOrder | None, now_us: int) -> TrackedOrder | None:
    return closed_by_venue(order, now_us) if order is not None else None


def _unfinished(order: TrackedOrder | None) -> TrackedOrder | None:
    return None if order is None or order.is_final else order
