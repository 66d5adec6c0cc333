"""One command of the chat given at the command line: the same table, inbox and questions.

A question is answered by its own button, so it is about the state that was shown, counts
once, and expires like everybody's.
"""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass

from bot.adapters.storage.database import Database
from bot.adapters.storage.messages import SqlAudit, SqlInbox
from bot.adapters.storage.outbox import SqlOutbox
from bot.adapters.storage.queries import ChatRow, command_number, led_scopes, replies_to
from bot.app.basics import Means, open_database, own_name, real_means, require_database
from bot.app.orders import give_command
from bot.app.settings import BotSettings
from bot.console.arguments import read_line
from bot.console.buttons import line_of
from bot.console.dispatch import NO_PREFIX, YES_PREFIX
from bot.console.handlers import command_table
from bot.domain.ids import Scope
from bot.domain.operations import AccessLevel
from bot.kit.markup import plain
from bot.ports.messages import Channel, IncomingCommand

_POLL_S = 0.1
_WITHOUT_A_LEADER = frozenset({"halt", "unhalt"})
_NOT_DONE = ("refused", "failed", "bad arguments", "unknown", "void", "asked", "given up", "no ")

Agrees = Callable[[str, str], bool]
"""Whether the person says yes to a question, given with the label of its button."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatAnswer:
    """What was said. ``outcome`` is the audit's; ``choices`` are lines that may be sent next."""

    text: str
    outcome: str
    choices: tuple[str, ...] = ()
    attachment: str | None = None

    @property
    def is_done(self) -> bool:
        """Whether it was shown or carried out, and no question is left open."""
        return not self.outcome.startswith(_NOT_DONE)


async def chat(
    settings: BotSettings,
    line: str,
    *,
    scope: str | None,
    wait_s: float,
    is_confirmed: bool,
    agrees: Agrees | None,
) -> ChatAnswer:
    """Give one command to the leader and wait for what it says.

    With ``is_confirmed`` nothing is asked; without, ``agrees`` answers, or the question stays open.
    """
    require_database(settings)
    line = line if line.startswith("/") else f"/{line}"
    typed = read_line(line)
    spec = command_table().find(typed.word) if typed is not None else None
    chosen = Scope(scope) if scope is not None else settings.scope
    async with open_database(settings, migrated=True) as database:
        led = await led_scopes(database)
        if chosen in led:
            talk = _Talk(database, chosen, real_means(), wait_s)
            is_urgent = spec is not None and spec.is_urgent
            return await talk.through(line, is_urgent, is_confirmed, agrees)
    if spec is not None and spec.name in _WITHOUT_A_LEADER:
        given = await give_command(settings, line, scope=scope, wait_s=wait_s)
        return ChatAnswer(text=given.text, outcome="done" if given.is_done else "refused")
    others = f"; led now: {', '.join(led)}, chosen with --scope" if led else ""
    return ChatAnswer(
        text=f"nobody leads {chosen}: start the bot first{others}", outcome="refused: no leader"
    )


class _Talk:
    """One conversation with a leader."""

    def __init__(self, database: Database, scope: Scope, means: Means, wait_s: float) -> None:
        self._database = database
        self._scope = scope
        self._means = means
        self._wait_s = wait_s
        # A chat of its own: its questions are its own, too.
        self._chat_id = means.random.getrandbits(48)

    async def through(
        self, line: str, is_urgent: bool, is_confirmed: bool, agrees: Agrees | None
    ) -> ChatAnswer:
        """Say it, and answer its question if it has one."""
        answer, buttons = await self._say(line, None, is_urgent, is_confirmed)
        yes = next((one for one in buttons if one["data"].startswith(YES_PREFIX)), None)
        if yes is None or agrees is None:
            return answer
        data = yes["data"]
        if not agrees(answer.text, yes["label"]):
            data = data.replace(YES_PREFIX, NO_PREFIX, 1)
        answer, _ = await self._say("", data, is_urgent, False)
        return answer

    async def _say(
        self, text: str, button: str | None, is_urgent: bool, is_confirmed: bool
    ) -> tuple[ChatAnswer, list[dict[str, str]]]:
        clock = self._means.clock
        update_id = self._means.random.getrandbits(48)
        now_us = clock.now_us()
        command = IncomingCommand(
            channel=Channel.CLI,
            bot_id=0,
            update_id=update_id,
            user_id=os.getuid(),
            user_name=own_name(),
            chat_id=self._chat_id,
            is_private=True,
            text=text,
            button=button,
            sent_us=now_us,
            received_us=now_us,
            is_urgent=is_urgent,
            granted=AccessLevel.ADMIN,
            is_confirmed=is_confirmed,
        )
        await SqlInbox(self._database, self._scope, clock).put([command])
        number = await command_number(self._database, self._scope, Channel.CLI, update_id)
        rows = await self._replies(number)
        if not rows or number is None:
            told = f"stored, but not answered within {self._wait_s:.0f} s"
            return ChatAnswer(text=f"{told}; the leader takes it when it can", outcome="failed"), []
        entry = await SqlAudit(self._database, self._scope).find(number)
        buttons = [one for row in rows for line in row.buttons for one in line]
        lines = (line_of(one["data"]) for one in buttons)
        # The button that shows the same anew is no choice.
        itself = entry.command if entry is not None else ""
        answer = ChatAnswer(
            text="\n".join(plain(row.text) for row in rows),
            outcome=entry.outcome if entry is not None else "failed: not on record",
            choices=tuple(one for one in lines if one and one != itself),
            attachment=next((row.attachment for row in rows if row.attachment), None),
        )
        return answer, buttons

    async def _replies(self, number: int | None) -> list[ChatRow]:
        outbox = SqlOutbox(self._database, self._scope, self._means.clock)
        for _ in range(max(1, round(self._wait_s / _POLL_S))):
            rows = await replies_to(self._database, self._scope, Channel.CLI, str(number))
            if rows:
                now_us = self._means.clock.now_us()
                await outbox.mark_sent([row.id for row in rows], now_us)
                return rows
            await asyncio.sleep(_POLL_S)
        return []
