"""The documented restore, as an operator types it."""

import asyncio
import os
from pathlib import Path

import pytest
from sqlalchemy import text

from bot.adapters.storage.backups import SqlBackupStore
from bot.adapters.storage.database import Database
from bot.kit.clock import SystemClock
from bot.ops.backup import Backups, BackupSettings
from tests.support.rows import add, grant_lease

pytestmark = [pytest.mark.e2e, pytest.mark.looptime(False)]

_SCRIPT = Path(__file__).resolve().parents[2] / "restore_db.sh"


@pytest.fixture
async def backup(sqlite_url: str, tmp_path: Path) -> Path:
    """A backup with one fill, made by a bot whose lease has ended since."""
    database = await Database.open(sqlite_url)
    await grant_lease(database)
    await add(database, "fills")
    settings = BackupSettings(directory=tmp_path / "backups")
    store = SqlBackupStore(database)
    report = await Backups(store, settings, SystemClock()).make(lambda _d, _t, _w: None)
    await database.close()
    return report.path


async def run(tmp_path: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    """Run the script from another directory; returns its exit code and what it said."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}  # noqa: TID251 - a child's environment
    process = await asyncio.create_subprocess_exec(
        str(_SCRIPT),
        *arguments,
        cwd=tmp_path,
        env=inherited | {"LOCK_FILE": str(tmp_path / "bot.lock")} | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


async def test_three_steps_put_the_backup_in_the_targets_place(
    backup: Path, tmp_path: Path
) -> None:
    target = tmp_path / "restored.sqlite"
    target.write_bytes(b"")
    code, said = await run(tmp_path, f"backups/{backup.name}", target.name)
    assert code == 0, said
    assert [f"Step {step} of 3" in said for step in (1, 2, 3)] == [True] * 3
    database = await Database.open(f"sqlite:///{target}")
    async with database.read() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM fills")) == 1
        assert await connection.scalar(text("SELECT halted FROM risk_state"))
    await database.close()


async def test_a_running_leader_is_named_and_force_overrides(
    backup: Path, tmp_path: Path, sqlite_url: str
) -> None:
    target = sqlite_url.removeprefix("sqlite:///")
    code, said = await run(tmp_path, str(backup), target)
    assert code == 1
    assert "may be running" in said
    code, said = await run(tmp_path, str(backup), target, RESTORE_FORCE="1")
    assert code == 0, said


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "path_to_backup_file"),
        (("a", "b", "c"), 2, "path_to_backup_file"),
        (("--help",), 0, "path_to_backup_file"),
        (("gone.sqlite",), 1, "not found: gone.sqlite"),
    ],
)
async def test_wrong_words_change_nothing(
    tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    found, said = await run(tmp_path, *arguments)
    assert (found, words in said) == (code, True), said
