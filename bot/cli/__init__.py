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
from bot.domain.errors import BotError


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and leave the process with its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    sys.exit(_run(modernise(given)))


def _run(arguments: list[str]) -> int:
    try:
        outcome = cli.main(arguments, prog_name="python -m bot", standalone_mode=False)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except (click.ClickException, click.Abort, KeyboardInterrupt, BotError, OSError) as fault:
        return report(fault)
    return outcome if isinstance(outcome, int) else ExitCode.DONE
