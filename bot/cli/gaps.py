"""``gaps``: what was not collected, and why."""

import asyncio

import click

from bot.app.gaps import GapAnswer, GapQuestion, UnknownSeries, read_gaps
from bot.app.settings import BotSettings
from bot.cli.errors import ExitCode
from bot.cli.options import json_option, show, with_settings
from bot.cli.times import Moment


@click.command("gaps")
@click.option("--hours", type=click.IntRange(1, 24 * 366), help="Only the last so many hours.")
@click.option(
    "--since", type=Moment(), metavar="WHEN", help="Only from then on, e.g. 2026-11-21T07:00Z."
)
@click.option("--series", metavar="TICKER", help="Only this series, e.g. KXCPI.")
@json_option
@with_settings
def collect_gaps(
    settings: BotSettings,
    *,
    hours: int | None,
    since: int | None,
    series: str | None,
    as_json: bool,
) -> int:
    """List what was not collected, and why. Exits 1 if a snapshot is missing.

    Hours without any snapshot; markets without one in an hour in which others have one; and what
    the live stream missed, which does not count for the exit code.
    """
    if hours is not None and since is not None:
        raise click.UsageError("--hours and --since exclude each other")
    question = GapQuestion(hours=hours, since_us=since, series=series)
    try:
        told = asyncio.run(read_gaps(settings, question))
    except UnknownSeries as fault:
        raise click.UsageError(f"{fault}.") from fault
    _show(told, as_json=as_json)
    return ExitCode.FAILED if told.has_gaps else ExitCode.DONE


def _show(told: GapAnswer, *, as_json: bool) -> None:
    if as_json:
        show(told.facts, as_json=True)
        return
    for line in told.lines:
        click.echo(line)
