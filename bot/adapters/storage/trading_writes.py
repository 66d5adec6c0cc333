"""Each record of the trading core as a ready write, its statement made once."""

from collections.abc import Callable, Mapping
from operator import attrgetter, itemgetter
from typing import TypeAlias

from sqlalchemy import Table, bindparam, insert, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import UpdateBase

from bot.adapters.storage import tables
from bot.adapters.storage.direct import Statement, Write, statement_of, write_of
from bot.adapters.storage.trading_rows import row_of
from bot.adapters.storage.urls import Dialect
from bot.domain.ids import Epoch, Scope
from bot.domain.orders import Fill, OrderIntent, OrderStatus
from bot.domain.records import ApprovalRecord, OrderRecord, Record, SnapshotRecord

_SUBMITTING = OrderStatus.SUBMITTING.value
_Make: TypeAlias = Callable[[Table, Mapping[str, object]], UpdateBase]


_FROM_INTENT = {
    "client_order_id": "client_order_id",
    "strategy_id": "strategy_id",
    "signal_id": "signal_id",
    "bracket_id": "bracket_id",
    "purpose": "purpose._value_",
    "ticker": "ticker",
    "exchange_index": "exchange_index",
    "side": "side._value_",
    "price_e4": "price",
    "quantity_e2": "quantity",
    "time_in_force": "time_in_force._value_",
    "post_only": "post_only",
    "reduce_only": "reduce_only",
    "expires_us": "expires_us",
    "decided_us": "decided_us",
    "updated_us": "decided_us",
}
_BESIDE_INTENT = ("scope", "epoch", "status", "decision_json")


class _Entry:
    """The row an order waits for: its values are picked by two calls, not name by name."""

    def __init__(self, scope: Scope, dialect: Dialect) -> None:
        columns = (*_FROM_INTENT, *_BESIDE_INTENT)
        table = tables.order_intents
        self._statement = statement_of(table.name, insert(table), columns, dialect)
        self._scope = scope
        self._of_intent = attrgetter(*_FROM_INTENT.values())
        self._in_order = itemgetter(*map(columns.index, self._statement.names))

    def write(self, epoch: Epoch, intent: OrderIntent, decision_json: str) -> Write:
        beside = (self._scope, epoch, _SUBMITTING, decision_json)
        return Write(self._statement, self._in_order(self._of_intent(intent) + beside))


class TradingWrites:
    """The writes of one scope."""

    def __init__(self, scope: Scope, dialect: Dialect) -> None:
        self._scope = scope
        self._dialect: Dialect = dialect
        self._statements: dict[str, Statement] = {}
        self._entry = _Entry(scope, dialect)

    def of(self, epoch: Epoch, record: Record) -> Write:
        """A record under an epoch. The newest of a key counts.

        A fill that is there stays, and so does a step of an approval.
        """
        if isinstance(record, OrderRecord):
            return self._write(
                "progress", tables.order_intents, _progress, self._row(epoch, record)
            )
        table, row = row_of(record)
        row |= {"scope": self._scope, "epoch": epoch}
        make: _Make = self._replacing
        if isinstance(record, Fill | ApprovalRecord):
            make = self._ignoring
        elif isinstance(record, SnapshotRecord):
            make = self._adding
        return self._write(table.name, table, make, row)

    def entry(self, epoch: Epoch, intent: OrderIntent, decision_json: str) -> Write:
        """An intent with its decision: all that its order waits for.

        A second one of the same name is refused by the key, unlike other records.
        """
        return self._entry.write(epoch, intent, decision_json)

    def missing(self, epoch: Epoch, record: Record) -> Write:
        """A record whose row may be there already, and is newer then."""
        table, row = row_of(record)
        return self.insert(table, row | {"scope": self._scope, "epoch": epoch})

    def upsert(self, table: Table, row: Mapping[str, object]) -> Write:
        """A row that replaces the one of its key."""
        return self._write(table.name, table, self._replacing, row)

    def insert(self, table: Table, row: Mapping[str, object]) -> Write:
        """A row that gives way to the one of its key."""
        return self._write(f"new {table.name}", table, self._ignoring, row)

    def _write(
        self,
        name: str,
        table: Table,
        make: _Make,
        row: Mapping[str, object],
    ) -> Write:
        statement = self._statements.get(name)
        if statement is None:
            statement = statement_of(table.name, make(table, row), tuple(row), self._dialect)
            self._statements[name] = statement
        return write_of(statement, row)

    def _row(self, epoch: Epoch, record: OrderRecord) -> dict[str, object]:
        return {
            "epoch": epoch,
            "status": record.status.value,
            "order_id": record.order_id,
            "filled_e2": record.filled,
            "reason": record.reason,
            "updated_us": record.updated_us,
            # What was decided with it has rows by now, written before or in this transaction.
            "decision_json": None,
            "of_order": record.client_order_id,
            "of_scope": self._scope,
        }

    def _insert(self, table: Table) -> postgresql.Insert | sqlite.Insert:
        return postgresql.insert(table) if self._dialect == "postgresql" else sqlite.insert(table)

    def _adding(self, table: Table, _row: Mapping[str, object]) -> UpdateBase:
        return self._insert(table)

    def _ignoring(self, table: Table, _row: Mapping[str, object]) -> UpdateBase:
        return self._insert(table).on_conflict_do_nothing()

    def _replacing(self, table: Table, row: Mapping[str, object]) -> UpdateBase:
        keys = [column.name for column in table.primary_key.columns]
        insert = self._insert(table)
        others = {name: insert.excluded[name] for name in row if name not in keys}
        return insert.on_conflict_do_update(index_elements=keys, set_=others)


def _progress(table: Table, _row: Mapping[str, object]) -> UpdateBase:
    return update(table).where(
        table.c.client_order_id == bindparam("of_order"), table.c.scope == bindparam("of_scope")
    )
