"""From an event to an outbox row for everyone who is to know.

Telling never waits and never fails: while the database is away alerts stay in
memory, up to a bound, and follow when it is back.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from zoneinfo import ZoneInfo

from bot.alerts.catalogue import AlertText, render, text_of
from bot.alerts.policy import WINDOW_US, Throttle, Way, way_of
from bot.domain.alert_preferences import Preferences
from bot.domain.alerts import AlertFacts, AlertKind
from bot.domain.errors import StorageUnavailable
from bot.domain.ids import brief
from bot.domain.operations import Banner, Severity
from bot.kit.clock import Clock
from bot.kit.markup import bold, escape
from bot.kit.secrecy import redact
from bot.kit.times import GREENWICH, SECOND_US
from bot.ports.messages import Channel, Outbox, OutgoingMessage, PreferenceStore

logger = logging.getLogger(__name__)

_BATCH = 100
_REREAD_US = 30 * SECOND_US
_NAMES_SINCE_MS = 1_767_225_600_000
"""The beginning of 2026."""
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"

_LEVELS = {
    Severity.INFO: logging.INFO,
    Severity.WARNING: logging.WARNING,
    Severity.CRITICAL: logging.ERROR,
}
_RANKS = {one: rank for rank, one in enumerate(Severity)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Where alerts go: a channel and an address in it (for Telegram a chat id)."""

    channel: Channel
    address: str
    at_least: Severity = Severity.INFO
    also: frozenset[AlertKind] = frozenset()
    """Told there however harmless."""
    only: frozenset[AlertKind] | None = None
    """Nothing else is told there; ``None``: everything is."""

    def hears(self, kind: AlertKind, facts: AlertFacts) -> bool:
        """Whether it is told of such an event."""
        if kind is AlertKind.CHANNEL_FAILED and facts.get("channel") == self.channel.value:
            return False  # what does not arrive is told where it does
        if self.only is not None and kind not in self.only:
            return False
        severity = text_of(kind).severity
        return kind in self.also or _RANKS[severity] >= _RANKS[self.at_least]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSettings:
    """Who is told, and how much is kept while nothing can be stored."""

    recipients: tuple[Recipient, ...] = ()
    configured: Preferences = field(default_factory=Preferences)
    """How alerts interrupt where nothing was chosen in the chat."""
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
        preferences: PreferenceStore | None = None,
    ) -> None:
        """``queued`` wakes the sender of messages. Without ``preferences`` the configured hold."""
        self._outbox = outbox
        self._clock = clock
        self._banner = banner
        self._settings = settings
        self._queued = queued
        self._preferences = preferences
        self._chosen = Preferences()
        self._reread_us = 0
        self._names = _Names()
        self._is_resumed = False
        self._throttle = Throttle(settings.window_us)
        self._backlog: deque[tuple[OutgoingMessage, ...]] = deque()
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()
        self._is_store_away = False
        self._also: tuple[Recipient, ...] = ()

    def tell_also(self, recipients: Iterable[Recipient]) -> None:
        """From now on these are told beside those of the settings: people who came in later."""
        self._also = tuple(recipients)

    def compose(
        self, kind: AlertKind, facts: AlertFacts, *, once: str = "", attachment: str | None = None
    ) -> tuple[OutgoingMessage, ...]:
        """The messages for an event, for a caller that stores them with its own transaction.

        What the limit, a mute or the quiet hours hold back is among them, with its time.

        Args:
            kind: what happened.
            facts: of it.
            once: what it tells, if that is told once however often it is composed.
            attachment: path of a file to send along.
        """
        text = redact(render(kind, facts, self._settings.zone), self._settings.secrets)
        told = text_of(kind)
        logger.log(
            _LEVELS[told.severity],
            "alert",
            extra={"kind": kind.value, "facts": str(dict(facts))},
        )
        name = self._names.next(self._clock.now_us())
        footer = self._footer()
        ways = self._ways(kind, told)
        plain = OutgoingMessage(
            channel=Channel.PORTAL,
            recipient="",
            kind=kind.value,
            severity=told.severity,
            text=f"{text}\n{footer} | #{name}",
            attachment=attachment,
            alert=name,
            footer=footer,
            is_urgent=told.is_vital or told.severity is Severity.CRITICAL,
            once=once,
            instance=self._banner().instance,
            facts=self._safe(facts),
        )
        sent = [
            _sent(plain, recipient, ways)
            for recipient in dict.fromkeys((*self._settings.recipients, *self._also))
            if recipient.hears(kind, facts)
        ]
        return tuple(message for message in sent if message is not None)

    def post(self, kind: AlertKind, facts: AlertFacts) -> None:
        """See :meth:`bot.ports.messages.AlertSink.post`."""
        self._keep(self.compose(kind, facts))

    async def tell(
        self, kind: AlertKind, facts: AlertFacts, *, once: str = "", attachment: str | None = None
    ) -> None:
        """Like ``post``, but durable on return unless the database is away."""
        self._keep(self.compose(kind, facts, once=once, attachment=attachment))
        await self._flush()

    def prefer(self, chosen: Preferences) -> None:
        """From now on alerts interrupt like this."""
        self._chosen = chosen

    @property
    def preferences(self) -> Preferences:
        """What holds: what was chosen, over what is configured."""
        return self._chosen.over(self._settings.configured)

    def reread(self) -> None:
        """Somebody else may have chosen: look again soon."""
        self._reread_us = 0
        self._wake.set()

    async def run(self) -> None:
        """See :meth:`bot.kit.tasks.Service.run`."""
        while True:
            self._wake.clear()
            await self._resume()
            await self._read_preferences()
            if await self._flush():
                await self._sleep_or_wake()
            else:
                await asyncio.sleep(self._settings.retry_s)

    async def drain(self) -> None:
        """Store what is left."""
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
                batch = list(islice(self._backlog, _BATCH))
                try:
                    await self._outbox.put([one for messages in batch for one in messages])
                except StorageUnavailable as fault:
                    self._note_store(str(fault))
                    return False
                # A full backlog may have dropped some of them meanwhile.
                stored = {id(messages) for messages in batch}
                while self._backlog and id(self._backlog[0]) in stored:
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
            usual = (i for i, one in enumerate(self._backlog) if not one[0].is_urgent)
            place = next(usual, 0)
            logger.error(
                "alert dropped, backlog full", extra={"kind": self._backlog[place][0].kind}
            )
            del self._backlog[place]
        self._backlog.append(messages)
        self._wake.set()

    def _ways(self, kind: AlertKind, told: AlertText) -> Mapping[Channel, Way | None]:
        """How each channel is told: people as they chose, programs as often as the limit allows.

        A page interrupts nobody and gets everything at once.
        """
        now_us = self._clock.now_us()
        window_us = self._throttle.book(kind, now_us) if told.is_limited else None
        chosen = way_of(kind, self.preferences, self._settings.zone, now_us, window_us)
        usual = dict.fromkeys(Channel, chosen)
        return usual | {Channel.PORTAL: Way(), Channel.WEBHOOK: Way(held_until_us=window_us)}

    def _safe(self, facts: AlertFacts) -> AlertFacts:
        secrets = self._settings.secrets
        return {
            name: redact(value, secrets) if isinstance(value, str) else value
            for name, value in facts.items()
        }

    def _footer(self) -> str:
        banner = self._banner()
        return f"{bold(banner.mode.value.upper())} | {escape(brief(banner.instance))}"

    async def _resume(self) -> None:
        """Go on with the limits of the process before: one that dies again and again is a storm."""
        if self._is_resumed:
            return
        now_us = self._clock.now_us()
        try:
            due = await self._outbox.last_due(now_us - self._settings.window_us)
        except StorageUnavailable:
            return
        self._is_resumed = True
        for kind in AlertKind:
            if text_of(kind).is_limited and kind.value in due:
                self._throttle.resume(kind, due[kind.value], now_us)

    async def _read_preferences(self) -> None:
        now_us = self._clock.monotonic_us()
        if self._preferences is None or now_us < self._reread_us:
            return
        self._reread_us = now_us + _REREAD_US
        before = self._chosen
        try:
            found = await self._preferences.load()
        except StorageUnavailable:
            return  # they hold as they were known last
        if self._chosen is before:  # otherwise somebody chose while this was read
            self._chosen = found


class _Names:
    """Gives each alert a short name that no other one has, in the order of time."""

    def __init__(self) -> None:
        self._last = 0

    def next(self, now_us: int) -> str:
        """A letter, so that a chat makes a link of it, and the milliseconds in base 36."""
        self._last = max(self._last + 1, now_us // 1_000 - _NAMES_SINCE_MS)
        left, digits = self._last, ""
        while left:
            left, digit = divmod(left, 36)
            digits = _DIGITS[digit] + digits
        return f"a{digits}"


def _sent(
    plain: OutgoingMessage, recipient: Recipient, ways: Mapping[Channel, Way | None]
) -> OutgoingMessage | None:
    """The message for one recipient; none where this kind is off."""
    way = ways[recipient.channel]
    if way is None:
        return None
    return replace(
        plain,
        channel=recipient.channel,
        recipient=recipient.address,
        held_until_us=way.held_until_us,
        is_silent=way.is_silent,
    )
