"""The table of subcommands; each group of them lives in its own module.

A module is loaded when its command is used, not before: what serves the exchange
or the chat takes longer to load than ``gaps`` takes to answer.
"""

import difflib
import os
import select
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module

import click
from typing_extensions import override

from bot import __version__
from bot.cli.errors import ExitCode


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command is, and its one line in the list."""

    module: str
    attribute: str
    help: str


PLACES: Mapping[str, Place] = {
    "run": Place("run", "run", "Run the bot, or one cycle of it with --once."),
    "status": Place("data", "status", "Show who leads and how trading and collecting fare."),
    "gaps": Place("gaps", "collect_gaps", "List what was not collected, and why."),
    "snapshots": Place("snapshots", "snapshots", "Show what was stored of one market."),
    "quality": Place("quality", "data_quality", "Judge whether what was stored makes sense."),
    "decisions": Place("data", "decisions", "List what was decided, and judge each again."),
    "recordings": Place("research", "recordings", "List the raw frames that were kept."),
    "export": Place("research", "export", "Write the database to Parquet files for research."),
    "discover": Place("past", "discover", "List events and markets of the series now."),
    "backfill": Place("past", "backfill", "Read candles, trades and results of the past."),
    "calibration": Place("judging", "calibration", "Compare prices before the close with results."),
    "migrate": Place("data", "migrate", "Bring the database to this version's schema."),
    "backup": Place("copies", "backup", "Make a checked backup; the bot may run."),
    "restore": Place("copies", "restore", "Replace the database by a backup."),
    "healthcheck": Place("checks", "healthcheck", "Exit 0 if the periodic work is fresh, else 1."),
    "doctor": Place("checkup", "doctor", "Check everything the bot needs."),
    "alerts": Place("alerts", "alerts", "Try the channels of alerts, or show what goes where."),
    "instances": Place("data", "instances", "List registered instances, or choose who leads."),
    "chat": Place("chat", "chat", "Give the leader one command of the chat, e.g. /status."),
    "halt": Place("operator", "halt", "Stop new entries now; positions and their exits go on."),
    "unhalt": Place("operator", "unhalt", "End a halt; breakers stay as they are."),
    "reset-breaker": Place("operator", "reset_breaker", "Reset one circuit breaker."),
    "pair": Place("people", "pair", "Make a one-time code that lets a person into the chat."),
    "adopt": Place("operator", "adopt", "Take over from another bot found on this account."),
    "cancel-orders": Place("operator", "cancel_orders", "Cancel resting entries, or every order."),
    "flatten": Place(
        "operator", "flatten", "Sell what the bot holds in one market, or everywhere."
    ),
    "panic": Place("operator", "panic", "Halt, cancel and sell everything; needs no leader."),
    "service": Place("checks", "service", "Run one part of the bot as a process of its own."),
    "simulate": Place("stage", "simulate", "Run a simulated Kalshi."),
    "demo": Place("stage", "demo", "Show the whole bot at work on paper money."),
}


class LazyGroup(click.Group):
    """Knows the names and their lines; loads the rest on use."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(PLACES)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = PLACES.get(cmd_name)
        if place is None:
            return None
        found = getattr(import_module(f"bot.cli.{place.module}"), place.attribute)
        assert isinstance(found, click.Command)
        return found

    @override
    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            if not _is_output_closed():
                raise
            # Whoever read our output has seen enough. Left alone, click would exit with 1.
            return ExitCode.DONE

    @override
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in PLACES:
            close = difflib.get_close_matches(args[0], PLACES, n=1)
            hint = f" Did you mean '{close[0]}'?" if close else ""
            ctx.fail(f"No such command '{args[0]}'.{hint}")
        return super().resolve_command(ctx, args)

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, place.help) for name, place in PLACES.items()])


def _is_output_closed() -> bool:
    """Whether nobody reads our standard output any more; then the rest of it goes nowhere."""
    poll = select.poll()
    poll.register(sys.stdout, select.POLLOUT)
    if not any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0)):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return True


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 failed or already running, 2 usage or configuration, "
    "70 watchdog, 75 lost the lead and could not clean up, 130 interrupted.",
)
@click.version_option(__version__, message="%(version)s")
def cli() -> None:
    """A Telegram-controlled trading bot for Kalshi. Collects by default; trades on paper."""
