"""From a typed line to an answer: access, spelling, age, confirmation, then the handler.

Every channel comes through here. The order matters: a stranger learns nothing,
a command that already acted is never acted on again, and nothing that raises
the risk happens on an old word or an unasked question.
"""

import logging
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from bot.console.access import Doorkeeper
from bot.console.arguments import (
    ArgumentSpec,
    BadArguments,
    TypedLine,
    read_arguments,
    read_line,
    shortened,
)
from bot.console.buttons import AGAIN_PREFIX, RUN_PREFIX, again, line_of
from bot.console.commands import Answer, Asked, CommandSpec, CommandTable, Invocation
from bot.console.confirmations import Confirmations, Question, Void
from bot.console.handlers import command_table
from bot.console.picking import CHOICES_MAX, PICK_PREFIX, Picks, keyboard, missing
from bot.console.views import tag
from bot.domain.errors import (
    BotError,
    ExchangeUnavailable,
    NotLeader,
    StorageUnavailable,
)
from bot.domain.operations import AccessLevel, Authority
from bot.kit.clock import Clock
from bot.kit.markup import bold, clean, code, escape, moment, span
from bot.kit.secrecy import redact
from bot.kit.times import GREENWICH, MINUTE_US
from bot.ports.messages import (
    Audit,
    ClaimedCommand,
    IncomingCommand,
    MessageButton,
    without_secrets,
)
from bot.ports.operator import Operator

logger = logging.getLogger(__name__)

YES_PREFIX = "yes:"
NO_PREFIX = "no:"
FRESH_US = MINUTE_US
"""A command that raises the risk and is older than this is asked for again."""
_COMMAND_SHOWN_MAX = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What goes back, and what the audit keeps. An empty text is silence."""

    text: str
    command: str
    outcome: str
    attachment: str | None = None
    buttons: tuple[tuple[MessageButton, ...], ...] = ()
    edits: int | None = None
    """The message that this one takes the place of."""

    @property
    def is_silent(self) -> bool:
        """Whether nothing is sent."""
        return not self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    """A command that exists, may be used by this person and has good arguments."""

    spec: CommandSpec
    call: Invocation
    line: str


class Console:
    """Answers commands, whatever channel they came by."""

    def __init__(
        self,
        *,
        operator: Operator,
        audit: Audit,
        doorkeeper: Doorkeeper,
        confirmations: Confirmations,
        clock: Clock,
        zone: ZoneInfo = GREENWICH,
    ) -> None:
        """``zone`` is the operator's: times in answers are on its clock."""
        self._operator = operator
        self._audit = audit
        self._table: CommandTable = command_table()
        self._doorkeeper = doorkeeper
        self._confirmations = confirmations
        self._picks = Picks(confirmations.random)
        self._clock = clock
        self._zone = zone

    async def handle(self, request: ClaimedCommand) -> Reply:
        """Answer one command. Faults become one clear line.

        Raises:
            NotLeader: the lead is lost; the successor answers.
        """
        request = replace(request, command=without_secrets(request.command))
        level = self._doorkeeper.level_of(request.command)
        if level is None:
            return _silence("stranger")
        # Before it is answered: that uses a question up.
        line = self._line_of(request.command)
        try:
            reply = await self._answer(request, level)
        except NotLeader:
            raise
        except (StorageUnavailable, ExchangeUnavailable) as fault:
            logger.warning("command failed", extra={"number": request.number, "fault": str(fault)})
            reply = _failed(line, f"cannot do that now: {fault}")
        except BotError as fault:
            logger.warning("command failed", extra={"number": request.number, "fault": str(fault)})
            reply = _failed(line, str(fault))
        except Exception as fault:  # console boundary: a person gets one clear line
            logger.exception("command failed", extra={"number": request.number})
            reply = _failed(line, f"internal fault ({type(fault).__name__}), see the log")
        return self._tagged(reply, request.number)

    def is_urgent(self, command: IncomingCommand) -> bool:
        """Whether it belongs in the lane that waits for nothing."""
        spec = self._spec_of(command)
        return spec is not None and spec.is_urgent

    def halt_if_told(self, command: IncomingCommand) -> str | None:
        """Act on an allowed ``/halt`` before anything is stored; return its reason if it was one.

        This is what makes a halt work while the database stalls. The stored
        command follows and makes it durable.
        """
        command = without_secrets(command)
        level = self._doorkeeper.level_of(command)
        spec = self._spec_of(command)
        if level is None or spec is None or spec.halts_because is None or level < spec.level:
            return None
        typed = read_line(self._typed(command))
        reason = spec.halts_because(typed.rest[:200] if typed is not None else "")
        # The number comes with the stored row; until then the update names the act.
        authority = Authority(
            number=-abs(command.update_id),
            channel=command.channel.value,
            actor=actor_of(command),
            at_us=self._clock.now_us(),
        )
        self._operator.halt_now(authority, reason)
        return reason

    def _line_of(self, command: IncomingCommand) -> str:
        """The command as the audit names it, that of a button included."""
        button = command.button or ""
        if button.startswith((YES_PREFIX, NO_PREFIX)):
            question = self._confirmations.question(button.partition(":")[2])
            return "button" if question is None else question.line[:_COMMAND_SHOWN_MAX]
        return _shown_command(command)

    def _typed(self, command: IncomingCommand) -> str:
        """The line that was typed, or that a button stands for; empty when there is none."""
        button = command.button
        if button is None:
            return command.text
        return self._picks.line_of(button) or ""

    def _spec_of(self, command: IncomingCommand) -> CommandSpec | None:
        typed = read_line(self._typed(command))
        return None if typed is None else self._table.find(typed.word)

    async def _answer(self, request: ClaimedCommand, level: AccessLevel) -> Reply:
        if request.attempts > 1 and (earlier := await self._audit.find(request.number)):
            return Reply(
                text=f"{escape(earlier.outcome)} (this was done before a restart)",
                command=earlier.command,
                outcome=earlier.outcome,
            )
        button = request.command.button or ""
        if button.startswith((YES_PREFIX, NO_PREFIX)):
            return await self._judged(request, level, button)
        line = self._typed(request.command)
        if button.startswith(PICK_PREFIX) and not line:
            return _plain(request, "This button is too old. Send the command again.", "void")
        ready = self._ready(request, level, line)
        if isinstance(ready, Reply):
            return ready
        return await self._ask_or_act(ready)

    async def _judged(self, request: ClaimedCommand, level: AccessLevel, button: str) -> Reply:
        """A question was answered by its button."""
        if button.startswith(NO_PREFIX):
            return self._declined(request, button.removeprefix(NO_PREFIX))
        return await self._confirmed(request, level, button.removeprefix(YES_PREFIX))

    async def _ask_or_act(self, ready: _Ready) -> Reply:
        wanted = missing(ready.spec, ready.call.arguments)
        if wanted is not None:
            return await self._offer(ready, wanted)
        age = self._age_note(ready)
        if ready.call.request.command.is_confirmed and not age:
            return await _act(ready)
        asked = None if ready.spec.asker is None else await ready.spec.asker(ready.call)
        if asked is None and not age:
            return await _act(ready)
        return self._ask(ready, age, asked)

    async def _offer(self, ready: _Ready, wanted: ArgumentSpec) -> Reply:
        """Buttons for what is missing."""
        assert wanted.choices is not None
        choices = await wanted.choices(self._operator)
        if not choices:
            return _reply(
                ready,
                Answer(text=escape(ready.spec.nothing_to_choose), outcome="nothing to choose"),
            )
        more = len(choices) - CHOICES_MAX
        rest = (
            f"\n{more} more: type the {escape(wanted.name)} behind the command." if more > 0 else ""
        )
        text = f"{bold(wanted.question)} {code(ready.spec.usage)}{rest}"
        buttons = keyboard(self._picks, ready.line, choices)
        return _reply(ready, Answer(text=text, outcome="asked which", buttons=buttons))

    def _ask(self, ready: _Ready, note: str, asked: Asked | Answer | None) -> Reply:
        asked = asked or _plain_question(ready)
        if isinstance(asked, Answer):
            return _reply(ready, asked)
        request = ready.call.request
        nonce = self._confirmations.ask(
            Question(
                line=ready.line,
                user_id=request.command.user_id,
                chat_id=request.command.chat_id,
                epoch=request.epoch,
                asked_us=self._clock.now_us(),
                fingerprint=asked.fingerprint,
            )
        )
        text = f"{note}\n{asked.text}" if note else asked.text
        yes = MessageButton(label=asked.confirm_label, data=f"{YES_PREFIX}{nonce}")
        no = MessageButton(label="Leave it", data=f"{NO_PREFIX}{nonce}")
        return Reply(text=text, command=ready.line, outcome="asked", buttons=((yes, no),))

    async def _confirmed(self, request: ClaimedCommand, level: AccessLevel, nonce: str) -> Reply:
        taken = self._take(request, nonce)
        if isinstance(taken, Void):
            return _plain(request, f"Nothing done: {taken.why}. Send the command again.", "void")
        ready = self._ready(request, level, taken.line)
        if isinstance(ready, Reply):
            return ready
        asked = None if ready.spec.asker is None else await ready.spec.asker(ready.call)
        asked = asked or _plain_question(ready)
        if isinstance(asked, Answer):
            return _reply(ready, asked)
        if asked.fingerprint != taken.fingerprint:
            return self._ask(ready, "The state has changed since the question.", asked)
        return await _act(ready)

    def _declined(self, request: ClaimedCommand, nonce: str) -> Reply:
        taken = self._take(request, nonce)
        if isinstance(taken, Void):
            return _plain(request, f"Nothing done: {taken.why}.", "void")
        return Reply(
            text=f"Left as it is: {code(taken.line)}", command=taken.line, outcome="declined"
        )

    def _take(self, request: ClaimedCommand, nonce: str) -> Question | Void:
        return self._confirmations.take(
            nonce,
            user_id=request.command.user_id,
            chat_id=request.command.chat_id,
            epoch=request.epoch,
            now_us=self._clock.now_us(),
        )

    def _ready(self, request: ClaimedCommand, level: AccessLevel, line: str) -> _Ready | Reply:
        typed = read_line(line)
        if typed is None or (not typed.has_slash and not request.command.is_private):
            return _silence("not a command")
        spec = self._table.find(typed.word)
        if spec is None:
            return self._unknown(request, typed, level)
        if (refused := _refused(request, spec, level)) is not None:
            return refused
        try:
            arguments = read_arguments(spec.arguments, typed.rest)
        except BadArguments as fault:
            return _plain(request, f"{fault}. Usage: {code(spec.usage)}", "bad arguments")
        call = Invocation(
            operator=self._operator,
            authority=Authority(
                number=request.number,
                channel=request.command.channel.value,
                actor=actor_of(request.command),
                at_us=self._clock.now_us(),
            ),
            level=level,
            arguments=arguments,
            request=request,
            now_us=self._clock.now_us(),
            table=self._table,
            zone=self._zone,
        )
        shown = " ".join((f"/{spec.name}", *arguments.values()))
        return _Ready(spec=spec, call=call, line=shown)

    def _unknown(self, request: ClaimedCommand, typed: TypedLine, level: AccessLevel) -> Reply:
        word = shortened(typed.word)
        spec = self._table.nearest(typed.word, level)
        if spec is None:
            return _plain(
                request, f"I do not know {code(word)}. /help lists the commands.", "unknown"
            )
        return Reply(
            text=f"I do not know {code(word)}. Did you mean /{spec.name}?",
            command=_shown_command(request.command),
            outcome="unknown",
            buttons=((MessageButton(label=f"/{spec.name}", data=f"{RUN_PREFIX}/{spec.name}"),),),
        )

    def _age_note(self, ready: _Ready) -> str:
        """Why a command that raises the risk has to be asked for again, or nothing."""
        if not ready.spec.increases_risk:
            return ""
        sent_us = ready.call.request.command.sent_us
        age_us = self._clock.now_us() - sent_us
        if age_us > FRESH_US:
            return f"This was sent {span(age_us)} ago."
        leading_since_us = self._operator.banner().leading_since_us
        if leading_since_us is not None and sent_us < leading_since_us:
            return "This was sent before a fail-over."
        return ""

    def _tagged(self, reply: Reply, number: int) -> Reply:
        if reply.is_silent:
            return reply
        # An edited message keeps the time it was sent at: it has to say its own.
        as_of = f"as of {moment(self._clock.now_us(), self._zone)}\n" if reply.edits else ""
        text = f"{reply.text}\n\n{as_of}{tag(number, self._operator.banner())}"
        return replace(reply, text=text)


def actor_of(command: IncomingCommand) -> str:
    """How a person is named in the audit: by channel and id; the name is a courtesy."""
    return clean(f"{command.channel.value}:{command.user_id} {command.user_name}").strip()[:100]


async def _act(ready: _Ready) -> Reply:
    return _reply(ready, await ready.spec.handler(ready.call))


def _plain_question(ready: _Ready) -> Asked:
    return Asked(text=f"Run {code(ready.line)} now?", fingerprint="", confirm_label="Run it")


def _refused(request: ClaimedCommand, spec: CommandSpec, level: AccessLevel) -> Reply | None:
    """Why this person may not run it, or not by this button."""
    if level < spec.level:
        needed = spec.level.name.lower()
        return _plain(
            request, f"/{spec.name} needs the level {needed}.", f"refused: needs {needed}"
        )
    if _is_again(request.command) and not spec.is_refreshable:
        return _plain(request, f"/{spec.name} is not renewed: send it again.", "void")
    return None


def _is_again(command: IncomingCommand) -> bool:
    return command.button is not None and command.button.startswith(AGAIN_PREFIX)


def _reply(ready: _Ready, answer: Answer) -> Reply:
    command, buttons = ready.call.request.command, answer.buttons
    label = ready.spec.refresh_label if answer.may_renew else ""
    if ready.spec.is_refreshable and label and answer.attachment is None:
        buttons = (*buttons, *again(label, ready.line))
    return Reply(
        text=answer.text,
        command=ready.line[:_COMMAND_SHOWN_MAX],
        outcome=answer.outcome,
        attachment=answer.attachment,
        buttons=buttons,
        edits=command.message_id if _is_again(command) else None,
    )


def _plain(request: ClaimedCommand, text: str, outcome: str) -> Reply:
    return Reply(text=text, command=_shown_command(request.command), outcome=outcome)


def _failed(line: str, why: str) -> Reply:
    why = redact(why)
    text = f"Failed: {escape(why)}."
    if not line.startswith("/status"):
        text += " /status shows what holds now."
    return Reply(text=text, command=line, outcome=f"failed: {why}")


def _silence(outcome: str) -> Reply:
    return Reply(text="", command="", outcome=outcome)


def _shown_command(command: IncomingCommand) -> str:
    # A nonce is worth nothing once pressed, but the audit is for reading.
    line = command.text or line_of(command.button or "") or "button"
    return clean(line).strip()[:_COMMAND_SHOWN_MAX]
