"""Commands that judge the bot's state or run a part of it: healthcheck, service."""

import asyncio

import click

from bot.app import admin
from bot.app.settings import BotSettings
from bot.app.staleness import faults_of
from bot.cli.errors import ExitCode, not_built
from bot.cli.options import json_option, show, with_settings


@click.command()
@click.option(
    "--service",
    type=click.Choice(["bot", "rest", "ws", "worker", "rag", "portal"]),
    default="bot",
    show_default=True,
)
@json_option
@with_settings
def healthcheck(settings: BotSettings, *, service: str, as_json: bool) -> int:
    """Exit 0 if the periodic work is fresh, 1 if not."""
    if service != "bot":
        not_built(f"the separate service {service}", "check the whole bot with --service bot")
    is_fresh, checks = asyncio.run(admin.health(settings))
    if as_json:
        show({"service": service, "ok": is_fresh, "checks": checks}, as_json=True)
    else:
        why = "" if is_fresh else f": {faults_of(checks)}"
        click.echo(f"{service} health={'ok' if is_fresh else 'failed'}{why}")
        for name, told in checks.items():
            click.echo(f"  {name}: {told}")
    return ExitCode.DONE if is_fresh else ExitCode.FAILED


@click.command()
@click.argument(
    "name", type=click.Choice(["rest", "ws", "worker", "rag", "portal", "migrator"]), required=False
)
@with_settings
def service(settings: BotSettings, *, name: str | None) -> int:
    """Run one part of the bot as a process of its own."""
    if name == "migrator":
        show(asyncio.run(admin.migrate(settings)), as_json=False)
        return ExitCode.DONE
    what = f"service {name}" if name else "separate services"
    return not_built(what, "`python -m bot run` runs everything in one process")
