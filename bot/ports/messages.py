"""Commands in, messages out, and what was done: all of it durable.

Every call may raise ``StorageUnavailable``. Numbers are given by the inbox, one
sequence over every channel, and never used twice.

A command is *put* (committed before its channel forgets it), *claimed* under an
epoch, acted on, and *finished*: its end, its audit row and its replies are one
transaction. A process that dies in between leaves the row unfinished, and the
next leader claims it again with ``attempts`` one higher. The act itself is kept
from happening twice by its number: whoever acts inserts the audit row in the
same transaction as the act.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

from bot.domain.alert_preferences import PreferenceChange, Preferences
from bot.domain.alerts import AlertFacts, AlertKind
from bot.domain.ids import Epoch
from bot.domain.operations import AccessLevel, Severity
from bot.kit.secrecy import redact


class Channel(StrEnum):
    """The way a command came, or a message goes."""

    TELEGRAM = "telegram"
    PORTAL = "portal"
    CLI = "cli"
    EMAIL = "email"
    WEBHOOK = "webhook"


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingCommand:
    """What a person typed or pressed, as its channel delivered it."""

    channel: Channel
    bot_id: int
    """The receiving bot; 0 where the channel has none."""
    update_id: int
    """Unique within channel and bot; the same one is stored once."""
    user_id: int
    user_name: str
    chat_id: int
    is_private: bool
    text: str
    """What was typed; empty for a button."""
    button: str | None
    """The data of the button that was pressed."""
    sent_us: int
    """When the person sent it, by the channel's clock."""
    received_us: int
    is_urgent: bool
    """Takes the lane that waits for nothing else."""
    granted: AccessLevel | None = None
    """Level that the channel itself has established; Telegram's is looked up instead."""
    is_confirmed: bool = False
    """Whether the channel has already asked "are you sure"."""
    message_id: int | None = None
    """The message whose button was pressed, as its channel numbers them."""
    topic_id: int | None = None
    """The topic of a forum in which it was said, and is answered; ``None`` outside of topics."""

    @property
    def place(self) -> str:
        """The chat, with its topic where it has one, as messages are addressed."""
        return str(self.chat_id) if self.topic_id is None else f"{self.chat_id}/{self.topic_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedCommand:
    """A command that the holder of ``epoch`` is working on."""

    number: int
    attempts: int
    """1 the first time; more after a crash or a lost answer."""
    epoch: Epoch
    command: IncomingCommand


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """What became of a command. One per number."""

    number: int
    at_us: int
    channel: Channel
    actor: str
    command: str
    outcome: str
    epoch: Epoch | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageButton:
    """A button under a message. Telegram allows 64 bytes of ``data``."""

    label: str
    data: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingMessage:
    """Something to deliver. ``text`` is Telegram's HTML, escaped by whoever wrote it."""

    channel: Channel
    recipient: str
    kind: str
    """``reply`` or the alert's name."""
    severity: Severity
    text: str
    attachment: str | None = None
    """Path of a file to send along; a ``.png`` is shown as a picture."""
    buttons: tuple[tuple[MessageButton, ...], ...] = ()
    edits: int | None = None
    """The earlier message that this one takes the place of, as its channel numbers them."""
    alert: str = ""
    """The alert's own name, the same for everyone who is told; empty for a reply."""
    footer: str = ""
    """The end of ``text`` that says who speaks: told once where messages are joined."""
    is_urgent: bool = False
    """Passes everything that is not."""
    is_silent: bool = False
    """Arrives without a sound, where the channel can do that."""
    held_until_us: int | None = None
    """Held back until then; what is not held passes it."""
    once: str = ""
    """What it tells, where that is told once: a second one for its recipient is not stored."""
    instance: str = ""
    """Who says it; the one that delivers it may be its successor."""
    facts: AlertFacts = field(default_factory=dict)
    """What the text was made of, for programs that read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBack:
    """Alerts of one kind that are held back: how many, and until when."""

    kind: str
    count: int
    until_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedMessage:
    """A message that waits to be delivered."""

    id: int
    attempts: int
    created_us: int
    due_us: int
    message: OutgoingMessage


def without_secrets(command: IncomingCommand) -> IncomingCommand:
    """The same with key material taken out: a key that was pasted by mistake is kept nowhere."""
    button = None if command.button is None else redact(command.button)
    return replace(command, text=redact(command.text), button=button)


class Inbox(Protocol):
    """Commands between the channel and their effect, for one scope."""

    async def put(self, commands: Sequence[IncomingCommand]) -> int:
        """Store what is new, without secrets, and return how many were; durable on return."""
        ...

    async def claim(self, epoch: Epoch, *, urgent: bool) -> ClaimedCommand | None:
        """Take the oldest unfinished command of a lane.

        Only one worker per lane may run in an epoch: it may be given the very
        command it had before.

        Raises:
            NotLeader: a later epoch has already claimed it.
        """
        ...

    async def open(self, command: IncomingCommand, epoch: Epoch) -> ClaimedCommand:
        """Store and claim at once, for a channel that waits for its answer.

        Nobody else is given this command while the epoch lasts.
        """
        ...

    async def finish(
        self, claimed: ClaimedCommand, audit: AuditEntry, replies: Sequence[OutgoingMessage]
    ) -> None:
        """End it, record it and queue its replies, together or not at all. Repeating is harmless.

        Raises:
            NotLeader: a later epoch has claimed it; nothing was written.
        """
        ...

    async def waiting(self) -> int:
        """How many commands are not finished."""
        ...

    async def prune(self, before_us: int) -> int:
        """Forget finished commands received before then; return how many."""
        ...


class Audit(Protocol):
    """What operators did, for one scope."""

    async def record(self, entry: AuditEntry) -> bool:
        """Store it unless its number is known; false says it was."""
        ...

    async def find(self, number: int) -> AuditEntry | None:
        """The entry of a command, if it has acted or ended."""
        ...

    async def latest(self, limit: int) -> tuple[AuditEntry, ...]:
        """The newest entries, newest first."""
        ...


class Outbox(Protocol):
    """Messages between their cause and their delivery, for one scope."""

    async def put(self, messages: Sequence[OutgoingMessage]) -> None:
        """Queue them in this order; durable on return."""
        ...

    async def heads(
        self, channel: Channel, now_us: int, per_recipient: int
    ) -> tuple[QueuedMessage, ...]:
        """What may leave now: for each recipient the urgent first, then the others, in order.

        A recipient whose message was put off gets nothing until then. What is held back counts
        from its time on, in its old place.
        """
        ...

    async def mark_sent(self, ids: Sequence[int], now_us: int) -> None:
        """They are delivered."""
        ...

    async def mark_failed(self, message_id: int, reason: str, now_us: int) -> None:
        """It can never be delivered; the next one of the recipient may go."""
        ...

    async def postpone(self, message_id: int, due_us: int, reason: str) -> None:
        """Try again then, and keep everything for this recipient behind it."""
        ...

    async def hold(self, kinds: Collection[str], now_us: int, until_us: int) -> int:
        """Hold what is held back now, of these kinds, until another time; return how many.

        Until now is no longer.
        """
        ...

    async def held(self, now_us: int) -> tuple[HeldBack, ...]:
        """What is held back, by kind: the most of any recipient, until the last is let go."""
        ...

    async def last_due(self, since_us: int) -> Mapping[str, int]:
        """By kind of alert: when the last one that was queued since then is due, or was."""
        ...

    async def waiting(self, channel: Channel) -> int:
        """How many messages are not delivered, given up or held back."""
        ...

    async def prune(self, before_us: int) -> int:
        """Forget what was delivered or given up before then; return how many."""
        ...


class PreferenceStore(Protocol):
    """How alerts may interrupt, as chosen in the chat, for one scope."""

    async def load(self) -> Preferences:
        """What was chosen; empty while nothing was."""
        ...

    async def change(self, act: AuditEntry, change: PreferenceChange) -> Preferences:
        """Store a change, with its act, and return what holds now.

        Under a number that has acted it changes nothing.
        """
        ...


class AlertSink(Protocol):
    """Where an event goes that a person should know of."""

    def post(self, kind: AlertKind, facts: AlertFacts) -> None:
        """Hand it over without waiting. Never fails, never delays the caller."""
        ...
