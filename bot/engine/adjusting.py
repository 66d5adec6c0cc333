"""What a person changes about running trading: limits, strategies, and the ends of a bracket.

It is kept beside the breakers, under the epoch, and holds for every successor. A limit that
was loosened holds only while the configuration is the one it was loosened from: whoever
lowers the configuration is not overruled by an older word in the chat.
"""

import json
from dataclasses import replace

from msgspec.structs import replace as changed

from bot.domain.errors import InvariantBroken
from bot.domain.events import BracketCommanded, LimitCommanded, StrategyCommanded
from bot.domain.money import Price, shown_price
from bot.domain.orders import own_price
from bot.domain.records import BreakerRecord
from bot.engine.adjusted import ADJUSTED, Adjusted, Override
from bot.engine.draft import Draft
from bot.engine.work import work
from bot.engine.world import World
from bot.execution.bracket import Bracket
from bot.execution.pricing import own_bid
from bot.risk import adjustable
from bot.risk.adjustable import Adjustable


def load(world: World, record: BreakerRecord) -> None:
    """Read it back and let it hold.

    Raises:
        InvariantBroken: it cannot be read; guessing might loosen a limit.
    """
    try:
        data = json.loads(record.data_json)
        limits = {
            str(name): Override(
                value=int(one["value"]),
                configured=int(one["configured"]),
                set_by=str(one["set_by"]),
            )
            for name, one in data["limits"].items()
        }
        off = frozenset(str(name) for name in data["off"])
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise InvariantBroken(f"stored adjustments cannot be read: {fault}") from fault
    _take(world, Adjusted(limits=limits, off=off))


def set_limit(world: World, event: LimitCommanded, draft: Draft) -> str:
    """Set a limit, and say what came of it."""
    one = adjustable.named(event.name)
    if one is None:
        return f"refused: no limit {event.name!r}"
    configured, now = configured_value(world, one), value_now(world, one)
    value, told = event.value, adjustable.shown(one, event.value)
    if value == now:
        return f"{one.name} is {told} already"
    refusal = _why_not_this(world, one, event)
    if refusal:
        return f"refused: {refusal}"
    limits = dict(world.adjusted.limits)
    limits.pop(one.name, None)
    if value != configured:
        limits[one.name] = Override(value=value, configured=configured, set_by=event.actor)
    _take(world, replace(world.adjusted, limits=limits))
    _keep(world, draft)
    return f"{one.name} is {told}, was {adjustable.shown(one, now)}"


def value_now(world: World, one: Adjustable) -> int:
    """What holds."""
    return adjustable.value_in(one, world.settings.limits, world.settings.breakers)


def configured_value(world: World, one: Adjustable) -> int:
    """What would hold without anybody's word."""
    return adjustable.value_in(one, world.configured.limits, world.configured.breakers)


def _why_not_this(world: World, one: Adjustable, event: LimitCommanded) -> str:
    configured, now = configured_value(world, one), value_now(world, one)
    if event.value > now and not event.may_loosen:
        return f"{one.name} is {adjustable.shown(one, now)}; only an admin may loosen it"
    if one.is_capped and event.value > configured:
        shown = adjustable.shown(one, configured)
        return f"{one.name} is {shown} by configuration, and the exchange's fence is made for that"
    try:
        adjustable.with_value(one, event.value, world.settings.limits, world.settings.breakers)
    except ValueError as fault:
        return str(fault).replace("_bp", "_pct")
    return ""


def switch(world: World, event: StrategyCommanded, draft: Draft) -> str:
    """Switch one strategy, or all, and say what came of it."""
    known = tuple(one.strategy_id for one in world.all_strategies)
    if event.name is not None and event.name not in known:
        return f"refused: no strategy {event.name!r}; there are: {', '.join(known)}"
    chosen = frozenset(known if event.name is None else (event.name,))
    off = world.adjusted.off - chosen if event.is_on else world.adjusted.off | chosen
    word, names = "on" if event.is_on else "off", ", ".join(sorted(chosen))
    if off == world.adjusted.off:
        return f"{names}: {word} already"
    _take(world, replace(world.adjusted, off=off))
    _keep(world, draft)
    return f"{names}: {word}"


def change_bracket(world: World, event: BracketCommanded, draft: Draft) -> str:
    """Move the stop or the target of one of our positions, and say what came of it."""
    bracket = world.desk.in_market(event.ticker)
    refusal = _why_not(bracket, event)
    if bracket is None or refusal:
        return f"refused: {refusal}"
    side, plan = bracket.plan.side, bracket.plan
    stop = _moved(plan.stop_price, event.own_stop, bracket)
    target = _moved(plan.target_price, event.own_target, bracket)
    refusal = _why_not_these(world, bracket, stop, target)
    if refusal:
        return f"refused: {refusal}"
    after = changed(
        bracket,
        plan=changed(plan, stop_price=stop, target_price=target),
        stop_watch=None,
        updated_us=world.now_us,
    )
    # A resting take-profit at another price is cancelled, waited for and placed anew from here.
    work(world, after, draft)
    told = [
        f"{word} {shown_price(own_price(side, price))}"
        for word, price in (("stop", stop), ("target", target))
        if price
    ]
    return f"{plan.ticker}: {', '.join(told)}"


def _why_not(bracket: Bracket | None, event: BracketCommanded) -> str:
    if bracket is None:
        return f"the bot has no position in {event.ticker}"
    if bracket.orphan_reason:
        return f"it is left to a person: {bracket.orphan_reason}"
    if bracket.wants_out is not None:
        return "it is being sold"
    ends = bracket.plan.stop_price or None, bracket.plan.target_price or None
    if ends != (event.seen_stop, event.seen_target):
        return "its stop or target has changed meanwhile"
    return ""


def _moved(before: Price | None, own: Price | None, bracket: Bracket) -> Price | None:
    return before if own is None else own_price(bracket.plan.side, own)


def _why_not_these(world: World, bracket: Bracket, stop: Price | None, target: Price | None) -> str:
    side = bracket.plan.side
    own_stop = own_price(side, stop) if stop else None
    own_target = own_price(side, target) if target else None
    if own_stop is not None and own_target is not None and own_stop >= own_target:
        return f"the stop {shown_price(own_stop)} is not below the target"
    market = world.markets.get(bracket.plan.ticker)
    quote = market.live_quote if market is not None else None
    bid = own_bid(side, quote)[0] if quote is not None else None
    if bid is None:
        return ""
    if own_stop is not None and stop != bracket.plan.stop_price and own_stop >= bid:
        return f"the best bid is {shown_price(bid)}: this stop would sell at once; /close does"
    if own_target is not None and target != bracket.plan.target_price and own_target <= bid:
        return f"the best bid is {shown_price(bid)}: this target would sell at once; /close does"
    return ""


def _take(world: World, adjusted: Adjusted) -> None:
    """Let it hold."""
    base = world.configured
    held = {one.name: adjusted.holds(one, base) for one in adjustable.ADJUSTABLE}
    values = {name: found.value for name, found in held.items() if found is not None}
    limits, breakers = adjustable.all_values(values, base.limits, base.breakers)
    world.adjusted = adjusted
    world.settings = replace(base, limits=limits, breakers=breakers)
    world.strategies = tuple(
        one for one in world.all_strategies if one.strategy_id not in adjusted.off
    )
    world.stance.are_strategies_off = bool(world.all_strategies) and not world.strategies


def _keep(world: World, draft: Draft) -> None:
    adjusted = world.adjusted
    data = {
        "limits": {
            name: {"value": one.value, "configured": one.configured, "set_by": one.set_by}
            for name, one in sorted(adjusted.limits.items())
        },
        "off": sorted(adjusted.off),
    }
    draft.record(
        BreakerRecord(
            name=ADJUSTED,
            tripped=False,
            reason=", ".join((*sorted(adjusted.limits), *(f"{one} off" for one in data["off"]))),
            data_json=json.dumps(data),
            changed_us=world.now_us,
        )
    )
