"""The root scripts as real processes, around a stand-in for the bot itself.

The scripts and the process search are the real ones, copied into a directory of
their own; only ``bot.cli`` there is a stand-in that says what it was asked for
and stays.
"""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.looptime(False)]

ROOT = Path(__file__).parents[2]
STAND_IN = (
    "import sys, time\n"
    "def start(arguments):\n"
    "    print(*arguments, flush=True)\n"
    "    if arguments[0] == 'run':\n"
    "        time.sleep(120)\n"
    "    sys.exit(0)\n"
)


class House:
    """A copy of the front doors, and the processes started from it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.children: list[subprocess.Popen[str]] = []
        for package in ("bot", "bot/cli", "bot/ops"):
            (root / package).mkdir()
            (root / package / "__init__.py").touch()
        for name in ("check_bot_running.py", "railway_startup.py", "instance_manager.py"):
            shutil.copy(ROOT / name, root / name)
        for name in ("processes.py", "pulse.py"):
            shutil.copy(ROOT / "bot/ops" / name, root / "bot/ops" / name)
        (root / "bot/cli/__init__.py").write_text(STAND_IN)

    def start(self, *words: str) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, *words],
            cwd=self.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.children.append(child)
        return child

    def start_and_wait(self, *words: str) -> tuple[subprocess.Popen[str], str]:
        child = self.start(*words)
        return child, child.stdout.readline().strip()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    built = House(tmp_path)
    yield built
    for child in built.children:
        child.kill()
        child.communicate()


def test_a_second_local_start_is_refused_with_one_and_the_first_goes_on(house: House) -> None:
    first, said = house.start_and_wait("check_bot_running.py")
    assert said == "run"
    second = house.start("check_bot_running.py")
    _, told = second.communicate(timeout=30)
    assert second.returncode == 1
    assert f"already running: PID {first.pid}" in told
    assert "--force-kill" in told
    assert first.poll() is None


@pytest.mark.parametrize(
    "started_by", [("railway_startup.py",), ("instance_manager.py",), ("check_bot_running.py",)]
)
def test_force_kill_ends_the_bot_starts_anew_and_spares_bystanders(
    house: House, started_by: tuple[str, ...]
) -> None:
    bystander_text = "import time\nprint('up', flush=True)\ntime.sleep(120)\n"
    (house.root / "my_trading_bot.py").write_text(bystander_text)
    running, _ = house.start_and_wait(*started_by)
    bystander, _ = house.start_and_wait(
        "my_trading_bot.py", "check_bot_running.py", "python -m bot"
    )
    again, said = house.start_and_wait("check_bot_running.py", "--force-kill", "--mode", "collect")
    assert said == "run --mode collect"
    running.wait(5)
    assert bystander.poll() is None
    assert again.poll() is None


async def test_of_two_simultaneous_starts_exactly_one_runs(house: House) -> None:
    starts = [house.start("check_bot_running.py") for _ in range(2)]
    for _ in range(600):
        if any(one.poll() is not None for one in starts):
            break
        await asyncio.sleep(0.05)
    codes = [one.poll() for one in starts]
    assert sorted(codes, key=str) == [1, None]
    survivor = starts[codes.index(None)]
    assert survivor.stdout.readline().strip() == "run"


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["instance_manager.py", "--list"], "instances"),
        (["instance_manager.py", "--list", "--json"], "instances --json"),
        (["instance_manager.py", "--activate", "abc"], "instances --activate abc"),
        (["instance_manager.py", "--activate=abc"], "instances --activate=abc"),
        (["instance_manager.py", "--deactivate-all"], "instances --deactivate-all"),
        (["instance_manager.py"], "run"),
        (["railway_startup.py"], "run"),
        (["railway_startup.py", "--mode", "trade"], "run --mode trade"),
    ],
)
def test_each_door_leads_to_its_command(house: House, words: list[str], command: str) -> None:
    _, said = house.start_and_wait(*words)
    assert said == command


@pytest.mark.parametrize("spelling", ["--help", "-h"])
@pytest.mark.parametrize(
    ("door", "named"),
    [
        ("instance_manager.py", ("--list", "--activate ID", "--deactivate-all")),
        ("check_bot_running.py", ("--force-kill",)),
    ],
)
def test_a_doors_help_names_its_own_options_and_starts_nothing(
    house: House, door: str, named: tuple[str, ...], spelling: str
) -> None:
    said = []
    for is_running in (False, True):
        if is_running:
            house.start_and_wait("railway_startup.py")
        asked = house.start(door, spelling)
        out, err = asked.communicate(timeout=30)
        assert (asked.returncode, err) == (0, "")
        said.append(out)
    assert said[0] == said[1]
    assert all(one in said[0] for one in named)


@pytest.mark.parametrize(
    "door", ["instance_manager.py", "check_bot_running.py", "railway_startup.py", "-m bot"]
)
def test_a_python_without_the_dependencies_is_told_which_to_use(house: House, door: str) -> None:
    (house.root / "bot/cli/__init__.py").write_text("import no_such_dependency\n")
    shutil.copy(ROOT / "bot/__main__.py", house.root / "bot/__main__.py")
    asked = house.start(*door.split(), "--help")
    _, err = asked.communicate(timeout=30)
    assert asked.returncode == 2
    assert err == (f"{sys.executable} lacks no_such_dependency: use .venv/bin/python {door}\n")


def test_a_dependency_that_a_command_needs_is_told_too() -> None:
    without = (
        "import sys; sys.modules['sqlalchemy'] = None; from bot.cli import main; main(['gaps'])"
    )
    told = subprocess.run(
        [sys.executable, "-c", without], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert told.returncode == 2
    assert told.stderr == f"{sys.executable} lacks sqlalchemy: use .venv/bin/python\n"


@pytest.mark.parametrize(
    "name", ["check_bot_running.py", "railway_startup.py", "instance_manager.py"]
)
def test_each_door_stays_thin(name: str) -> None:
    assert len((ROOT / name).read_text(encoding="utf-8").splitlines()) < 60
