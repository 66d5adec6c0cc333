"""One machine, SQLite: double starts, ``--force-kill``, interrupts."""

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.ops import hostlock
from bot.simulator.server import SimulatedExchange
from tests.e2e.support.bot import ROOT, Home, Program, home_of
from tests.e2e.support.market import Market

pytestmark = [pytest.mark.e2e, pytest.mark.looptime(False)]


@pytest.fixture
async def home(
    exchange: SimulatedExchange, market: Market, sqlite_url: str, tmp_path: Path
) -> AsyncIterator[Home]:
    async with home_of(tmp_path, sqlite_url, exchange) as made:
        yield made


def is_led_by(home: Home, bot: Program) -> bool:
    holder = hostlock.running_holder(home.root / "bot.lock")
    pids = {bot.process.pid, *(child.pid for child in bot.children())}
    return holder is not None and holder.pid in pids


async def test_a_second_railway_start_on_sqlite_meets_the_lock(home: Home) -> None:
    first = home.bot()
    await first.reach("leading")
    second = await home.bot().ended()
    assert second.code == 1
    assert "Failed to acquire lock" in second.err
    assert str(first.process.pid) in second.err
    assert is_led_by(home, first)


async def port_of(bot: Program) -> str:
    await bot.reach("leading")
    await bot.until_said("page open")
    return bot.log("page open")[0]["address"].rpartition(":")[2]


async def test_a_second_start_on_the_same_port_meets_the_lock_not_the_port(home: Home) -> None:
    first = home.bot()
    port = await port_of(first)
    second = await home.start("-m", "bot", "run", PORT=port).ended()
    assert second.code == 1
    assert f"the bot runs as PID {first.process.pid} since" in second.err
    assert "cannot listen" not in second.said


async def test_waiting_for_the_lock_takes_over_the_port_too(home: Home) -> None:
    first = home.bot()
    port = await port_of(first)
    second = home.start("-m", "bot", "run", "--lock-wait", "60", PORT=port)
    await second.until_said("waiting for the host lock")
    await asyncio.sleep(0.5)
    assert second.is_running, second.story()
    assert (await first.told(signal.SIGTERM)).code == 0
    assert await port_of(second) == port
    assert is_led_by(home, second)


async def test_waiting_for_the_lock_is_interrupted_at_once(home: Home) -> None:
    first = home.bot()
    port = await port_of(first)
    second = home.start("-m", "bot", "run", "--lock-wait", "60", PORT=port)
    await second.until_said("waiting for the host lock")
    await asyncio.sleep(0.5)
    assert (await second.told(signal.SIGINT, limit_s=15)).code == 130
    assert is_led_by(home, first)


async def test_collecting_by_cron_beside_a_running_bot_is_refused(home: Home) -> None:
    bot = home.bot()
    await bot.reach("leading")
    once = await home.command("run-once", "--mode", "collect")
    assert once.code == 1
    assert "Failed to acquire lock" in once.err
    # Reading, backing up and commanding need no lock.
    for words in (["status"], ["gaps"], ["backup"], ["halt"], ["instances"]):
        assert (await home.command(*words)).code == 0, words


async def test_an_interrupted_bot_drains_and_exits_zero(home: Home) -> None:
    bot = home.start("-m", "bot", "run")
    await bot.reach("leading")
    assert (await bot.told(signal.SIGINT)).code == 0
    assert bot.roles()[-2:] == ["draining", "ended"]
    assert not (home.root / "bot.lock").exists()
    state = await home.rows("SELECT state FROM bot_instances")
    assert len(state) == 1
    assert "lead" not in state[0][0]


async def test_a_lock_left_by_a_killed_bot_stops_nobody(home: Home) -> None:
    bot = home.bot()
    await bot.reach("leading")
    bot.process.kill()
    bot.process.wait()
    again = home.bot()
    await again.reach("leading")
    assert is_led_by(home, again)


@pytest.fixture
def door(home: Home) -> str:
    """The local front door, in a house of its own: it must see no other test's bots."""
    house = home.root / "house"
    house.mkdir()
    for name in ("check_bot_running.py", "railway_startup.py"):
        shutil.copy(ROOT / name, house / name)
    return str(house / "check_bot_running.py")


async def test_a_second_local_start_is_refused_and_the_first_goes_on(home: Home, door: str) -> None:
    first = home.start(door)
    await first.reach("leading")
    second = await home.start(door).ended()
    assert second.code == 1
    assert f"already running: PID {first.process.pid}" in second.err
    assert second.out == ""
    assert is_led_by(home, first)


async def test_force_kill_replaces_the_bot_and_touches_no_other_program(
    home: Home, door: str
) -> None:
    (home.root / "my_trading_bot.py").write_text("import time\ntime.sleep(120)\n")
    bystander = home.start("my_trading_bot.py", "check_bot_running.py", "python -m bot")
    first = home.start(str(Path(door).with_name("railway_startup.py")))
    await first.reach("leading")
    second = home.start(door, "--force-kill")
    await second.reach("leading")
    assert first.process.poll() == 0, "it was given the time to drain"
    assert first.roles()[-2:] == ["draining", "ended"]
    assert is_led_by(home, second)
    assert bystander.is_running
