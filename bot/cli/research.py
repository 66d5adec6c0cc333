"""Commands about what was kept for later: recordings, export."""

import asyncio
from datetime import date
from pathlib import Path

import click

from bot.app.export import ExportWish
from bot.app.export import export as run_export
from bot.app.recordings import listed_dir, read_recordings, told_lines
from bot.app.settings import BotSettings
from bot.cli.errors import ExitCode
from bot.cli.options import json_option, progress_bar, show, with_settings
from bot.cli.times import Day
from bot.kit.frames import DamagedFile


@click.command()
@click.option(
    "--dir",
    "given",
    type=click.Path(path_type=Path),
    help="Where to look (default: recorder.dir, this bot's scope).",
)
@click.option(
    "--print",
    "printed",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Print the frames of one file instead.",
)
@json_option
@with_settings
def recordings(
    settings: BotSettings, *, given: Path | None, printed: Path | None, as_json: bool
) -> int:
    """List what was recorded: time, size, frames, gaps. Exits 1 if a file is damaged."""
    if printed is not None:
        return _print(printed)
    root = listed_dir(settings, given)
    with progress_bar("recordings") as bar:
        found = read_recordings(root, bar)
    if as_json:
        show(found.facts, as_json=True)
    else:
        for line in found.lines:
            click.echo(line)
    return ExitCode.FAILED if found.is_damaged else ExitCode.DONE


def _print(path: Path) -> int:
    try:
        for line in told_lines(path):
            click.echo(line)
    except DamagedFile as fault:
        click.echo(str(fault), err=True)
        return ExitCode.FAILED
    return ExitCode.DONE


_DAY = Day()


@click.command()
@click.option("--from", "first", type=_DAY, metavar="YYYY-MM-DD", help="First day (UTC).")
@click.option("--to", "last", type=_DAY, metavar="YYYY-MM-DD", help="Last day, included.")
@click.option(
    "--table", "tables", multiple=True, metavar="NAME", help="Only this table; may be repeated."
)
@click.option("--series", metavar="TICKER", help="Only markets of this series, e.g. KXCPI.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("exports"),
    show_default=True,
    help="Where the files go.",
)
@click.option("--fresh", is_flag=True, help="Write files again that are there already.")
@json_option
@with_settings
def export(
    settings: BotSettings,
    *,
    first: date | None,
    last: date | None,
    tables: tuple[str, ...],
    series: str | None,
    out: Path,
    fresh: bool,
    as_json: bool,
) -> int:
    """Write the database to Parquet files, a file for each day of a table.

    Files that are whole are left alone, so it may be interrupted and run every night.
    docs/research.md has queries for DuckDB and Polars.
    """
    if first and last and first > last:
        raise click.UsageError(f"--from {first} is after --to {last}.")
    wish = ExportWish(
        out=out,
        first=first,
        last=last,
        tables=tables,
        series=series,
        is_fresh=fresh,
    )
    with progress_bar("export") as bar:
        report = asyncio.run(run_export(settings, wish, bar))
    if as_json:
        show(report.facts, as_json=True)
    else:
        for line in report.lines:
            click.echo(line)
    if series and not report.files:
        click.echo(f"nothing of {series} is stored: check the spelling, e.g. KXCPI", err=True)
        return ExitCode.FAILED
    return ExitCode.DONE
