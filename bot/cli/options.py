"""Options every command shares, and how answers are printed."""

import functools
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bot.app.logging import start_logging
from bot.app.progress import OnAdvance
from bot.app.settings import BotSettings, load_settings

P = ParamSpec("P")
R = TypeVar("R")

_COMMON = (
    click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Configuration file, YAML or JSON (default: config/config.yaml if there is one).",
    ),
    click.option(
        "--log-level",
        type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"], case_sensitive=False),
    ),
    click.option("--lock-file", type=click.Path(path_type=Path), help="Lock file of this host."),
    click.option(
        "--lock-wait", type=click.FloatRange(min=0), metavar="SECONDS", help="Wait for a held lock."
    ),
)


def with_settings(
    command: Callable[Concatenate[BotSettings, P], R],
) -> Callable[P, R]:
    """Add the common options, load the settings and start the log (on standard error)."""
    return _with(command, logs_to_stdout=False)


def with_settings_of_the_bot(
    command: Callable[Concatenate[BotSettings, P], R],
) -> Callable[P, R]:
    """The same for what runs the bot itself: its log is its output, unless ``--json`` is."""
    return _with(command, logs_to_stdout=True)


def _with(
    command: Callable[Concatenate[BotSettings, P], R], *, logs_to_stdout: bool
) -> Callable[P, R]:
    @functools.wraps(command)
    def loaded(*args: P.args, **kwargs: P.kwargs) -> R:
        config = kwargs.pop("config")
        level = kwargs.pop("log_level")
        overrides: dict[str, object] = {
            "log.level": level.upper() if isinstance(level, str) else None,
            "lock_file": kwargs.pop("lock_file"),
            "lock_wait_s": kwargs.pop("lock_wait"),
            "mode": kwargs.pop("mode", None),
            "leadership.allow_foreign_host": kwargs.pop("lead_anyway", None) or None,
            "dry_run": kwargs.pop("dry_run", None) or None,
            "trading.live": kwargs.pop("enable_live_trading", None) or None,
        }
        settings = load_settings(config if isinstance(config, Path) else None, overrides)
        start_logging(settings, to_stderr=not logs_to_stdout or bool(kwargs.get("as_json")))
        return command(settings, *args, **kwargs)

    for option in reversed(_COMMON):
        loaded = option(loaded)
    return loaded


def json_option(command: Callable[P, R]) -> Callable[P, R]:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")(command)


def show(facts: Mapping[str, object], *, as_json: bool) -> None:
    """Print facts: one JSON object, or a line each."""
    if as_json:
        click.echo(json.dumps(facts, default=str, ensure_ascii=False))
        return
    width = max((len(name) for name in facts), default=0)
    for name, value in facts.items():
        click.echo(f"{name:<{width}}  {_told(value)}")


def _told(value: object) -> str:
    """A fact as people read it."""
    if isinstance(value, list | tuple):
        value = ", ".join(str(one) for one in value) or None
    return "-" if value is None else str(value)


def is_terminal() -> bool:
    """Whether a person is looking, so that bars and colours make sense."""
    return sys.stderr.isatty()


@contextmanager
def progress_bar(what: str) -> Iterator[OnAdvance]:
    """A bar on a terminal, nothing elsewhere. The callback takes (done, total, text)."""
    if not is_terminal():
        yield lambda _done, _total, _text: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=None, note="")

        def advance(done: int, total: int | None, text: str) -> None:
            progress.update(task, completed=done, total=total, note=text)

        yield advance
