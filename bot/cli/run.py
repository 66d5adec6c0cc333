"""``run``: the bot itself, or one cycle of it."""

import asyncio

import click

from bot.app.main import run_managed, run_once
from bot.app.settings import BotSettings
from bot.app.unled import tell_if_nobody_leads
from bot.cli.errors import ExitCode, not_built
from bot.cli.options import json_option, progress_bar, show, with_settings_of_the_bot
from bot.cli.supervised import UNSUPERVISED
from bot.ops.alone import OPTION as NOBODY_OPTION
from bot.ops.pulse import OPTION, START_OPTION, Pulse

_MODES = click.Choice(["collect", "analyze", "trade"])


@click.command()
@click.option("--mode", type=_MODES, help="collect (default), analyze or trade (on paper).")
@click.option("--once", is_flag=True, help="Run one cycle and exit.")
@click.option("--dry-run", is_flag=True, help="Decide, but send no order.")
@click.option("--lead-anyway", is_flag=True, help="Move the lead to this machine; see the docs.")
@click.option("--enable-live-trading", is_flag=True, help="Trade with money; see the handbook.")
@click.option(UNSUPERVISED, is_flag=True, help="One process, for debugging; see the handbook.")
@click.option(OPTION, "supervisor_fd", type=click.IntRange(min=3), hidden=True)
@click.option(START_OPTION, default="", hidden=True)
@click.option(NOBODY_OPTION, "unled_s", type=click.IntRange(min=0), hidden=True)
@json_option
@with_settings_of_the_bot
def run(
    settings: BotSettings,
    /,
    *,
    supervisor_fd: int | None,
    start_id: str,
    unled_s: int | None,
    **options: bool,
) -> int:
    """Run the bot, or one cycle of it with --once (for cron and timers)."""
    if unled_s is not None:
        is_told = asyncio.run(tell_if_nobody_leads(settings, unled_s))
        return ExitCode.DONE if is_told else ExitCode.FAILED
    if settings.mode == "analyze":
        not_built("mode analyze", "use --mode collect or --mode trade")
    if not options["once"]:
        pulse = None if supervisor_fd is None else Pulse(supervisor_fd, start_id)
        return run_managed(settings, pulse)
    if settings.mode == "trade":
        not_built("one trading cycle", "trading runs continuously: leave --once away")
    with progress_bar("collect") as bar:
        report = asyncio.run(run_once(settings, bar))
    if options["as_json"]:
        show(report.facts, as_json=True)
    return ExitCode.DONE if report.is_success else ExitCode.FAILED
