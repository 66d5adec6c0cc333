"""Commands about what was kept for later: recordings."""

from pathlib import Path

import click

from bot.app.recordings import read_recordings, recordings_dir, told_lines
from bot.app.settings import BotSettings
from bot.cli.errors import ExitCode
from bot.cli.options import json_option, progress_bar, show, with_settings
from bot.kit.frames import DamagedFile


@click.command()
@click.option(
    "--dir",
    "given",
    type=click.Path(path_type=Path),
    help="Where to look (default: recorder.dir, this bot's scope).",
)
@click.option(
    "--print",
    "printed",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Print the frames of one file instead.",
)
@json_option
@with_settings
def recordings(
    settings: BotSettings, *, given: Path | None, printed: Path | None, as_json: bool
) -> int:
    """List what was recorded: time, size, frames, gaps. Exits 1 if a file is damaged."""
    if printed is not None:
        return _print(printed)
    root = recordings_dir(settings, given)
    with progress_bar("recordings") as bar:
        found = read_recordings(root, bar)
    if as_json:
        show(found.facts, as_json=True)
    else:
        for line in found.lines:
            click.echo(line)
    return ExitCode.FAILED if found.is_damaged else ExitCode.DONE


def _print(path: Path) -> int:
    try:
        for line in told_lines(path):
            click.echo(line)
    except DamagedFile as fault:
        click.echo(str(fault), err=True)
        return ExitCode.FAILED
    return ExitCode.DONE
