"""Commands that change running trading: limits, strategies, the stop and target of a position.

What makes it safer acts at once; what adds risk shows before and after, and asks.
"""

import re
from functools import partial

from bot.console.acts import told
from bot.console.amounts import contracts, dollars, price
from bot.console.arguments import ArgumentSpec, Choice, Shape
from bot.console.commands import Answer, Asked, CommandSpec, Invocation
from bot.domain.handles import BracketHandle
from bot.domain.money import Money, Price, cost
from bot.domain.operations import AccessLevel, Refused, TradeMode
from bot.kit.markup import bold, code, escape
from bot.ports.operator import Operator

_GROUP = "Act"
_END = re.compile(r"(?P<word>sl|tp)=\$?0?\.(?P<digits>[0-9]{1,4})", re.IGNORECASE)
_HOW_TO_MOVE = "Prices are those of the side that is held, for example"


async def _limits(operator: Operator) -> tuple[Choice, ...]:
    return tuple(
        Choice(value=one.name, label=f"{one.name}: {one.value}")
        for one in operator.adjusting.limits()
    )


async def _switches(operator: Operator) -> tuple[Choice, ...]:
    return tuple(
        Choice(
            value=f"{'off' if one.is_on else 'on'} {one.name}",
            label=f"{one.name} is {'on' if one.is_on else 'off'}: "
            f"switch {'off' if one.is_on else 'on'}",
        )
        for one in operator.adjusting.strategies()
    )


async def _brackets(operator: Operator) -> tuple[Choice, ...]:
    return tuple(
        Choice(
            value=one.ticker,
            label=f"{one.ticker}: stop {_or_none(one.own_stop)}, target {_or_none(one.own_target)}",
        )
        for one in operator.adjusting.brackets()
    )


LIMIT = ArgumentSpec(
    name="name",
    shape=Shape.WORD,
    pattern=r"[A-Za-z_]{1,40}",
    example="max_concurrent",
    choices=_limits,
    question="Which limit?",
)
VALUE = ArgumentSpec(
    name="value", shape=Shape.WORD, pattern=r"\$?[0-9]{1,7}(\.[0-9]{1,4})?%?", example="3"
)
SWITCH = ArgumentSpec(
    name="on|off",
    shape=Shape.WORD,
    pattern="(?i:on|off)",
    example="off",
    choices=_switches,
    question="Which strategy?",
)
STRATEGY = ArgumentSpec(
    name="name", shape=Shape.WORD, pattern=r"[A-Za-z0-9_.-]{1,64}", example="near_expiry"
)
POSITION = ArgumentSpec(
    name="ticker",
    shape=Shape.WORD,
    pattern=r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}",
    example="KXFED-26DEC-T4.25",
    choices=_brackets,
    question="Which position?",
)
ENDS = ArgumentSpec(name="sl=.. tp=..", shape=Shape.REST, example="sl=0.80")
_NO_TRADING = "Nothing is traded in this mode."


def rows() -> tuple[CommandSpec, ...]:
    """Their rows of the table."""
    row = partial(CommandSpec, level=AccessLevel.TRADER, group=_GROUP)
    return (
        row(
            name="bracket",
            handler=_move,
            asker=_ask_move,
            arguments=(POSITION, ENDS),
            increases_risk=True,
            nothing_to_choose="The bot holds nothing with a stop and a target.",
            help="Move the stop or the target of one of the bot's positions",
        ),
        row(
            name="limit",
            handler=_set,
            asker=_ask_set,
            arguments=(LIMIT, VALUE),
            increases_risk=True,
            nothing_to_choose=_NO_TRADING,
            help="Change a limit: tighter at once, looser only by an admin who confirms",
        ),
        row(
            name="strategy",
            handler=_switch,
            asker=_ask_switch,
            arguments=(SWITCH, STRATEGY),
            increases_risk=True,
            nothing_to_choose=_NO_TRADING,
            help="Switch a strategy, or all, off or on; positions stay managed",
        ),
        row(
            name="mode",
            level=AccessLevel.VIEWER,
            handler=_mode,
            help="Paper, demo or live, and how that is changed",
        ),
    )


async def _ask_set(call: Invocation) -> Asked | Answer | None:
    name, typed = call.arguments[LIMIT.name].lower(), call.arguments.get(VALUE.name)
    if typed is None:
        return _one_limit(call, name)
    change = call.operator.adjusting.compare(name, typed)
    if isinstance(change, Refused):
        return told(change)
    if not change.is_looser:
        return None
    if call.level < AccessLevel.ADMIN:
        return Answer(
            text=f"Only an admin may loosen {code(name)}; it is {escape(change.before)}.",
            outcome="refused: level",
        )
    return Asked(
        text=f"{bold('Loosen ' + change.name + '?')}\n"
        f"{escape(change.before)} -> {escape(change.after)}\n"
        "It holds at once, and for every successor until the configuration changes.",
        fingerprint=f"limit:{change.before}:{change.after}",
        confirm_label="Loosen it",
    )


async def _set(call: Invocation) -> Answer:
    name, typed = call.arguments[LIMIT.name].lower(), call.arguments.get(VALUE.name)
    if typed is None:  # the command line does not ask first
        return _one_limit(call, name)
    adjusting = call.operator.adjusting
    change = adjusting.compare(name, typed)
    # What was not asked about because it is tighter may not turn out to loosen something.
    is_looser = not isinstance(change, Refused) and change.is_looser
    may_loosen = is_looser and call.level >= AccessLevel.ADMIN
    return told(await adjusting.set_limit(call.authority, name, typed, may_loosen=may_loosen))


def _one_limit(call: Invocation, name: str) -> Answer:
    found = next((one for one in call.operator.adjusting.limits() if one.name == name), None)
    if found is None:
        known = ", ".join(one.name for one in call.operator.adjusting.limits())
        return Answer(
            text=f"There is no limit {code(name)}. There are: {escape(known or 'none')}",
            outcome="unknown",
        )
    by = f", by {escape(found.set_by)}" if found.set_by else ""
    return Answer(
        text=f"{bold(found.name)}: {escape(found.value)}{by}\n{escape(found.help)}\n"
        f"By configuration: {escape(found.configured)}\n"
        f"To change it: {code(f'/limit {found.name} VALUE')}",
        outcome="shown",
    )


async def _ask_switch(call: Invocation) -> Asked | Answer | None:
    if call.arguments[SWITCH.name].lower() == "off":
        return None
    name = call.arguments.get(STRATEGY.name)
    known = call.operator.adjusting.strategies()
    if name is not None and name not in {one.name for one in known}:
        names = ", ".join(one.name for one in known)
        return Answer(
            text=f"There is no strategy {code(name)}. There are: {escape(names or 'none')}",
            outcome="unknown",
        )
    off = sorted(one.name for one in known if not one.is_on)
    return Asked(
        text=f"{bold('Let it enter again?')}\nStrategy: {escape(name or 'every one')}\n"
        f"Off now: {escape(', '.join(off) or 'none')}",
        fingerprint=f"strategy:{off}",
        confirm_label="Switch on",
    )


async def _switch(call: Invocation) -> Answer:
    is_on = call.arguments[SWITCH.name].lower() == "on"
    name = call.arguments.get(STRATEGY.name)
    return told(await call.operator.adjusting.switch(call.authority, name, is_on=is_on))


async def _ask_move(call: Invocation) -> Asked | Answer:
    found = _wanted(call)
    if isinstance(found, Answer):
        return found
    seen, stop, target = found
    after_stop, after_target = stop or seen.own_stop, target or seen.own_target
    lines = [
        bold(f"Change the ends of {seen.ticker}?"),
        (
            f"Held: {contracts(seen.held)}, bought at {price(seen.own_entry)}, "
            f"best bid {_or_none(seen.own_bid)}"
        ),
        f"Stop: {_or_none(seen.own_stop)} -> {_or_none(after_stop)}",
        f"Target: {_or_none(seen.own_target)} -> {_or_none(after_target)}",
        f"Worst case: {_worst(seen, after_stop)}",
    ]
    return Asked(
        text="\n".join(lines),
        # Not the bid, which moves all the time.
        fingerprint=f"bracket:{seen.held}:{seen.own_stop}:{seen.own_target}",
        confirm_label="Change it",
    )


def _worst(seen: BracketHandle, stop: Price | None) -> str:
    everything = dollars(cost(seen.own_entry, seen.held))
    if stop is None:
        return f"{everything}, all it cost: it has no stop"
    lost = Money(cost(seen.own_entry, seen.held) - cost(stop, seen.held))
    at_stop = f"{dollars(lost)} lost" if lost > 0 else f"{dollars(Money(-lost))} won"
    return f"{at_stop} at the stop; through a jump {everything}, all it cost"


async def _move(call: Invocation) -> Answer:
    found = _wanted(call)
    if isinstance(found, Answer):
        return found
    seen, stop, target = found
    outcome = await call.operator.adjusting.change_bracket(
        call.authority, seen, own_stop=stop, own_target=target
    )
    return told(outcome)


def _wanted(call: Invocation) -> tuple[BracketHandle, Price | None, Price | None] | Answer:
    ticker = call.arguments[POSITION.name].upper()
    seen = next((one for one in call.operator.adjusting.brackets() if one.ticker == ticker), None)
    if seen is None:
        return Answer(
            text=f"The bot manages no position in {code(ticker)}. /positions lists all.",
            outcome="unknown",
        )
    typed = call.arguments.get(ENDS.name, "").split()
    matches = [_END.fullmatch(word) for word in typed]
    ends = {m["word"].lower(): Price(int(m["digits"].ljust(4, "0"))) for m in matches if m}
    if not typed or None in matches or len(ends) != len(typed) or not all(ends.values()):
        wrong = "" if not typed else f"{code(' '.join(typed))} is not understood.\n"
        return Answer(
            text=f"{wrong}{code(ticker)}: stop {_or_none(seen.own_stop)}, "
            f"target {_or_none(seen.own_target)}, best bid {_or_none(seen.own_bid)}.\n"
            f"{_HOW_TO_MOVE} {code(f'/bracket {ticker} sl=0.55 tp=0.80')}, or only one of them.",
            outcome="shown" if not typed else "bad arguments",
        )
    return seen, ends.get("sl"), ends.get("tp")


async def _mode(call: Invocation) -> Answer:
    mode = call.operator.banner().mode
    now = f"{bold(mode.value.upper())} now."
    if mode is TradeMode.LIVE:
        how = "To leave it, set trading.live: false (or take --live away) and start anew."
    else:
        how = (
            "Live needs trading.live: true and LIVE_ENVIRONMENT with the name of the place it "
            "runs in, then a start. Paper and live have separate records, halts and limits."
        )
    return Answer(
        text=f"{now} It is not changed in the chat: a phone that is lost, or a message that is "
        f"late, must not turn paper into money.\n{how}",
        outcome="shown",
    )


def _or_none(value: Price | None) -> str:
    return "none" if value is None else price(value)
