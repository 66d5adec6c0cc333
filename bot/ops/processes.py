"""Finds and ends this bot's own processes, and nobody else's.

A process is ours if an interpreter runs this bot's module from this directory,
or one of this directory's front doors; words that merely occur in a command
line prove nothing. A recorded process is the same one only if it started at
the recorded time, because the system uses a PID again.
"""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

_LOOK_EVERY_S = 0.05
CHECK_DOOR = "check_bot_running.py"
FRONT_DOORS = ("railway_startup.py", "instance_manager.py", CHECK_DOOR)
_MODULES = frozenset({"bot", "app"})
# Subcommands and flags of the module that look or repair, and may run beside the bot.
_PASSIVE_COMMANDS = (
    *("status", "gaps", "collect-gaps", "migrate", "backup", "restore", "healthcheck", "doctor"),
    *("instances", "halt", "unhalt", "reset-breaker", "cancel-orders", "flatten", "apply-roles"),
    *("adopt", "chat", "pair", "decisions", "quality", "panic", "simulate", "demo", "snapshots"),
    *("recordings", "export", "discover", "backfill", "calibration"),
    "alerts",
    # The program that draws one picture for the chat.
    "picture",
)
_PASSIVE_FLAGS = ("--backup", "--list", "--activate", "--deactivate-all", "--help", "-h")
_PASSIVE = frozenset({*_PASSIVE_COMMANDS, *_PASSIVE_FLAGS, "--version"})
# Where one of these stands, a passive word is the value of some option.
_RUNS = frozenset({"run", "run-once", "service"})
# Interpreter options that take the next word as their value.
_WITH_VALUE = frozenset({"-W", "-X", "--check-hash-based-pycs"})


@dataclass(frozen=True, slots=True, kw_only=True)
class BotProcess:
    """One running process of this bot."""

    pid: int
    start_time: int
    """Opaque: equal for one process, different after the PID was used again."""
    command: str
    parent_pid: int = 0
    """A supervisor starts the bot as its child: two processes, and one bot."""


def start_time(pid: int) -> int | None:
    """When a process started, as a number that no clock change moves; ``None`` if it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return _start_time_without_proc(pid)
    except OSError:
        return None
    state, *fields = stat.rpartition(")")[2].split()
    # Field 22 of proc(5), counted from the state, which is field 3. A zombie does not run.
    return None if state in {"Z", "X"} else int(fields[18])


def _start_time_without_proc(pid: int) -> int | None:
    if Path("/proc/self/stat").exists():
        return None
    try:
        return int(psutil.Process(pid).create_time())
    except psutil.Error:
        return None


def born_us(pid: int) -> int | None:
    """When a process started, on the wall clock; good to a second or so."""
    try:
        return round(psutil.Process(pid).create_time() * 1_000_000)
    except psutil.Error:
        return None


def own_host() -> str:
    """The machine's name, as it is written into the lock."""
    return socket.gethostname()


def runs_the_bot(arguments: Sequence[str], directory: Path, root: Path) -> bool:
    """Whether a command line, run in ``directory``, is the bot that lives in ``root``."""
    if not arguments or not Path(arguments[0]).name.startswith(("python", "pypy")):
        return False
    place = 1
    while place < len(arguments) and arguments[place].startswith("-"):
        option = arguments[place]
        if option in {"-m", "-c"}:
            is_module = option == "-m" and place + 1 < len(arguments)
            ours = is_module and arguments[place + 1].split(".")[0] in _MODULES
            return ours and directory == root and _is_active(arguments[place + 2 :])
        place += 2 if option in _WITH_VALUE else 1
    if place >= len(arguments):
        return False
    script = Path(os.path.normpath(directory / arguments[place]))
    is_door = script.parent == root and script.name in FRONT_DOORS
    return is_door and _is_active(arguments[place + 1 :])


def _is_active(words: Sequence[str]) -> bool:
    passive = {word.partition("=")[0] for word in words} & _PASSIVE
    if _RUNS & set(words):
        passive &= {"--help", "-h"}
    return not passive


def find_bot(root: Path, except_pids: Iterable[int] = ()) -> list[BotProcess]:
    """Every running process of the bot in ``root`` that this user may look at."""
    excepted = set(except_pids)
    found: list[BotProcess] = []
    for process in psutil.process_iter():
        if process.pid in excepted:
            continue
        try:
            arguments, directory = process.cmdline(), Path(process.cwd())
            parent_pid = process.ppid()
        except (psutil.Error, OSError):
            continue
        started = start_time(process.pid)
        if started is not None and runs_the_bot(arguments, directory, root):
            found.append(
                BotProcess(
                    pid=process.pid,
                    start_time=started,
                    command=" ".join(arguments),
                    parent_pid=parent_pid,
                )
            )
    return found


def heads(processes: Sequence[BotProcess]) -> list[BotProcess]:
    """One process for each bot: the supervisor where there is one."""
    pids = {one.pid for one in processes}
    return [one for one in processes if one.parent_pid not in pids]


def rivals(root: Path) -> list[BotProcess]:
    """The bot's processes beside us.

    Of two check scripts started together the earlier one goes on: it does not
    see the later, and the later sees it.
    """
    mine = (start_time(os.getpid()) or 0, os.getpid())
    return [
        one
        for one in find_bot(root, except_pids=own_family())
        if CHECK_DOOR not in one.command or (one.start_time, one.pid) < mine
    ]


def own_family() -> set[int]:
    """Our process and those it was started by: never a rival of itself."""
    me = psutil.Process()
    return {me.pid, *(parent.pid for parent in me.parents())}


def started_by(root: Path) -> str:
    """The name of the process that started us; empty where it cannot be told.

    A process of this bot above ours does not count: it was itself started by somebody.
    """
    with contextlib.suppress(psutil.Error, OSError):
        for parent in psutil.Process().parents():
            if not runs_the_bot(parent.cmdline(), Path(parent.cwd()), root):
                return parent.name()
    return ""


async def end(processes: Iterable[BotProcess], grace_s: float) -> list[BotProcess]:
    """Terminate, wait, kill, wait; returns those that even that did not end.

    A supervisor is told and tells its bot; killed alone, a bot would be started
    again. SIGKILL also ends a stopped process, which SIGTERM does not reach.
    """
    left = await _terminate(list(processes), grace_s)
    for head in heads(left):
        left += _stop_with_children(head, {one.pid for one in left})
    for one in (*heads(left), *left):
        _signal(one, signal.SIGKILL)
    return await _wait_gone(left, grace_s)


async def _terminate(processes: list[BotProcess], grace_s: float) -> list[BotProcess]:
    """Tell each bot by its head, and a child whose head ended without it; who is left."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + grace_s
    told: set[int] = set()
    left = _running(processes)
    while left and loop.time() < deadline:
        for one in heads(left):
            if one.pid not in told:
                told.add(one.pid)
                _signal(one, signal.SIGTERM)
        await asyncio.sleep(_LOOK_EVERY_S)
        left = _running(left)
    return left


def _stop_with_children(head: BotProcess, known: set[int]) -> list[BotProcess]:
    """Keep a head from starting anything more; its children we did not know of."""
    _signal(head, signal.SIGSTOP)
    found: list[BotProcess] = []
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(head.pid).children(recursive=True):
            started = start_time(child.pid)
            if started is not None and child.pid not in known:
                command = " ".join(child.cmdline())
                found.append(
                    BotProcess(
                        pid=child.pid, start_time=started, command=command, parent_pid=head.pid
                    )
                )
    return found


async def _wait_gone(processes: Sequence[BotProcess], limit_s: float) -> list[BotProcess]:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limit_s
    left = _running(processes)
    while left and loop.time() < deadline:
        await asyncio.sleep(_LOOK_EVERY_S)
        left = _running(left)
    return left


def _running(processes: Iterable[BotProcess]) -> list[BotProcess]:
    """Those still running. One that only waits for its parent to look is gone."""
    return [one for one in processes if start_time(one.pid) == one.start_time]


def _signal(process: BotProcess, number: signal.Signals) -> None:
    """Signal the process, if that PID still is the one we mean."""
    with contextlib.suppress(psutil.Error):
        handle = psutil.Process(process.pid)
        if start_time(process.pid) == process.start_time:
            # psutil itself refuses a PID that was used again since the handle was made.
            handle.send_signal(number)
