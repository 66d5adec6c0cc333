"""Commands that need no account: the simulated exchange and the demo."""

from pathlib import Path

import click

from bot.app.demo import DemoOptions, run_demo
from bot.app.simulate import SimulateOptions, run_simulator


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8090, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="One seed, one history.")
@click.option("--speed", type=click.IntRange(min=1), default=1, show_default=True)
@click.option(
    "--pace",
    type=click.FloatRange(min=0.001),
    default=4.0,
    show_default=True,
    metavar="SECONDS",
    help="Mean time between two acts in a busy market.",
)
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
@click.option(
    "--faults",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Faults of this JSON script.",
)
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
@click.option("--speed", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--seed", type=int, default=7, show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True)
@click.option("--fresh", is_flag=True, help="Forget what earlier demos collected.")
def demo(**options: object) -> int:
    """Show the whole bot at work: simulated exchange, paper money, a page to watch."""
    return run_demo(DemoOptions(**options))  # type: ignore[arg-type]  # click checked them
