"""``python -m soak``: the demo's real processes under random faults, and what came of it.

Simulated exchange and bot run as in the demo, but the bot's orders go out over
the wire. Every few seconds something breaks; now and then the bot is killed.
At the end, in a calm, books, positions, fills and orders of both sides must be
equal and nothing may have happened that must never happen. Exit code 1 where
that is not so.
"""

import argparse
import asyncio
import json
import signal
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from soak.plant import PACE_S, PlantFailed
from soak.run import Report, soak

EXIT_INTERRUPTED = 130


def main() -> int:
    """Run one soak."""
    parser = argparse.ArgumentParser(prog="scripts/soak.sh", description=__doc__)
    parser.add_argument("--minutes", type=_minutes, default=30.0, help="trouble (30)")
    parser.add_argument("--seed", type=int, default=1, help="which trouble (1)")
    parser.add_argument(
        "--pace",
        type=_seconds,
        default=PACE_S,
        metavar="SECONDS",
        help="between two moves of the busiest markets (0.25); more on a machine that is busy",
    )
    parser.add_argument("--json", action="store_true", help="facts instead of lines")
    parser.add_argument(
        "--keep", type=Path, help="leave database, logs and memory.csv in this new folder"
    )
    given = parser.parse_args()
    if given.keep is not None and given.keep.exists():
        parser.error(f"--keep: {given.keep} exists already; name another folder")
    try:
        if given.keep is not None:
            given.keep.mkdir(parents=True)
        report = asyncio.run(_run(given))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return EXIT_INTERRUPTED
    except PlantFailed as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    sys.stdout.write(f"{json.dumps(asdict(report)) if given.json else told(report)}\n")
    return int(bool(report.problems))


def _minutes(text: str) -> float:
    minutes = _number(text)
    if not 0 < minutes <= 24 * 60:
        raise argparse.ArgumentTypeError("must lie above 0 and at most a day")
    return minutes


def _seconds(text: str) -> float:
    seconds = _number(text)
    if not 0.01 <= seconds <= 60:  # noqa: PLR2004 - what the simulated exchange takes
        raise argparse.ArgumentTypeError("must lie between 0.01 and 60")
    return seconds


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None


async def _run(given: argparse.Namespace) -> Report:
    """SIGTERM ends it as Ctrl-C does: both processes are ended first."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        home = given.keep or Path(folder)
        return await soak(home, seed=given.seed, minutes=given.minutes, pace_s=given.pace, say=_say)


def _say(line: str) -> None:
    end = "\r" if sys.stderr.isatty() else "\n"
    sys.stderr.write(f"\r{line:<100}{end}" if end == "\r" else f"{line}\n")
    sys.stderr.flush()


def told(report: Report) -> str:
    """The report in lines."""
    faults = ", ".join(f"{count} {name}" for name, count in report.faults.items())
    memory = ", ".join(
        f"{name} {size:.0f} MB" + _growth(report.growth_mb.get(name))
        for name, size in report.memory_mb.items()
    )
    trouble = f"{sum(report.faults.values())} faults, {report.kills} kills, {report.halts} halts"
    if report.restarts:
        trouble += f", {report.restarts} starts after the watchdog"
    lines = [
        f"seed {report.seed}, {report.minutes:g} minutes: {trouble}",
        f"faults: {faults}",
        f"{report.orders} orders, {report.fills} fills, {report.positions_closed} positions closed",
        f"memory: {memory}",
    ]
    if report.problems:
        return "\n".join([*lines, f"{len(report.problems)} PROBLEMS", *report.problems])
    equal = f"equal: {report.books} books, positions, fills, orders"
    return "\n".join([*lines, f"{equal}; no outcome unknown; 0 violations"])


def _growth(grown: float | None) -> str:
    return "" if grown is None else f" ({grown:+.0f} MB in one life)"


if __name__ == "__main__":
    sys.exit(main())
