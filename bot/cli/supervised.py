"""Whether a command line starts the managed bot, and then does so under the supervisor.

Comes before everything heavy: what supervises must stay small.
"""

import sys
from collections.abc import Callable, Sequence

from bot.ops.alone import OPTION
from bot.ops.pulse import Identity, is_child
from bot.ops.supervisor import Supervisor

UNSUPERVISED = "--unsupervised"
_ALONE = frozenset({"--once", "--help", "-h", UNSUPERVISED})


def wants_supervisor(arguments: Sequence[str]) -> bool:
    """Whether these arguments, in today's spelling, start a bot that is to be supervised."""
    is_run = bool(arguments) and arguments[0] == "run"
    return is_run and _ALONE.isdisjoint(arguments) and not is_child(arguments)


def supervise(arguments: Sequence[str], run: Callable[[list[str]], int]) -> int:
    """Run this very command line as our child; the exit code of the process.

    ``run`` runs one command in this process: in a fork, the look whether anybody leads.
    """

    def alarm(seconds: int) -> int:
        return run([*arguments, f"{OPTION}={seconds}"])

    return Supervisor([sys.executable, *sys.orig_argv[1:]], _bury, alarm=alarm).run()


def _bury(dead: Identity, how: str) -> None:
    from bot.app.burial import bury  # noqa: PLC0415 - the database's libraries, in the fork only

    bury(dead, how)
