"""Commands that copy the database away and back: backup, restore."""

import asyncio
from pathlib import Path

import click

from bot.app import copies
from bot.app.settings import BotSettings
from bot.cli.errors import ExitCode
from bot.cli.options import json_option, progress_bar, show, with_settings


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
        made = asyncio.run(copies.backup(settings, core=core, nightly=nightly, form=form, bar=bar))
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
        done = asyncio.run(copies.restore(settings, file, target=target, force=force, bar=bar))
    show(done, as_json=as_json)
    return ExitCode.DONE
