"""From the database to Parquet: what is new or changed since the last time, day by day."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from bot.adapters.parquet.files import ExportFolder, Note
from bot.adapters.storage.export_plan import ExportTable, Part, Span, export_tables
from bot.adapters.storage.export_rows import ExportReader, open_reader
from bot.adapters.storage.urls import parse_address
from bot.app.basics import open_existing_database
from bot.app.progress import OnAdvance
from bot.app.settings import BotSettings
from bot.domain.errors import ConfigurationFault
from bot.kit.clock import SystemClock
from bot.kit.times import MINUTE_US

_LATE_US = 15 * MINUTE_US
"""A day is over so long after midnight: what came at its end has been stored by then."""
_MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportWish:
    """What is wanted. ``tables`` empty: all but the bot's own bookkeeping."""

    out: Path
    first: date | None = None
    last: date | None = None
    tables: tuple[str, ...] = ()
    series: str | None = None
    is_fresh: bool = False
    """Write files again that are there already."""

    @property
    def span(self) -> Span:
        """Its days."""
        return Span(first=self.first, last=self.last)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedFile:
    """One file: ``written``, or ``kept`` because it is whole, or because the database has less."""

    path: Path
    table: str
    day: date | None
    rows: int
    size: int
    state: str

    @property
    def facts(self) -> dict[str, object]:
        """For ``--json``."""
        return {
            "path": str(self.path),
            "table": self.table,
            "day": self.day.isoformat() if self.day else None,
            "rows": self.rows,
            "bytes": self.size,
            "state": self.state,
        }


@dataclass(slots=True, kw_only=True)
class ExportReport:
    """What was done."""

    out: Path
    files: list[ExportedFile] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def lines(self) -> Sequence[str]:
        """For people: a line for each table."""
        lines = []
        for table in dict.fromkeys(one.table for one in self.files):
            mine = [one for one in self.files if one.table == table]
            written = [one for one in mine if one.state == "written"]
            lines.append(
                f"{table:26}{len(mine):5} files  {sum(one.rows for one in mine):12,} rows  "
                f"{sum(one.size for one in mine) / _MEBIBYTE:10,.1f} MB  {len(written)} written"
            )
        less = [one for one in self.files if one.state == "kept: the database has less"]
        if less:
            lines.append(
                f"{len(less)} files hold more than the database has now and were kept; "
                "--fresh writes them again"
            )
        lines.append(f"{self.out}: done in {self.seconds:.1f} s")
        return lines

    @property
    def facts(self) -> dict[str, object]:
        """For ``--json``."""
        return {
            "out": str(self.out),
            "files": [one.facts for one in self.files],
            "rows_written": sum(one.rows for one in self.files if one.state == "written"),
            "bytes_written": sum(one.size for one in self.files if one.state == "written"),
            "seconds": round(self.seconds, 3),
        }


async def export(settings: BotSettings, wish: ExportWish, bar: OnAdvance) -> ExportReport:
    """Bring a folder up to the database. Interrupted, the next call goes on where it ended.

    Raises:
        ConfigurationFault: a table or series that cannot be, or a folder of something else.
        StorageUnavailable: the database is away.
        OSError: no room.
    """
    tables = _tables(wish)
    clock = SystemClock()
    began_us = clock.monotonic_us()
    folder = ExportFolder(wish.out, wish.series)
    report = ExportReport(out=wish.out)
    async with open_existing_database(settings):
        pass  # that it is there, and of this version
    address = parse_address(settings.database.url.get_secret_value())
    with folder.held():
        async with open_reader(address) as reader:
            plan = [
                (table, part)
                for table in tables
                for part in await reader.parts(table, wish.span, wish.series)
            ]
            done, total = 0, sum(part.rows for _, part in plan)
            for table, part in plan:
                bar(done, total, f"{table.name} {part.day or ''}".strip())
                file = await _export_part(reader, folder, wish, table, part)
                report.files.append(file)
                done += part.rows
            bar(done, total, "")
    report.seconds = (clock.monotonic_us() - began_us) / 1_000_000
    return report


async def _export_part(
    reader: ExportReader, folder: ExportFolder, wish: ExportWish, table: ExportTable, part: Part
) -> ExportedFile:
    path = folder.place(table.name, part.day)
    columns = tuple(column.name for column in table.columns)
    there = folder.note(path)
    if there is not None and not wish.is_fresh:
        state = _state(there, part, columns)
        if state:
            return ExportedFile(
                path=path, table=table.name, day=part.day, rows=there.rows,
                size=path.stat().st_size, state=state,
            )  # fmt: skip
    note = Note(
        rows=part.rows,
        changed_us=part.changed_us,
        is_finished=_is_over(part.day),
        columns=columns,
    )
    batches = reader.batches(table, part, wish.series)
    written = await folder.write(path, table.schema, batches, note)
    return ExportedFile(
        path=path, table=table.name, day=part.day, rows=written.rows,
        size=written.size, state="written",
    )  # fmt: skip


def _state(there: Note, part: Part, columns: tuple[str, ...]) -> str:
    """Why a file stays as it is; empty where it is written anew."""
    if part.rows < there.rows:
        return "kept: the database has less"
    is_same = there.rows == part.rows and there.changed_us == part.changed_us
    is_whole = there.is_finished or part.day is None or part.changed_us is not None
    return "kept" if is_same and is_whole and there.columns == columns else ""


def _is_over(day: date | None) -> bool:
    if day is None:
        return False
    seen_us = SystemClock().now_us() - _LATE_US
    return datetime.fromtimestamp(seen_us / 1_000_000, UTC).date() > day


def _tables(wish: ExportWish) -> list[ExportTable]:
    try:
        tables = export_tables(wish.tables)
    except ValueError as fault:
        raise ConfigurationFault([f"--table: {fault}"]) from None
    if wish.series is None:
        return tables
    chosen = [table for table in tables if table.has_series()]
    strangers = [name for name in wish.tables if name not in {table.name for table in chosen}]
    if strangers:
        raise ConfigurationFault([f"--series: {strangers[0]} has no markets to choose by"])
    return chosen
