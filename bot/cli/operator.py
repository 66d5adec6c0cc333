"""Commands an operator gives: halt, unhalt, breakers, orders.

They are the chat's own commands. Where an instance leads they travel through
its inbox and it answers; where nobody leads, the ones that make sense without
an engine act on the database alone and say so.
"""

import asyncio
import re

import click

from bot.app import orders
from bot.app.settings import BotSettings
from bot.cli.errors import Declined, ExitCode
from bot.cli.options import json_option, show, with_settings
from bot.domain.errors import StorageUnavailable

_ANSWER_WITHIN_S = 30.0
_WITHOUT_DATABASE = (
    "until it is back: `python -m bot cancel-orders --including-exits`,"
    " then close the positions in Kalshi's app"
)

_SCOPE = re.compile(r"(live|demo|paper|watch):[^:\s]+:\d+")


def _known_scope(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> str | None:
    """A halt for a scope that no bot can have would look like safety.

    Raises:
        click.BadParameter: it is not mode, account and subaccount.
    """
    if value is not None and not _SCOPE.fullmatch(value):
        raise click.BadParameter(
            f"{value!r} is not MODE:ACCOUNT:SUBACCOUNT with the mode live, demo, paper or watch;"
            " the first line of `python -m bot status` shows it.",
            context,
            parameter,
        )
    return value


def _confirm(question: str, declined: str = "nothing was done") -> None:
    """Ask on standard error.

    Raises:
        Declined: the answer is no.
        click.Abort: there is no answer.
    """
    try:
        agreed = click.confirm(question, err=True)
    except click.Abort:
        click.echo(f"\n{declined}", err=True)
        raise
    if not agreed:
        raise Declined(declined)


scope_option = click.option(
    "--scope",
    callback=_known_scope,
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


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@scope_option
@json_option
@with_settings
def adopt(settings: BotSettings, *, yes: bool, scope: str | None, as_json: bool) -> int:
    """Shut the order groups of another bot found on this account; the halt stays."""
    if not yes:
        _confirm("Has the other bot ended, or was it this one before its database was lost?")
    return _give(settings, "/adopt", scope, as_json=as_json)


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
    """Cancel resting entries, or every order. Halt first: a bot enters anew."""
    what = "EVERY resting order of the account" if including_exits else "every resting entry"
    if not yes:
        _confirm(f"Cancel {what}?")
    show(
        asyncio.run(orders.cancel_orders(settings, including_exits=including_exits)),
        as_json=as_json,
    )
    return ExitCode.DONE


@click.command()
@click.argument("market", metavar="TICKER|all")
@click.option("--yes", is_flag=True, help="Do not ask.")
@scope_option
@json_option
@with_settings
def flatten(
    settings: BotSettings, *, market: str, yes: bool, scope: str | None, as_json: bool
) -> int:
    """Sell what the bot holds in one market, or everywhere; entries go on elsewhere."""
    if not yes:
        _confirm(f"Sell what the bot holds: {market}?")
    return _give(settings, f"/close {market}", scope, as_json=as_json)


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--everything", is_flag=True, help="Also orders and positions that are not the bot's."
)
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=1),
    default=120.0,
    metavar="SECONDS",
    help="How long to wait for the exchange's proof (default 120).",
)
@scope_option
@json_option
@with_settings
def panic(
    settings: BotSettings,
    *,
    yes: bool,
    everything: bool,
    wait_s: float,
    scope: str | None,
    as_json: bool,
) -> int:
    """Halt, cancel and sell everything; works without a leader and without Telegram.

    The halt is set before anything is asked. Exit code 0 says that the exchange
    states nothing of the bot's any more (with --everything: nothing at all).
    """
    try:
        answer = _get_out(settings, yes=yes, everything=everything, wait_s=wait_s, scope=scope)
    except StorageUnavailable as fault:
        if settings.trading_mode not in {"live", "demo"}:
            raise
        raise StorageUnavailable(f"{fault}; {_WITHOUT_DATABASE}") from fault
    if as_json:
        show({"command": "panic", "answer": answer.text, "done": answer.is_done}, as_json=True)
    else:
        click.echo(answer.text)
    return ExitCode.DONE if answer.is_done else ExitCode.FAILED


def _get_out(
    settings: BotSettings, *, yes: bool, everything: bool, wait_s: float, scope: str | None
) -> orders.CommandAnswer:
    if not yes:
        halted = asyncio.run(
            orders.give_command(settings, "/halt panic", scope=scope, wait_s=_ANSWER_WITHIN_S)
        )
        begun = "Halted." if halted.is_done else f"{halted.text}."
        what = "EVERYTHING on the account" if everything else "everything the bot holds"
        _confirm(
            f"{begun} Sell {what} at the market?",
            "nothing is sold; the halt stays: `python -m bot unhalt` ends it",
        )
    from bot.app.getting_out import get_out  # noqa: PLC0415 - loads the whole bot

    out = get_out(settings, is_everything=everything, scope=scope, wait_s=wait_s)
    return asyncio.run(out)
