"""From an event to an outbox row for everyone who is to know.

Telling never waits and never fails: while the database is away alerts stay in
memory, up to a bound, and follow when it is back.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from bot.alerts.catalogue import render, text_of
from bot.alerts.policy import WINDOW_US, Digest, Throttle
from bot.domain.alerts import AlertFacts, AlertKind
from bot.domain.errors import StorageUnavailable
from bot.domain.ids import brief
from bot.domain.operations import Banner, Severity
from bot.kit.clock import Clock
from bot.kit.logs import redact
from bot.kit.markup import bold, escape
from bot.kit.times import GREENWICH
from bot.ports.messages import Channel, Outbox, OutgoingMessage

logger = logging.getLogger(__name__)

_LEVELS = {
    Severity.INFO: logging.INFO,
    Severity.WARNING: logging.WARNING,
    Severity.CRITICAL: logging.ERROR,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Where alerts go: a channel and an address in it (for Telegram a chat id)."""

    channel: Channel
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSettings:
    """Who is told, and how much is kept while nothing can be stored."""

    recipients: tuple[Recipient, ...] = ()
    window_us: int = WINDOW_US
    backlog_max: int = 1_000
    retry_s: float = 1.0
    zone: ZoneInfo = GREENWICH
    """Whose clock the times in messages are on."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Exact values that must never appear in a message."""

    def __post_init__(self) -> None:
        if self.backlog_max < 1:
            raise ValueError("backlog_max: must be at least 1")
        if self.retry_s <= 0:
            raise ValueError("retry_s: must be positive seconds, for example 1.0")
        if len(set(self.recipients)) != len(self.recipients):
            raise ValueError("recipients: the same one is listed twice; list it once")


class Alerts:
    """Service and ``AlertSink``."""

    name = "alerts"

    def __init__(
        self,
        *,
        outbox: Outbox,
        clock: Clock,
        banner: Callable[[], Banner],
        settings: AlertSettings,
        queued: Callable[[], None],
    ) -> None:
        """``queued`` wakes the sender of messages."""
        self._outbox = outbox
        self._clock = clock
        self._banner = banner
        self._settings = settings
        self._queued = queued
        self._throttle = Throttle(settings.window_us)
        self._backlog: deque[tuple[OutgoingMessage, ...]] = deque()
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()
        self._is_store_away = False

    def compose(self, kind: AlertKind, facts: AlertFacts) -> tuple[OutgoingMessage, ...]:
        """The messages for an event, for a caller that stores them with its own transaction.

        Empty when the limit holds them back: they follow as a digest.
        """
        text = redact(render(kind, facts, self._settings.zone), self._settings.secrets)
        told = text_of(kind)
        logger.log(
            _LEVELS[told.severity],
            "alert",
            extra={"kind": kind.value, "facts": str(dict(facts))},
        )
        if told.is_limited and not self._throttle.admits(kind, text, self._clock.now_us()):
            return ()
        return self._messages(kind, text)

    def post(self, kind: AlertKind, facts: AlertFacts) -> None:
        """See :meth:`bot.ports.messages.AlertSink.post`."""
        self._keep(self.compose(kind, facts))

    async def tell(self, kind: AlertKind, facts: AlertFacts) -> None:
        """Like ``post``, but durable on return unless the database is away."""
        self.post(kind, facts)
        await self._flush()

    async def run(self) -> None:
        """See :meth:`bot.kit.tasks.Service.run`."""
        while True:
            self._wake.clear()
            for digest in self._throttle.due(self._clock.now_us()):
                self._keep(self._digest_messages(digest))
            if await self._flush():
                await self._sleep_or_wake()
            else:
                await asyncio.sleep(self._settings.retry_s)

    async def drain(self) -> None:
        """Store what is gathered and what is left."""
        for digest in self._throttle.rest():
            self._keep(self._digest_messages(digest))
        await self._flush()

    @property
    def backlog(self) -> int:
        """Events that are not stored yet."""
        return len(self._backlog)

    async def _sleep_or_wake(self) -> None:
        try:
            async with asyncio.timeout(self._settings.retry_s):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _flush(self) -> bool:
        """Store the backlog in order; false when the database is away."""
        async with self._turn:
            while self._backlog:
                messages = self._backlog[0]
                try:
                    await self._outbox.put(messages)
                except StorageUnavailable as fault:
                    self._note_store(str(fault))
                    return False
                # A full backlog may have dropped it meanwhile.
                if self._backlog and self._backlog[0] is messages:
                    self._backlog.popleft()
                self._note_store("")
                self._queued()
            return True

    def _note_store(self, fault: str) -> None:
        if bool(fault) == self._is_store_away:
            return
        self._is_store_away = bool(fault)
        if fault:
            logger.warning("alerts wait for the database", extra={"fault": fault})
        else:
            logger.info("alerts stored again", extra={"waiting": len(self._backlog)})

    def _keep(self, messages: tuple[OutgoingMessage, ...]) -> None:
        if not messages:
            return
        if len(self._backlog) >= self._settings.backlog_max:
            lost = self._backlog.popleft()
            logger.error("alert dropped, backlog full", extra={"kind": lost[0].kind})
        self._backlog.append(messages)
        self._wake.set()

    def _digest_messages(self, digest: Digest) -> tuple[OutgoingMessage, ...]:
        title = escape(text_of(digest.kind).title)
        hidden = digest.count - len(digest.texts)
        lines = [f"{bold(str(digest.count))} more: {title}", *digest.texts]
        if hidden:
            lines.append(f"and {hidden} that are only in the log")
        return self._messages(digest.kind, "\n".join(lines))

    def _messages(self, kind: AlertKind, text: str) -> tuple[OutgoingMessage, ...]:
        banner = self._banner()
        tagged = f"{text}\n{bold(banner.mode.value.upper())} | {escape(brief(banner.instance))}"
        return tuple(
            OutgoingMessage(
                channel=recipient.channel,
                recipient=recipient.address,
                kind=kind.value,
                severity=text_of(kind).severity,
                text=tagged,
            )
            for recipient in self._settings.recipients
        )
