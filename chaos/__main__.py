"""``python -m chaos``: break real processes on a real PostgreSQL, and print what came of it.

Exit code 1 where something came out as it must not. ``--short`` takes shorter
leases, fewer runs and several rows at a time, and judges states, not seconds.
"""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence

from chaos.matrix import ROWS, Progress, chosen, outcomes_of, run_matrix
from chaos.rows import Outcome, table

EXIT_INTERRUPTED = 130


def main() -> int:
    """Run the matrix."""
    parser = argparse.ArgumentParser(prog="scripts/chaos.sh", description=__doc__)
    parser.add_argument("--short", action="store_true", help="under a minute")
    parser.add_argument("--json", action="store_true", help="facts instead of a table")
    parser.add_argument("--runs", type=int, help="so many runs of each row, at most")
    parser.add_argument("--only", help="rows, with commas: " + ", ".join(one.key for one in ROWS))
    given = parser.parse_args()
    try:
        rows = chosen((given.only or "").split(",") if given.only else [])
    except KeyError as unknown:
        parser.error(f"--only: no row {unknown}; there are {', '.join(one.key for one in ROWS)}")
    outcomes = outcomes_of(rows, is_short=given.short, runs_max=given.runs)
    is_interrupted = False
    try:
        asyncio.run(_run(outcomes, is_short=given.short))
    except (KeyboardInterrupt, asyncio.CancelledError):
        is_interrupted = True
        outcomes = [one for one in outcomes if one.seen]
    is_timed = not given.short
    if given.json:
        facts = {one.row.key: one.facts(is_timed=is_timed) for one in outcomes}
        sys.stdout.write(f"{json.dumps(facts)}\n")
    else:
        sys.stdout.write(f"{table(outcomes, is_timed=is_timed)}\n")
    if is_interrupted:
        sys.stderr.write("interrupted: what had been seen until then\n")
        return EXIT_INTERRUPTED
    return int(any(one.problems(is_timed=is_timed) for one in outcomes))


async def _run(outcomes: Sequence[Outcome], *, is_short: bool) -> None:
    """SIGTERM ends it as Ctrl-C does: every process we started is ended first."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await run_matrix(outcomes, Progress(), is_short=is_short)


if __name__ == "__main__":
    sys.exit(main())
