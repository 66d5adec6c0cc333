"""The long run: ``python -m tests.sim --seeds 0-3999``.

Exit codes: 0 nothing broken (or every mutant caught), 1 something is, 2 usage.
"""

import argparse
import os
import sys

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.sim.campaign import Tally, first_catch, tally
from tests.sim.defences import Defence, Removed
from tests.sim.mutants import MUTANTS
from tests.sim.run import SEEDS

_SHOWN_MAX = 20


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.sim", description="Seeded whole-system simulation of leadership."
    )
    parser.add_argument("--seeds", type=_seeds, default=SEEDS, metavar="A-B")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--without",
        type=_removed,
        default=frozenset(),
        metavar="NAME,...",
        help=f"defences to leave out: {', '.join(one.name for one in Defence)}",
    )
    parser.add_argument(
        "--mutants", action="store_true", help="look for the first seed that catches each mutant"
    )
    options = parser.parse_args()
    if options.jobs < 1:
        parser.error("--jobs must be at least 1")
    if options.mutants:
        return _search(options.seeds, options.jobs)
    return _run(options.seeds, options.without, options.jobs)


def _run(seeds: range, removed: Removed, jobs: int) -> int:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("seeds", total=len(seeds), note="")
        found = tally(
            seeds,
            removed,
            jobs,
            lambda done, total, note: progress.update(task, completed=done, total=total, note=note),
        )
    _show(found)
    return 1 if found.failing else 0


def _show(found: Tally) -> None:
    console = Console()
    table = Table("what happened", "times", title=f"{found.seeds} seeds")
    for name, count in sorted(found.counts.items()):
        table.add_row(name, str(count))
    console.print(table)
    for seed, broken in list(found.failing.items())[:_SHOWN_MAX]:
        console.print(f"seed {seed}: {'; '.join(broken[:3])}", highlight=False)
    if found.failing:
        console.print(f"failing seeds: {' '.join(map(str, found.failing))}", highlight=False)
    broken_by = ", ".join(f"{name} in {count}" for name, count in found.by_invariant().items())
    console.print(
        f"{len(found.failing)} of {found.seeds} seeds broke an invariant: {broken_by or 'none'}"
    )


def _search(seeds: range, jobs: int) -> int:
    console, missed = Console(), 0
    table = Table("removed", "first seed", "breaks")
    for mutant in MUTANTS:
        caught = first_catch(seeds, mutant.removed, mutant.breaks, jobs)
        is_as_known = (caught is None) == bool(mutant.survives)
        missed += not is_as_known
        names = " + ".join(sorted(one.name for one in mutant.removed))
        verdict = ", ".join(caught.names) if caught else mutant.survives or "NOT CAUGHT"
        table.add_row(names, str(caught.seed) if caught else "-", verdict)
        console.print(names, verdict, style="dim")
    console.print(table)
    return 1 if missed else 0


def _seeds(text: str) -> range:
    first, _, last = text.partition("-")
    try:
        found = range(int(first), int(last or first) + 1)
    except ValueError:
        found = range(0)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r}: say A-B, as in 0-3999")
    return found


def _removed(text: str) -> Removed:
    try:
        return frozenset(Defence[name] for name in text.split(","))
    except KeyError as unknown:
        raise argparse.ArgumentTypeError(f"no defence {unknown}") from None


if __name__ == "__main__":
    sys.exit(main())
