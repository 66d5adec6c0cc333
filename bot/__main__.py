"""``python -m bot``."""

import sys

try:
    from bot.cli import start
except ModuleNotFoundError as fault:
    if __name__ != "__main__":
        raise
    sys.stderr.write(f"{sys.executable} lacks {fault.name}: use .venv/bin/python -m bot\n")
    sys.exit(2)

if __name__ == "__main__":
    start(sys.argv[1:])
