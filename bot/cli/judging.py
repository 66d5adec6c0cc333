"""Commands that judge what was collected: calibration."""

import asyncio
from pathlib import Path

import click

from bot.app.calibration import read_calibration
from bot.app.settings import BotSettings
from bot.cli.errors import ExitCode
from bot.cli.options import json_option, show, with_settings
from bot.collect.calibration import CalibrationRules
from bot.kit.times import HOUR_US


@click.command()
@click.option("--series", multiple=True, metavar="TICKER", help="Only this one; may be repeated.")
@click.option(
    "--horizon",
    type=click.IntRange(min=1),
    default=60,
    show_default=True,
    metavar="MINUTES",
    help="How long before the close: 5, 15, 60, 360, 1440 or 10080, unless configured otherwise.",
)
@click.option(
    "--max-age",
    type=click.IntRange(min=1),
    default=24,
    show_default=True,
    metavar="HOURS",
    help="Leave out prices that were older than this at the horizon.",
)
@click.option(
    "--max-spread",
    type=click.IntRange(1, 99),
    default=20,
    show_default=True,
    metavar="CENTS",
    help="Leave out a book wider than this.",
)
@click.option("--last-price", is_flag=True, help="Take the last trade where a side was empty.")
@click.option(
    "--early-closes", is_flag=True, help="Count markets that their outcome closed early, too."
)
@click.option(
    "--picture",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="Draw the reliability diagram into this PNG file.",
)
@json_option
@with_settings
def calibration(
    settings: BotSettings,
    *,
    series: tuple[str, ...],
    horizon: int,
    max_age: int,
    max_spread: int,
    last_price: bool,
    early_closes: bool,
    picture: Path | None,
    as_json: bool,
) -> int:
    """Judge the market's prices before the close by what came of them, from the own ledger.

    The ledger fills by itself as markets settle; `backfill` reads the past.
    """
    rules = CalibrationRules(
        horizon_minutes=horizon,
        max_age_us=max_age * HOUR_US,
        max_spread_e4=max_spread * 100,
        uses_last_price=last_price,
        includes_early_close=early_closes,
    )
    answer = asyncio.run(read_calibration(settings, rules, series=series, picture=picture))
    if as_json:
        show(answer.facts, as_json=True)
    else:
        for line in answer.lines:
            click.echo(line)
    return ExitCode.DONE
