"""One way to make a backup, for the command line, the nightly job and the chat.

A file gets its final name only after it was read back and found whole. What an
interrupted backup leaves is never called a backup, and the next one removes it.
"""

import hashlib
import logging
import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bot.domain.errors import BackupInvalid
from bot.kit.clock import Clock
from bot.kit.threads import in_thread
from bot.kit.times import HOUR_US, to_datetime
from bot.ports.backups import BackupContents, BackupStore, Manifest, OnAdvance

logger = logging.getLogger(__name__)

_PARTIAL = ".partial"
_ABANDONED_US = 6 * HOUR_US
_CHUNK_BYTES = 1024 * 1024


class BackupKind(StrEnum):
    """What the file is named by: the second, or the day."""

    MANUAL = "manual"
    NIGHTLY = "nightly"


class BackupFormat(StrEnum):
    """``sqlite`` can be restored anywhere; ``pg_dump`` only by PostgreSQL's own tools."""

    SQLITE = "sqlite"
    PG_DUMP = "pg_dump"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupSettings:
    """Where backups go, and how many of each kind of name are kept."""

    directory: Path = Path("backups")
    keep: int = 14

    def __post_init__(self) -> None:
        if self.keep < 1:
            raise ValueError("keep must be at least 1; the newest backup is never deleted")


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupReport:
    """A finished backup."""

    path: Path
    size_bytes: int
    sha256: str
    created_us: int
    manifest: Manifest | None
    """``None`` for a native dump, which only its own tools can read."""
    removed: tuple[str, ...]
    """Names of the older ones that went."""


class Backups:
    """Makes backups of one database into one directory."""

    def __init__(self, store: BackupStore, settings: BackupSettings, clock: Clock) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock

    async def make(
        self,
        on_advance: OnAdvance,
        *,
        kind: BackupKind = BackupKind.MANUAL,
        contents: BackupContents = BackupContents.FULL,
        form: BackupFormat = BackupFormat.SQLITE,
    ) -> BackupReport:
        """Copy, check, name, then let the oldest go.

        Raises:
            BackupInvalid: the copy does not hold what the database held; nothing is left.
            StorageUnavailable: the database or the directory cannot be used.
            ConfigurationFault: the form is not available here.
        """
        created_us = self._clock.now_us()
        directory = self._settings.directory
        directory.mkdir(parents=True, exist_ok=True)
        self._remove_abandoned(created_us)
        final = directory / backup_name(created_us, kind, contents, form)
        partial = final.with_name(f".{final.name}.{os.getpid()}{_PARTIAL}")
        try:
            manifest = await self._write(partial, contents, form, created_us, on_advance)
            on_advance(0, None, "checksum")
            digest = await in_thread(lambda: _seal(partial))
            _name(partial, final, digest)
        finally:
            _remove(partial)
        removed = self._retire(final)
        report = BackupReport(
            path=final,
            size_bytes=final.stat().st_size,
            sha256=digest,
            created_us=created_us,
            manifest=manifest,
            removed=removed,
        )
        facts = {"path": str(final), "bytes": report.size_bytes, "removed": len(removed)}
        logger.info("backup made", extra=facts)
        return report

    def newest(self) -> Path | None:
        """The newest backup that is no core backup, by the moment it was finished."""
        found = self._settings.directory.glob("kalshi_[0-9]*.sqlite")
        return max(found, key=lambda path: path.stat().st_mtime_ns, default=None)

    async def _write(
        self,
        partial: Path,
        contents: BackupContents,
        form: BackupFormat,
        created_us: int,
        on_advance: OnAdvance,
    ) -> Manifest | None:
        if form is BackupFormat.PG_DUMP:
            on_advance(0, None, "pg_dump")
            await self._store.dump(partial)
            return None
        wanted = await self._store.write(partial, contents, created_us, on_advance)
        on_advance(0, None, "checking")
        found = await self._store.verify(partial)
        if found.counts != wanted.counts:
            raise BackupInvalid("the copy does not hold the rows the database held")
        return found

    def _retire(self, made: Path) -> tuple[str, ...]:
        """Delete the oldest files named like this one, beyond the number to keep."""
        alike = [path for path in made.parent.glob(f"*{made.suffix}") if _like(made, path)]
        # Names carry their time, so they sort by it.
        surplus = sorted(alike, reverse=True)[self._settings.keep :]
        for path in surplus:
            _remove(checksum_path(path))
            _remove(path)
        return tuple(path.name for path in surplus)

    def _remove_abandoned(self, now_us: int) -> None:
        """Remove what a killed process left; a younger file may be another's work in progress."""
        for path in self._settings.directory.glob(f".*{_PARTIAL}*"):
            if path.stat().st_mtime_ns // 1_000 < now_us - _ABANDONED_US:
                _remove(path)


def backup_name(
    created_us: int, kind: BackupKind, contents: BackupContents, form: BackupFormat
) -> str:
    """``kalshi_YYYYMMDD_HHMMSS.sqlite`` or ``kalshi_YYYYMMDD.sqlite``, in UTC."""
    pattern = "%Y%m%d" if kind is BackupKind.NIGHTLY else "%Y%m%d_%H%M%S"
    core = "core_" if contents is BackupContents.CORE else ""
    suffix = "sqlite" if form is BackupFormat.SQLITE else "dump"
    return f"kalshi_{core}{to_datetime(created_us).strftime(pattern)}.{suffix}"


def checksum_path(backup: Path) -> Path:
    """Where ``sha256sum -c`` finds the checksum."""
    return backup.with_name(f"{backup.name}.sha256")


def sha256_of(path: Path) -> str:
    """The checksum of a file of any size."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _like(made: Path, other: Path) -> bool:
    """Whether both names have the same form: kind and contents."""
    return _form(made.stem) == _form(other.stem) != ""


def _form(stem: str) -> str:
    parts = stem.split("_")
    if parts[0] != "kalshi" or not parts[-1].isdecimal():
        return ""
    return "_".join("9" if part.isdecimal() else part for part in parts)


def _seal(partial: Path) -> str:
    """Make the file durable and private; returns its checksum."""
    partial.chmod(0o600)
    _sync(partial)
    return sha256_of(partial)


def _name(partial: Path, final: Path, digest: str) -> None:
    """Give the file its name, with the checksum beside it. Never interrupted halfway."""
    checksum = checksum_path(final)
    # A checksum of an older file under the same name must never meet the new one.
    _remove(checksum)
    partial.replace(final)
    beside = checksum.with_name(f".{checksum.name}{_PARTIAL}")
    beside.write_text(f"{digest}  {final.name}\n", encoding="ascii")
    beside.replace(checksum)
    _sync(final.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    """Remove a file and what SQLite may have put beside it."""
    for each in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal"))):
        each.unlink(missing_ok=True)
