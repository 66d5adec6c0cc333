"""``python -m benchmarks NAME``: run one measurement."""

import argparse
import sys

from benchmarks import (
    book,
    chat,
    collect,
    export,
    feed_load,
    handover,
    ingest,
    recorder,
    tick_to_order,
    venue,
)

_ALL = {
    "book": book.run,
    "chat": chat.run,
    "collect": collect.run,
    "export": export.run,
    "feed_load": feed_load.run,
    "handover": handover.run,
    "recorder": recorder.run,
    "venue": venue.run,
}

_TICK = "tick_to_order"
_INGEST = "ingest"


def main() -> int:
    """Run the benchmark that was named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=sorted([*_ALL, _TICK, _INGEST]))
    parser.add_argument("--seconds", type=float, default=30.0, help="how long to measure")
    parser.add_argument("--minutes", type=float, help="the same, for long measurements")
    parser.add_argument("--peers", action="store_true", help=f"{_TICK}: other clients as well")
    parser.add_argument(
        "--postgres",
        action="store_true",
        help=f"{_TICK}: on PostgreSQL as well; {_INGEST}: on it alone",
    )
    parser.add_argument("--sqlite", action="store_true", help=f"{_INGEST}: on SQLite alone")
    chosen = parser.parse_args()
    seconds = chosen.seconds if chosen.minutes is None else chosen.minutes * 60
    if chosen.name == _TICK:
        return tick_to_order.run(seconds, peers=chosen.peers, postgres=chosen.postgres)
    if chosen.name == _INGEST:
        return ingest.run(seconds, postgres=chosen.postgres, sqlite=chosen.sqlite)
    return _ALL[chosen.name](seconds)


if __name__ == "__main__":
    sys.exit(main())
