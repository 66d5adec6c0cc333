"""What a bracket does next, from what is known now.

Level-triggered: every call compares what should be with what is and asks for at
most the next step, so messages may be lost, repeated or come in any order, and
a restart in between changes nothing. The order of steps out of a position is
fixed: cancel what rests, wait until the venue says how it ended, then sell what
is left with immediate reduce-only orders, round by round, a little cheaper each.

The stop is synthetic: it watches the best bid of the held side and exists only
while this process leads. It is frozen on stale, one-sided or very wide books and
in the last minutes before the close or a release, where a jump would pass through it anyway.
"""

from dataclasses import dataclass

from msgspec.structs import replace

from bot.domain.ids import Epoch
from bot.domain.market import PriceGrid
from bot.domain.money import Price, Quantity
from bot.domain.orders import OrderIntent, OrderStatus, Purpose, TimeInForce, own_price
from bot.domain.quotes import Quote
from bot.domain.records import ExitReason
from bot.execution.actions import Action, Alarm, Cancel, FetchFills, LookUp, Place
from bot.execution.bracket import Bracket, StopWatch, leaving, with_order, without_finished_exits
from bot.execution.order_names import exit_name
from bot.execution.order_state import (
    TrackedOrder,
    aged,
    cancel_sent,
    looked_up,
    submitted,
)
from bot.execution.pricing import exit_limit, own_ask, own_bid, take_profit_limit
from bot.execution.rules import BracketRules
from bot.kit.times import SECOND_US

Step = tuple[Bracket, tuple[Action, ...]]

_EXPIRY_GRACE_US = 2 * SECOND_US
"""The venue may sweep expired orders late; after this we cancel ourselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """The world as one bracket sees it. ``quote`` is ``None`` unless it is trusted and fresh."""

    now_us: int
    epoch: Epoch
    grid: PriceGrid
    close_us: int
    release_us: int | None = None
    """The nearest publication that moves this market, past or to come."""
    is_open: bool
    quote: Quote | None
    may_enter: bool
    may_exit: bool


def decide(bracket: Bracket, now: Situation, rules: BracketRules) -> Step:
    """The next step of one bracket. Asking again without news gives nothing new."""
    if bracket.closed_us is not None:
        return bracket, ()
    bracket, doubts = _look_up(_aged(bracket, now.now_us), now, rules)
    bracket, reads = _fetch_fills(bracket, now, rules)
    if bracket.orphan_reason and bracket.settled_price is None:
        bracket, acts = _stand_down(bracket, now)
        return bracket, (*doubts, *reads, *acts)
    bracket = _closed_if_done(bracket, now, rules)
    if bracket.closed_us is not None:
        return bracket, (*doubts, *reads)
    bracket = _judge(bracket, now, rules)
    bracket, acts = _leave(bracket, now, rules) if bracket.wants_out else _hold(bracket, now, rules)
    return bracket, (*doubts, *reads, *acts)


# --- doubts ---------------------------------------------------------------------------------


def _aged(bracket: Bracket, now_us: int) -> Bracket:
    for order in tuple(bracket.orders()):
        bracket = _changed(bracket, order, aged(order, now_us))
    return bracket


def _look_up(bracket: Bracket, now: Situation, rules: BracketRules) -> Step:
    actions: list[Action] = []
    for order in tuple(bracket.orders()):
        if order.is_in_doubt and now.now_us - order.asked_us >= rules.lookup_pause_us:
            bracket = _changed(bracket, order, looked_up(order, now.now_us))
            actions.append(LookUp(order))
    return bracket, tuple(actions)


def _fetch_fills(bracket: Bracket, now: Situation, rules: BracketRules) -> Step:
    missing = [
        order.order_id
        for order in bracket.orders()
        if order.is_final and order.booked < order.filled and order.order_id is not None
    ]
    if not missing or now.now_us < bracket.next_read_us:
        return bracket, ()
    # The private channel usually brings them first, so the first look is one pause away.
    is_first = bracket.next_read_us == 0
    bracket = replace(bracket, next_read_us=now.now_us + rules.fills_pause_us)
    return bracket, () if is_first else tuple(FetchFills(order_id) for order_id in missing)


# --- the end --------------------------------------------------------------------------------


def _closed_if_done(bracket: Bracket, now: Situation, rules: BracketRules) -> Bracket:
    if bracket.held or not all(order.is_final for order in bracket.orders()):
        return bracket
    is_booked = all(order.booked >= order.filled for order in bracket.orders())
    is_late = now.now_us - bracket.updated_us >= rules.fills_patience_us
    if not is_booked and not is_late:
        return bracket
    # A settlement ends what nobody understood as well: there is nothing left to hand over.
    return replace(
        bracket,
        closed_us=now.now_us,
        exit_reason=_why_over(bracket),
        orphan_reason="",
        updated_us=now.now_us,
    )


def _why_over(bracket: Bracket) -> ExitReason:
    if bracket.entered == 0:
        return ExitReason.NOT_FILLED
    if bracket.settled:
        return ExitReason.SETTLEMENT
    if bracket.wants_out is not None:
        return bracket.wants_out
    return ExitReason.TAKE_PROFIT if bracket.exited else ExitReason.OUTSIDE


# --- when to leave --------------------------------------------------------------------------


def _judge(bracket: Bracket, now: Situation, rules: BracketRules) -> Bracket:
    if bracket.wants_out is not None:
        return _given_up_if_slipped(bracket, now)
    if not bracket.held or not now.is_open or not now.may_exit:
        return _unwatched(bracket)
    if (reason := _time_to_go(bracket, now, rules)) is not None:
        return leaving(bracket, reason, now.now_us)
    if now.close_us - now.now_us <= rules.no_stop_us or _is_near_release(now, rules):
        return _unwatched(bracket)
    return _judge_price(_trailed(bracket, now, rules), now, rules)


def _is_near_release(now: Situation, rules: BracketRules) -> bool:
    """A jump passes through any stop: selling into it only makes sure of the worst price."""
    if now.release_us is None:
        return False
    return -rules.after_release_us < now.release_us - now.now_us <= rules.no_stop_us


def _trailed(bracket: Bracket, now: Situation, rules: BracketRules) -> Bracket:
    """Raise the stop behind a risen bid, in steps; a wide book raises nothing."""
    side, stop = bracket.plan.side, bracket.plan.stop_price
    if not rules.trail_by_e4 or stop is None or now.quote is None:
        return bracket
    bid, ask = own_bid(side, now.quote)[0], own_ask(side, now.quote)
    if bid is None or ask is None:
        return bracket
    entry, wanted = own_price(side, bracket.plan.entry_price), bid - rules.trail_by_e4
    is_due = bid >= entry + rules.trail_after_e4 and ask - bid <= rules.stop_spread_max_e4
    if not is_due or wanted < own_price(side, stop) + rules.trail_step_e4:
        return bracket
    plan = replace(bracket.plan, stop_price=own_price(side, Price(wanted)))
    return replace(bracket, plan=plan, updated_us=now.now_us)


def _time_to_go(bracket: Bracket, now: Situation, rules: BracketRules) -> ExitReason | None:
    is_closing = now.close_us - now.now_us <= rules.flatten_before_close_us
    if rules.flatten_before_close_us and is_closing:
        return ExitReason.BEFORE_CLOSE
    since_us = bracket.entered_us if bracket.entered_us is not None else now.now_us
    is_long = rules.max_hold_us and now.now_us - since_us >= rules.max_hold_us
    return ExitReason.TIME_STOP if is_long else None


def _judge_price(bracket: Bracket, now: Situation, rules: BracketRules) -> Bracket:
    stop, side = bracket.plan.stop_price, bracket.plan.side
    bid = own_bid(side, now.quote)[0] if now.quote else None
    ask = own_ask(side, now.quote) if now.quote else None
    if stop is None or now.quote is None or bid is None or ask is None:
        return _unwatched(bracket)
    level, spread = own_price(side, stop), ask - bid
    is_collapse = bid <= level - rules.catastrophe_below_e4
    if is_collapse and spread <= rules.catastrophe_spread_max_e4:
        return leaving(bracket, ExitReason.CATASTROPHE, now.now_us)
    if bid > level or spread > rules.stop_spread_max_e4:
        return _unwatched(bracket)
    watch = _watched(bracket.stop_watch, now.quote, now.now_us)
    is_confirmed = (
        watch.quotes >= rules.stop_confirm_quotes
        or now.now_us - watch.since_us >= rules.stop_confirm_us
    )
    bracket = replace(bracket, stop_watch=watch)
    return leaving(bracket, ExitReason.STOP_LOSS, now.now_us) if is_confirmed else bracket


def _unwatched(bracket: Bracket) -> Bracket:
    return bracket if bracket.stop_watch is None else replace(bracket, stop_watch=None)


def _watched(watch: StopWatch | None, quote: Quote, now_us: int) -> StopWatch:
    if watch is None:
        return StopWatch(since_us=now_us, quotes=1, last_quote_us=quote.received_us)
    if quote.received_us <= watch.last_quote_us:
        return watch
    return replace(watch, quotes=watch.quotes + 1, last_quote_us=quote.received_us)


def _given_up_if_slipped(bracket: Bracket, now: Situation) -> Bracket:
    """Drop the wish to take a profit that is not there any more; other reasons stay."""
    floor = bracket.exit_floor
    if floor is None or bracket.exit is not None or now.quote is None:
        return bracket
    bid, _ = own_bid(bracket.plan.side, now.quote)
    if bid is not None and bid >= floor:
        return bracket
    return replace(bracket, wants_out=None, exit_floor=None, updated_us=now.now_us)


# --- holding --------------------------------------------------------------------------------


def _hold(bracket: Bracket, now: Situation, rules: BracketRules) -> Step:
    actions: list[Action] = []
    if _entry_should_go(bracket, now):
        bracket = _cancel(bracket, bracket.entry, now, actions)
    bracket = without_finished_exits(bracket)
    if bracket.exit is not None:  # left over from a wish that was given up
        bracket = _cancel(bracket, bracket.exit, now, actions)
        return bracket, tuple(actions)
    if bracket.take_profit is not None:
        if _take_profit_should_go(bracket, bracket.take_profit, now):
            bracket = _cancel(bracket, bracket.take_profit, now, actions)
    elif bracket.held and now.may_exit and now.is_open and now.now_us >= bracket.next_order_us:
        bracket = _rest_take_profit(bracket, now, rules, actions)
    return bracket, tuple(actions)


def _entry_should_go(bracket: Bracket, now: Situation) -> bool:
    expires_us = bracket.entry.intent.expires_us
    is_overdue = expires_us is not None and now.now_us >= expires_us + _EXPIRY_GRACE_US
    return is_overdue or not now.may_enter or bracket.exited > 0 or bracket.outside > 0


def _take_profit_should_go(bracket: Bracket, order: TrackedOrder, now: Situation) -> bool:
    """At once when it could sell more than is held; after a pause when another shall rest."""
    if order.remaining > bracket.held:
        return True
    is_settled_down = now.now_us >= bracket.next_order_us and now.may_exit and now.is_open
    if not is_settled_down:
        return False
    return order.remaining < bracket.held or _is_repriced(bracket, order, now)


def _is_repriced(bracket: Bracket, order: TrackedOrder, now: Situation) -> bool:
    """Whether the plan wants another price than the one that rests: a person moved the target."""
    target, side = bracket.plan.target_price, bracket.plan.side
    if target is None:
        return False
    price = take_profit_limit(now.grid, side, own_price(side, target))
    return price is not None and price != order.intent.price


def _rest_take_profit(
    bracket: Bracket, now: Situation, rules: BracketRules, actions: list[Action]
) -> Bracket:
    target = bracket.plan.target_price
    if target is None:
        return bracket
    side = bracket.plan.side
    own = own_price(side, target)
    bid = own_bid(side, now.quote)[0] if now.quote else None
    if bid is not None and bid >= own:
        # Resting would cross: the profit is there to be taken.
        return replace(leaving(bracket, ExitReason.TAKE_PROFIT, now.now_us), exit_floor=own)
    price = take_profit_limit(now.grid, side, own)
    if price is None:
        return bracket
    intent = _exit_intent(bracket, now, "t", price, bracket.held)
    intent = replace(
        intent,
        purpose=Purpose.TAKE_PROFIT,
        time_in_force=TimeInForce.GOOD_TILL_CANCELED,
        post_only=True,
        reduce_only=False,
    )
    actions.append(Place(intent))
    # Refused orders come back here at once: each attempt waits a little.
    return replace(
        bracket,
        take_profit=submitted(intent),
        attempt=bracket.attempt + 1,
        next_order_us=now.now_us + max(rules.resize_pause_us, _refusal_pause(bracket, rules)),
    )


def _refusal_pause(bracket: Bracket, rules: BracketRules) -> int:
    """Later attempts are either resizes or refusals; only many of them slow down."""
    return rules.refusal_pause_us if bracket.attempt >= 3 else 0  # noqa: PLR2004 - first tries are quick


# --- leaving --------------------------------------------------------------------------------


def _leave(bracket: Bracket, now: Situation, rules: BracketRules) -> Step:
    actions: list[Action] = []
    bid = own_bid(bracket.plan.side, now.quote)[0] if now.quote else None
    if not now.is_open or not now.may_exit or bid is None:
        # Nothing could be sold after the take-profit: it is all the protection there is.
        return _cancel_unsafe(bracket, now, actions), tuple(actions)
    for order in tuple(bracket.orders()):
        # An immediate order that rests is against the rules and goes as well.
        bracket = _cancel(bracket, order, now, actions)
    bracket = without_finished_exits(bracket)
    is_waiting = bracket.take_profit is not None or bracket.exit is not None
    if is_waiting or _entry_is_on_its_way(bracket.entry) or not bracket.held:
        return bracket, tuple(actions)
    if now.now_us >= bracket.next_order_us:
        bracket = _sell(bracket, now, rules, bid, actions)
    return bracket, tuple(actions)


def _cancel_unsafe(bracket: Bracket, now: Situation, actions: list[Action]) -> Bracket:
    """The entry, and a take-profit that could sell more than is held."""
    bracket = _cancel(bracket, bracket.entry, now, actions)
    profit = bracket.take_profit
    if profit is not None and profit.remaining > bracket.held:
        bracket = _cancel(bracket, profit, now, actions)
    return without_finished_exits(bracket)


def _entry_is_on_its_way(entry: TrackedOrder) -> bool:
    """A cancel or send without answer yet. A lost answer does not hold back the exit."""
    if entry.is_in_doubt:
        return False
    return entry.status in (OrderStatus.SUBMITTING, OrderStatus.CANCELING)


def _sell(
    bracket: Bracket, now: Situation, rules: BracketRules, bid: Price, actions: list[Action]
) -> Bracket:
    slack = min(rules.exit_step_e4 * (bracket.rounds + 1), rules.exit_slack_max_e4)
    own = Price(max(bid - slack, bracket.exit_floor or 0))
    price = exit_limit(now.grid, bracket.plan.side, own)
    intent = _exit_intent(bracket, now, "x", price, bracket.held)
    actions.append(Place(intent))
    rounds = bracket.rounds + 1
    if rounds % rules.exit_alarm_rounds == 0:
        actions.append(Alarm(f"{rounds} exit rounds and {bracket.held} still held"))
    return replace(
        bracket,
        exit=submitted(intent),
        attempt=bracket.attempt + 1,
        rounds=rounds,
        next_order_us=now.now_us + rules.exit_pause_us,
        updated_us=now.now_us,
    )


# --- shared ---------------------------------------------------------------------------------


def _stand_down(bracket: Bracket, now: Situation) -> Step:
    """An orphan rests nothing: what it means to hold is not known."""
    actions: list[Action] = []
    for order in tuple(bracket.orders()):
        bracket = _cancel(bracket, order, now, actions)
    return bracket, tuple(actions)


def _cancel(
    bracket: Bracket, order: TrackedOrder, now: Situation, actions: list[Action]
) -> Bracket:
    """Cancel an order that rests; one without a name yet is cancelled when it has one."""
    if not order.is_working or order.order_id is None:
        return bracket
    actions.append(Cancel(order))
    return _changed(bracket, order, cancel_sent(order, now.now_us))


def _changed(bracket: Bracket, before: TrackedOrder, after: TrackedOrder) -> Bracket:
    if after is before:
        return bracket
    return with_order(bracket, before.intent.client_order_id, lambda _: after, after.updated_us)


def _exit_intent(
    bracket: Bracket, now: Situation, leg: str, price: Price, quantity: Quantity
) -> OrderIntent:
    plan = bracket.plan
    purposes = {None: Purpose.TAKE_PROFIT, ExitReason.TAKE_PROFIT: Purpose.TAKE_PROFIT}
    stops = (ExitReason.STOP_LOSS, ExitReason.CATASTROPHE)
    otherwise = Purpose.STOP_LOSS if bracket.wants_out in stops else Purpose.FLATTEN
    return OrderIntent(
        client_order_id=exit_name(plan.signal_id, leg, bracket.attempt, now.epoch),
        epoch=now.epoch,
        strategy_id=plan.strategy_id,
        signal_id=plan.signal_id,
        bracket_id=plan.bracket_id,
        purpose=purposes.get(bracket.wants_out, otherwise),
        ticker=plan.ticker,
        exchange_index=plan.exchange_index,
        side=plan.side.opposite,
        price=price,
        quantity=quantity,
        time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
        post_only=False,
        reduce_only=True,
        expires_us=None,
        decided_us=now.now_us,
    )
