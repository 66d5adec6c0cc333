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


class Declined(BotError):
    """An operator answered no; the text says what holds now."""


def report(fault: BaseException) -> int:
    """Print the fault, one line for each part of it, and return the exit code."""
    match fault:
        case click.ClickException():
            return _usage(fault)
        case ConfigurationFault():
            for one in fault.faults:
                click.echo(f"configuration: {one}", err=True)
            return ExitCode.USAGE
        case BrokenPipeError():
            return ExitCode.DONE  # whoever read our output has seen enough
        case OSError():
            # A full disk, a closed port, a missing right: the system's words name the fault.
            place = f"{fault.filename}: " if fault.filename else ""
            click.echo(f"{place}{fault.strerror or fault}", err=True)
        case click.Abort() | KeyboardInterrupt():
            click.echo("interrupted", err=True)
            return ExitCode.INTERRUPTED
        case _:
            click.echo(str(fault), err=True)
    return ExitCode.FAILED


def _usage(fault: click.ClickException) -> int:
    if isinstance(fault, click.exceptions.NoArgsIsHelpError):
        fault.show()  # the help itself
        return ExitCode.USAGE
    context = fault.ctx if isinstance(fault, click.UsageError) else None
    command = context.command_path if context else "python -m bot"
    told = fault.format_message().rstrip(".")
    stop = "" if told.endswith(("?", ")")) else "."
    click.echo(f"usage: {told}{stop} See {command} --help", err=True)
    return ExitCode.USAGE


def not_built(what: str, instead: str) -> NoReturn:
    """Say that a command's part is still to come; it never pretends."""
    click.echo(f"{what} is not part of this release yet; {instead}", err=True)
    raise click.exceptions.Exit(ExitCode.USAGE)
