"""What the machine has left, and how quickly this process gets its turn."""

import asyncio
import resource
import shutil
import sys
from pathlib import Path

from bot.adapters.storage.urls import parse_address
from bot.app.backups import is_durable
from bot.app.settings import BotSettings
from bot.domain.cockpit import LastBackup
from bot.kit.clock import Clock

_LOOKS, _LOOK_US = 10, 5_000
_US = 1_000_000


async def loop_lag_us(clock: Clock) -> int:
    """The longest that one of a few short sleeps overslept: what an event would have waited."""
    worst_us = 0
    for _ in range(_LOOKS):
        begun_us = clock.monotonic_us()
        await asyncio.sleep(_LOOK_US / _US)
        worst_us = max(worst_us, clock.monotonic_us() - begun_us - _LOOK_US)
    return worst_us


def memory_bytes() -> int | None:
    """What this process holds in memory; its peak where only that is known."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def disk_free_bytes(settings: BotSettings) -> int | None:
    """Free where the database lies, or the working directory where it lies on a server."""
    address = parse_address(settings.database.url.get_secret_value())
    wanted = address.path.parent if address.dialect == "sqlite" else Path()
    try:
        place = next(one for one in (wanted, *wanted.absolute().parents) if one.exists())
        return shutil.disk_usage(place).free
    except OSError:
        return None


def last_backup(settings: BotSettings) -> LastBackup | None:
    """The newest finished backup in the directory of backups."""
    try:
        found = [
            (path, path.stat())
            for pattern in ("kalshi_*.sqlite", "kalshi_*.dump")
            for path in settings.backup.dir.glob(pattern)
        ]
    except OSError:
        return None
    if not found:
        return None
    path, stat = max(found, key=lambda one: one[1].st_mtime_ns)
    return LastBackup(
        name=path.name,
        size_bytes=stat.st_size,
        made_us=stat.st_mtime_ns // 1_000,
        is_durable=is_durable(settings, path),
    )
