"""Commands an operator gives: halt, unhalt, breakers, orders.

They are the chat's own commands. Where an instance leads they travel through
its inbox and it answers; where nobody leads, the ones that make sense without
an engine act on the database alone and say so.
"""

import asyncio

import click

from bot.app import orders
from bot.app.settings import BotSettings
from bot.cli.errors import ExitCode, not_built
from bot.cli.options import json_option, show, with_settings

_ANSWER_WITHIN_S = 30.0

scope_option = click.option(
    "--scope",
    metavar="MODE:ACCOUNT:SUBACCOUNT",
    help="Whom it is for, e.g. live:main:0 (default: as configured; halt: whoever is led).",
)


def _give(settings: BotSettings, line: str, scope: str | None, *, as_json: bool) -> int:
    giving = orders.give_command(settings, line, scope=scope, wait_s=_ANSWER_WITHIN_S)
    answer = asyncio.run(giving)
    if as_json:
        show({"command": line, "answer": answer.text, "done": answer.is_done}, as_json=True)
    else:
        click.echo(answer.text)
    return ExitCode.DONE if answer.is_done else ExitCode.FAILED


@click.command()
@click.argument("reason", nargs=-1)
@scope_option
@json_option
@with_settings
def halt(
    settings: BotSettings, *, reason: tuple[str, ...], scope: str | None, as_json: bool
) -> int:
    """Stop new entries now. Positions and their exits go on."""
    return _give(settings, " ".join(["/halt", *reason]), scope, as_json=as_json)


@click.command()
@scope_option
@json_option
@with_settings
def unhalt(settings: BotSettings, *, scope: str | None, as_json: bool) -> int:
    """End a halt. Breakers stay as they are."""
    return _give(settings, "/unhalt", scope, as_json=as_json)


@click.command("reset-breaker")
@click.argument("name")
@click.option("--force", is_flag=True, help="Reset although its condition holds; grants more room.")
@scope_option
@json_option
@with_settings
def reset_breaker(
    settings: BotSettings, *, name: str, force: bool, scope: str | None, as_json: bool
) -> int:
    """Reset one circuit breaker, e.g. daily_loss."""
    line = f"/reset_breaker {name}{' force' if force else ''}"
    return _give(settings, line, scope, as_json=as_json)


@click.command("cancel-orders")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--including-exits",
    is_flag=True,
    help="Cancel at the exchange itself: exits and a person's own orders too.",
)
@json_option
@with_settings
def cancel_orders(settings: BotSettings, *, yes: bool, including_exits: bool, as_json: bool) -> int:
    """Cancel resting entry orders (or every order of the account)."""
    what = "EVERY resting order of the account" if including_exits else "every resting entry"
    if not yes:
        click.confirm(f"Cancel {what}?", abort=True, err=True)
    show(
        asyncio.run(orders.cancel_orders(settings, including_exits=including_exits)),
        as_json=as_json,
    )
    return ExitCode.DONE


@click.command()
@with_settings
def flatten(_settings: BotSettings) -> int:
    """Halt, cancel resting orders and close every position (still to come)."""
    return not_built("flatten", "halt the bot and close positions in Kalshi's app")
