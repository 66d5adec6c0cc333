"""The chat at the command line: every command of the table, as in Telegram and on the page."""

import asyncio
import signal
import threading
from dataclasses import asdict

import click

from bot.app.settings import BotSettings
from bot.cli.errors import ExitCode
from bot.cli.operator import scope_option
from bot.cli.options import is_terminal, json_option, show, with_settings

_ANSWER_WITHIN_S = 60.0
_OPEN = "Nothing was done yet: add --yes, or answer at a terminal."


def agrees(text: str, label: str) -> bool:
    """Show a question and wait for the answer of whoever sits there.

    Raises:
        click.Abort: there is none; Ctrl-C.
    """
    click.echo(text, err=True)
    if threading.current_thread() is not threading.main_thread():
        return click.confirm(f"{label}?", err=True)
    # The event loop's own handler would end it at its next turn, which waits for this answer.
    theirs = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return click.confirm(f"{label}?", err=True)
    finally:
        signal.signal(signal.SIGINT, theirs)


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="COMMAND")
@click.option("--yes", is_flag=True, help="Do not ask.")
@scope_option
@json_option
@with_settings
def chat(
    settings: BotSettings, *, words: tuple[str, ...], yes: bool, scope: str | None, as_json: bool
) -> int:
    """Give the leader one command of the chat, e.g. /status or "/close KXFED-26DEC-T4.25".

    Exit code 1: refused, not understood, or a question is left open.
    """
    from bot.app.chat import chat as given  # noqa: PLC0415 - loads the whole bot

    may_ask = is_terminal() and not as_json
    giving = given(
        settings,
        " ".join(words),
        scope=scope,
        wait_s=_ANSWER_WITHIN_S,
        is_confirmed=yes,
        agrees=agrees if may_ask and not yes else None,
    )
    answer = asyncio.run(giving)
    if as_json:
        show({**asdict(answer), "done": answer.is_done}, as_json=True)
    else:
        click.echo(answer.text)
        for line in answer.choices:
            click.echo(f"  {line}")
        if answer.attachment is not None:
            click.echo(answer.attachment)
        if answer.outcome == "asked":
            click.echo(_OPEN, err=True)
    return ExitCode.DONE if answer.is_done else ExitCode.FAILED
