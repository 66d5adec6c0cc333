"""Commands about stored data: status, decisions, migrate, instances."""

import asyncio
from pathlib import Path

import click

from bot.app import admin
from bot.app.decisions import read_decisions, replayed
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


@click.command()
@click.option(
    "--last", type=click.IntRange(1, 100_000), default=20, show_default=True, help="So many."
)
@click.option("--ticker", metavar="TICKER", help="Only this market.")
@click.option("--replay", is_flag=True, help="Live through each again from the recorded frames.")
@click.option(
    "--recordings",
    "given",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where they are (default: recorder.dir, this bot's scope).",
)
@json_option
@with_settings
def decisions(
    settings: BotSettings,
    *,
    last: int,
    ticker: str | None,
    replay: bool,
    given: Path | None,
    as_json: bool,
) -> int:
    """List what was decided about entries, and judge each again from its stored inputs.

    In brackets what that gives: equal, or the difference. Exits 1 if there is one:
    the limits of that time are part of the inputs, so then the rules have changed.
    With --replay the recorded frames are read up to the decision, and the strategy
    has to wish the same again; a moment that no recording holds is no difference.
    """
    if given is not None and not replay:
        raise click.UsageError("--recordings is for --replay")
    told = asyncio.run(read_decisions(settings, last=last, ticker=ticker))
    if replay and told:
        with progress_bar("replay") as bar:
            told = replayed(settings, told, given, bar)
    if as_json:
        show({"decisions": [one.facts for one in told]}, as_json=True)
    else:
        for line in [one.line for one in told] or ["nothing has been decided yet"]:
            click.echo(line)
    return ExitCode.FAILED if any(one.differs for one in told) else ExitCode.DONE


@click.command()
@json_option
@with_settings
def migrate(settings: BotSettings, *, as_json: bool) -> int:
    """Bring the database to this version's schema."""
    show(asyncio.run(admin.migrate(settings)), as_json=as_json)
    return ExitCode.DONE


@click.command()
@click.option("--activate", metavar="ID", help="Make this living instance the leader.")
@click.option("--deactivate-all", is_flag=True, help="Stand the leader down; nobody leads.")
@json_option
@with_settings
def instances(
    settings: BotSettings, *, activate: str | None, deactivate_all: bool, as_json: bool
) -> int:
    """List registered instances, or choose who leads."""
    if activate and deactivate_all:
        raise click.UsageError("--activate and --deactivate-all exclude each other")
    told = asyncio.run(admin.instances(settings, activate=activate, deactivate_all=deactivate_all))
    if as_json:
        show(told.facts, as_json=True)
    else:
        for line in told.lines:
            click.echo(line)
    return ExitCode.DONE
