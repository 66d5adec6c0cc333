"""``snapshots``: what was stored of one market."""

import asyncio

import click
from typing_extensions import override

from bot.app.settings import BotSettings
from bot.app.stored_snapshots import read_stored_snapshots
from bot.cli.errors import ExitCode
from bot.cli.options import json_option, show, with_settings
from bot.kit.times import hour_key, parse_rfc3339

_MINUTES = ":00:00Z"
_HOUR_LENGTH = len("2026-11-21T07")


class _Hour(click.ParamType[str]):
    """An hour as ``2026-11-21T07`` or a whole time; minutes are cut off."""

    name = "hour"

    @override
    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        whole = value + _MINUTES if len(value) == _HOUR_LENGTH else value
        try:
            return hour_key(parse_rfc3339(whole))
        except ValueError:
            self.fail(f"{value!r} is no hour; write it as 2026-11-21T07, in UTC", param, ctx)


@click.command()
@click.argument("market")
@click.option("--hour", type=_Hour(), metavar="HOUR", help="Only this hour, UTC: 2026-11-21T07.")
@click.option(
    "--last", type=click.IntRange(1, 10_000), default=1, show_default=True, help="So many hours."
)
@click.option("--payload", is_flag=True, help="Print the exchange's own JSON, nothing else.")
@json_option
@with_settings
def snapshots(
    settings: BotSettings,
    market: str,
    *,
    hour: str | None,
    last: int,
    payload: bool,
    as_json: bool,
) -> int:
    """Show what was stored of MARKET, newest hour first. Exits 1 if there is nothing."""
    found = asyncio.run(read_stored_snapshots(settings, market, hour=hour, last=last))
    if as_json:
        show({"market": market, "snapshots": [one.facts for one in found]}, as_json=True)
    elif payload:
        for one in found:
            click.echo(one.snapshot.payload_json)
    else:
        for one in found:
            click.echo(one.line)
    if not found:
        of_hour = f" of {hour}" if hour else ""
        told = f"no snapshot of {market}{of_hour}: check the spelling, and `gaps`"
        click.echo(told, err=True)
        return ExitCode.FAILED
    return ExitCode.DONE
