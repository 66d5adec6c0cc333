"""Writing, checking and restoring backups: what the rules need from the storage.

A backup is one SQLite file with the database's tables, whatever the database
is, and a manifest inside that says what it holds. All calls may raise
``StorageUnavailable``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol, TypeAlias

OnAdvance: TypeAlias = Callable[[int, int | None, str], None]
"""Takes what is done, the total where it is known, and a few words."""


class BackupContents(StrEnum):
    """How much a backup holds."""

    FULL = "full"
    USUAL = "usual"
    """Everything but ticks and order books, which may be a thousand times the rest."""
    CORE = "core"
    """Everything that trading needs; collected market data is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup says it holds."""

    contents: BackupContents
    dialect: str
    """The database it was made from."""
    schema_version: int
    created_us: int
    """0 in a file that was copied by hand and carries no manifest."""
    counts: Mapping[str, int]
    """Rows of each table."""
    left_out: tuple[str, ...] = ()
    """Tables and columns of a newer schema that this build does not know."""


class BackupStore(Protocol):
    """The database to be copied."""

    async def write(
        self, path: Path, contents: BackupContents, created_us: int, on_advance: OnAdvance
    ) -> Manifest:
        """Copy one moment of the database into a new file, while others go on writing."""
        ...

    async def verify(self, path: Path) -> Manifest:
        """Read a backup completely.

        Raises:
            BackupInvalid: it is damaged, or does not hold what its manifest says.
        """
        ...

    async def dump(self, path: Path) -> None:
        """Write PostgreSQL's native dump.

        Raises:
            ConfigurationFault: the database is not PostgreSQL, or ``pg_dump`` is missing.
        """
        ...


class Restorer(Protocol):
    """The database to be replaced."""

    async def verify(self, path: Path) -> Manifest:
        """See :meth:`BackupStore.verify`."""
        ...

    async def leader(self) -> str | None:
        """Who leads there by an unexpired lease, in a few words; ``None`` when nobody does."""
        ...

    async def replace(self, path: Path, stamp: str, on_advance: OnAdvance) -> str | None:
        """Put the backup in the database's place, completely or not at all.

        Afterwards every scope is halted, nobody leads, commands that were waiting
        are void, and the next epoch is above every epoch ever issued. Returns
        where the replaced data was kept, ``None`` when there was none.

        Raises:
            RestoreRefused: the present schema is newer than this build.
            BackupInvalid: what was restored is not what the backup holds.
        """
        ...
