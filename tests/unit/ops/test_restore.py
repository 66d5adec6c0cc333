"""Guards, checksums and force, with a restorer in memory."""

# ruff: noqa: ASYNC240 - files of a few bytes

from pathlib import Path

import pytest

from bot.domain.errors import BackupInvalid, RestoreRefused
from bot.ops.backup import checksum_path, sha256_of
from bot.ops.restore import restore
from bot.ports.backups import BackupContents, Manifest, OnAdvance
from tests.fakes.clock import ManualClock

pytestmark = pytest.mark.looptime(False)


class MemoryRestorer:
    """Remembers what replaced the database."""

    def __init__(self, leader: str | None = None) -> None:
        self._leader = leader
        self.replaced: list[tuple[Path, str]] = []

    async def verify(self, path: Path) -> Manifest:
        return Manifest(
            contents=BackupContents.FULL,
            dialect="sqlite",
            schema_version=1,
            created_us=1,
            counts={},
            left_out=("new_table",),
        )

    async def leader(self) -> str | None:
        return self._leader

    async def replace(self, path: Path, stamp: str, on_advance: OnAdvance) -> str | None:
        self.replaced.append((path, stamp))
        return "kept here"


def quiet(_done: int, _total: int | None, _words: str) -> None:
    """Nobody watches."""


async def locked() -> str | None:
    return "lock file held by pid 7"


async def idle() -> str | None:
    return None


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    path = tmp_path / "kalshi_20260216.sqlite"
    path.write_text("rows")
    checksum_path(path).write_text(f"{sha256_of(path)}  {path.name}\n")
    return path


async def test_the_three_steps_are_told_in_order(backup: Path) -> None:
    told: list[str] = []
    restorer = MemoryRestorer()
    report = await restore(
        backup, restorer, ManualClock(), lambda _d, _t, words: told.append(words), guards=[idle]
    )
    assert told == ["verifying the backup", "looking for a running bot", "replacing the database"]
    assert restorer.replaced == [(backup, "20261121_071500")]
    assert report.kept == "kept here"
    assert report.warnings == ("the backup leaves out: new_table",)


async def test_every_doubt_is_named_and_nothing_is_replaced(backup: Path) -> None:
    restorer = MemoryRestorer(leader="x leads")
    with pytest.raises(RestoreRefused, match="lock file held by pid 7; x leads"):
        await restore(backup, restorer, ManualClock(), quiet, guards=[locked])
    assert restorer.replaced == []


async def test_force_goes_on_and_repeats_the_doubts(backup: Path) -> None:
    report = await restore(
        backup, MemoryRestorer(), ManualClock(), quiet, guards=[locked], force=True
    )
    assert "forced although lock file held by pid 7" in report.warnings


async def test_force_does_not_accept_a_wrong_checksum(backup: Path) -> None:
    backup.write_text("other rows")
    with pytest.raises(BackupInvalid, match="checksum"):
        await restore(backup, MemoryRestorer(), ManualClock(), quiet, force=True)


async def test_an_empty_checksum_file_is_a_wrong_one(backup: Path) -> None:
    checksum_path(backup).write_text("")
    with pytest.raises(BackupInvalid, match="checksum"):
        await restore(backup, MemoryRestorer(), ManualClock(), quiet)


async def test_a_missing_checksum_is_only_a_warning(backup: Path) -> None:
    checksum_path(backup).unlink()
    report = await restore(backup, MemoryRestorer(), ManualClock(), quiet)
    assert "no checksum" in report.warnings[0]


async def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BackupInvalid, match="not found"):
        await restore(tmp_path / "gone.sqlite", MemoryRestorer(), ManualClock(), quiet)
