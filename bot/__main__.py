"""``python -m bot``."""

import sys

from bot.cli import start

if __name__ == "__main__":
    start(sys.argv[1:])
