"""Commands that run something: the bot, one cycle, the simulated exchange, the demo."""

import asyncio
from pathlib import Path

import click

from bot.app import admin
from bot.app.demo import DemoOptions, run_demo
from bot.app.main import run_managed, run_once
from bot.app.settings import BotSettings
from bot.app.simulate import SimulateOptions, run_simulator
from bot.cli.errors import ExitCode, not_built
from bot.cli.options import json_option, progress_bar, show, with_settings, with_settings_of_the_bot

_MODES = click.Choice(["collect", "analyze", "trade"])


@click.command()
@click.option("--mode", type=_MODES, help="collect (default), analyze or trade (on paper).")
@click.option("--once", is_flag=True, help="Run one cycle and exit.")
@click.option("--dry-run", is_flag=True, help="Decide, but send no order.")
@click.option("--enable-live-trading", is_flag=True, help="Trade with money; see the handbook.")
@json_option
@with_settings_of_the_bot
def run(settings: BotSettings, *, once: bool, as_json: bool) -> int:
    """Run the bot, or one cycle of it with --once (for cron and timers)."""
    if settings.mode == "analyze":
        not_built("mode analyze", "use --mode collect or --mode trade")
    if not once:
        return run_managed(settings)
    if settings.mode == "trade":
        not_built("one trading cycle", "trading runs continuously: leave --once away")
    with progress_bar("collect") as bar:
        report = asyncio.run(run_once(settings, bar))
    if as_json:
        show(report.facts, as_json=True)
    return ExitCode.DONE if report.is_success else ExitCode.FAILED


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
        click.echo(f"{service} health={'ok' if is_fresh else 'failed'}")
        for name, told in checks.items():
            click.echo(f"  {name}: {told}")
    return ExitCode.DONE if is_fresh else ExitCode.FAILED


@click.command()
@json_option
@with_settings
def doctor(settings: BotSettings, *, as_json: bool) -> int:
    """Check configuration, key, clock, database, exchange, disk and ports."""
    findings = asyncio.run(admin.examine(settings))
    if as_json:
        show({"checks": [one.facts for one in findings]}, as_json=True)
    else:
        for one in findings:
            click.echo(one.line)
    return ExitCode.FAILED if any(one.is_failure for one in findings) else ExitCode.DONE


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


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8090, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="One seed, one history.")
@click.option("--speed", type=click.FloatRange(min=0.01), default=1.0, show_default=True)
@click.option(
    "--recording",
    type=click.Path(path_type=Path, exists=True),
    help="Play a recorded capture instead of a generated world.",
)
@click.option(
    "--make-key",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a new private key here and accept it; its id is printed.",
)
@click.option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Accept this private key (made before by --make-key).",
)
@click.option("--faults", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--rate-limit/--no-rate-limit", default=False, show_default=True)
def simulate(**options: object) -> int:
    """Run a simulated Kalshi: REST and WebSocket, accounts, matching, settlement."""
    return run_simulator(SimulateOptions(**options))  # type: ignore[arg-type]  # click checked them


@click.command()
@click.option("--seconds", type=click.FloatRange(min=1), help="End by itself after so long.")
@click.option(
    "--recording",
    type=click.Path(path_type=Path, exists=True),
    help="Let the simulated exchange play this recorded capture.",
)
@click.option("--speed", type=click.FloatRange(min=0.01), default=1.0, show_default=True)
@click.option("--seed", type=int, default=7, show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True)
@click.option("--fresh", is_flag=True, help="Forget what earlier demos collected.")
def demo(**options: object) -> int:
    """Show the whole bot at work: simulated exchange, paper money, a page to watch."""
    return run_demo(DemoOptions(**options))  # type: ignore[arg-type]  # click checked them
