"""The long run: ``python -m tests.sim.trading --seeds 0-3999``.

Exit codes: 0 nothing broken, 1 something is, 2 usage.
"""

import argparse
import os
import sys
from collections import Counter
from multiprocessing import get_context

from rich.console import Console
from rich.progress import track

from tests.sim.trading.run import SEEDS, Verdict, run, run_asking


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.sim.trading",
        description="Seeded storms of the trading engine: every invariant, any failing seed.",
    )
    parser.add_argument("--seeds", type=_seeds, default=SEEDS, metavar="A-B")
    parser.add_argument("--asking", action="store_true", help="larger entries wait for a person")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    if options.jobs < 1:
        parser.error("--jobs must be at least 1")
    counts: Counter[str] = Counter()
    failing: list[Verdict] = []
    with get_context("spawn").Pool(options.jobs) as pool:
        found = pool.imap(run_asking if options.asking else run, options.seeds)
        console = Console(stderr=True)
        for verdict in track(found, "seeds", total=len(options.seeds), console=console):
            counts.update(verdict.counts)
            if verdict.broken:
                failing.append(verdict)
                console.print(f"seed {verdict.seed}: {'; '.join(verdict.broken)}", highlight=False)
    out = Console()
    out.print(", ".join(f"{count} {name}" for name, count in sorted(counts.items())))
    if failing:
        out.print(f"failing seeds: {' '.join(str(one.seed) for one in failing)}", highlight=False)
    out.print(f"{len(failing)} of {len(options.seeds)} seeds broke an invariant", highlight=False)
    return 1 if failing else 0


def _seeds(text: str) -> range:
    first, _, last = text.partition("-")
    try:
        found = range(int(first), int(last or first) + 1)
    except ValueError:
        found = range(0)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r}: say A-B, as in 0-3999")
    return found


if __name__ == "__main__":
    sys.exit(main())
