"""Inbox, outbox and audit in memory; they pass the same contract suite as the real ones."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bot.domain.alert_preferences import PreferenceChange, Preferences, changed
from bot.domain.errors import InvariantBroken, NotLeader, StorageUnavailable
from bot.domain.ids import Epoch
from bot.kit.clock import Clock
from bot.ports.messages import (
    AuditEntry,
    Channel,
    ClaimedCommand,
    HeldBack,
    IncomingCommand,
    OutgoingMessage,
    QueuedMessage,
    without_secrets,
)


@dataclass
class _InboxRow:
    number: int
    command: IncomingCommand
    lane: str
    state: str = "waiting"
    attempts: int = 0
    epoch: Epoch | None = None


@dataclass
class _OutboxRow:
    queued: QueuedMessage
    state: str = "waiting"
    reason: str | None = None
    done_us: int | None = None

    @property
    def is_held(self) -> bool:
        return self.state == "held"

    def is_open(self, now_us: int) -> bool:
        return self.state == "waiting" or (self.is_held and self.queued.due_us <= now_us)

    def is_put_off(self, now_us: int) -> bool:
        is_tried = self.state == "waiting" and self.queued.attempts > 0
        return is_tried and self.queued.due_us > now_us


@dataclass
class MemoryStore:
    """The rows behind the three fakes. ``is_away`` makes every call fail."""

    clock: Clock
    inbox: list[_InboxRow] = field(default_factory=list)
    outbox: list[_OutboxRow] = field(default_factory=list)
    audit: dict[int, AuditEntry] = field(default_factory=dict)
    preferences: Preferences = field(default_factory=Preferences)
    is_away: bool = False

    def check(self) -> None:
        if self.is_away:
            raise StorageUnavailable("the database is away")

    def queue(self, messages: Sequence[OutgoingMessage]) -> None:
        now_us = self.clock.now_us()
        for message in messages:
            if message.once and any(_is_same_once(row, message) for row in self.outbox):
                continue
            held_until_us = message.held_until_us
            queued = QueuedMessage(
                id=len(self.outbox) + 1,
                attempts=0,
                created_us=now_us,
                due_us=now_us if held_until_us is None else held_until_us,
                message=message,
            )
            state = "waiting" if held_until_us is None else "held"
            self.outbox.append(_OutboxRow(queued, state))

    def texts(self) -> list[str]:
        return [row.queued.message.text for row in self.outbox]


class MemoryInbox:
    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._next = 1

    async def put(self, commands: Sequence[IncomingCommand]) -> int:
        self._store.check()
        stored = 0
        for command in commands:
            key = (command.channel, command.bot_id, command.update_id)
            known = {
                (row.command.channel, row.command.bot_id, row.command.update_id)
                for row in self._store.inbox
            }
            if key not in known:
                self._add(command, "urgent" if command.is_urgent else "ordinary")
                stored += 1
        return stored

    async def claim(self, epoch: Epoch, *, urgent: bool) -> ClaimedCommand | None:
        self._store.check()
        for row in self._store.inbox:
            in_lane = (row.lane == "urgent") == urgent
            is_elsewhere = row.lane == "direct" and row.epoch == epoch
            if row.state == "done" or not in_lane or is_elsewhere:
                continue
            _refuse_later(row.epoch, epoch)
            row.state, row.epoch = "claimed", epoch
            row.attempts += 1
            return self._claimed(row, epoch)
        return None

    async def open(self, command: IncomingCommand, epoch: Epoch) -> ClaimedCommand:
        self._store.check()
        row = self._add(command, "direct")
        row.state, row.epoch, row.attempts = "claimed", epoch, 1
        return self._claimed(row, epoch)

    async def finish(
        self, claimed: ClaimedCommand, audit: AuditEntry, replies: Sequence[OutgoingMessage]
    ) -> None:
        self._store.check()
        rows = [row for row in self._store.inbox if row.number == claimed.number]
        if not rows or (rows[0].state == "done" and rows[0].epoch == claimed.epoch):
            return
        _refuse_later(rows[0].epoch, claimed.epoch)
        if rows[0].state != "claimed":
            raise InvariantBroken("never claimed")
        rows[0].state = "done"
        self._store.audit.setdefault(audit.number, audit)
        self._store.queue(replies)

    async def waiting(self) -> int:
        self._store.check()
        return sum(row.state != "done" for row in self._store.inbox)

    async def prune(self, before_us: int) -> int:
        self._store.check()
        old = [
            row
            for row in self._store.inbox
            if row.state == "done" and row.command.received_us < before_us
        ]
        self._store.inbox = [row for row in self._store.inbox if row not in old]
        return len(old)

    def _add(self, command: IncomingCommand, lane: str) -> _InboxRow:
        row = _InboxRow(self._next, without_secrets(command), lane)
        self._next += 1
        self._store.inbox.append(row)
        return row

    def _claimed(self, row: _InboxRow, epoch: Epoch) -> ClaimedCommand:
        return ClaimedCommand(
            number=row.number, attempts=row.attempts, epoch=epoch, command=row.command
        )


class MemoryAudit:
    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def record(self, entry: AuditEntry) -> bool:
        self._store.check()
        is_new = entry.number not in self._store.audit
        self._store.audit.setdefault(entry.number, entry)
        return is_new

    async def find(self, number: int) -> AuditEntry | None:
        self._store.check()
        return self._store.audit.get(number)

    async def latest(self, limit: int) -> tuple[AuditEntry, ...]:
        self._store.check()
        return tuple(reversed(list(self._store.audit.values())))[:limit]


class MemoryPreferences:
    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def load(self) -> Preferences:
        self._store.check()
        return self._store.preferences

    async def change(self, act: AuditEntry, change: PreferenceChange) -> Preferences:
        self._store.check()
        if act.number not in self._store.audit:
            self._store.audit[act.number] = act
            self._store.preferences = changed(self._store.preferences, change)
        return self._store.preferences


class MemoryOutbox:
    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def put(self, messages: Sequence[OutgoingMessage]) -> None:
        self._store.check()
        self._store.queue(messages)

    async def heads(
        self, channel: Channel, now_us: int, per_recipient: int
    ) -> tuple[QueuedMessage, ...]:
        self._store.check()
        by_recipient: dict[str, list[_OutboxRow]] = defaultdict(list)
        for row in self._store.outbox:
            if row.is_open(now_us) and row.queued.message.channel is channel:
                by_recipient[row.queued.message.recipient].append(row)
        found = [
            row.queued
            for queue in by_recipient.values()
            if not any(row.is_put_off(now_us) for row in queue)
            for row in sorted(queue, key=_place)[:per_recipient]
        ]
        return tuple(sorted(found, key=lambda queued: (_rank(queued.message), queued.id)))

    async def mark_sent(self, ids: Sequence[int], now_us: int) -> None:
        for message_id in ids:
            self._change(message_id, state="sent", done_us=now_us)

    async def mark_failed(self, message_id: int, reason: str, now_us: int) -> None:
        self._change(message_id, state="failed", done_us=now_us, reason=reason)

    async def postpone(self, message_id: int, due_us: int, reason: str) -> None:
        self._change(message_id, state="waiting", reason=reason, due_us=due_us)

    async def hold(self, kinds: Collection[str], now_us: int, until_us: int) -> int:
        rows = self._held(kinds, now_us)
        for row in rows:
            message = replace(row.queued.message, held_until_us=until_us)
            row.queued = replace(row.queued, due_us=until_us, message=message)
        return len(rows)

    async def held(self, now_us: int) -> tuple[HeldBack, ...]:
        counts: dict[str, Counter[tuple[Channel, str]]] = defaultdict(Counter)
        until: dict[str, int] = defaultdict(int)
        for row in self._held(None, now_us):
            message = row.queued.message
            counts[message.kind][message.channel, message.recipient] += 1
            until[message.kind] = max(until[message.kind], row.queued.due_us)
        return tuple(
            HeldBack(kind=kind, count=max(counts[kind].values()), until_us=until[kind])
            for kind in sorted(counts)
        )

    async def last_due(self, since_us: int) -> Mapping[str, int]:
        self._store.check()
        found: dict[str, int] = {}
        for row in self._store.outbox:
            queued = row.queued
            if queued.message.alert and queued.created_us >= since_us:
                kind = queued.message.kind
                found[kind] = max(found.get(kind, 0), queued.due_us)
        return found

    async def waiting(self, channel: Channel) -> int:
        self._store.check()
        now_us = self._store.clock.now_us()
        return sum(
            row.is_open(now_us) and row.queued.message.channel is channel
            for row in self._store.outbox
        )

    async def prune(self, before_us: int) -> int:
        self._store.check()
        old = [
            row for row in self._store.outbox if row.done_us is not None and row.done_us < before_us
        ]
        self._store.outbox = [row for row in self._store.outbox if row not in old]
        return len(old)

    def _held(self, kinds: Collection[str] | None, now_us: int) -> list[_OutboxRow]:
        self._store.check()
        return [
            row
            for row in self._store.outbox
            if row.is_held
            and row.queued.due_us > now_us
            and (kinds is None or row.queued.message.kind in kinds)
        ]

    def _change(
        self,
        message_id: int,
        *,
        state: str,
        done_us: int | None = None,
        reason: str | None = None,
        due_us: int | None = None,
    ) -> None:
        self._store.check()
        for row in self._store.outbox:
            if row.queued.id == message_id and (row.state == "waiting" or row.is_held):
                row.state, row.done_us, row.reason = state, done_us, reason
                row.queued = replace(
                    row.queued,
                    attempts=row.queued.attempts + 1,
                    due_us=row.queued.due_us if due_us is None else due_us,
                    message=replace(row.queued.message, held_until_us=None),
                )


def _rank(message: OutgoingMessage) -> int:
    return 0 if message.is_urgent or message.kind == "reply" else 1


def _place(row: _OutboxRow) -> tuple[int, int]:
    return _rank(row.queued.message), row.queued.id


def _is_same_once(row: _OutboxRow, message: OutgoingMessage) -> bool:
    known = row.queued.message
    mine, other = ((one.channel, one.recipient, one.once) for one in (message, known))
    return mine == other


def _refuse_later(found: Epoch | None, mine: Epoch) -> None:
    if found is not None and found > mine:
        raise NotLeader("a later epoch works on it")
