"""One holder at a time; stale files never block, living ones always do."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bot.domain.errors import ConfigurationFault, LockHeld
from bot.kit.clock import SystemClock
from bot.ops import hostlock
from bot.ops.hostlock import acquire, running_holder, try_acquire
from bot.ops.processes import own_host, start_time

pytestmark = pytest.mark.looptime(False)

CLOCK = SystemClock()
HOLD = (
    "import sys\n"
    "from pathlib import Path\n"
    "from bot.kit.clock import SystemClock\n"
    "from bot.ops.hostlock import try_acquire\n"
    "lock = try_acquire(Path(sys.argv[1]), SystemClock())\n"
    "print('held', flush=True)\n"
    "sys.stdin.readline()\n"
    "lock.release()\n"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kalshi-bot.lock"


def hold(path: Path) -> subprocess.Popen[bytes]:
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"held\n"
    return child


def finish(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.communicate()


def test_the_file_says_who_holds_it_and_goes_with_the_lock(path: Path) -> None:
    with try_acquire(path, CLOCK) as lock:
        content = json.loads(path.read_text())
        assert content["pid"] == os.getpid()
        assert content["host"] == own_host()
        assert content["start_time"] == start_time(os.getpid())
        assert content["created_at"].endswith("Z")
    assert not path.exists()
    lock.release()


def test_a_second_holder_is_refused_with_the_pid(path: Path) -> None:
    child = hold(path)
    try:
        with pytest.raises(LockHeld, match=rf"Failed to acquire lock .* PID {child.pid} "):
            try_acquire(path, CLOCK)
        assert running_holder(path).pid == child.pid
    finally:
        finish(child)


def test_the_same_process_cannot_hold_it_twice(path: Path) -> None:
    with try_acquire(path, CLOCK), pytest.raises(LockHeld):
        try_acquire(path, CLOCK)


def test_a_killed_holder_leaves_nothing_in_the_way(path: Path) -> None:
    finish(hold(path))
    assert path.exists()
    assert running_holder(path) is None
    try_acquire(path, CLOCK).release()


def test_a_stopped_holder_keeps_the_lock(path: Path) -> None:
    child = hold(path)
    try:
        child.send_signal(signal.SIGSTOP)
        with pytest.raises(LockHeld):
            try_acquire(path, CLOCK)
    finally:
        finish(child)


def test_a_bare_pid_of_a_running_process_is_respected(path: Path) -> None:
    path.write_text(f"{os.getppid()}\n")
    with pytest.raises(LockHeld, match=str(os.getppid())):
        try_acquire(path, CLOCK)


def test_a_bare_pid_older_than_its_process_is_stale(path: Path) -> None:
    path.write_text(str(os.getppid()))
    os.utime(path, (1_000_000_000, 1_000_000_000))
    try_acquire(path, CLOCK).release()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "not json",
        "[]",
        '{"pid": "x"}',
        "-5",
        "4194999",
        json.dumps({"pid": os.getppid(), "start_time": 1, "host": own_host()}),
        json.dumps({"pid": os.getppid(), "host": "another-host"}),
    ],
    ids=["empty", "text", "list", "no pid", "negative", "dead", "pid used again", "other host"],
)
def test_a_stale_file_is_overwritten(path: Path, content: str) -> None:
    path.write_text(content)
    with try_acquire(path, CLOCK):
        assert json.loads(path.read_text())["pid"] == os.getpid()


def test_a_running_holder_that_did_not_lock_is_respected(path: Path) -> None:
    parent = os.getppid()
    content = {"pid": parent, "start_time": start_time(parent), "host": own_host()}
    path.write_text(json.dumps(content))
    with pytest.raises(LockHeld):
        try_acquire(path, CLOCK)
    assert running_holder(path).pid == parent


async def test_waiting_gets_the_lock_when_its_holder_ends(path: Path) -> None:
    child = hold(path)
    child.stdin.write(b"\n")
    child.stdin.flush()
    (await acquire(path, CLOCK, wait_s=20)).release()
    finish(child)


async def test_waiting_ends(path: Path) -> None:
    child = hold(path)
    try:
        with pytest.raises(LockHeld):
            await acquire(path, CLOCK, wait_s=0.3)
    finally:
        finish(child)


def test_a_file_removed_by_hand_and_taken_by_another_is_not_removed_by_us(path: Path) -> None:
    lock = try_acquire(path, CLOCK)
    path.unlink()
    other = hold(path)
    try:
        lock.release()
        assert path.exists()
    finally:
        finish(other)


def test_a_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("keep")
    path.symlink_to(target)
    with pytest.raises(ConfigurationFault, match="Failed to acquire lock"):
        try_acquire(path, CLOCK)
    assert target.read_text() == "keep"


def test_a_missing_right_names_both_remedies(path: Path, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        code = (
            "import os, sys\n"
            "os.setuid(65534)\n"
            "from pathlib import Path\n"
            "from bot.domain.errors import ConfigurationFault\n"
            "from bot.kit.clock import SystemClock\n"
            "from bot.ops.hostlock import try_acquire\n"
            "try:\n    try_acquire(Path('/var/run/kalshi-bot-test.lock'), SystemClock())\n"
            "except ConfigurationFault as fault:\n    print(fault)\n"
        )
        # The source tree may be closed to others, so it is loaded before the right is dropped.
        code = code.replace("os.setuid(65534)\n", "").replace("try:\n", "os.setuid(65534)\ntry:\n")
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        told = done.stdout
    else:
        tmp_path.chmod(0o500)
        with pytest.raises(ConfigurationFault) as caught:
            try_acquire(path, CLOCK)
        told = str(caught.value)
    assert "Failed to acquire lock" in told
    assert "permission denied" in told
    assert "grant write permission" in told
    assert "--lock-file" in told


def test_many_starts_at_once_leave_one_holder(path: Path) -> None:
    children = [
        subprocess.Popen(
            [sys.executable, "-c", HOLD, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(4)
    ]
    answers = [child.stdout.readline() for child in children]
    for child in children:
        finish(child)
    assert answers.count(b"held\n") == 1


def test_the_default_path_is_one_of_the_documented_two() -> None:
    assert hostlock.default_path() in {hostlock.PRODUCTION_PATH, hostlock.LOCAL_PATH}
