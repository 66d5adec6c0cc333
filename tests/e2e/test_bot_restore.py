"""Backup, wipe, restore, go on (R180): with the bot's own programs on both databases."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from bot.simulator.server import SimulatedExchange
from tests.e2e.support.bot import ROOT, Home, home_of
from tests.e2e.support.market import Market

pytestmark = [pytest.mark.e2e, pytest.mark.looptime(False)]

SNAPSHOTS = "SELECT count(*) FROM market_snapshots"


@pytest.fixture
async def home(
    exchange: SimulatedExchange, market: Market, database_url: str, tmp_path: Path
) -> AsyncIterator[Home]:
    async with home_of(tmp_path, database_url, exchange) as made:
        yield made


async def wipe(home: Home) -> None:
    if home.database.startswith("sqlite"):
        path = Path(home.database.removeprefix("sqlite:///"))
        for one in path.parent.glob(f"{path.name}*"):
            one.unlink()
        return
    connection = await asyncpg.connect(home.database)
    try:
        await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    finally:
        await connection.close()


def restore(home: Home, file: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(ROOT / "restore_db.sh"), str(file)],
        env={"PYTHON": sys.executable, **home.environment()},  # where there is no .venv
        capture_output=True,
        text=True,
        check=False,
    )


async def test_after_a_wipe_and_a_restore_the_next_cycle_continues(home: Home) -> None:
    collect = ("run-once", "--mode", "collect")
    assert (await home.command(*collect)).code == 0
    backup = await home.command("backup")
    assert backup.code == 0, backup.said
    [file] = (home.root / "backups").glob("*.sqlite")
    before = await home.rows(SNAPSHOTS)
    await wipe(home)
    done = restore(home, file)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert await home.rows(SNAPSHOTS) == before
    again = await home.command(*collect, LOG_FORMAT="text")
    assert again.code == 0, again.said
    assert "inserted=0 " in again.out, "the restored hour is known"
    assert (await home.command("gaps")).code == 0
    bot = home.bot()
    await bot.reach("leading")
    status = await bot.page("/status")
    assert status["halted"] is True
    assert os.fspath(file) not in status


async def test_a_restore_under_a_running_bot_is_refused_and_nothing_is_touched(home: Home) -> None:
    assert (await home.command("run-once", "--mode", "collect")).code == 0
    assert (await home.command("backup")).code == 0
    [file] = (home.root / "backups").glob("*.sqlite")
    bot = home.bot()
    await bot.reach("leading")
    refused = restore(home, file)
    assert refused.returncode == 1
    assert "Nothing was replaced." in refused.stderr
    assert "Traceback" not in refused.stdout + refused.stderr
    assert bot.is_running
    assert (await bot.page("/health"))["role"] == "leading"
