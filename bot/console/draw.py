"""The program that draws one picture: data on its input, a PNG on its output.

``python -m bot.console.draw picture``. A process of its own, because drawing holds the
interpreter for hundreds of milliseconds, in which an order would wait, and the libraries
it needs would stay in the bot's memory for ever.
"""

import os
import sys

_NICENESS = 10
"""Whoever trades goes first."""


def main() -> int:
    """Draw; the exit code."""
    os.nice(_NICENESS)
    # Slow to load: not before the niceness.
    from bot.console.chart_data import unpacked  # noqa: PLC0415
    from bot.console.pictures import draw  # noqa: PLC0415

    sys.stdout.buffer.write(draw(unpacked(sys.stdin.buffer.read())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
