"""``python -m conformance HOME RECORDINGS [--short]``: run every judge and print the table.

HOME holds what ``scripts/conformance.sh`` fetched; RECORDINGS may be absent.
Exit code 1 where a judge failed or could not finish.
"""

import argparse
import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeAlias

from conformance.clients_of_others import judge_client
from conformance.documented import judge_documents
from conformance.fuzz import judge_by_fuzzing
from conformance.recorded import judge_recorded
from conformance.replay import judge_replay
from conformance.verdicts import Result, Unavailable, Verdict, skipped, table

Judge: TypeAlias = Callable[[], Coroutine[Any, Any, list[Verdict]]]


def main() -> int:
    """Judge."""
    parser = argparse.ArgumentParser(prog="python -m conformance", description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--short", action="store_true", help="fewer examples, one capture")
    arguments = parser.parse_args()
    # The fuzzer sends what no HTTP server takes, and the server says so at length.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    home, recordings = arguments.home.resolve(), arguments.recordings.resolve()
    verdicts: list[Verdict] = []
    for name, judge in judges(home, recordings, is_short=arguments.short).items():
        print_line(f"judging: {name}")
        verdicts += run(name, judge)
    print_line("\n" + table(verdicts))
    return int(any(one.result is Result.FAILED for one in verdicts))


def judges(home: Path, recordings: Path, *, is_short: bool) -> dict[str, Judge]:
    """Every judge by its name."""
    specs = home / "specs"

    def client(which: str) -> Judge:
        async def judge() -> list[Verdict]:
            return [await judge_client(home, which)]

        return judge

    return {
        "documents": lambda: judge_documents(specs, is_short=is_short),
        "recorded calls and frames": lambda: judge_recorded(recordings),
        "schemathesis": lambda: judge_by_fuzzing(home, is_short=is_short),
        "kalshi-python-async": client("official"),
        "kalshi-sdk": client("sdk"),
        "replays": lambda: judge_replay(recordings, is_short=is_short),
    }


def run(name: str, judge: Judge) -> list[Verdict]:
    """One judge's rows; what is missing is a row as well."""
    try:
        return asyncio.run(judge())
    except Unavailable as error:
        return [skipped(name, str(error))]


def print_line(text: str) -> None:
    """Say something while the next judge takes its time."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
