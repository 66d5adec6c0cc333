"""Inbox and audit on either database.

``record_act`` works inside somebody else's transaction: it keeps an act from
happening twice.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.adapters.storage.database import Database
from bot.adapters.storage.message_rows import WAITING, command_of_payload, entry_of, payload_of
from bot.adapters.storage.outbox import queue_messages
from bot.adapters.storage.sql_terms import insert_ignoring
from bot.adapters.storage.tables import command_audit, command_inbox
from bot.domain.errors import InvariantBroken, NotLeader
from bot.domain.ids import Epoch, Scope
from bot.kit.clock import Clock
from bot.ports.messages import (
    AuditEntry,
    ClaimedCommand,
    IncomingCommand,
    OutgoingMessage,
)

_CLAIMED, _DONE = "claimed", "done"
_URGENT, _ORDINARY, _DIRECT = "urgent", "ordinary", "direct"


async def record_act(connection: AsyncConnection, scope: Scope, entry: AuditEntry) -> bool:
    """Claim the right to act under ``entry.number``; false when that act already happened.

    Call it first in the transaction of the act, and do nothing on false.
    """
    return await connection.run_sync(record_entry, scope, entry)


def record_entry(connection: Connection, scope: Scope, entry: AuditEntry) -> bool:
    """The same inside :meth:`Database.transact`."""
    statement = insert_ignoring(connection, command_audit).values(
        scope=scope,
        command_id=entry.number,
        at_us=entry.at_us,
        channel=entry.channel.value,
        actor=entry.actor,
        command=entry.command,
        outcome=entry.outcome,
        epoch=entry.epoch,
    )
    return connection.execute(statement).rowcount == 1


class SqlInbox:
    """``Inbox`` in the table ``command_inbox``."""

    def __init__(self, database: Database, scope: Scope, clock: Clock) -> None:
        self._database = database
        self._scope = scope
        self._clock = clock

    async def put(self, commands: Sequence[IncomingCommand]) -> int:
        """See :meth:`Inbox.put`."""
        rows = [
            self._row(command, _URGENT if command.is_urgent else _ORDINARY) for command in commands
        ]

        def work(connection: Connection) -> int:
            insert_new = insert_ignoring(connection, command_inbox)
            return sum(connection.execute(insert_new.values(row)).rowcount for row in rows)

        return await self._database.transact(work)

    async def claim(self, epoch: Epoch, *, urgent: bool) -> ClaimedCommand | None:
        """See :meth:`Inbox.claim`."""
        lanes = [_URGENT] if urgent else [_ORDINARY, _DIRECT]
        table = command_inbox.c
        oldest = (
            select(table.id, table.claimed_epoch)
            .where(
                table.scope == self._scope,
                table.state != _DONE,
                table.lane.in_(lanes),
                # A direct one of this epoch is in the hands of whoever waits for it.
                (table.lane != _DIRECT) | (table.claimed_epoch != epoch),
            )
            .order_by(table.id)
            .limit(1)
        )
        # Asked twice a second for as long as the bot leads, nearly always for nothing.
        async with self._database.peek() as connection:
            if (await connection.execute(oldest)).first() is None:
                return None

        def work(connection: Connection) -> RowMapping | None:
            found = connection.execute(oldest.with_for_update()).mappings().first()
            if found is None:
                return None
            _refuse_later_epoch(found["claimed_epoch"], epoch)
            claim = (
                update(command_inbox)
                .where(table.id == found["id"])
                .values(state=_CLAIMED, claimed_epoch=epoch, attempts=table.attempts + 1)
                .returning(table.id, table.attempts, table.payload_json)
            )
            return connection.execute(claim).mappings().one()

        # What a power cut undoes is claimed again.
        row = await self._database.transact(work, is_synced=False)
        if row is None:
            return None
        return ClaimedCommand(
            number=row["id"],
            attempts=row["attempts"],
            epoch=epoch,
            command=command_of_payload(row["payload_json"]),
        )

    async def open(self, command: IncomingCommand, epoch: Epoch) -> ClaimedCommand:
        """See :meth:`Inbox.open`."""
        row = {
            **self._row(command, _DIRECT),
            "state": _CLAIMED,
            "claimed_epoch": epoch,
            "attempts": 1,
        }
        async with self._database.begin() as connection:
            number = (
                await connection.execute(
                    insert(command_inbox).values(row).returning(command_inbox.c.id)
                )
            ).scalar_one()
        return ClaimedCommand(number=number, attempts=1, epoch=epoch, command=command)

    async def finish(
        self, claimed: ClaimedCommand, audit: AuditEntry, replies: Sequence[OutgoingMessage]
    ) -> None:
        """See :meth:`Inbox.finish`."""
        table = command_inbox.c
        now_us = self._clock.now_us()
        end = (
            update(command_inbox)
            .where(
                table.id == claimed.number,
                table.claimed_epoch == claimed.epoch,
                table.state == _CLAIMED,
            )
            .values(state=_DONE, done_us=now_us)
        )

        def work(connection: Connection) -> None:
            if connection.execute(end).rowcount == 0:
                self._refuse_finish(connection, claimed)
                return
            record_entry(connection, self._scope, audit)
            queue_messages(connection, self._scope, replies, now_us)

        # What a power cut undoes is answered again; an act is on record with its effect.
        await self._database.transact(work, is_synced=False)

    async def withdraw(self, number: int) -> None:
        """Take back a command that was carried out in another way: no later leader acts on it."""
        table = command_inbox.c
        end = (
            update(command_inbox)
            .where(table.id == number, table.scope == self._scope, table.state != _DONE)
            .values(state=_DONE, done_us=self._clock.now_us())
        )
        async with self._database.begin() as connection:
            await connection.execute(end)

    async def waiting(self) -> int:
        """See :meth:`Inbox.waiting`."""
        table = command_inbox.c
        async with self._database.read() as connection:
            found = await connection.execute(
                select(func.count()).where(table.scope == self._scope, table.state != _DONE)
            )
            return int(found.scalar_one())

    async def prune(self, before_us: int) -> int:
        """See :meth:`Inbox.prune`."""
        table = command_inbox.c
        async with self._database.begin() as connection:
            found = await connection.execute(
                command_inbox.delete().where(
                    table.scope == self._scope, table.state == _DONE, table.received_us < before_us
                )
            )
            return found.rowcount

    def _refuse_finish(self, connection: Connection, claimed: ClaimedCommand) -> None:
        """Tell a repeated end from a lost claim."""
        table = command_inbox.c
        found = connection.execute(
            select(table.state, table.claimed_epoch).where(table.id == claimed.number)
        )
        row = found.mappings().first()
        if row is None or (row["state"] == _DONE and row["claimed_epoch"] == claimed.epoch):
            return
        _refuse_later_epoch(row["claimed_epoch"], claimed.epoch)
        raise InvariantBroken(f"command {claimed.number} is {row['state']} and was never claimed")

    def _row(self, command: IncomingCommand, lane: str) -> dict[str, Any]:
        return {
            "scope": self._scope,
            "channel": command.channel.value,
            "bot_id": command.bot_id,
            "update_id": command.update_id,
            "payload_json": payload_of(command),
            "lane": lane,
            "state": WAITING,
            "attempts": 0,
            "received_us": command.received_us,
        }


class SqlAudit:
    """``Audit`` in the table ``command_audit``."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database = database
        self._scope = scope

    async def record(self, entry: AuditEntry) -> bool:
        """See :meth:`Audit.record`."""
        async with self._database.begin() as connection:
            return await record_act(connection, self._scope, entry)

    async def find(self, number: int) -> AuditEntry | None:
        """See :meth:`Audit.find`."""
        table = command_audit.c
        async with self._database.read() as connection:
            found = await connection.execute(
                select(command_audit).where(table.scope == self._scope, table.command_id == number)
            )
            row = found.mappings().first()
        return None if row is None else entry_of(row)

    async def latest(self, limit: int) -> tuple[AuditEntry, ...]:
        """See :meth:`Audit.latest`."""
        table = command_audit.c
        async with self._database.read() as connection:
            found = await connection.execute(
                select(command_audit)
                .where(table.scope == self._scope)
                .order_by(table.id.desc())
                .limit(limit)
            )
            return tuple(entry_of(row) for row in found.mappings())


def _refuse_later_epoch(found: int | None, mine: Epoch) -> None:
    if found is not None and found > mine:
        raise NotLeader(f"epoch {found} works on the commands, not {mine}")
