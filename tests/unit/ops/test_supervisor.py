"""The supervisor around tiny children: codes, signals, deadlines, restarts, burials."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.looptime(False)

ROOT = Path(__file__).parents[3]
SUPERVISOR = """
import sys, time
from pathlib import Path
from bot.ops.alone import Alone
from bot.ops.supervisor import Supervisor

def bury(dead, how):
    with Path("buried").open("a") as stream:
        stream.write(f"{dead.instance_id}: {how}\\n")

def alarm(seconds):
    with Path("alarms").open("a") as stream:
        stream.write(f"{seconds}\\n")
    return 1 if Path("alarms").stat().st_size < 4 else 0

alone = Alone(time.monotonic_ns() // 1_000, after_us=1_000_000)
sys.exit(Supervisor([sys.executable, "child.py"], bury, alarm=alarm, alone=alone).run())
"""
CHILD = """
import ctypes, os, signal, sys, time
from pathlib import Path
from bot.kit.clock import SystemClock
from bot.ops.pulse import Identity, Pulse

clock = SystemClock()
pulse = Pulse(int(sys.argv[-1].partition("=")[2]), sys.argv[-2].partition("=")[2])

def lead(seconds):
    pulse.introduce(Identity(instance_id=f"bot-{os.getpid()}", scope="s", database="d"))
    pulse.beat(clock.monotonic_us() + int(seconds * 1_000_000))

def nth():
    with Path("starts").open("a") as stream:
        stream.write("x")
    return Path("starts").stat().st_size
"""
LIMIT_S = 30


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not is_so():  # noqa: ASYNC110 - a file and a process signal nothing
            await asyncio.sleep(0.02)


class House:
    """A directory with a supervisor and the child it runs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "supervise.py").write_text(SUPERVISOR)
        self.running: list[subprocess.Popen[str]] = []

    def start(self, child: str) -> subprocess.Popen[str]:
        (self.root / "child.py").write_text(CHILD + child)
        started = subprocess.Popen(
            [sys.executable, "supervise.py"],
            cwd=self.root,
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.running.append(started)
        return started

    def run(self, child: str) -> int:
        started = self.start(child)
        self.err = started.communicate(timeout=LIMIT_S)[1]
        return started.returncode

    @property
    def buried(self) -> list[str]:
        path = self.root / "buried"
        return path.read_text().splitlines() if path.exists() else []

    async def is_up(self) -> None:
        """The child has said so."""
        await until((self.root / "up").exists)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    built = House(tmp_path)
    yield built
    for one in built.running:
        if one.poll() is None:
            children = psutil.Process(one.pid).children()
            one.kill()
            for child in children:
                child.kill()
        one.communicate()


@pytest.mark.parametrize("code", [0, 1, 2, 70, 75, 130])
def test_what_the_bot_ends_with_is_what_we_end_with(house: House, code: int) -> None:
    assert house.run(f"sys.exit({code})") == code
    assert house.buried == []


def test_a_bot_that_ends_while_it_holds_the_lead_is_buried(house: House) -> None:
    """As its own watchdog ends it: nothing was released."""
    assert house.run("lead(60)\nos._exit(70)") == 70
    [told] = house.buried
    assert told.endswith(": ended with 70")


def test_a_bot_that_gave_up_the_lead_needs_no_burial(house: House) -> None:
    assert house.run("lead(60)\npulse.beat(None)\nsys.exit(1)") == 1
    assert house.buried == []


def test_a_killed_bot_is_buried_and_started_again_nine_times(house: House) -> None:
    code = house.run(
        "lead(60)\nif nth() == 10: pulse.beat(None); sys.exit(0)\nos.kill(os.getpid(), 9)"
    )
    assert code == 0
    assert len(house.buried) == 9
    assert len(set(house.buried)) == 9, "each by its own name"
    assert all(one.endswith("killed by SIGKILL") for one in house.buried)
    assert house.err.count("starting it again") == 9


def test_the_bots_of_one_supervisor_are_told_its_one_name(house: House) -> None:
    name = 'Path("names").open("a").write(pulse.start_id + "\\n")\n'
    for _ in range(2):
        assert house.run(f"{name}if nth() % 2 == 0: sys.exit(0)\nos.kill(os.getpid(), 9)") == 0
    names = (house.root / "names").read_text().split()
    assert names[0] == names[1] != names[2] == names[3]
    assert len(names[0]) == 16


async def test_a_bot_that_dies_again_and_again_is_started_more_slowly(house: House) -> None:
    started = house.start("lead(60)\nnth()\nos.kill(os.getpid(), 9)")
    await until(lambda: len(house.buried) == 11)
    await until(lambda: psutil.Process(started.pid).children() == [])
    await asyncio.sleep(0.6)
    assert (house.root / "starts").stat().st_size == 11, "it waits now"
    assert started.poll() is None
    started.send_signal(signal.SIGTERM)
    assert started.wait(LIMIT_S) == 0


def test_a_crash_in_a_library_is_a_death_too(house: House) -> None:
    assert house.run("if nth() == 2: sys.exit(0)\nlead(60)\nctypes.string_at(0)") == 0
    assert [one.partition(": ")[2] for one in house.buried] == ["killed by SIGSEGV"]


@pytest.mark.parametrize(
    "stuck",
    ["os.kill(os.getpid(), signal.SIGSTOP)", "ctypes.PyDLL(None).sleep(60)"],
    ids=["stopped", "in C"],
)
def test_a_bot_that_neither_renews_nor_gives_up_is_killed(house: House, stuck: str) -> None:
    assert house.run(f"lead(0.5)\n{stuck}\n") == 70
    [told] = house.buried
    assert told.endswith("did not renew in time")
    assert "killing it" in house.err


async def test_a_stuck_bot_without_the_lead_is_left_alone(house: House) -> None:
    started = house.start(
        "lead(0.2)\npulse.beat(None)\nPath('up').touch()\nos.kill(os.getpid(), signal.SIGSTOP)"
    )
    await house.is_up()
    await asyncio.sleep(1)
    assert started.poll() is None
    assert house.buried == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_signals_to_stop_are_passed_on(house: House, number: signal.Signals) -> None:
    started = house.start(
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))\n"
        "signal.signal(signal.SIGINT, lambda *_: sys.exit(6))\n"
        "Path('up').touch()\ntime.sleep(60)"
    )
    await house.is_up()
    started.send_signal(number)
    assert started.wait(LIMIT_S) == (5 if number == signal.SIGTERM else 6)


async def test_a_signal_before_the_bot_can_hear_it_ends_both_with_zero(house: House) -> None:
    started = house.start("Path('up').touch()\ntime.sleep(60)")
    await house.is_up()
    started.send_signal(signal.SIGTERM)
    assert started.wait(LIMIT_S) == 0
    assert not (house.root / "starts").exists()


async def test_a_bot_killed_while_it_drains_is_buried_and_not_started_again(house: House) -> None:
    started = house.start(
        "nth()\nlead(60)\n"
        "signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getpid(), 9))\n"
        "Path('up').touch()\ntime.sleep(60)"
    )
    await house.is_up()
    started.send_signal(signal.SIGTERM)
    assert started.wait(LIMIT_S) == 1
    assert len(house.buried) == 1
    assert (house.root / "starts").read_text() == "x"


async def test_an_orphan_is_reaped_as_process_one_must(house: House) -> None:
    """With the supervisor as the reaper of its descendants, as it is in a container."""
    prctl = "import ctypes; ctypes.CDLL(None).prctl(36, 1)\n"  # PR_SET_CHILD_SUBREAPER
    (house.root / "supervise.py").write_text(prctl + SUPERVISOR)
    started = house.start(
        "if os.fork() == 0:\n"
        "    if os.fork(): os._exit(0)\n"
        "    time.sleep(0.2); os._exit(0)\n"
        "os.wait()\nPath('up').touch()\ntime.sleep(60)"
    )
    await house.is_up()
    await until(lambda: len(psutil.Process(started.pid).children()) == 1)
    assert started.poll() is None


def test_a_stopped_supervisor_lets_the_bot_speak_before_it_judges(house: House) -> None:
    code = house.run(
        "lead(0.3)\nos.kill(os.getppid(), signal.SIGSTOP)\ntime.sleep(3)\n"
        "os.kill(os.getppid(), signal.SIGCONT)\ntime.sleep(0.7)\npulse.beat(None)\nsys.exit(3)"
    )
    assert code == 3
    assert house.buried == []


def test_it_loads_nothing_heavy() -> None:
    program = (
        "import sys, bot.cli\n"
        "heavy = {'asyncio', 'psutil', 'pydantic', 'sqlalchemy', 'asyncpg', 'aiohttp'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"


def test_while_its_bots_die_young_it_has_told_that_nobody_leads_once_it_reached_somebody(
    house: House,
) -> None:
    house.start("""
if nth() < 9:
    time.sleep(0.3)
    os.kill(os.getpid(), signal.SIGKILL)
lead(30)
time.sleep(2)
sys.exit(3)
""")
    assert house.running[0].wait(LIMIT_S) == 3
    alarms = (house.root / "alarms").read_text().split()
    assert len(alarms) == 2, "the first one reached nobody, the second did"
    assert int(alarms[0]) >= 1
