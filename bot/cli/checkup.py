"""``doctor``."""

import asyncio

import click

from bot.app.checkup import examine
from bot.app.settings import BotSettings
from bot.cli.errors import ExitCode
from bot.cli.options import json_option, show, with_settings


@click.command()
@json_option
@with_settings
def doctor(settings: BotSettings, *, as_json: bool) -> int:
    """Check configuration, key, clock, database, exchange, disk and ports."""
    findings = asyncio.run(examine(settings))
    if as_json:
        show({"checks": [one.facts for one in findings]}, as_json=True)
    else:
        for one in findings:
            click.echo(one.line)
    return ExitCode.FAILED if any(one.is_failure for one in findings) else ExitCode.DONE
