"""Local front door: refuses a second bot on this machine, otherwise starts it.

python check_bot_running.py               start, or exit 1 if the bot runs already
python check_bot_running.py --force-kill  end the running bot first, and no other program

Further options are those of: python -m bot run --help
"""

import asyncio
import sys
from pathlib import Path

try:
    from bot import cli
    from bot.ops import processes, pulse
except ModuleNotFoundError as fault:
    if __name__ != "__main__":
        raise
    sys.stderr.write(
        f"{sys.executable} lacks {fault.name}: use .venv/bin/python check_bot_running.py\n"
    )
    sys.exit(2)

ROOT = Path(__file__).resolve().parent
GRACE_S = 15.0
"""Longer than a drain."""
FORCE = "--force-kill"
EXIT_RUNNING = 1


def check(*, is_forced: bool) -> str | None:
    """Make room for one bot; what stands in the way, if something does."""
    running = processes.rivals(ROOT)
    if not running:
        return None
    pids = ", ".join(str(one.pid) for one in processes.heads(running))
    if not is_forced:
        return f"already running: PID {pids}; stop it, or use {FORCE}"
    left = asyncio.run(processes.end(running, GRACE_S))
    if left:
        return f"could not end PID {', '.join(str(one.pid) for one in left)}"
    sys.stderr.write(f"ended PID {pids}\n")
    return None


def start(arguments: list[str]) -> None:
    """Check, then run; exits with the documented code."""
    if {"--help", "-h"} & set(arguments):
        sys.stdout.write(__doc__ or "")
        return
    # A supervisor's child comes by again; its supervisor has checked and is one of us.
    if not pulse.is_child(arguments) and (obstacle := check(is_forced=FORCE in arguments)):
        sys.stderr.write(f"{obstacle}\n")
        sys.exit(EXIT_RUNNING)
    cli.start(["run", *(one for one in arguments if one != FORCE)])


if __name__ == "__main__":
    start(sys.argv[1:])
