"""``alerts test`` and ``alerts list``."""

import asyncio

import click

from bot.app import channel_trials
from bot.app.settings import BotSettings
from bot.cli.errors import ExitCode
from bot.cli.options import json_option, show, with_settings


@click.group()
def alerts() -> None:
    """Try the channels that alerts go through, or show what goes where."""


@alerts.command()
@click.option("--channel", type=click.Choice(channel_trials.TESTED), help="Only this one.")
@json_option
@with_settings
def test(settings: BotSettings, *, channel: str | None, as_json: bool) -> int:
    """Send a real message to everyone who is told, on every configured channel.

    The ping is tried with --channel ping alone: whoever watches it takes it for a
    sign of life.
    """
    attempts = asyncio.run(channel_trials.try_channels(settings, channel))
    if not attempts:
        what = "no channel is configured" if channel is None else f"{channel} is not configured"
        click.echo("\n  ".join([what, *channel_trials.how_to_configure(channel)]), err=True)
        return ExitCode.FAILED
    is_good = all(one.is_good for one in attempts)
    if as_json:
        told = [
            {
                "channel": one.channel,
                "recipient": one.recipient,
                "ok": one.is_good,
                "reason": one.receipt.reason,
                "took_ms": one.took_ms,
            }
            for one in attempts
        ]
        show({"ok": is_good, "attempts": told}, as_json=True)
    else:
        for one in attempts:
            end = "sent" if one.is_good else f"FAILED: {one.receipt.reason}"
            click.echo(f"{one.channel} to {one.recipient}: {end} ({one.took_ms} ms)")
    return ExitCode.DONE if is_good else ExitCode.FAILED


@alerts.command("list")
@json_option
@with_settings
def list_routes(settings: BotSettings, *, as_json: bool) -> int:
    """Show who is told what, on which channel."""
    routes = asyncio.run(channel_trials.routes(settings))
    catalogue = channel_trials.catalogue()
    if as_json:
        kinds = [
            {"kind": kind.value, "severity": severity.value, "title": title}
            for kind, severity, title in catalogue
        ]
        show({"recipients": routes, "alerts": kinds}, as_json=True)
        return ExitCode.DONE
    for one in routes:
        also = one["also"]
        besides = f" and {', '.join(also)}" if isinstance(also, list) and also else ""
        click.echo(
            f"{one['channel']} to {one['recipient']}: {one['at_least']} and worse{besides}"
            f" ({one['kinds']} of {len(catalogue)} kinds)"
        )
    width = max(len(kind) for kind, _, _ in catalogue)
    for kind, severity, title in catalogue:
        click.echo(f"  {kind.value:<{width}}  {severity.value:<8}  {title}")
    return ExitCode.DONE
