"""Service: delivers the outbox to Telegram, each chat in order, none waiting for another.

A message leaves at least once: one whose answer was lost is sent again. What
can never be delivered is marked with its reason; everything else is tried for ever.
"""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, InputFile
from telegram.constants import ParseMode
from telegram.error import BadRequest, TelegramError

from bot.adapters.telegram.client import Fault, Judged, judge, receipt_of
from bot.adapters.telegram.pace import Gaps, Pace
from bot.adapters.telegram.places import place_of
from bot.adapters.telegram.settings import TelegramSettings
from bot.console.views import size
from bot.domain.errors import StorageUnavailable
from bot.kit.clock import Clock
from bot.kit.markup import (
    CAPTION_LENGTH_MAX,
    MESSAGE_LENGTH_MAX,
    code,
    length,
    plain,
    split,
)
from bot.kit.secrecy import redact
from bot.kit.times import SECOND_US
from bot.ports.carriers import DeliveryWatch, NoWatch
from bot.ports.letters import Letter, letters
from bot.ports.messages import Channel, Outbox, OutgoingMessage, QueuedMessage

logger = logging.getLogger(__name__)

_PER_CHAT = 100
_IDLE_S = 0.5
_DRAIN_S = 3.0
_RETRY_CAP_S = 60
_PICTURE = ".png"
_NO_PICTURE = ("photo", "image")
"""In what Telegram says of a picture it will not show: as a document it takes any file."""
_NOT_EDITABLE = (
    "message to edit not found",
    "message can't be edited",
    "no text in the message",
    "parse entities",
    "too long",
)
"""What Telegram says of an edit that never works: the text is sent as a message of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundParts:
    """What the service works with."""

    bot: Bot
    settings: TelegramSettings
    outbox: Outbox
    clock: Clock
    may_send: Callable[[], bool]
    """Whether the lease is held: two senders would tell everything twice."""
    speed: float = 1.0
    """How many of the clock's seconds pass in one: above 1 where time is simulated."""
    watch: DeliveryWatch = field(default_factory=NoWatch)


class TelegramOutbound:
    """The only sender of the bot's messages."""

    name = "telegram outbound"

    def __init__(self, parts: OutboundParts) -> None:
        self._parts = parts
        settings = parts.settings
        self._pace = Pace(
            Gaps(
                private_us=int(settings.private_gap_s * SECOND_US),
                group_us=int(settings.group_gap_s * SECOND_US),
                all_us=int(settings.all_gap_s * SECOND_US),
            )
        )
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()
        self._last_fault: Fault | None = None
        self._is_store_away = False
        self._pause_s = 0.0

    def wake(self) -> None:
        """Something was queued."""
        self._wake.set()

    async def run(self) -> None:
        """See :meth:`bot.kit.tasks.Service.run`."""
        while True:
            self._wake.clear()
            if not await self._work():
                await self._rest()

    async def drain(self) -> None:
        """Deliver what is due, for a moment: a backlog is the successor's, which waits."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_S):
                while await self._work() or self._pause_s:
                    if self._pause_s:
                        self._wake.clear()
                        await self._rest()

    async def _work(self) -> bool:
        """One round, if this process may send; whether anything left."""
        # Drain runs beside run: two rounds at once would send everything twice.
        async with self._turn:
            self._pause_s = 0.0
            if not self._parts.may_send():
                return False
            try:
                has_left = await self._round()
            except* StorageUnavailable as faults:
                self._note_store(str(faults.exceptions[0]))
                has_left = False
            else:
                self._note_store("")
            return has_left

    def _note_store(self, fault: str) -> None:
        if bool(fault) == self._is_store_away:
            return
        self._is_store_away = bool(fault)
        if fault:
            logger.warning("outbox unavailable", extra={"fault": fault})
        else:
            logger.info("outbox available again")

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout((self._pause_s or _IDLE_S) / self._parts.speed):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _round(self) -> bool:
        """Offer every chat its next messages; whether any left.

        A chat whose turn has not come waits outside: it must not hold up what another one,
        or it itself, is to be told first.
        """
        parts = self._parts
        heads = await parts.outbox.heads(Channel.TELEGRAM, parts.clock.now_us(), _PER_CHAT)
        by_chat: dict[str, list[QueuedMessage]] = defaultdict(list)
        for head in heads:
            by_chat[head.message.recipient].append(head)
        now_us = parts.clock.monotonic_us()
        waits = {chat: self._pace.wait_us(place_of(chat).chat, now_us) for chat in by_chat}
        # Topics of one chat share its turn; who has the oldest, or an urgent one, is first.
        ready: dict[str, str] = {}
        for recipient, wait_us in waits.items():
            if not wait_us:
                ready.setdefault(place_of(recipient).chat, recipient)
        async with asyncio.TaskGroup() as group:
            chats = [
                group.create_task(self._deliver(by_chat[recipient]), name=f"telegram chat {chat}")
                for chat, recipient in ready.items()
            ]
        if not chats:
            self._pause_s = min(waits.values(), default=0) / SECOND_US
        return any(chat.result() for chat in chats)

    async def _deliver(self, queue: Sequence[QueuedMessage]) -> bool:
        """Send one chat's messages in order, until one has to wait."""
        has_left = False
        clock, chat = self._parts.clock, place_of(queue[0].message.recipient).chat
        made = letters(queue, MESSAGE_LENGTH_MAX, clock.now_us(), self._parts.settings.zone)
        if len(queue) == _PER_CHAT and len(made) > 1:
            made.pop()  # there may be more to join to it
        for letter in made:
            is_due = not has_left or not self._pace.wait_us(chat, clock.monotonic_us())
            if not is_due or not self._parts.may_send():
                return has_left
            try:
                await self._send(letter.message)
            except TelegramError as error:
                is_over = await self._not_sent(letter, judge(error))
                if not is_over:
                    return has_left
                has_left = True
                continue
            await self._settle(letter)
            has_left = True
        return has_left

    async def _settle(self, letter: Letter) -> None:
        """Store that it left. A database that is away must not make it leave twice."""
        if self._last_fault is not None:
            logger.info("telegram reachable again for messages")
            self._last_fault = None
        while True:
            try:
                await self._parts.outbox.mark_sent(letter.ids, self._parts.clock.now_us())
            except StorageUnavailable as fault:
                logger.warning("delivery not stored yet", extra={"fault": str(fault)})
                await asyncio.sleep(_IDLE_S)
            else:
                break
        await self._parts.watch.delivered(letter.message.recipient)

    async def _not_sent(self, letter: Letter, judged: Judged) -> bool:
        """Put it off, or give it up; whether it is over with."""
        now_us = self._parts.clock.now_us()
        outbox = self._parts.outbox
        if judged.fault is not Fault.SLOW_DOWN:  # that is pace, and no failure
            await self._parts.watch.failed(letter.message.recipient, receipt_of(judged))
        if judged.fault is Fault.NEVER:
            logger.warning(
                "message cannot be delivered",
                extra={"kind": letter.message.kind, "reason": judged.reason},
            )
            for message_id in letter.ids:
                await outbox.mark_failed(message_id, judged.reason, now_us)
            return True
        if judged.fault is not self._last_fault:
            self._last_fault = judged.fault
            logger.warning(
                "message waits", extra={"fault": judged.fault.value, "reason": judged.reason}
            )
        wait_us = int(self._wait_s(judged, letter.attempts) * SECOND_US)
        if judged.fault is Fault.SLOW_DOWN:
            # It is the chat that is to keep still, not one of its topics.
            chat = place_of(letter.message.recipient).chat
            self._pace.rest(chat, self._parts.clock.monotonic_us() + wait_us)
        await outbox.postpone(letter.ids[0], now_us + wait_us, judged.reason)
        return False

    def _wait_s(self, judged: Judged, attempts: int) -> float:
        if judged.fault is Fault.SLOW_DOWN:
            return judged.retry_after_s
        if judged.fault is Fault.TOKEN:
            return self._parts.settings.token_retry_s
        return float(min(_RETRY_CAP_S, 2 ** min(attempts, 10)))

    async def _send(self, message: OutgoingMessage) -> None:
        message = replace(message, text=redact(message.text, self._parts.settings.secrets))
        if message.attachment is None:
            if message.edits is None or not await self._edit(message, message.edits):
                await self._send_text(message)
            return
        path = Path(message.attachment)
        limit = self._parts.settings.document_bytes_max
        found = await asyncio.to_thread(_read, path, limit)
        if isinstance(found, bytes):
            await self._send_file(message, path, found)
        elif found is None:
            note = f"The file is not on this machine any more: {code(str(path))}"
            await self._send_text(_with_note(message, note))
        else:
            note = f"Too large for Telegram ({size(found)}): {code(str(path))}"
            await self._send_text(_with_note(message, note))

    async def _send_text(self, message: OutgoingMessage) -> None:
        parts, place = split(message.text), place_of(message.recipient)
        for index, part in enumerate(parts):
            markup = _keyboard(message) if index == len(parts) - 1 else None
            await self._wait_turn(message.recipient)
            try:
                await self._parts.bot.send_message(
                    place.chat,
                    part,
                    message_thread_id=place.topic,
                    parse_mode=ParseMode.HTML,
                    reply_markup=markup,
                    disable_notification=message.is_silent,
                )
            except BadRequest as error:
                if "parse entities" not in error.message:
                    raise
                # Better without bold than not at all.
                await self._parts.bot.send_message(
                    place.chat,
                    plain(part),
                    message_thread_id=place.topic,
                    reply_markup=markup,
                    disable_notification=message.is_silent,
                )

    async def _edit(self, message: OutgoingMessage, message_id: int) -> bool:
        """Put the text in the place of an earlier message; false where that cannot be done."""
        await self._wait_turn(message.recipient)
        try:
            await self._parts.bot.edit_message_text(
                message.text,
                chat_id=place_of(message.recipient).chat,
                message_id=message_id,
                parse_mode=ParseMode.HTML,
                reply_markup=_keyboard(message),
            )
        except BadRequest as error:
            if "is not modified" in error.message:
                return True  # this edit's answer was lost, or nothing has changed
            if not any(reason in error.message.lower() for reason in _NOT_EDITABLE):
                raise
            logger.info("message not editable", extra={"reason": judge(error).reason})
            return False
        return True

    async def _send_file(self, message: OutgoingMessage, path: Path, content: bytes) -> None:
        captioned = message
        if length(message.text) > CAPTION_LENGTH_MAX:
            await self._send_text(replace(message, attachment=None, buttons=()))
            captioned = replace(message, text="")
        file = InputFile(content, filename=path.name)
        try:
            try:
                await self._upload(captioned, file, is_picture=path.suffix == _PICTURE)
            except BadRequest as error:
                if not any(word in error.message.lower() for word in _NO_PICTURE):
                    raise
                await self._upload(captioned, file, is_picture=False)
        except TelegramError as error:
            if "too large" not in error.message.lower():
                raise
            where = code(str(path))
            note = f"Telegram refused the file ({size(len(content))}): {where}"
            await self._send_text(_with_note(message, note))

    async def _upload(self, message: OutgoingMessage, file: InputFile, *, is_picture: bool) -> None:
        await self._wait_turn(message.recipient)
        bot, upload_s = self._parts.bot, self._parts.settings.upload_s
        place = place_of(message.recipient)
        await (bot.send_photo if is_picture else bot.send_document)(
            place.chat,
            file,
            message_thread_id=place.topic,
            caption=message.text or None,
            parse_mode=ParseMode.HTML,
            disable_notification=message.is_silent,
            reply_markup=_keyboard(message),
            write_timeout=upload_s,
            read_timeout=upload_s,
        )

    async def _wait_turn(self, chat: str) -> None:
        wait_us = self._pace.book(place_of(chat).chat, self._parts.clock.monotonic_us())
        if wait_us:
            await asyncio.sleep(wait_us / SECOND_US / self._parts.speed)


def _with_note(message: OutgoingMessage, note: str) -> OutgoingMessage:
    return replace(message, text=f"{message.text}\n{note}", attachment=None)


def _keyboard(message: OutgoingMessage) -> InlineKeyboardMarkup | None:
    if not message.buttons:
        return None
    return InlineKeyboardMarkup(
        [
            [InlineKeyboardButton(button.label, callback_data=button.data) for button in row]
            for row in message.buttons
        ]
    )


def _read(path: Path, bytes_max: int) -> bytes | int | None:
    """The content; its size when that is too large; ``None`` when there is no such file."""
    try:
        found = path.stat().st_size
        return path.read_bytes() if found <= bytes_max else found
    except OSError:
        return None
