"""The trading core's memory in SQL: records under an epoch, halts, order groups.

The fence is the database's: a trigger refuses a row whose epoch is not the
scope's current lease, so nothing here has to remember to ask.
"""

from collections.abc import Coroutine, Sequence
from typing import Any

from sqlalchemy import Row, Table, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.adapters.storage import tables
from bot.adapters.storage.database import Database
from bot.adapters.storage.direct import Write, are_apart
from bot.adapters.storage.folding import Decision, entry_in, from_json, missing, to_json
from bot.adapters.storage.messages import record_act
from bot.adapters.storage.outbox import insert_messages
from bot.adapters.storage.sql_terms import NOW_US
from bot.adapters.storage.trading_rows import (
    baseline_of,
    bracket_of,
    breaker_of,
    fill_of,
    halt_of,
    position_of,
    snapshot_of,
    stored_order_of,
)
from bot.adapters.storage.trading_writes import TradingWrites
from bot.domain.errors import NotLeader, StorageUnavailable
from bot.domain.ids import ClientOrderId, Epoch, OrderGroupId, Scope
from bot.domain.money import Money
from bot.domain.orders import Fill, OrderIntent, OrderStatus, Purpose
from bot.domain.records import (
    BracketRecord,
    BracketState,
    HaltRecord,
    OrderRecord,
    Record,
    SnapshotRecord,
    StoredOrder,
    StoredState,
)
from bot.kit.begun import Begun
from bot.kit.times import HOUR_US
from bot.ports.messages import AuditEntry, OutgoingMessage
from bot.ports.trading import StoredGroup

_OPEN_BRACKETS = tuple(
    state.value
    for state in BracketState
    if state not in {BracketState.CLOSED, BracketState.SETTLED}
)
_FINAL_ORDERS = tuple(status.value for status in OrderStatus if status.is_final)
_CLOSED_KEPT = 50
_FOLDED_MAX = 64
"""More decisions than this do not wait for their rows: an order's commit writes them then."""
_FIRST_START = HaltRecord(
    halted=True,
    reason="first start; /unhalt to begin",
    set_by="installation",
    changed_us=0,
)


class _AnotherHalt(Exception):
    """The halt that was to be ended is not the one that is stored."""


class SqlTradingStore:
    """``TradingStore`` of one scope."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database = database
        self._scope = scope
        self._writes = TradingWrites(scope, database.dialect)
        self._folded: dict[ClientOrderId, Decision] = {}
        """By entry: what the next commit writes rows for."""

    def commit(
        self,
        epoch: Epoch,
        records: Sequence[Record],
        messages: Sequence[OutgoingMessage],
        now_us: int,
    ) -> Coroutine[Any, Any, None]:
        """See ``TradingStore.commit``. An entry's decision is one row at first (``folding``).

        Its write begins in the call, where it can.
        """
        entry = entry_in(records) if not messages and len(self._folded) < _FOLDED_MAX else None
        if entry is None:
            return self._commit(epoch, records, messages, now_us)
        writing = self._commit_entry(epoch, *entry)
        return Begun(writing) if self._database.is_prepared else writing

    async def _commit(
        self,
        epoch: Epoch,
        records: Sequence[Record],
        messages: Sequence[OutgoingMessage],
        now_us: int,
    ) -> None:
        folded = dict(self._folded)
        unwritten = missing(folded.values(), records)
        writes = [
            *[self._writes.missing(epoch, record) for record in unwritten],
            *[self._writes.of(epoch, record) for record in records],
        ]
        # Without a row that a trigger looks at, the fence must be asked.
        is_fenced = bool(unwritten) or not all(isinstance(one, OrderRecord) for one in records)
        await self._write(epoch, writes, messages, now_us, is_fenced=is_fenced)
        for entry_name in folded:
            # Another commit may have written them at the same time.
            self._folded.pop(entry_name, None)

    async def _commit_entry(self, epoch: Epoch, intent: OrderIntent, decision: Decision) -> None:
        """One row, as an order waits for it."""
        write = self._writes.entry(epoch, intent, to_json(decision))
        try:
            await self._database.write((write,))
        except StorageUnavailable:
            # It may be stored all the same.
            self._folded[intent.client_order_id] = decision
            raise
        self._folded[intent.client_order_id] = decision

    async def _write(
        self,
        epoch: Epoch,
        writes: Sequence[Write],
        messages: Sequence[OutgoingMessage],
        now_us: int,
        *,
        is_fenced: bool,
    ) -> None:
        is_simple = self._database.dialect == "sqlite" or are_apart(writes)
        if is_fenced and is_simple and not messages:
            await self._database.write(writes)
            return
        async with self._database.begin() as connection:
            if not is_fenced:
                await self._assert_leader(connection, epoch)
            for write in writes:
                await _run(connection, write)
            if messages:
                await insert_messages(connection, self._scope, messages, now_us)

    def rehearse(self, records: Sequence[Record]) -> None:
        """Make the rows of a commit and throw them away: no statement is run."""
        entry = entry_in(records)
        if entry is not None:
            self._writes.entry(Epoch(0), entry[0], to_json(entry[1]))
            return
        for record in records:
            self._writes.of(Epoch(0), record)

    async def save_halt(
        self, halt: HaltRecord, act: AuditEntry | None = None, *, ends: HaltRecord | None = None
    ) -> HaltRecord:
        """See ``TradingStore.save_halt``."""
        row = {
            "scope": self._scope,
            "halted": halt.halted,
            "reason": halt.reason,
            "set_by": halt.set_by,
            "changed_us": halt.changed_us,
        }
        try:
            async with self._database.begin() as connection:
                if act is not None and not await record_act(connection, self._scope, act):
                    return await self._halt(connection)
                if ends is None:
                    await _run(connection, self._writes.upsert(tables.risk_state, row))
                else:
                    # Raises, so that the act is not recorded either.
                    await self._replace_halt(connection, ends, row)
        except _AnotherHalt:
            return await self.halt()
        return halt

    async def _replace_halt(
        self, connection: AsyncConnection, ends: HaltRecord, row: dict[str, object]
    ) -> None:
        """Put ``row`` in the place of exactly this halt, in one statement."""
        if ends == _FIRST_START:
            write = self._writes.insert(tables.risk_state, row)
            added = await connection.exec_driver_sql(write.statement.text, write.values)
            if added.rowcount != 1:
                raise _AnotherHalt
            return
        stored = tables.risk_state.c
        replaced = await connection.execute(
            update(tables.risk_state)
            .where(
                stored.scope == self._scope,
                stored.halted == ends.halted,
                stored.reason == ends.reason,
                stored.set_by == ends.set_by,
                stored.changed_us == ends.changed_us,
            )
            .values(row)
        )
        if replaced.rowcount != 1:
            raise _AnotherHalt

    async def halt(self) -> HaltRecord:
        """See ``TradingStore.halt``."""
        async with self._database.read() as connection:
            return await self._halt(connection)

    async def fill_cursor_us(self) -> int | None:
        """See ``TradingStore.fill_cursor_us``."""
        fills = tables.fills
        newest = select(func.max(fills.c.executed_us)).where(fills.c.scope == self._scope)
        async with self._database.read() as connection:
            found: int | None = (await connection.execute(newest)).scalar_one()
            return found

    async def add_group(self, epoch: Epoch, group: StoredGroup, now_us: int) -> None:
        """See ``TradingStore.add_group``."""
        row = {
            "order_group_id": group.order_group_id,
            "scope": self._scope,
            "epoch": epoch,
            "exchange_index": group.exchange_index,
            "purpose": group.purpose.value,
            "is_triggered": group.is_triggered,
            "created_us": now_us,
        }
        await self._database.write([self._writes.upsert(tables.order_groups, row)])

    async def open_groups(self) -> Sequence[StoredGroup]:
        """See ``TradingStore.open_groups``."""
        groups = tables.order_groups
        query = (
            select(groups)
            .where(groups.c.scope == self._scope, groups.c.is_triggered.is_(False))
            .order_by(groups.c.created_us)
        )
        async with self._database.read() as connection:
            return [_group_of(row) for row in (await connection.execute(query)).all()]

    async def known_groups(self, groups: Sequence[OrderGroupId]) -> frozenset[OrderGroupId]:
        """See ``TradingStore.known_groups``."""
        column = tables.order_groups.c.order_group_id
        async with self._database.read() as connection:
            rows = await connection.execute(select(column).where(column.in_(groups)))
            return frozenset(OrderGroupId(row) for row in rows.scalars())

    async def known_orders(self, orders: Sequence[ClientOrderId]) -> frozenset[ClientOrderId]:
        """See ``TradingStore.known_orders``."""
        column = tables.order_intents.c.client_order_id
        async with self._database.read() as connection:
            rows = await connection.execute(select(column).where(column.in_(orders)))
            return frozenset(ClientOrderId(row) for row in rows.scalars())

    async def mark_triggered(self, epoch: Epoch, group: OrderGroupId) -> None:
        """See ``TradingStore.mark_triggered``."""
        groups = tables.order_groups
        # The row keeps the purpose of its own epoch; the writer's epoch is what the fence checks.
        change = (
            update(groups)
            .where(groups.c.order_group_id == group, groups.c.scope == self._scope)
            .values(is_triggered=True, epoch=epoch)
        )
        async with self._database.begin() as connection:
            await connection.execute(change)

    async def load(self, now_us: int) -> StoredState:
        """See ``TradingStore.load``."""
        async with self._database.read() as connection:
            rows = await self._order_rows(connection)
            orders = tuple(stored_order_of(row) for row in rows)
            # What was decided since the rows were read is not forgotten.
            self._folded = {
                ClientOrderId(row.client_order_id): from_json(row.decision_json)
                for row in rows
                if row.decision_json is not None
            } | self._folded
            return StoredState(
                halt=await self._halt(connection),
                breakers=tuple(
                    breaker_of(row) for row in await self._all(connection, tables.breaker_state)
                ),
                baseline=await self._newest(
                    connection, tables.equity_baselines, "trading_day", baseline_of
                ),
                last_snapshot=await self._last_snapshot(connection),
                peak_equity=await self._peak(connection),
                brackets=(*await self._brackets(connection), *await self._without_rows(connection)),
                orders=orders,
                positions=tuple(
                    position_of(row)
                    for row in await self._all(connection, tables.positions)
                    if row.quantity_e2
                ),
                recent_fills=await self._fills(connection, orders, now_us),
                last_epoch=await self._last_epoch(connection),
            )

    async def _assert_leader(self, connection: AsyncConnection, epoch: Epoch) -> None:
        lease = tables.leader_lease
        held = (
            select(lease.c.epoch)
            .where(
                lease.c.scope == self._scope,
                lease.c.epoch == epoch,
                lease.c.holder.is_not(None),
                lease.c.expires_us > text(NOW_US[self._database.dialect]),
            )
            .with_for_update(read=True, key_share=True)
        )
        if (await connection.execute(held)).first() is None:
            raise NotLeader(f"stale leader epoch {epoch}")

    async def _all(self, connection: AsyncConnection, table: Table) -> Sequence[Row[Any]]:
        query = select(table).where(table.c.scope == self._scope)
        return (await connection.execute(query)).all()

    async def _newest(
        self, connection: AsyncConnection, table: Table, column: str, make: Any
    ) -> Any:
        query = (
            select(table)
            .where(table.c.scope == self._scope)
            .order_by(table.c[column].desc())
            .limit(1)
        )
        row = (await connection.execute(query)).one_or_none()
        return make(row) if row else None

    async def _last_snapshot(self, connection: AsyncConnection) -> SnapshotRecord | None:
        found: SnapshotRecord | None = await self._newest(
            connection, tables.account_snapshots, "taken_us", snapshot_of
        )
        return found

    async def _peak(self, connection: AsyncConnection) -> Money:
        snapshots = tables.account_snapshots
        query = select(func.max(snapshots.c.equity_e6)).where(snapshots.c.scope == self._scope)
        return Money((await connection.execute(query)).scalar_one() or 0)

    async def _halt(self, connection: AsyncConnection) -> HaltRecord:
        rows = await self._all(connection, tables.risk_state)
        return halt_of(rows[0]) if rows else _FIRST_START

    async def _brackets(self, connection: AsyncConnection) -> tuple[Any, ...]:
        brackets = tables.brackets
        mine = select(brackets).where(brackets.c.scope == self._scope)
        unfinished = mine.where(brackets.c.state.in_(_OPEN_BRACKETS)).order_by(brackets.c.opened_us)
        finished = (
            mine.where(brackets.c.state.not_in(_OPEN_BRACKETS))
            .order_by(brackets.c.closed_us.desc())
            .limit(_CLOSED_KEPT)
        )
        rows = [
            *reversed((await connection.execute(finished)).all()),
            *(await connection.execute(unfinished)).all(),
        ]
        return tuple(bracket_of(row) for row in rows)

    async def _without_rows(self, connection: AsyncConnection) -> tuple[BracketRecord, ...]:
        """Brackets that are known from their entries only."""
        decided = {one.bracket.bracket_id: one.bracket for one in self._folded.values()}
        column = tables.brackets.c.bracket_id
        stored = await connection.execute(select(column).where(column.in_(decided)))
        for bracket_id in stored.scalars():
            del decided[bracket_id]
        return tuple(decided.values())

    async def _order_rows(self, connection: AsyncConnection) -> Sequence[Row[Any]]:
        intents, brackets = tables.order_intents, tables.brackets
        of_open = select(brackets.c.bracket_id).where(
            brackets.c.scope == self._scope, brackets.c.state.in_(_OPEN_BRACKETS)
        )
        query = (
            select(intents)
            .where(
                intents.c.scope == self._scope,
                intents.c.status.not_in(_FINAL_ORDERS) | intents.c.bracket_id.in_(of_open),
            )
            .order_by(intents.c.decided_us)
        )
        return (await connection.execute(query)).all()

    async def _fills(
        self, connection: AsyncConnection, orders: Sequence[StoredOrder], now_us: int
    ) -> tuple[Fill, ...]:
        """Also of the hour before the newest: that is where reading the exchange begins again."""
        fills = tables.fills
        newest = select(func.max(fills.c.executed_us)).where(fills.c.scope == self._scope)
        newest_us = (await connection.execute(newest)).scalar_one()
        since_us = min(now_us, newest_us if newest_us is not None else now_us) - HOUR_US
        of_orders = [one.progress.order_id for one in orders if one.progress.order_id]
        query = (
            select(fills)
            .where(
                fills.c.scope == self._scope,
                (fills.c.executed_us >= since_us) | fills.c.order_id.in_(of_orders),
            )
            .order_by(fills.c.executed_us)
        )
        return tuple(fill_of(row) for row in (await connection.execute(query)).all())

    async def _last_epoch(self, connection: AsyncConnection) -> Epoch:
        lease = tables.leader_lease
        query = select(lease.c.epoch).where(lease.c.scope == self._scope)
        return Epoch((await connection.execute(query)).scalar_one_or_none() or 0)


async def _run(connection: AsyncConnection, write: Write) -> None:
    await connection.exec_driver_sql(write.statement.text, write.values)


def _group_of(row: Row[Any]) -> StoredGroup:
    return StoredGroup(
        order_group_id=OrderGroupId(row.order_group_id),
        epoch=Epoch(row.epoch),
        exchange_index=row.exchange_index,
        purpose=Purpose(row.purpose),
        is_triggered=row.is_triggered,
    )
