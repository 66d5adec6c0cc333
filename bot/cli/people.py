"""Letting people into the chat from the command line."""

import asyncio

import click

from bot.app.settings import BotSettings
from bot.cli.errors import ExitCode
from bot.cli.operator import scope_option
from bot.cli.options import json_option, show, with_settings
from bot.domain.operations import AccessLevel

_LEVELS = [level.name.lower() for level in AccessLevel]


@click.command()
@click.option(
    "--level",
    type=click.Choice(_LEVELS),
    default="admin",
    show_default=True,
    help="What the person will be.",
)
@scope_option
@json_option
@with_settings
def pair(settings: BotSettings, *, level: str, scope: str | None, as_json: bool) -> int:
    """Make a one-time code that lets one person into the Telegram chat."""
    from bot.app.pairing import pair as made_for  # noqa: PLC0415 - loads the whole bot

    made = made_for(settings, AccessLevel[level.upper()], scope)
    show(asyncio.run(made), as_json=as_json)
    return ExitCode.DONE
