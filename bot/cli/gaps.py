"""``gaps``: what was not collected, and why."""

import asyncio
from dataclasses import asdict

import click

from bot.app.gaps import GapAnswer, GapQuestion, UnknownSeries, read_gaps
from bot.app.settings import BotSettings
from bot.cli.errors import ExitCode
from bot.cli.options import json_option, progress_bar, show, with_settings
from bot.cli.times import Moment


@click.command("gaps")
@click.option("--hours", type=click.IntRange(1, 24 * 366), help="Only the last so many hours.")
@click.option(
    "--since", type=Moment(), metavar="WHEN", help="Only from then on, e.g. 2026-11-21T07:00Z."
)
@click.option("--series", metavar="TICKER", help="Only this series, e.g. KXCPI.")
@click.option("--repair", is_flag=True, help="First fetch again what the exchange still has of it.")
@json_option
@with_settings
def collect_gaps(
    settings: BotSettings,
    *,
    hours: int | None,
    since: int | None,
    series: str | None,
    repair: bool,
    as_json: bool,
) -> int:
    """List what was not collected, and why. Exits 1 if a snapshot is missing.

    Hours without any snapshot; markets without one in an hour in which others have one; and what
    the live stream missed, which does not count for the exit code.

    --repair collects the running hour if it has no complete cycle, and reads candles, public trades
    and settlements of what was missed. A past order book exists nowhere: a missed snapshot stays
    missed. Interrupted or repeated, it goes on where it was. It exits 1 if a repair failed.
    """
    if hours is not None and since is not None:
        raise click.UsageError("--hours and --since exclude each other")
    question = GapQuestion(hours=hours, since_us=since, series=series)
    try:
        if repair:
            return _repair(settings, question, as_json=as_json)
        told = asyncio.run(read_gaps(settings, question))
    except UnknownSeries as fault:
        raise click.UsageError(f"{fault}.") from fault
    _show(told, as_json=as_json)
    return ExitCode.FAILED if told.has_gaps else ExitCode.DONE


def _repair(settings: BotSettings, question: GapQuestion, *, as_json: bool) -> int:
    from bot.app.repair import repair_gaps  # noqa: PLC0415 - loads the exchange

    with progress_bar("repair") as advance:
        told, report = asyncio.run(repair_gaps(settings, question, advance))
    if as_json:
        made = [asdict(one) for one in report.made]
        repair = {"rows": report.refetched, "skipped": report.skipped, "made": made}
        show(told.facts | {"repair": repair}, as_json=True)
    else:
        for line in (*report.lines, *told.lines):
            click.echo(line)
    return ExitCode.FAILED if report.failed else ExitCode.DONE


def _show(told: GapAnswer, *, as_json: bool) -> None:
    if as_json:
        show(told.facts, as_json=True)
        return
    for line in told.lines:
        click.echo(line)
