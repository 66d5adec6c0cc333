"""What each command does, and the table that lists them.

A handler asks the operator port, and words the answer with a view. It decides
nothing about access, age or confirmation: that is dispatch's.
"""

import asyncio
from functools import partial

from bot.console import acts, adjust_acts, data_acts, people_acts, see, views
from bot.console.alert_acts import alert_rows
from bot.console.buttons import RUN_PREFIX
from bot.console.commands import (
    BREAKER,
    CONTRACTS,
    ENTRY_OR_ALL,
    EVERYTHING,
    FORCE,
    FOREIGN,
    INSTANCE,
    MARKET_OR_ALL,
    PROPOSAL,
    REASON,
    TICKER,
    TOPIC,
    Answer,
    Asked,
    CommandSpec,
    CommandTable,
    Invocation,
)
from bot.console.handover import adopt, ask_adopt, ask_handover, hand_over
from bot.console.menu import GROUP, menu
from bot.domain.errors import StorageUnavailable
from bot.domain.ids import MarketTicker
from bot.domain.operations import AccessLevel, BreakerView, HaltView
from bot.kit.markup import bold, code, escape

SAVE_HALT_WITHIN_S = 5.0
_NO_REASON = "no reason given"


def halt_reason(typed: str) -> str:
    """The reason to store for what was typed after ``/halt``."""
    return typed or _NO_REASON


async def _start(call: Invocation) -> Answer:
    may_halt = call.level >= AccessLevel.TRADER
    return Answer(
        text=f"{bold('Kalshi bot')}, version {escape(call.operator.banner().version)}.\n"
        f"Your level: {call.level.name.lower()}. /status shows the state, "
        "/menu everything as buttons, /help lists the commands"
        f"{', /halt stops new entries at once' if may_halt else ''}.",
        outcome="greeted",
    )


async def _help(call: Invocation) -> Answer:
    topic = call.arguments.get("command", "").lstrip("/").lower()
    if not topic:
        return Answer(text=_help_all(call), outcome="listed")
    spec = call.table.find(topic)
    if spec is None or spec.level > call.level:
        return Answer(text=f"There is no command {code('/' + topic)} for you.", outcome="unknown")
    also = f"\nAlso: {', '.join('/' + alias for alias in spec.aliases)}" if spec.aliases else ""
    asks = "\nAsks for confirmation." if spec.asker is not None else ""
    return Answer(text=f"{code(spec.usage)}\n{escape(spec.help)}{also}{asks}", outcome="explained")


def _help_all(call: Invocation) -> str:
    lines: list[str] = []
    group = ""
    for spec in call.table.allowed(call.level):
        if spec.group != group:
            group = spec.group
            lines.append(bold(group))
        lines.append(f"{escape(spec.usage)} - {escape(spec.help)}")
    return "\n".join(lines)


async def _status(call: Invocation) -> Answer:
    view = await call.operator.status()
    return Answer(text=views.status(view, call.operator.banner(), call.zone), outcome="shown")


async def _halt(call: Invocation) -> Answer:
    reason = halt_reason(call.arguments.get("reason", ""))
    call.operator.halt_now(call.authority, reason)
    try:
        async with asyncio.timeout(SAVE_HALT_WITHIN_S):
            view = await call.operator.halt(call.authority, reason)
    except (StorageUnavailable, TimeoutError):
        view = HaltView(
            is_halted=True,
            reason=reason,
            set_by=call.authority.actor,
            changed_us=call.now_us,
            is_saved=False,
        )
    saved = "saved" if view.is_saved else "not yet saved"
    return Answer(text=views.halted(view), outcome=f"halted, {saved}: {reason}")


async def _ask_unhalt(call: Invocation) -> Asked | Answer:
    halt = await call.operator.halt_state()
    if not halt.is_halted:
        return Answer(text="There is no halt to end.", outcome="no halt")
    breakers = await call.operator.breakers()
    return Asked(
        text=views.halt_question(halt, breakers, call.now_us),
        fingerprint=f"halt:{halt.changed_us}",
        confirm_label="End the halt",
    )


async def _unhalt(call: Invocation) -> Answer:
    return acts.told(await call.operator.unhalt(call.authority))


async def _ask_reset(call: Invocation) -> Asked | Answer:
    breakers = {breaker.name: breaker for breaker in await call.operator.breakers()}
    name = call.arguments.get("name", "").lower()
    if not breakers:
        return Answer(text="No breakers are set up.", outcome="none set up")
    breaker = breakers.get(name)
    if breaker is None:
        known = ", ".join(sorted(breakers))
        return Answer(
            text=f"There is no breaker {code(name)}. There are: {escape(known)}", outcome="unknown"
        )
    if not breaker.is_tripped:
        return Answer(text=f"{code(name)} is not tripped.", outcome="not tripped")
    return _reset_question(call, breaker)


def _reset_question(call: Invocation, breaker: BreakerView) -> Asked | Answer:
    force = "force" in call.arguments
    if force and call.level < AccessLevel.ADMIN:
        return Answer(text="Only an admin may force a breaker.", outcome="refused: level")
    question = views.breaker_question(breaker, force=force)
    if breaker.blocked_by and not force:
        return Answer(
            text=f"{question}\nNot reset. An admin may send "
            f"{code(f'/reset_breaker {breaker.name} force')}, which grants: "
            f"{escape(breaker.force_grants or 'nothing more')}",
            outcome=f"refused: {breaker.blocked_by}",
        )
    return Asked(
        text=question,
        fingerprint=f"breaker:{breaker.name}:{breaker.changed_us}:{breaker.force_grants}",
        confirm_label=f"{'Force' if force else 'Reset'} {breaker.name}",
    )


async def _reset_breaker(call: Invocation) -> Answer:
    name = call.arguments["name"].lower()
    force = "force" in call.arguments
    return acts.told(await call.operator.reset_breaker(call.authority, name, force=force))


async def _breakers(call: Invocation) -> Answer:
    return Answer(text=views.breakers(await call.operator.breakers(), call.now_us), outcome="shown")


async def _backup(call: Invocation) -> Answer:
    file = await call.operator.backup(call.authority)
    return Answer(
        text=views.backup(file, call.zone),
        outcome=f"backup {file.path} {file.sha256}",
        attachment=file.path,
    )


async def _positions(call: Invocation) -> Answer:
    return Answer(text=views.positions(await call.operator.positions()), outcome="shown")


async def _balance(call: Invocation) -> Answer:
    return Answer(text=views.balance(await call.operator.balance(), call.now_us), outcome="shown")


async def _instances(call: Invocation) -> Answer:
    return Answer(
        text=views.instances(await call.operator.instances(), call.now_us, call.zone),
        outcome="shown",
    )


async def _why(call: Invocation) -> Answer:
    typed = call.arguments.get("ticker")
    ticker = MarketTicker(typed.upper()) if typed else None
    view = await call.operator.why(ticker)
    return Answer(text=views.why(view, call.now_us, call.zone), outcome="shown")


async def _version(call: Invocation) -> Answer:
    return Answer(text=views.version(await call.operator.version()), outcome="shown")


async def _whoami(call: Invocation) -> Answer:
    command = call.request.command
    topic = "" if command.topic_id is None else f", topic id {code(str(command.topic_id))}"
    return Answer(
        text=f"User id {code(str(command.user_id))}, chat id {code(str(command.chat_id))}{topic}, "
        f"level {call.level.name.lower()}",
        outcome="shown",
    )


_VIEWER, _TRADER, _ADMIN = AccessLevel.VIEWER, AccessLevel.TRADER, AccessLevel.ADMIN
_SEE, _ACT, _KNOW = "See", "Act", "Know"


def command_table() -> CommandTable:
    """Every command there is."""
    acting = (*_acting(), *adjust_acts.rows(), *alert_rows(), *people_acts.rows())
    return CommandTable((*_seeing(), *see.rows(), *acting, *_knowing()))


def _seeing() -> tuple[CommandSpec, ...]:
    row = partial(CommandSpec, level=_VIEWER, group=_SEE)
    return (
        row(
            name="status",
            aliases=("s",),
            handler=_status,
            is_refreshable=True,
            help="Why it trades or not, money, connections, breakers",
        ),
        row(
            name="positions",
            aliases=("pos",),
            handler=_positions,
            is_refreshable=True,
            help="Open positions with stop and target",
        ),
        row(
            name="pnl",
            aliases=("profit",),
            handler=see.pnl,
            arguments=(see.PERIOD,),
            is_refreshable=True,
            help="The trading day's result, or that of more days, with fees and by series",
        ),
        row(
            name="balance", handler=_balance, is_refreshable=True, help="Cash, equity and exposure"
        ),
        row(
            name="breakers",
            handler=_breakers,
            is_refreshable=True,
            help="Every breaker with its value and limit",
        ),
        row(
            name="why",
            handler=_why,
            is_refreshable=True,
            arguments=(TICKER,),
            help="Why there was no trade, in general or in one market",
        ),
        row(
            name="gaps",
            handler=partial(data_acts.gaps, run_prefix=RUN_PREFIX),
            help="What the collection missed, and why",
        ),
        row(name="quality", handler=data_acts.quality, help="Whether what was stored makes sense"),
        row(
            name="instances",
            handler=_instances,
            is_refreshable=True,
            help="Who is registered, who is wanted, who leads since when",
        ),
    )


def _acting() -> tuple[CommandSpec, ...]:
    row = partial(CommandSpec, group=_ACT)
    return (
        row(
            name="halt",
            aliases=("stop", "pause"),
            handler=_halt,
            level=_TRADER,
            arguments=(REASON,),
            is_urgent=True,
            halts_because=halt_reason,
            help="Stop new entries at once; positions stay open",
        ),
        row(
            name="unhalt",
            aliases=("resume",),
            handler=_unhalt,
            asker=_ask_unhalt,
            level=_TRADER,
            increases_risk=True,
            help="End the halt",
        ),
        row(
            name="reset_breaker",
            aliases=("reset",),
            handler=_reset_breaker,
            asker=_ask_reset,
            level=_TRADER,
            arguments=(BREAKER, FORCE),
            increases_risk=True,
            nothing_to_choose="No breaker is tripped.",
            help="Reset a tripped breaker; without a name it lists them",
        ),
        row(
            name="cancel",
            handler=acts.cancel,
            level=_TRADER,
            arguments=(ENTRY_OR_ALL,),
            is_urgent=True,
            nothing_to_choose="No entry of ours rests.",
            help="Cancel resting entries, at once; take-profits stay",
        ),
        row(
            name="reconcile",
            handler=acts.reconcile,
            level=_TRADER,
            help="Compare with the exchange's account now",
        ),
        row(
            name="approve",
            handler=acts.approve,
            level=_TRADER,
            arguments=(PROPOSAL, CONTRACTS),
            increases_risk=True,
            nothing_to_choose="No order waits for a person.",
            help="Send an order that waits for a person, or only so many contracts of it",
        ),
        row(
            name="skip",
            handler=acts.skip,
            level=_TRADER,
            arguments=(PROPOSAL,),
            nothing_to_choose="No order waits for a person.",
            help="Let such an order go, and its market alone for an hour",
        ),
        row(
            name="panic",
            handler=acts.panic,
            asker=acts.ask_panic,
            level=_TRADER,
            arguments=(EVERYTHING,),
            increases_risk=True,
            is_urgent=True,
            halts_because=acts.panic_reason,
            help="Halt at once; then, once confirmed, cancel and sell all that is the bot's",
        ),
        row(
            name="close",
            aliases=("flatten",),
            handler=acts.close,
            asker=acts.ask_close,
            level=_TRADER,
            arguments=(MARKET_OR_ALL,),
            increases_risk=True,
            nothing_to_choose="The bot holds nothing.",
            help="Sell what the bot holds in one market, or everywhere",
        ),
        row(
            name="acknowledge",
            aliases=("ack",),
            handler=acts.acknowledge,
            asker=acts.ask_acknowledge,
            level=_TRADER,
            arguments=(FOREIGN,),
            increases_risk=True,
            nothing_to_choose="Nothing that is not ours is known.",
            help="Accept what is not ours in a market, so that entries go on there",
        ),
        row(
            name="adopt",
            handler=adopt,
            asker=ask_adopt,
            level=_ADMIN,
            increases_risk=True,
            help="Take over from another bot found on this account: shut its order groups",
        ),
        row(
            name="handover",
            handler=hand_over,
            asker=partial(ask_handover, run_prefix=RUN_PREFIX),
            level=_ADMIN,
            arguments=(INSTANCE,),
            increases_risk=True,
            help="Give the lead to another living instance",
        ),
        row(
            name="repair",
            handler=data_acts.repair,
            asker=data_acts.ask_repair,
            level=_TRADER,
            increases_risk=True,
            help="Fetch again what the exchange still has of what was missed",
        ),
        row(
            name="restore_check",
            handler=acts.check_restore,
            level=_ADMIN,
            help="Restore the newest backup into a scratch file, to know that it can be done",
        ),
        row(
            name="backup",
            handler=_backup,
            level=_ADMIN,
            help="Back up the trading records and send them here",
        ),
    )


def _knowing() -> tuple[CommandSpec, ...]:
    row = partial(CommandSpec, level=_VIEWER, group=_KNOW)
    return (
        row(name="start", handler=_start, help="Say hello"),
        row(
            name="help",
            aliases=("h",),
            handler=_help,
            arguments=(TOPIC,),
            help="List the commands, or explain one",
        ),
        row(
            name="menu",
            handler=menu,
            arguments=(GROUP,),
            is_refreshable=True,
            refresh_label="",
            help="Everything as buttons",
        ),
        row(name="version", handler=_version, help="What is running"),
        row(name="whoami", aliases=("id",), handler=_whoami, help="Your user id and level"),
    )
