"""``python -m benchmarks NAME``: run one measurement."""

import argparse
import sys

from benchmarks import book, handover, tick_to_order, venue

_ALL = {
    "book": book.run,
    "handover": handover.run,
    "tick_to_order": tick_to_order.run,
    "venue": venue.run,
}


def main() -> int:
    """Run the benchmark that was named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=sorted(_ALL))
    parser.add_argument("--seconds", type=float, default=30.0, help="how long to measure")
    arguments = parser.parse_args()
    return _ALL[arguments.name](arguments.seconds)


if __name__ == "__main__":
    sys.exit(main())
