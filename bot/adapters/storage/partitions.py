"""Partitions by month of the large stream tables on PostgreSQL: made ahead, dropped whole.

Rows of a month without a partition, as of a venue's stamp that is far off, go to the
table's default partition and are moved when their month gets one. A month is attached,
not created in place, because that leaves writers alone. Months are UTC.
"""

# ruff: noqa: S608 - every part of a statement is a constant or made from a month's number

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection

from bot.adapters.storage.sql_terms import NOW_US
from bot.adapters.storage.tables_stream import PARTITIONED
from bot.kit.times import to_datetime

MONTHS_AHEAD = 2
_MONTHS = 12
_SPAN_MAX = 20 * _MONTHS
_NAME = re.compile(rf"({'|'.join(PARTITIONED)})_(default|(\d{{4}})_(\d{{2}}))")
_CHILDREN = (
    "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
    " WHERE i.inhparent = to_regclass('{table}') ORDER BY c.relname"
)


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month of UTC."""

    number: int
    """Months since year 0."""

    @classmethod
    def of(cls, at_us: int) -> "Month":
        """The month that holds a moment."""
        moment = to_datetime(at_us)
        return cls(moment.year * _MONTHS + moment.month - 1)

    @property
    def text(self) -> str:
        """As ``2026_11``, the end of a partition's name."""
        return f"{self.number // _MONTHS:04d}_{self.number % _MONTHS + 1:02d}"

    @property
    def start_us(self) -> int:
        """Its first microsecond."""
        year, month = divmod(self.number, _MONTHS)
        return int(datetime(year, month + 1, 1, tzinfo=UTC).timestamp()) * 1_000_000

    @property
    def end_us(self) -> int:
        """The first microsecond after it."""
        return Month(self.number + 1).start_us


def is_partition(table: str | None) -> bool:
    """Whether a table is a part of another one, which alone is meant by its name."""
    return table is not None and _NAME.fullmatch(table) is not None


def default_partitions() -> list[str]:
    """Statements that make the partitions for everything without a month."""
    return [f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT" for table in PARTITIONED]


def partitions_of(connection: Connection, table: str) -> list[str]:
    """The names of a table's partitions, the default one included."""
    return list(connection.exec_driver_sql(_CHILDREN.format(table=table)).scalars())


def make_months(connection: Connection, now_us: int | None = None) -> list[str]:
    """Make the partitions of this month and the next two; returns those that are new.

    On SQLite there are none. ``now_us`` is the database's clock by default.
    """
    if connection.dialect.name != "postgresql":
        return []
    if now_us is None:
        now_us = connection.exec_driver_sql(f"SELECT {NOW_US['postgresql']}").scalar_one()
    first = Month.of(now_us).number
    wanted = [Month(number) for number in range(first, first + MONTHS_AHEAD + 1)]
    return [made for table in PARTITIONED for made in _make(connection, table, wanted)]


def make_months_of(connection: Connection, table: str, first_us: int, last_us: int) -> list[str]:
    """Make the partitions that rows of a span need; what lies decades away gets none."""
    first, last = Month.of(first_us).number, Month.of(last_us).number
    wanted = [Month(number) for number in range(first, min(last, first + _SPAN_MAX) + 1)]
    return list(_make(connection, table, wanted))


def drop_months(connection: Connection, before_us: int) -> list[str]:
    """Drop the months that end before a moment; returns their names. On SQLite there are none."""
    if connection.dialect.name != "postgresql":
        return []
    dropped = []
    for table, column in PARTITIONED.items():
        for name in partitions_of(connection, table):
            month = _month_of(name)
            if month is not None and month.end_us <= before_us:
                connection.exec_driver_sql(f"DROP TABLE {name}")
                dropped.append(name)
        connection.exec_driver_sql(f"DELETE FROM {table}_default WHERE {column} < {before_us}")
    return dropped


def _make(connection: Connection, table: str, months: list[Month]) -> Iterator[str]:
    there = set(partitions_of(connection, table))
    for month in months:
        name = f"{table}_{month.text}"
        if name not in there:
            _attach(connection, table, name, month)
            yield name


def _attach(connection: Connection, table: str, name: str, month: Month) -> None:
    column = PARTITIONED[table]
    inside = f"{column} >= {month.start_us} AND {column} < {month.end_us}"
    moved = f"DELETE FROM {table}_default WHERE {inside} RETURNING *"
    span = f"FROM ({month.start_us}) TO ({month.end_us})"
    for statement in (
        f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)",
        f"WITH moved AS ({moved}) INSERT INTO {name} SELECT * FROM moved",
        f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES {span}",
    ):
        connection.exec_driver_sql(statement)


def _month_of(name: str) -> Month | None:
    found = _NAME.fullmatch(name)
    if found is None or found[3] is None:
        return None
    return Month(int(found[3]) * _MONTHS + int(found[4]) - 1)
