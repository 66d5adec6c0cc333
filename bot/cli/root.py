"""The table of subcommands; each group of them lives in its own module."""

import click

from bot import __version__
from bot.cli.data import backup, collect_gaps, migrate, restore, status
from bot.cli.operator import (
    cancel_orders,
    flatten,
    halt,
    instances,
    reset_breaker,
    unhalt,
)
from bot.cli.run import demo, doctor, healthcheck, run, service, simulate


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 failed or already running, 2 usage or configuration, "
    "70 watchdog, 75 lost the lead and could not clean up, 130 interrupted.",
)
@click.version_option(__version__, message="%(version)s")
def cli() -> None:
    """A Telegram-controlled trading bot for Kalshi. Collects by default; trades on paper."""


for command in (
    run,
    status,
    collect_gaps,
    migrate,
    backup,
    restore,
    healthcheck,
    doctor,
    instances,
    halt,
    unhalt,
    reset_breaker,
    cancel_orders,
    flatten,
    service,
    simulate,
    demo,
):
    cli.add_command(command)
