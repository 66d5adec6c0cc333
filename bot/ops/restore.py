"""Putting a backup back: verify, make sure nobody is using the database, replace.

Nothing is changed before the backup was read completely. What is replaced is
kept. ``force`` overrides the doubt whether a bot runs, never a damaged file.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from bot.domain.errors import BackupInvalid, RestoreRefused
from bot.kit.clock import Clock
from bot.kit.threads import in_thread
from bot.kit.times import to_datetime
from bot.ops.backup import checksum_path, sha256_of
from bot.ports.backups import Manifest, OnAdvance, Restorer

logger = logging.getLogger(__name__)

Guard: TypeAlias = Callable[[], Awaitable[str | None]]
"""Says in a few words why the database may be in use, or ``None``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreReport:
    """A finished restore."""

    backup: Path
    manifest: Manifest
    kept: str | None
    """Where the replaced data is; ``None`` when there was none."""
    warnings: tuple[str, ...]
    """What was overridden or could not be checked."""


async def restore(
    backup: Path,
    restorer: Restorer,
    clock: Clock,
    on_advance: OnAdvance,
    *,
    guards: Sequence[Guard] = (),
    force: bool = False,
) -> RestoreReport:
    """Replace the database by ``backup``.

    Raises:
        BackupInvalid: the file is missing, damaged or not what its checksum says.
        RestoreRefused: a guard or the lease says that a bot may be running.
    """
    on_advance(1, 3, "verifying the backup")
    warnings = await in_thread(lambda: _check_file(backup))
    manifest = await restorer.verify(backup)
    on_advance(2, 3, "looking for a running bot")
    warnings += await _check_idle([*guards, restorer.leader], force=force)
    on_advance(3, 3, "replacing the database")
    stamp = to_datetime(clock.now_us()).strftime("%Y%m%d_%H%M%S")
    kept = await restorer.replace(backup, stamp, on_advance)
    if manifest.left_out:
        warnings += (f"the backup leaves out: {', '.join(manifest.left_out)}",)
    logger.warning("database restored", extra={"backup": str(backup), "kept": kept})
    return RestoreReport(backup=backup, manifest=manifest, kept=kept, warnings=warnings)


def _check_file(backup: Path) -> tuple[str, ...]:
    if not backup.is_file():
        raise BackupInvalid(f"backup file not found: {backup}")
    checksum = checksum_path(backup)
    if not checksum.is_file():
        return (f"no checksum beside the backup ({checksum.name}); its contents were checked",)
    wanted = checksum.read_text(encoding="ascii", errors="replace").split()
    if not wanted or sha256_of(backup) != wanted[0]:
        raise BackupInvalid(f"the checksum in {checksum.name} is not that of {backup.name}")
    return ()


async def _check_idle(guards: Sequence[Guard], *, force: bool) -> tuple[str, ...]:
    doubts = [doubt for guard in guards if (doubt := await guard()) is not None]
    if doubts and not force:
        raise RestoreRefused(
            f"the bot may be running: {'; '.join(doubts)}."
            " Stop every instance first, or use --force"
        )
    return tuple(f"forced although {doubt}" for doubt in doubts)
