"""Exit codes, and how a fault is told at the command line."""

from enum import IntEnum
from typing import NoReturn

import click

from bot.domain.errors import BotError, ConfigurationFault


class ExitCode(IntEnum):
    """What the process tells its caller; Railway restarts on everything but 0."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    WATCHDOG = 70
    LOST_LEAD = 75
    INTERRUPTED = 130


def report(error: BotError) -> int:
    """Print the fault, one line for each part of it, and return the exit code."""
    if isinstance(error, ConfigurationFault):
        for fault in error.faults:
            click.echo(f"configuration: {fault}", err=True)
        return ExitCode.USAGE
    click.echo(str(error), err=True)
    return ExitCode.FAILED


def not_built(what: str, instead: str) -> NoReturn:
    """Say that a command's part is still to come; it never pretends."""
    click.echo(f"{what} is not part of this release yet; {instead}", err=True)
    raise click.exceptions.Exit(ExitCode.USAGE)
