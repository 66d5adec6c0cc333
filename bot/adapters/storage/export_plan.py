"""What an export takes from the database: every table there is, as Arrow types with their units.

It is worked out from the tables' own definitions, so a new table is exported
without a word here. One that grows with time is cut into days by its first fitting
time, or by the column its ``info["day"]`` names (``None``: not at all).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]  # it has no stubs
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Integer,
    LargeBinary,
    Select,
    SmallInteger,
    Table,
    Text,
    and_,
    case,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.sql import ColumnElement

from bot.adapters.storage.tables import metadata
from bot.kit.times import DAY_US

_TYPES: Sequence[tuple[type, pa.DataType]] = (
    (SmallInteger, pa.int16()),
    (BigInteger, pa.int64()),
    (Integer, pa.int32()),
    (Boolean, pa.bool_()),
    (LargeBinary, pa.binary()),
    (Text, pa.string()),
)
_UNITS = {
    "_us": "microseconds since 1970 UTC",
    "_e4": "0.0001 dollars",
    "_e2": "0.01 contracts",
    "_e6": "0.000001 dollars",
    "_bp": "0.01 percent",
    "_s": "seconds",
    "_minutes": "minutes",
}
# Of a row's times the one it belongs to; what may be empty, or change, is none of them.
_DAYS = (
    *("exchange_us", "snapshot_us", "executed_us", "decided_us", "end_us", "taken_us"),
    *("received_us", "at_us", "from_us", "slot_us", "opened_us", "created_us", "started_us"),
    *("recorded_us", "observed_us", "snapshot_hour_utc"),
)
# How it shows that rows were written over: the first of these that a table has.
_CHANGES: Mapping[str, Callable[[Column[Any]], ColumnElement[Any]]] = {
    "updated_us": func.max,
    "changed_us": func.max,
    "until_us": func.max,
    "seen_us": func.max,
    "to_us": func.count,
    "is_triggered": lambda column: func.count(case((column, 1))),
}
_EPOCH = date(1970, 1, 1)
_NAMES = ("ticker", "market_id", "event_ticker", "series_ticker")
# The bot's own bookkeeping, and what people wrote: exported where it is asked for.
INTERNAL = frozenset(
    {
        *("schema_version", "leader_lease", "bot_instances", "bot_deployments", "command_inbox"),
        *("command_audit", "outbox", "logs", "status", "ingest_state", "paper_journal", "job_runs"),
        *("alert_preferences", "channel_states", "operators", "pairing_codes"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Days, both included; ``None`` is open."""

    first: date | None = None
    last: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What becomes one file: a day of a table, or all of it.

    ``changed_us`` is its last update, or another number that changes with its rows.
    """

    day: date | None
    rows: int
    changed_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportTable:
    """One table. Columns that are computed from others are left out."""

    table: Table
    day_column: Column[Any] | None

    @property
    def name(self) -> str:
        """Its name."""
        return self.table.name

    @property
    def columns(self) -> list[Column[Any]]:
        """What is exported, in order."""
        return [one for one in self.table.columns if one.computed is None]

    @property
    def schema(self) -> pa.Schema:
        """Types, and units as metadata of the fields."""
        return pa.schema([_field(column) for column in self.columns])

    def parts(self, span: Span, series: str | None) -> Select[Any]:
        """Rows of (day or 0, count, mark of the last change or 0): what there is to export."""
        columns = self.table.columns
        marks = (_CHANGES[name](columns[name]) for name in _CHANGES if name in columns)
        latest: ColumnElement[Any] = func.coalesce(next(marks, literal(0)), 0)
        if self.day_column is None:
            whole = select(literal(0), func.count(), latest).select_from(self.table)
            return whole.where(*self._where(span, series))
        day = _day_of(self.day_column)
        query = select(day.label("day"), func.count(), latest).where(*self._where(span, series))
        return query.group_by(day).order_by(day)

    def rows(self, part: Part, series: str | None) -> Select[Any]:
        """The rows of a part, in the order of time and key."""
        span = Span(first=part.day, last=part.day)
        order = [] if self.day_column is None else [self.day_column]
        order += [one for one in self.table.primary_key.columns if one is not self.day_column]
        return select(*self.columns).where(*self._where(span, series)).order_by(*order)

    def part_of(self, row: Sequence[object]) -> Part:
        """A row of ``parts``."""
        day, count, changed = row
        told: date | None = None
        if self.day_column is not None:
            told = _date_of(self.day_column, str(day))
        return Part(day=told, rows=int(str(count)), changed_us=int(str(changed)) or None)

    def has_series(self) -> bool:
        """Whether its rows belong to markets."""
        return bool(self._series("X"))

    def _where(self, span: Span, series: str | None) -> list[ColumnElement[bool]]:
        found = [] if series is None else self._series(series)
        if self.day_column is None:
            return found
        if span.first is not None:
            found.append(self.day_column >= _begin(self.day_column, span.first))
        if span.last is not None:
            found.append(self.day_column < _begin(self.day_column, span.last + timedelta(1)))
        return found

    def _series(self, series: str) -> list[ColumnElement[bool]]:
        """The condition that a row belongs to a series; none where rows belong to no market."""
        columns = self.table.columns
        if "series_ticker" in columns:
            return [columns["series_ticker"] == series]
        named = next((columns[name] for name in _NAMES if name in columns), None)
        if named is not None:
            return [_of_series(named, series)]
        if "market_no" in columns:
            numbers = metadata.tables["market_numbers"].columns
            inside = select(numbers["market_no"]).where(_of_series(numbers["ticker"], series))
            return [columns["market_no"].in_(inside)]
        return []


def export_tables(named: Sequence[str] = ()) -> list[ExportTable]:
    """The tables of these names, or all that are not the bot's own bookkeeping.

    Raises:
        ValueError: there is no such table; the text names those that exist.
    """
    known = metadata.tables
    for name in named:
        if name not in known:
            raise ValueError(f"no table {name!r}; there are: {', '.join(sorted(known))}")
    chosen = named or [name for name in sorted(known) if name not in INTERNAL]
    return [_table(known[name]) for name in dict.fromkeys(chosen)]


def _table(table: Table) -> ExportTable:
    if "day" in table.info:
        name = table.info["day"]
        return ExportTable(table=table, day_column=table.columns[name] if name else None)
    fitting = [name for name in _DAYS if name in table.columns and not table.columns[name].nullable]
    return ExportTable(table=table, day_column=table.columns[fitting[0]] if fitting else None)


def _field(column: Column[Any]) -> pa.Field:
    kind = next((arrow for sql, arrow in _TYPES if isinstance(column.type, sql)), None)
    if kind is None:
        raise TypeError(f"{column}: no Arrow type for {column.type!r}")
    told = {}
    unit = next((_UNITS[end] for end in _UNITS if column.name.endswith(end)), None)
    if unit is not None and not isinstance(column.type, Text):
        told["unit"] = unit
    if column.doc:
        told["doc"] = column.doc
    return pa.field(column.name, kind, nullable=bool(column.nullable), metadata=told or None)


def _is_us(column: Column[Any]) -> bool:
    return column.name.endswith("_us")


def _day_of(column: Column[Any]) -> ColumnElement[Any]:
    """Days since 1970, or the date as text."""
    if not _is_us(column):
        return func.substr(column, 1, 10)
    return column.op("/")(DAY_US)


def _date_of(column: Column[Any], day: str) -> date:
    if not _is_us(column):
        return date.fromisoformat(day)
    return _EPOCH + timedelta(int(day))


def _begin(column: Column[Any], day: date) -> object:
    if not _is_us(column):
        return day.isoformat()
    return (day - _EPOCH).days * DAY_US


def _of_series(column: Column[Any], series: str) -> ColumnElement[bool]:
    return or_(column == series, and_(column > f"{series}-", column < f"{series}."))
