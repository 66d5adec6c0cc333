"""Only this bot's processes are found, and only they are ended."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bot.cli.root import PLACES
from bot.ops import processes
from bot.ops.processes import BotProcess, find_bot, runs_the_bot, start_time

pytestmark = pytest.mark.looptime(False)

ROOT = Path("/opt/kalshi")


@pytest.mark.parametrize(
    "command",
    [
        "python -m bot run",
        "python3.11 -m bot",
        "/opt/kalshi/.venv/bin/python -u -X dev -m bot run --mode trade",
        "python -m app --mode collect",
        "python railway_startup.py",
        "/usr/bin/python3 /opt/kalshi/instance_manager.py",
        "python ./check_bot_running.py --force-kill",
        "python -m bot run --once",
        "python -m bot run --lock-file status --config backup",
        "python railway_startup.py --supervised-by=7",
    ],
)
def test_the_ways_to_start_the_bot_are_known(command: str) -> None:
    assert runs_the_bot(command.split(), ROOT, ROOT)


@pytest.mark.parametrize(
    "command",
    [
        "vim bot/railway_startup.py",
        "grep -r python -m bot .",
        "python -m bottle",
        "python -m robot",
        "python -m pytest bot",
        "python trading_bot.py",
        "python other/railway_startup.py",
        "python -c railway_startup.py",
        "python",
        "python -m",
        "python -m bot status",
        "python -m bot --backup",
        "python instance_manager.py --list",
        "tail -f /opt/kalshi/railway_startup.py",
        "python -m bot run --help",
        "python -m bot.console.draw picture",
    ],
)
def test_everything_else_is_left_alone(command: str) -> None:
    assert not runs_the_bot(command.split(), ROOT, ROOT)


@pytest.mark.parametrize("command", PLACES)
def test_of_all_commands_only_those_that_run_the_bot_are_the_bot(command: str) -> None:
    is_bot = runs_the_bot(["python", "-m", "bot", command, "--json"], ROOT, ROOT)
    assert is_bot == (command in {"run", "service"})


def test_the_same_module_of_another_directory_is_another_bot() -> None:
    assert not runs_the_bot(["python", "-m", "bot"], Path("/home/x/other"), ROOT)
    assert not runs_the_bot([], ROOT, ROOT)


def spawn(directory: Path, *arguments: str) -> subprocess.Popen[bytes]:
    child = subprocess.Popen([sys.executable, *arguments], cwd=directory, stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    return child


def write_door(directory: Path, name: str, *, ignores_term: bool = False) -> None:
    ignoring = "signal.signal(signal.SIGTERM, signal.SIG_IGN)" if ignores_term else ""
    text = f"import signal, sys, time\n{ignoring}\nprint('up', flush=True)\ntime.sleep(120)\n"
    (directory / name).write_text(text)


@pytest.mark.parametrize("ignores_term", [False, True])
async def test_the_bot_is_ended_and_bystanders_survive(tmp_path: Path, ignores_term: bool) -> None:
    write_door(tmp_path, "railway_startup.py", ignores_term=ignores_term)
    write_door(tmp_path, "railway_startup_backup.py")
    bot = spawn(tmp_path, "railway_startup.py")
    bystanders = [
        spawn(tmp_path, "railway_startup_backup.py"),
        spawn(tmp_path, "-c", "import time; print('bot', flush=True); time.sleep(120)", "bot"),
    ]
    try:
        found = find_bot(tmp_path)
        assert [one.pid for one in found] == [bot.pid]
        assert find_bot(tmp_path, except_pids=[bot.pid]) == []
        assert await processes.end(found, grace_s=0.5) == []
        assert start_time(bot.pid) is None
        assert [one.poll() for one in bystanders] == [None, None]
    finally:
        for one in (bot, *bystanders):
            one.kill()
            one.wait()
            one.stdout.close()


SUPERVISING = """
import os, signal, subprocess, sys, time
if "child" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN if "deaf" in sys.argv else signal.SIG_DFL)
    print(os.getpid(), flush=True)
    time.sleep(120)
told = []
signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
while True:
    child = subprocess.Popen([sys.executable, *sys.argv, "child"])
    while child.poll() is None:
        if told:
            child.send_signal(signal.SIGTERM)
        time.sleep(0.02)
    if told:
        sys.exit(0)
"""


def supervised(directory: Path, *ways: str) -> subprocess.Popen[bytes]:
    (directory / "railway_startup.py").write_text(SUPERVISING)
    return subprocess.Popen(
        [sys.executable, "railway_startup.py", *ways], cwd=directory, stdout=subprocess.PIPE
    )


@pytest.mark.parametrize("ways", [(), ("deaf",)])
async def test_a_supervisor_and_its_bot_are_one_and_both_end(
    tmp_path: Path, ways: tuple[str, ...]
) -> None:
    supervisor = supervised(tmp_path, *ways)
    try:
        child = int(supervisor.stdout.readline())
        found = find_bot(tmp_path)
        assert {one.pid for one in found} == {supervisor.pid, child}
        assert [one.pid for one in processes.heads(found)] == [supervisor.pid]
        # Unknown to the list: the child was killed and another started since.
        os.kill(child, signal.SIGKILL)
        second = int(supervisor.stdout.readline())
        assert await processes.end(found, grace_s=1.0) == []
        assert supervisor.wait(5) == (0 if not ways else -signal.SIGKILL)
        assert start_time(second) is None
        assert find_bot(tmp_path) == []
    finally:
        supervisor.kill()
        supervisor.wait()
        supervisor.stdout.close()


async def test_a_bot_whose_supervisor_is_gone_is_told_to_stop_as_well(tmp_path: Path) -> None:
    supervisor = supervised(tmp_path)
    child = int(supervisor.stdout.readline())
    found = find_bot(tmp_path)
    supervisor.kill()
    supervisor.wait()
    supervisor.stdout.close()
    assert await processes.end(found, grace_s=5.0) == []
    assert start_time(child) is None


async def test_a_stopped_process_is_ended_too(tmp_path: Path) -> None:
    write_door(tmp_path, "instance_manager.py")
    bot = spawn(tmp_path, "instance_manager.py")
    try:
        bot.send_signal(signal.SIGSTOP)
        assert await processes.end(find_bot(tmp_path), grace_s=0.5) == []
    finally:
        bot.kill()
        bot.wait()
        bot.stdout.close()


async def test_a_pid_used_again_is_not_touched(tmp_path: Path) -> None:
    write_door(tmp_path, "bystander.py")
    bystander = spawn(tmp_path, "bystander.py")
    try:
        before = BotProcess(pid=bystander.pid, start_time=1, command="python -m bot")
        assert await processes.end([before], grace_s=0.2) == []
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
        bystander.stdout.close()


def test_a_process_has_one_start_time_and_a_dead_one_has_none(tmp_path: Path) -> None:
    assert start_time(os.getpid()) == start_time(os.getpid()) is not None
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert start_time(child.pid) is None, "a zombie does not run"
    child.wait()
    assert start_time(child.pid) is None


def test_we_are_not_our_own_rival() -> None:
    family = processes.own_family()
    assert os.getpid() in family
    assert os.getppid() in family
