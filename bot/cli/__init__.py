"""The command line: one subcommand for each thing an operator does.

``main`` is the outermost boundary: whatever goes wrong becomes one clear line on
standard error and a documented exit code, never a traceback.
"""

import sys
from collections.abc import Sequence

import click

from bot.cli.errors import ExitCode, report
from bot.cli.root import cli
from bot.cli.spellings import modernise
from bot.cli.supervised import supervise, wants_supervisor
from bot.domain.errors import BotError


def start(arguments: Sequence[str]) -> None:
    """What the front doors do: as :func:`main`, the bot itself as a supervisor's child.

    The child gets the command line of this process, whatever ``arguments`` were made of it.
    """
    given = modernise(list(arguments))
    sys.exit(supervise(given, _run) if wants_supervisor(given) else _run(given))


def main(arguments: Sequence[str]) -> None:
    """Run one command and leave the process with its exit code."""
    sys.exit(_run(modernise(list(arguments))))


def _run(arguments: list[str]) -> int:
    try:
        outcome = cli.main(arguments, prog_name="python -m bot", standalone_mode=False)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except ModuleNotFoundError as fault:
        if (fault.name or "").partition(".")[0] == "bot":
            raise
        click.echo(f"{sys.executable} lacks {fault.name}: use .venv/bin/python", err=True)
        return ExitCode.USAGE
    except (click.ClickException, click.Abort, KeyboardInterrupt, BotError, OSError) as fault:
        return report(fault)
    return outcome if isinstance(outcome, int) else ExitCode.DONE
