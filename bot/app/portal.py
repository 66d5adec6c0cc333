"""The page's backend: status, chat and health of this process."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bot.adapters.storage.queries import leader_of
from bot.app.admin import freshness
from bot.app.basics import own_name
from bot.app.loops import loop_views
from bot.app.operator import BotOperator
from bot.app.page import books_json, collect_json, invitation_json, status_json, totals_json
from bot.app.running import Running
from bot.app.staleness import judge_staleness, parts_of
from bot.console.dispatch import Console
from bot.domain.errors import NotLeader, StorageUnavailable
from bot.domain.operations import AccessLevel
from bot.kit.markup import moment
from bot.ports.messages import Channel, IncomingCommand
from bot.web.server import CHAT_FILES, ChatFile

logger = logging.getLogger(__name__)

_CHAT_SHOWN = 100
_LOOK_S = 1.0
_PAGE_CHAT = 0


class PageBackend:
    """Implements ``WebBackend``."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._operator: BotOperator | None = None
        self._console: Console | None = None

    def answer_from(self, operator: BotOperator, console: Console) -> None:
        """A leadership began: these answer."""
        self._operator, self._console = operator, console

    def answer_from_nobody(self) -> None:
        """The leadership is over."""
        self._operator = self._console = None

    def health(self) -> Mapping[str, object]:
        """See ``WebBackend.health``."""
        banner = self._running.banner()
        uptime_us = self._running.clock.now_us() - self._running.started_us
        watches = self._running.standing.watches
        # By name only: whoever may not see the status learns no figure.
        wrong = ", ".join(one.name for one in watches if not one.is_calm)
        return {
            "status": "healthy",
            "uptime": uptime_us // 1_000_000,
            "role": banner.role.value,
            "orders": banner.mode.value,
            "version": banner.version,
            "watched": wrong or ("all calm" if watches else "not looked yet"),
        }

    async def status(self) -> Mapping[str, object]:
        """See ``WebBackend.status``."""
        running, operator = self._running, self._operator
        facts = await running.queries.collect_facts()
        if operator is None:
            leader = await leader_of(running.parts.database, running.scope)
            return {
                "banner": {
                    "instance": running.banner().instance,
                    "mode": running.banner().mode.value,
                    "role": running.banner().role.value,
                    "epoch": None,
                    "version": running.banner().version,
                },
                "why_not_trading": f"not leading; the lead is with {leader or 'nobody'}",
                "trades": True,
                "positions": [],
                "breakers": [],
                "collect": collect_json(facts, None),
            }
        view = await operator.status()
        why = await operator.why(None)
        missing = view.collect.missing_hours if view.collect else None
        return {
            **status_json(
                operator.banner(),
                view,
                await operator.positions(),
                why,
                trades=running.settings.mode == "trade",
                zone=running.settings.operator.zone,
                left_out=operator.left_out(),
            ),
            "collect": collect_json(facts, missing),
            "pairing": invitation_json(running.invitation, running.clock.now_us()),
            "totals": totals_json(await running.queries.totals()),
            "book_agreement": operator.agreement(),
        }

    def books(self) -> Mapping[str, object]:
        """See ``WebBackend.books``."""
        return books_json(self._operator.books() if self._operator is not None else ())

    async def staleness(self) -> tuple[bool, Mapping[str, object]]:
        """See ``WebBackend.staleness``."""
        running = self._running
        marks = await freshness(running.parts.database, running.settings)
        now_us = running.clock.now_us()
        is_fresh, checks = judge_staleness(parts_of(running.settings), marks, now_us)
        # A breaker that rests is the exchange's trouble: a restart of ours would not end it.
        return is_fresh, checks | {"loops": {one.name: one.state for one in loop_views(running)}}

    async def chat(self, after: int) -> Sequence[Mapping[str, object]]:
        """See ``WebBackend.chat``."""
        zone = self._running.settings.operator.zone
        rows = await self._running.queries.chat(Channel.PORTAL, after, _CHAT_SHOWN)
        return [
            {
                "id": row.id,
                "kind": row.kind,
                "severity": row.severity,
                "text": row.text,
                "attachment": row.attachment,
                "file": _shown_name(row.attachment),
                "edits": row.edits,
                "buttons": row.buttons,
                "at": moment(row.created_us, zone),
                "at_us": row.created_us,
            }
            for row in rows
        ]

    async def picture(self, message_id: int) -> ChatFile | None:
        """See ``WebBackend.picture``."""
        path = await self._running.queries.attachment(Channel.PORTAL, message_id)
        return None if path is None else await asyncio.to_thread(_chat_file, Path(path))

    async def say(self, text: str, button: str | None, message_id: int | None = None) -> None:
        """See ``WebBackend.say``: the command takes the same road as one from Telegram."""
        running, console = self._running, self._console
        if console is None:
            raise NotLeader("this instance does not lead; ask the one that does")
        now_us = running.clock.now_us()
        command = IncomingCommand(
            channel=Channel.PORTAL,
            bot_id=0,
            update_id=running.parts.means.random.getrandbits(62),
            user_id=0,
            user_name=own_name(),
            chat_id=_PAGE_CHAT,
            is_private=True,
            text=text,
            button=button,
            sent_us=now_us,
            received_us=now_us,
            is_urgent=False,
            granted=AccessLevel.ADMIN,
            message_id=message_id,
        )
        # Before it is stored: a halt must work while the database stalls.
        console.halt_if_told(command)
        await running.inbox.put([replace(command, is_urgent=console.is_urgent(command))])
        running.wakes.command_stored()


def _shown_name(attachment: str | None) -> str | None:
    """The name of a file that the page shows or offers; others are told by their path."""
    path = Path(attachment or "")
    return path.name if path.suffix in CHAT_FILES else None


def _chat_file(path: Path) -> ChatFile | None:
    kind = CHAT_FILES.get(path.suffix)
    try:
        return None if kind is None else ChatFile(path.name, kind, path.read_bytes())
    except OSError:
        return None


class PageMessages:
    """A service that marks the page's messages as delivered: the table is what the page reads."""

    name = "page messages"

    def __init__(self, running: Running) -> None:
        self._running = running
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Something was queued."""
        self._wake.set()

    async def run(self) -> None:
        """Deliver for ever."""
        while True:
            self._wake.clear()
            try:
                await self.drain()
            except StorageUnavailable as fault:
                logger.warning("page messages wait", extra={"reason": str(fault)})
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    await self._wake.wait()

    async def drain(self) -> None:
        """Mark everything that waits."""
        outbox, clock = self._running.outbox, self._running.clock
        while waiting := await outbox.heads(Channel.PORTAL, clock.now_us(), _CHAT_SHOWN):
            await outbox.mark_sent([one.id for one in waiting], clock.now_us())
