"""Outbox on either database.

``insert_messages`` works inside somebody else's transaction: it makes a message
as durable as the fact it tells.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.adapters.storage.database import Database
from bot.adapters.storage.message_rows import HELD, WAITING, outbox_row, queued_of
from bot.adapters.storage.sql_terms import insert_ignoring
from bot.adapters.storage.tables import outbox
from bot.domain.ids import Scope
from bot.kit.clock import Clock
from bot.ports.messages import Channel, HeldBack, OutgoingMessage, QueuedMessage

_SENT, _FAILED = "sent", "failed"
_REASON_KEPT_MAX = 500


async def insert_messages(
    connection: AsyncConnection, scope: Scope, messages: Sequence[OutgoingMessage], now_us: int
) -> None:
    """Queue messages as part of the transaction that makes them true."""
    await connection.run_sync(queue_messages, scope, messages, now_us)


def queue_messages(
    connection: Connection, scope: Scope, messages: Sequence[OutgoingMessage], now_us: int
) -> None:
    """The same inside :meth:`Database.transact`."""
    for message in messages:
        # One by one: the order of the ids is the order of delivery.
        statement = insert_ignoring(connection, outbox) if message.once else insert(outbox)
        connection.execute(statement.values(outbox_row(scope, message, now_us)))


class SqlOutbox:
    """``Outbox`` in the table ``outbox``."""

    def __init__(self, database: Database, scope: Scope, clock: Clock) -> None:
        self._database = database
        self._scope = scope
        self._clock = clock

    async def put(self, messages: Sequence[OutgoingMessage]) -> None:
        """See :meth:`Outbox.put`."""
        async with self._database.begin() as connection:
            await insert_messages(connection, self._scope, messages, self._clock.now_us())

    async def heads(
        self, channel: Channel, now_us: int, per_recipient: int
    ) -> tuple[QueuedMessage, ...]:
        """See :meth:`Outbox.heads`."""
        table = outbox.c
        put_off_us = case((and_(table.state == WAITING, table.attempts > 0), table.due_us), else_=0)
        # Numbers alone: a backlog's texts are read for those that go now.
        ranked = (
            select(
                table.id,
                func.row_number()
                .over(partition_by=table.recipient, order_by=(table.rank, table.id))
                .label("place"),
                func.max(put_off_us).over(partition_by=table.recipient).label("put_off_us"),
            )
            .where(
                table.scope == self._scope,
                table.channel == channel.value,
                _is_open(now_us),
            )
            .subquery()
        )
        query = (
            select(outbox)
            .join(ranked, ranked.c.id == table.id)
            .where(ranked.c.place <= per_recipient, ranked.c.put_off_us <= now_us)
            .order_by(table.rank, table.id)
        )
        async with self._database.read() as connection:
            return tuple(queued_of(row) for row in (await connection.execute(query)).mappings())

    async def mark_sent(self, ids: Sequence[int], now_us: int) -> None:
        """See :meth:`Outbox.mark_sent`."""
        await self._change(ids, state=_SENT, done_us=now_us)

    async def mark_failed(self, message_id: int, reason: str, now_us: int) -> None:
        """See :meth:`Outbox.mark_failed`."""
        await self._change(
            [message_id], state=_FAILED, done_us=now_us, last_error=reason[:_REASON_KEPT_MAX]
        )

    async def postpone(self, message_id: int, due_us: int, reason: str) -> None:
        """See :meth:`Outbox.postpone`."""
        # Held back no more: what is put off keeps the others behind it.
        await self._change(
            [message_id], state=WAITING, due_us=due_us, last_error=reason[:_REASON_KEPT_MAX]
        )

    async def hold(self, kinds: Collection[str], now_us: int, until_us: int) -> int:
        """See :meth:`Outbox.hold`."""
        moved = (
            update(outbox)
            .where(self._is_held(now_us), outbox.c.kind.in_(kinds))
            .values(due_us=until_us)
        )
        async with self._database.begin() as connection:
            return (await connection.execute(moved)).rowcount

    async def held(self, now_us: int) -> tuple[HeldBack, ...]:
        """See :meth:`Outbox.held`."""
        table = outbox.c
        each = (
            select(
                table.kind,
                func.count().label("count"),
                func.max(table.due_us).label("until_us"),
            )
            .where(self._is_held(now_us))
            .group_by(table.kind, table.channel, table.recipient)
            .subquery()
        )
        query = (
            select(each.c.kind, func.max(each.c.count), func.max(each.c.until_us))
            .group_by(each.c.kind)
            .order_by(each.c.kind)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return tuple(HeldBack(kind=kind, count=count, until_us=us) for kind, count, us in rows)

    async def last_due(self, since_us: int) -> Mapping[str, int]:
        """See :meth:`Outbox.last_due`."""
        table = outbox.c
        query = (
            select(table.kind, func.max(table.due_us))
            .where(
                table.scope == self._scope,
                table.alert.is_not(None),
                table.created_us >= since_us,
            )
            .group_by(table.kind)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return {str(kind): int(due_us) for kind, due_us in rows}

    async def waiting(self, channel: Channel) -> int:
        """See :meth:`Outbox.waiting`."""
        table = outbox.c
        query = select(func.count()).where(
            table.scope == self._scope,
            table.channel == channel.value,
            _is_open(self._clock.now_us()),
        )
        async with self._database.read() as connection:
            return int((await connection.execute(query)).scalar_one())

    async def prune(self, before_us: int) -> int:
        """See :meth:`Outbox.prune`."""
        table = outbox.c
        async with self._database.begin() as connection:
            found = await connection.execute(
                outbox.delete().where(
                    table.scope == self._scope,
                    table.state.in_((_SENT, _FAILED)),
                    table.done_us < before_us,
                )
            )
            return found.rowcount

    def _is_held(self, now_us: int) -> ColumnElement[bool]:
        table = outbox.c
        return and_(table.scope == self._scope, table.state == HELD, table.due_us > now_us)

    async def _change(self, ids: Sequence[int], **values: Any) -> None:
        table = outbox.c
        change = (
            update(outbox)
            .where(
                table.scope == self._scope,
                table.id.in_(ids),
                table.state.in_((WAITING, HELD)),
            )
            .values(attempts=table.attempts + 1, **values)
        )
        # What a power cut undoes is sent again.
        await self._database.transact(lambda one: one.execute(change), is_synced=False)


def _is_open(now_us: int) -> ColumnElement[bool]:
    """Neither delivered, nor given up, nor held back."""
    table = outbox.c
    # Said so that the index finds them among all that was ever sent.
    return and_(
        table.state.in_((WAITING, HELD)), or_(table.state == WAITING, table.due_us <= now_us)
    )
