"""Inbox, outbox and audit in memory; they pass the same contract suite as the real ones."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bot.domain.errors import InvariantBroken, NotLeader, StorageUnavailable
from bot.domain.ids import Epoch
from bot.kit.clock import Clock
from bot.ports.messages import (
    AuditEntry,
    Channel,
    ClaimedCommand,
    IncomingCommand,
    OutgoingMessage,
    QueuedMessage,
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


@dataclass
class MemoryStore:
    """The rows behind the three fakes. ``is_away`` makes every call fail."""

    clock: Clock
    inbox: list[_InboxRow] = field(default_factory=list)
    outbox: list[_OutboxRow] = field(default_factory=list)
    audit: dict[int, AuditEntry] = field(default_factory=dict)
    is_away: bool = False

    def check(self) -> None:
        if self.is_away:
            raise StorageUnavailable("the database is away")

    def queue(self, messages: Sequence[OutgoingMessage]) -> None:
        now_us = self.clock.now_us()
        for message in messages:
            queued = QueuedMessage(
                id=len(self.outbox) + 1,
                attempts=0,
                created_us=now_us,
                due_us=now_us,
                message=message,
            )
            self.outbox.append(_OutboxRow(queued))

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
        row = _InboxRow(self._next, command, lane)
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
        by_recipient: dict[str, list[QueuedMessage]] = defaultdict(list)
        for row in self._waiting(channel):
            by_recipient[row.queued.message.recipient].append(row.queued)
        found = [
            queued
            for queue in by_recipient.values()
            if queue[0].due_us <= now_us
            for queued in queue[:per_recipient]
        ]
        return tuple(sorted(found, key=lambda queued: queued.id))

    async def mark_sent(self, ids: Sequence[int], now_us: int) -> None:
        for message_id in ids:
            self._change(message_id, state="sent", done_us=now_us)

    async def mark_failed(self, message_id: int, reason: str, now_us: int) -> None:
        self._change(message_id, state="failed", done_us=now_us, reason=reason)

    async def postpone(self, message_id: int, due_us: int, reason: str) -> None:
        self._change(message_id, state="waiting", reason=reason, due_us=due_us)

    async def waiting(self, channel: Channel) -> int:
        self._store.check()
        return len(self._waiting(channel))

    async def prune(self, before_us: int) -> int:
        self._store.check()
        old = [
            row
            for row in self._store.outbox
            if row.state != "waiting" and row.done_us is not None and row.done_us < before_us
        ]
        self._store.outbox = [row for row in self._store.outbox if row not in old]
        return len(old)

    def _waiting(self, channel: Channel) -> list[_OutboxRow]:
        return [
            row
            for row in self._store.outbox
            if row.state == "waiting" and row.queued.message.channel is channel
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
            if row.queued.id == message_id and row.state == "waiting":
                row.state, row.done_us, row.reason = state, done_us, reason
                row.queued = replace(
                    row.queued,
                    attempts=row.queued.attempts + 1,
                    due_us=row.queued.due_us if due_us is None else due_us,
                )


def _refuse_later(found: Epoch | None, mine: Epoch) -> None:
    if found is not None and found > mine:
        raise NotLeader("a later epoch works on it")
