"""The newest backup is really restored, somewhere else, and nothing is left behind."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.app.backups import make_backup
from bot.app.operator import BotOperator
from bot.app.running import Running
from bot.domain.operations import Done, Refused
from bot.ops.backup import BackupKind
from bot.ports.backups import BackupContents
from tests.unit.app.support import authority, running_at

pytestmark = pytest.mark.looptime(False)


@pytest.fixture
async def running(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Running]:
    async with running_at(sqlite_url, tmp_path) as made:
        yield made


def cut(backup: Path, length: int) -> None:
    backup.chmod(0o600)
    with backup.open("r+b") as file:
        file.truncate(length)


def left_behind(folder: Path) -> list[str]:
    return [one.name for one in folder.iterdir() if "restore-check" in one.name]


async def test_a_good_backup_restores_and_a_damaged_one_is_told(running: Running) -> None:
    operator = BotOperator(running, None)
    none = await operator.check_restore(authority(1))
    assert isinstance(none, Refused)
    made = await make_backup(
        running.settings,
        running.parts.database,
        running.clock,
        kind=BackupKind.NIGHTLY,
        contents=BackupContents.USUAL,
    )
    outcome = await operator.check_restore(authority(2))
    assert isinstance(outcome, Done), outcome
    assert outcome.text.startswith(f"{Path(made.path).name}, made ")
    assert outcome.text.endswith(" rows read back")
    assert await running.audit.find(2) is not None
    cut(Path(made.path), made.size_bytes // 2)
    refused = await operator.check_restore(authority(3))
    assert isinstance(refused, Refused)
    assert "cannot be restored" in refused.why
    assert left_behind(Path(made.path).parent) == []
