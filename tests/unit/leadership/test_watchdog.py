"""The watchdog acts when the loop cannot, and only then."""

import subprocess
import sys
import threading

import pytest

from bot.leadership.watchdog import EXIT_WATCHDOG, Watchdog
from tests.fakes.clock import ManualClock

pytestmark = pytest.mark.looptime(False)


def watched() -> tuple[Watchdog, ManualClock, threading.Event]:
    clock, ended = ManualClock(), threading.Event()
    watchdog = Watchdog(clock, ended.set, check_every_s=0.005)
    watchdog.start()
    watchdog.start()
    return watchdog, clock, ended


def test_it_ends_the_process_once_the_deadline_has_passed() -> None:
    watchdog, clock, ended = watched()
    watchdog.arm(1_000)
    assert not ended.wait(0.05)
    clock.advance(1_001)
    assert ended.wait(5)
    watchdog.close()


def test_a_moved_deadline_and_a_disarmed_one_end_nothing() -> None:
    watchdog, clock, ended = watched()
    watchdog.arm(1_000)
    watchdog.arm(5_000)
    clock.advance(2_000)
    assert not ended.wait(0.05)
    watchdog.disarm()
    clock.advance(1_000_000)
    assert not ended.wait(0.05)
    watchdog.close()


def test_every_deadline_is_told_and_so_is_its_end() -> None:
    told: list[int | None] = []
    watchdog = Watchdog(ManualClock(), lambda: None, told=told.append)
    watchdog.arm(1_000)
    watchdog.arm(2_000)
    watchdog.disarm()
    assert told == [1_000, 2_000, None]


def test_a_blocked_main_thread_is_ended_with_its_own_exit_code() -> None:
    program = (
        "import time\n"
        "from bot.kit.clock import SystemClock\n"
        "from bot.leadership.watchdog import Watchdog\n"
        "clock = SystemClock()\n"
        "watchdog = Watchdog(clock, check_every_s=0.01)\n"
        "watchdog.start()\n"
        "watchdog.arm(clock.monotonic_us() + 50_000)\n"
        "time.sleep(60)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=False, timeout=30
    )
    assert done.returncode == EXIT_WATCHDOG
    assert b"watchdog" in done.stderr
