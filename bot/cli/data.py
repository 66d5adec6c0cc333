"""Commands about stored data: status, gaps, migrate, backup, restore."""

import asyncio
from pathlib import Path

import click

from bot.app import admin
from bot.app.settings import BotSettings
from bot.cli.errors import ExitCode
from bot.cli.options import json_option, progress_bar, show, with_settings


@click.command()
@json_option
@with_settings
def status(settings: BotSettings, *, as_json: bool) -> int:
    """Show who leads, why it does or does not trade, and how collecting fares."""
    show(asyncio.run(admin.read_status(settings)), as_json=as_json)
    return ExitCode.DONE


@click.command("gaps")
@click.option("--hours", type=click.IntRange(1, 24 * 366), help="Only the last so many hours.")
@click.option("--series", metavar="TICKER", help="Only this series, e.g. KXCPI.")
@json_option
@with_settings
def collect_gaps(
    settings: BotSettings, *, hours: int | None, series: str | None, as_json: bool
) -> int:
    """List the hours that were not collected, and why. Exits 1 if there are any."""
    report = asyncio.run(admin.read_gaps(settings, hours=hours, series=series))
    if as_json:
        show(report.facts, as_json=True)
    else:
        for line in report.lines:
            click.echo(line)
    return ExitCode.FAILED if report.has_gaps else ExitCode.DONE


@click.command()
@json_option
@with_settings
def migrate(settings: BotSettings, *, as_json: bool) -> int:
    """Bring the database to this version's schema."""
    show(asyncio.run(admin.migrate(settings)), as_json=as_json)
    return ExitCode.DONE


@click.command()
@click.option("--core", is_flag=True, help="Only the trading core, small enough to send.")
@click.option("--nightly", is_flag=True, help="Name it by the day, as the nightly job does.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["sqlite", "pg_dump"]),
    default="sqlite",
    show_default=True,
    help="pg_dump needs PostgreSQL and its tools.",
)
@json_option
@with_settings
def backup(settings: BotSettings, *, core: bool, nightly: bool, form: str, as_json: bool) -> int:
    """Make a checked backup. Needs no lock: the bot may run."""
    with progress_bar("backup") as bar:
        made = asyncio.run(admin.backup(settings, core=core, nightly=nightly, form=form, bar=bar))
    show(made, as_json=as_json)
    return ExitCode.DONE


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("target", required=False)
@click.option("--force", is_flag=True, help="Restore although the bot may be running.")
@json_option
@with_settings
def restore(
    settings: BotSettings, *, file: Path, target: str | None, force: bool, as_json: bool
) -> int:
    """Replace the database by a backup FILE. TARGET is a path or database address."""
    with progress_bar("restore") as bar:
        done = asyncio.run(admin.restore(settings, file, target=target, force=force, bar=bar))
    show(done, as_json=as_json)
    return ExitCode.DONE
