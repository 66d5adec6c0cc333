"""Commands about people: letting one in by a code, listing them, taking one out."""

from functools import partial
from zoneinfo import ZoneInfo

from bot.console.arguments import ArgumentSpec, Choice, Shape
from bot.console.commands import Answer, Asked, CommandSpec, Invocation
from bot.domain.operations import AccessLevel
from bot.kit.markup import bold, code, escape, moment, span
from bot.ports.messages import Channel
from bot.ports.operator import Operator
from bot.ports.people import Person

_GROUP = "People"
_LEVELS = {level.name.lower(): level for level in AccessLevel}
_MAY = {
    AccessLevel.VIEWER: "may look",
    AccessLevel.TRADER: "may also act on orders, positions and the halt",
    AccessLevel.ADMIN: "may do everything, and let others in",
}


async def _levels(_operator: Operator) -> tuple[Choice, ...]:
    return tuple(
        Choice(value=name, label=f"{name}: {_MAY[level]}") for name, level in _LEVELS.items()
    )


async def _paired(operator: Operator) -> tuple[Choice, ...]:
    return tuple(
        Choice(value=str(one.user_id), label=f"{one.name or one.user_id}, {one.level.name.lower()}")
        for one in operator.people.everybody()
        if one.added_us is not None
    )


LEVEL = ArgumentSpec(
    name="level",
    shape=Shape.WORD,
    pattern="(?i:viewer|trader|admin)",
    example="viewer",
    choices=_levels,
    question="As what?",
)
USER = ArgumentSpec(
    name="id",
    shape=Shape.WORD,
    pattern=r"[1-9][0-9]{0,18}",
    example="11111111",
    choices=_paired,
    question="Whom?",
)


def rows() -> tuple[CommandSpec, ...]:
    """Their rows of the table."""
    row = partial(CommandSpec, level=AccessLevel.ADMIN, group=_GROUP)
    return (
        row(
            name="pair",
            handler=_pair,
            asker=_ask_pair,
            arguments=(LEVEL,),
            increases_risk=True,
            help="Make a one-time code that lets one more person in",
        ),
        row(name="users", handler=_users, help="Who may speak, and what each may do"),
        row(
            name="unpair",
            handler=_unpair,
            asker=_ask_unpair,
            arguments=(USER,),
            increases_risk=True,
            nothing_to_choose="Nobody was let in by a code; the settings list the others.",
            help="Take out one who was let in by a code; the last admin stays",
        ),
    )


async def _ask_pair(call: Invocation) -> Asked | Answer:
    command = call.request.command
    if command.channel is Channel.TELEGRAM and not command.is_private:
        return Answer(
            text="Ask for a code in a private chat: here everybody would see it.",
            outcome="refused: not a private chat",
        )
    level = _LEVELS[call.arguments[LEVEL.name].lower()]
    known = len(call.operator.people.everybody())
    return Asked(
        text=f"{bold('Let one more person in')} as {level.name.lower()}?\n"
        f"That person {_MAY[level]}. The code works once, for ten minutes, for whoever has it.\n"
        f"In now: {known}",
        fingerprint=f"pair:{level}",
        confirm_label="Make the code",
    )


async def _pair(call: Invocation) -> Answer:
    level = _LEVELS[call.arguments[LEVEL.name].lower()]
    made = await call.operator.people.invite(call.authority, level)
    link = f"\nOr tap: {escape(made.link)}" if made.link else ""
    left = span(made.expires_us - call.now_us)
    return Answer(
        text=f"{bold('Code for one ' + level.name.lower())}, valid for {left}:\n"
        f"{code('/pair ' + made.code)}\n"
        f"To be sent to this bot in a private chat.{link}",
        outcome=f"code made for one {level.name.lower()}",
    )


async def _users(call: Invocation) -> Answer:
    people = call.operator.people.everybody()
    lines = [f"{bold('May speak')}: {len(people)}", *(_line(one, call.zone) for one in people)]
    return Answer(text="\n".join(lines), outcome="shown")


def _line(one: Person, zone: ZoneInfo) -> str:
    name = f" {escape(one.name)}" if one.name else ""
    since = "" if one.added_us is None else f", since {moment(one.added_us, zone)}"
    by = f"by {escape(one.added_by)}{since}"
    return f"{code(str(one.user_id))}{name}: {one.level.name.lower()}, {by}"


def _found(call: Invocation) -> Person | Answer:
    typed = int(call.arguments[USER.name])
    one = next((one for one in call.operator.people.everybody() if one.user_id == typed), None)
    if one is None:
        return Answer(text=f"{code(str(typed))} is not in. /users lists who is.", outcome="unknown")
    if one.added_us is None:
        return Answer(
            text=f"{code(str(typed))} is listed in the settings: remove the id there and restart.",
            outcome="refused: in the settings",
        )
    return one


async def _ask_unpair(call: Invocation) -> Asked | Answer:
    one = _found(call)
    if isinstance(one, Answer):
        return one
    himself = "\nThis is you." if one.user_id == call.request.command.user_id else ""
    return Asked(
        text=f"{bold('Take this person out?')}\n{_line(one, call.zone)}{himself}\n"
        "Only a new code lets that person in again.",
        fingerprint=f"unpair:{one.user_id}:{one.level}",
        confirm_label="Take out",
    )


async def _unpair(call: Invocation) -> Answer:
    one = _found(call)
    if isinstance(one, Answer):
        return one
    if not await call.operator.people.remove(call.authority, one.user_id):
        return Answer(
            text="Refused: nobody would be left who may let others in. "
            "Make another admin first with /pair admin.",
            outcome="refused: the last admin",
        )
    return Answer(
        text=f"{bold('Done')}: {code(str(one.user_id))} is out",
        outcome=f"done: {one.user_id} is out",
    )
