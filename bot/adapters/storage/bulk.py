"""Many rows of one table in one statement, made once, on both databases.

SQLite runs it once for each row and adds the counts up; PostgreSQL takes one array
for each column, so that a page is one round trip. Rows go in key order: two writers
of the same rows wait for each other instead of deadlocking.
"""

# ruff: noqa: S608 - every part of a statement comes from the schema or from this package

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Integer, Table, Text, TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

_KINDS = {BigInteger: "bigint", Integer: "integer", Boolean: "boolean", Text: "text"}
_NEW_OR_DIFFERENT = {"sqlite": "IS NOT", "postgresql": "IS DISTINCT FROM"}


class BulkInsert:
    """Rows that are new are inserted. One that is there stays, or is replaced if ``replaces``.

    ``keeps`` names columns that a replacement leaves alone; ``only_if`` is SQL over the
    stored row (by the table's name) and ``excluded``. A row equal to the stored one, in
    the columns that are compared, counts as nothing; ``stamps`` are not compared.
    """

    def __init__(
        self,
        table: Table,
        *,
        replaces: bool = False,
        keeps: Sequence[str] = (),
        stamps: Sequence[str] = (),
        only_if: str = "",
    ) -> None:
        self._columns = [column for column in table.columns if column.computed is None]
        self._key = [column.name for column in table.primary_key.columns]
        self._table = table.name
        self._only_if = only_if
        self._set = [
            name for name in self._names if replaces and name not in self._key and name not in keeps
        ]
        self._compared = [name for name in self._set if name not in stamps]
        self._statements = {name: self._statement(name) for name in _NEW_OR_DIFFERENT}

    async def run(self, connection: AsyncConnection, rows: Iterable[Mapping[str, Any]]) -> int:
        """Write ``rows``; of several with one key the last counts. Returns how many changed."""
        unique = {tuple(row[name] for name in self._key): row for row in rows}
        ordered = [dict(unique[key]) for key in sorted(unique)]
        if not ordered:
            return 0
        statement = self._statements[connection.dialect.name]
        if connection.dialect.name == "sqlite":
            return (await connection.execute(statement, ordered)).rowcount
        arrays = {name: [row[name] for row in ordered] for name in self._names}
        return (await connection.execute(statement, arrays)).rowcount

    @property
    def _names(self) -> list[str]:
        return [column.name for column in self._columns]

    def _statement(self, dialect: str) -> TextClause:
        head = f"INSERT INTO {self._table} ({', '.join(self._names)})"
        if dialect == "sqlite":
            source = f" VALUES ({', '.join(f':{name}' for name in self._names)})"
        else:
            arrays = [f"CAST(:{one.name} AS {_kind(one)}[])" for one in self._columns]
            # Without WHERE the parser takes ON CONFLICT for a join.
            source = f" SELECT * FROM unnest({', '.join(arrays)}) WHERE true"
        return text(
            f"{head}{source} ON CONFLICT ({', '.join(self._key)}) {self._conflict(dialect)}"
        )

    def _conflict(self, dialect: str) -> str:
        if not self._set:
            return "DO NOTHING"
        setting = ", ".join(f"{name} = excluded.{name}" for name in self._set)
        stored = ", ".join(f"{self._table}.{name}" for name in self._compared)
        given = ", ".join(f"excluded.{name}" for name in self._compared)
        differs = f"({stored}) {_NEW_OR_DIFFERENT[dialect]} ({given})"
        only_if = f" AND ({self._only_if})" if self._only_if else ""
        return f"DO UPDATE SET {setting} WHERE {differs}{only_if}"


def _kind(column: Column[Any]) -> str:
    # BigInteger is an Integer: the more special one is asked first.
    return next(name for kind, name in _KINDS.items() if isinstance(column.type, kind))
