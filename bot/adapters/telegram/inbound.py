"""Service: long-polls Telegram while this process leads, and stores what was said.

An update is committed to the inbox before its successor is asked for, so a
process that dies loses none. ``/halt`` acts before it is stored: it has to work
while the database does not. Nothing that Telegram does ends this service.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Protocol

from telegram import Bot, Update
from telegram.constants import ParseMode
from telegram.error import TelegramError

from bot.adapters.telegram.client import Fault, Judged, judge
from bot.adapters.telegram.conflicts import ConflictWatch
from bot.adapters.telegram.menu import publish_menu
from bot.adapters.telegram.settings import TelegramSettings
from bot.adapters.telegram.updates import ALLOWED_UPDATES, command_of
from bot.console.access import Doorkeeper
from bot.console.buttons import stays
from bot.console.dispatch import Console
from bot.console.views import halted_unsaved
from bot.domain.alerts import AlertKind
from bot.domain.errors import StorageUnavailable
from bot.domain.operations import AccessLevel
from bot.kit.backoff import Backoff
from bot.kit.clock import Clock
from bot.kit.times import SECOND_US
from bot.ports.messages import AlertSink, Inbox, IncomingCommand

logger = logging.getLogger(__name__)

_GATE_LOOK_S = 0.2
_HALTS_REMEMBERED_MAX = 1_000


class Pairing(Protocol):
    """Lets people in by codes, which are never stored."""

    def met(self, bot_name: str) -> None:
        """How the bot is called at Telegram."""
        ...

    def on_change(self, changed: Callable[[], None]) -> None:
        """To be called when somebody came, went or has another level."""
        ...

    async def received(self, command: IncomingCommand) -> IncomingCommand:
        """The message as it may be stored: a code in it was tried, and is taken out.

        Once it returns it is known who may speak, however soon after a take-over.

        Raises:
            StorageUnavailable: that cannot be told now.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundParts:
    """What the service works with."""

    bot: Bot
    settings: TelegramSettings
    inbox: Inbox
    console: Console
    doorkeeper: Doorkeeper
    pairing: Pairing
    alerts: AlertSink
    clock: Clock
    random: Random
    may_poll: Callable[[], bool]
    """Whether the lease is held; cheap, asked several times a second."""
    stored: Callable[[], None]
    """Wakes the worker."""


class TelegramInbound:
    """The only poller of the bot's updates. One object serves one leadership."""

    name = "telegram inbound"

    def __init__(self, parts: InboundParts) -> None:
        self._parts = parts
        self._offset: int | None = None
        self._bot_name: str | None = None
        self._halted: OrderedDict[int, None] = OrderedDict()
        self._conflicts = ConflictWatch(int(parts.settings.conflict_alert_s * SECOND_US))
        self._waits = self._fresh_waits()
        self._last_fault: Fault | None = None
        self._is_store_away = False
        self._polling: asyncio.Timeout | None = None
        self._is_draining = False
        self._people_changed = asyncio.Event()

    async def run(self) -> None:
        """See :meth:`bot.kit.tasks.Service.run`."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch_gate(), name="telegram gate")
            while True:
                if not self._may_poll():
                    await asyncio.sleep(_GATE_LOOK_S)
                    continue
                wait_s = await self._round(group)
                if wait_s:
                    await asyncio.sleep(wait_s)

    async def drain(self) -> None:
        """Stop asking for updates; what came is stored or asked for again by the successor."""
        self._is_draining = True
        self._end_poll()

    async def _round(self, group: asyncio.TaskGroup) -> float:
        """Poll once; return how long to wait before the next one."""
        try:
            if self._bot_name is None:
                self._bot_name = await self._introduce(group)
            raw = await self._poll()
            if raw is None or not self._may_poll():
                return 0.0
            await self._take(raw, group)
        except TelegramError as error:
            return await self._failed(judge(error))
        except (StorageUnavailable, TimeoutError) as fault:
            # The offset has not moved: Telegram gives the same updates again.
            if not self._is_store_away:
                logger.warning("updates not stored", extra={"fault": str(fault) or "deadline"})
            self._is_store_away = True
            return min(next(self._waits), self._parts.settings.conflict_retry_s)
        self._worked()
        return 0.0

    async def _introduce(self, group: asyncio.TaskGroup) -> str:
        parts = self._parts
        me = await parts.bot.get_me()
        logger.info("telegram connected", extra={"bot": me.username, "bot_id": me.id})
        name = me.username or ""
        parts.pairing.met(name)
        group.create_task(self._keep_menu(), name="telegram menu")
        return name

    async def _keep_menu(self) -> None:
        """Everyone's menu, now and whenever somebody comes, goes or has another level."""
        shown: Mapping[int, AccessLevel] = {}
        self._parts.pairing.on_change(self._people_changed.set)
        while True:
            self._people_changed.clear()
            wanted = self._parts.doorkeeper.levels()
            await publish_menu(self._parts.bot, wanted, shown)
            shown = wanted
            await self._people_changed.wait()

    async def _poll(self) -> list[dict[str, Any]] | None:
        """Raw updates, or ``None`` when the gate shut meanwhile."""
        parts = self._parts
        arguments: dict[str, Any] = {
            "timeout": parts.settings.poll_s,
            "allowed_updates": ALLOWED_UPDATES,
        }
        if self._offset is not None:
            arguments["offset"] = self._offset
        try:
            async with asyncio.timeout(None) as self._polling:
                found: Any = await parts.bot.do_api_request(
                    "getUpdates",
                    api_kwargs=arguments,
                    read_timeout=parts.settings.poll_s + parts.settings.request_s,
                )
        except TimeoutError:
            return None
        finally:
            self._polling = None
        return found if isinstance(found, list) else []

    async def _take(self, raw: Sequence[dict[str, Any]], group: asyncio.TaskGroup) -> None:
        said = [self._marked(one) for update in raw if (one := self._read(update)) is not None]
        for command in said:
            # Before a stranger's code is tried, which asks the database.
            self._halt_first(command, group)
        commands = [await self._without_code(command) for command in said]
        heard = [one for one in commands if self._parts.doorkeeper.admits(one)]
        if heard:
            async with asyncio.timeout(self._parts.settings.store_s):
                stored = await self._parts.inbox.put(heard)
            logger.debug("updates stored", extra={"received": len(raw), "stored": stored})
            self._parts.stored()
        # Only now may Telegram forget them.
        for update in raw:
            self._offset = max(self._offset or 0, int(update["update_id"]) + 1)
        for update in raw:
            self._acknowledge(update, heard, group)

    async def _without_code(self, command: IncomingCommand) -> IncomingCommand:
        async with asyncio.timeout(self._parts.settings.store_s):
            return await self._parts.pairing.received(command)

    def _read(self, raw: dict[str, Any]) -> IncomingCommand | None:
        parts = self._parts
        try:
            update = Update.de_json(raw, parts.bot)
            return command_of(
                update,
                bot_id=parts.settings.bot_id,
                bot_name=self._bot_name or "",
                received_us=parts.clock.now_us(),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as fault:
            # One odd update must not hide the ones behind it.
            logger.warning(
                "update not understood",
                extra={"update_id": raw.get("update_id"), "fault": type(fault).__name__},
            )
            return None

    def _marked(self, command: IncomingCommand) -> IncomingCommand:
        return replace(command, is_urgent=self._parts.console.is_urgent(command))

    def _halt_first(self, command: IncomingCommand, group: asyncio.TaskGroup) -> None:
        if not command.is_urgent or command.update_id in self._halted:
            return
        reason = self._parts.console.halt_if_told(command)
        if reason is None:
            return
        self._halted[command.update_id] = None
        if len(self._halted) > _HALTS_REMEMBERED_MAX:
            self._halted.popitem(last=False)
        logger.warning("halted by command", extra={"user_id": command.user_id})
        group.create_task(self._say_halted(command, reason), name="telegram halt")

    async def _say_halted(self, command: IncomingCommand, reason: str) -> None:
        # Straight to the chat: the outbox lives in the database that may be stalled.
        try:
            await self._parts.bot.send_message(
                command.chat_id,
                halted_unsaved(reason),
                parse_mode=ParseMode.HTML,
                message_thread_id=command.topic_id,
            )
        except TelegramError as error:
            logger.warning("halt not confirmed yet", extra={"reason": judge(error).reason})

    def _acknowledge(
        self, raw: dict[str, Any], heard: Sequence[IncomingCommand], group: asyncio.TaskGroup
    ) -> None:
        """Stop the spinner of a button, and take buttons away that count once."""
        query = raw.get("callback_query")
        if not query or all(one.update_id != raw["update_id"] for one in heard):
            return
        message = query.get("message") or {}
        group.create_task(
            self._settle_buttons(
                str(query["id"]),
                message.get("chat", {}).get("id"),
                None if stays(str(query.get("data"))) else message.get("message_id"),
            ),
            name="telegram button",
        )

    async def _settle_buttons(
        self, query_id: str, chat_id: int | None, message_id: int | None
    ) -> None:
        bot = self._parts.bot
        try:
            await bot.answer_callback_query(query_id)
            if chat_id is not None and message_id is not None:
                await bot.edit_message_reply_markup(chat_id=chat_id, message_id=message_id)
        except TelegramError as error:
            logger.info("button not settled", extra={"reason": judge(error).reason})

    async def _failed(self, judged: Judged) -> float:
        settings = self._parts.settings
        is_new = judged.fault is not self._last_fault
        self._last_fault = judged.fault
        if is_new:
            logger.warning(
                "telegram not reachable for commands",
                extra={"fault": judged.fault.value, "reason": judged.reason},
            )
        match judged.fault:
            case Fault.CONFLICT:
                return await self._conflicted(judged)
            case Fault.TOKEN:
                return settings.token_retry_s
            case Fault.SLOW_DOWN:
                return judged.retry_after_s
            case Fault.WAIT | Fault.NEVER:
                return next(self._waits)

    async def _conflicted(self, judged: Judged) -> float:
        if "webhook" in judged.reason.lower():
            await self._remove_webhook()
        lasted_us = self._conflicts.met(self._parts.clock.monotonic_us())
        if lasted_us is not None:
            self._parts.alerts.post(
                AlertKind.TELEGRAM_CONFLICT, {"seconds": lasted_us // SECOND_US}
            )
        return self._parts.settings.conflict_retry_s

    async def _remove_webhook(self) -> None:
        logger.warning("telegram webhook removed: this bot polls")
        try:
            await self._parts.bot.delete_webhook(drop_pending_updates=False)
        except TelegramError as error:
            logger.warning("telegram webhook stays", extra={"reason": judge(error).reason})

    def _worked(self) -> None:
        if self._last_fault is not None:
            logger.info("telegram reachable again", extra={"after": self._last_fault.value})
        if self._is_store_away:
            logger.info("updates stored again")
        self._last_fault = None
        self._is_store_away = False
        self._waits = self._fresh_waits()

    def _fresh_waits(self) -> Iterator[float]:
        backoff = Backoff(base_s=1.0, cap_s=self._parts.settings.retry_cap_s)
        # A full jitter may be zero, and a refused connection answers at once.
        return (0.2 + wait_s for wait_s in backoff.waits(self._parts.random))

    def _may_poll(self) -> bool:
        return not self._is_draining and self._parts.may_poll()

    async def _watch_gate(self) -> None:
        while True:
            await asyncio.sleep(_GATE_LOOK_S)
            if not self._may_poll():
                self._end_poll()

    def _end_poll(self) -> None:
        if self._polling is not None and not self._polling.expired():
            self._polling.reschedule(asyncio.get_running_loop().time())
