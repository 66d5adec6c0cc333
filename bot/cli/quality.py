"""``quality``: whether what was collected makes sense."""

import asyncio

import click

from bot.app.quality import read_quality
from bot.app.settings import BotSettings
from bot.cli.errors import ExitCode
from bot.cli.options import json_option, show, with_settings
from bot.cli.times import Moment
from bot.collect.quality_report import quality_lines


@click.command("quality")
@click.option(
    "--hour", type=Moment(), metavar="WHEN", help="The hour to judge (default: the newest stored)."
)
@json_option
@with_settings
def data_quality(settings: BotSettings, *, hour: int | None, as_json: bool) -> int:
    """Judge the stored quotes of one hour. Exits 1 if something cannot be right.

    Wrong: crossed books, ladders and event sums that contradict themselves, rows outside their
    hour, double rows, a clock that is behind. Odd, and counted only: locked, one-sided and empty
    books, quotes that stand still, asks of exclusive outcomes below $1.
    """
    report = asyncio.run(read_quality(settings, hour))
    if as_json:
        show(report.facts, as_json=True)
    else:
        for line in quality_lines(report):
            click.echo(line)
    return ExitCode.FAILED if report.wrong else ExitCode.DONE
