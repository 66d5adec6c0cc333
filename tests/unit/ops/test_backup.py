"""Names, retention and what an unfinished backup leaves, with a store in memory."""

# ruff: noqa: ASYNC240 - files of a few bytes

import os
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.errors import BackupInvalid, StorageUnavailable
from bot.kit.times import DAY_US, HOUR_US, SECOND_US, parse_rfc3339
from bot.ops.backup import (
    BackupFormat,
    BackupKind,
    Backups,
    BackupSettings,
    backup_name,
    checksum_path,
)
from bot.ports.backups import BackupContents, Manifest, OnAdvance
from tests.fakes.clock import ManualClock

pytestmark = pytest.mark.looptime(False)

_START_US = parse_rfc3339("2026-02-16T21:03:22.5Z")
_MANIFEST = Manifest(
    contents=BackupContents.FULL,
    dialect="sqlite",
    schema_version=1,
    created_us=_START_US,
    counts={"fills": 3},
)


class MemoryStore:
    """Writes small files; ``found`` is what reading one back tells."""

    def __init__(self) -> None:
        self.found = _MANIFEST
        self.on_write = lambda _path: None

    async def write(
        self, path: Path, contents: BackupContents, created_us: int, on_advance: OnAdvance
    ) -> Manifest:
        path.write_text("rows")
        self.on_write(path)
        return _MANIFEST

    async def verify(self, path: Path) -> Manifest:
        return self.found

    async def dump(self, path: Path) -> None:
        path.write_text("dump")


def quiet(_done: int, _total: int | None, _words: str) -> None:
    """Nobody watches."""


@pytest.mark.parametrize(
    ("kind", "contents", "form", "name"),
    [
        (BackupKind.MANUAL, BackupContents.FULL, "sqlite", "kalshi_20260216_210322.sqlite"),
        (BackupKind.NIGHTLY, BackupContents.FULL, "sqlite", "kalshi_20260216.sqlite"),
        (BackupKind.MANUAL, BackupContents.CORE, "sqlite", "kalshi_core_20260216_210322.sqlite"),
        (BackupKind.MANUAL, BackupContents.FULL, "pg_dump", "kalshi_20260216_210322.dump"),
    ],
)
def test_names_are_the_documented_ones(
    kind: BackupKind, contents: BackupContents, form: str, name: str
) -> None:
    assert backup_name(_START_US, kind, contents, BackupFormat(form)) == name


async def test_a_copy_with_other_rows_is_no_backup(tmp_path: Path) -> None:
    store = MemoryStore()
    store.found = replace(_MANIFEST, counts={"fills": 2})
    backups = Backups(store, BackupSettings(directory=tmp_path), ManualClock(_START_US))
    with pytest.raises(BackupInvalid):
        await backups.make(quiet)
    assert list(tmp_path.iterdir()) == []


async def test_a_copy_that_fails_halfway_leaves_nothing_and_harms_no_older_one(
    tmp_path: Path,
) -> None:
    store = MemoryStore()
    backups = Backups(store, BackupSettings(directory=tmp_path), ManualClock(_START_US))
    kept = await backups.make(quiet, kind=BackupKind.NIGHTLY)

    def fail(path: Path) -> None:
        path.with_name(f"{path.name}-journal").write_text("half")
        raise StorageUnavailable("away")

    store.on_write = fail
    with pytest.raises(StorageUnavailable):
        await backups.make(quiet, kind=BackupKind.NIGHTLY)
    assert set(tmp_path.iterdir()) == {kept.path, checksum_path(kept.path)}


async def test_each_kind_of_name_keeps_its_own_newest(tmp_path: Path) -> None:
    clock = ManualClock(_START_US)
    backups = Backups(MemoryStore(), BackupSettings(directory=tmp_path, keep=2), clock)
    foreign = tmp_path / "kalshi_notes.sqlite"
    foreign.write_text("mine")
    for _ in range(4):
        await backups.make(quiet)
        await backups.make(quiet, kind=BackupKind.NIGHTLY)
        report = await backups.make(quiet, contents=BackupContents.CORE)
        clock.advance(DAY_US)
    names = sorted(path.name for path in tmp_path.glob("*.sqlite"))
    assert names == [
        "kalshi_20260218.sqlite",
        "kalshi_20260218_210322.sqlite",
        "kalshi_20260219.sqlite",
        "kalshi_20260219_210322.sqlite",
        "kalshi_core_20260218_210322.sqlite",
        "kalshi_core_20260219_210322.sqlite",
        "kalshi_notes.sqlite",
    ]
    assert report.removed == ("kalshi_core_20260217_210322.sqlite",)
    assert len(list(tmp_path.glob("*.sha256"))) == 6


async def test_a_second_nightly_backup_replaces_the_first_with_its_checksum(tmp_path: Path) -> None:
    store = MemoryStore()
    backups = Backups(store, BackupSettings(directory=tmp_path), ManualClock(_START_US))
    await backups.make(quiet, kind=BackupKind.NIGHTLY)
    store.on_write = lambda path: path.write_text("other rows") and None
    second = await backups.make(quiet, kind=BackupKind.NIGHTLY)
    assert checksum_path(second.path).read_text().startswith(second.sha256)
    assert second.path.read_text() == "other rows"
    assert second.path.stat().st_mode & 0o077 == 0


async def test_what_a_killed_backup_left_is_removed_once_it_is_old(tmp_path: Path) -> None:
    clock = ManualClock(_START_US)
    for name, age_us in (("old", 7 * HOUR_US), ("young", HOUR_US)):
        left = tmp_path / f".kalshi_{name}.sqlite.1.partial"
        left.write_text("half")
        seconds = (_START_US - age_us) // SECOND_US
        os.utime(left, (seconds, seconds))
    await Backups(MemoryStore(), BackupSettings(directory=tmp_path), clock).make(quiet)
    assert [path.name for path in tmp_path.glob(".*")] == [".kalshi_young.sqlite.1.partial"]


async def test_the_newest_full_backup_is_found(tmp_path: Path) -> None:
    clock = ManualClock(_START_US)
    backups = Backups(MemoryStore(), BackupSettings(directory=tmp_path), clock)
    assert backups.newest() is None
    full = await backups.make(quiet)
    await backups.make(quiet, contents=BackupContents.CORE)
    assert backups.newest() == full.path


def test_keeping_none_is_refused() -> None:
    with pytest.raises(ValueError, match="keep"):
        BackupSettings(keep=0)
