"""Restores the newest backup into a scratch file, to know that it can be done.

In a process of its own: what a restore computes must not hold up the loop of trading.
"""

import asyncio
import json
import shutil
import sys
import tempfile
from pathlib import Path

from bot.adapters.storage.database import Database
from bot.app.backups import backups_of
from bot.app.settings import BotSettings
from bot.domain.errors import StorageUnavailable
from bot.domain.operations import Done, Outcome, Refused
from bot.kit.clock import Clock
from bot.kit.markup import ago

_WITHIN_S = 300.0
_ROOM = 3
"""Free disk it takes, in sizes of the backup: a copy, its log, and some to spare."""
_WORDS_MAX = 300


async def check_restore(settings: BotSettings, database: Database, clock: Clock) -> Outcome:
    """Restore the newest full backup beside the others, read it back, and take it away again.

    Raises:
        StorageUnavailable: it took too long to tell.
    """
    newest = await asyncio.to_thread(backups_of(settings, database, clock).newest)
    if newest is None:
        return Refused(
            why=f"there is no backup in {settings.backup.dir}",
            remedy="/backup sends one; the nightly one comes at night",
        )
    facts = await asyncio.to_thread(newest.stat)
    free = (await asyncio.to_thread(shutil.disk_usage, newest.parent)).free
    if free < _ROOM * facts.st_size:
        return Refused(why="too little free disk for a second copy", remedy="free some, then again")
    with tempfile.TemporaryDirectory(prefix=".restore-check-", dir=newest.parent) as scratch:
        code, out, err = await _restored(newest, Path(scratch) / "check.sqlite")
    if code:
        return Refused(
            why=f"{newest.name} cannot be restored: {err.strip()[-_WORDS_MAX:]}",
            remedy="make another with /backup and keep that",
        )
    rows = json.loads(out)["rows"]
    made = ago(facts.st_mtime_ns // 1_000, clock.now_us())
    return Done(text=f"{newest.name}, made {made}, restores: {rows} rows read back")


async def _restored(backup: Path, target: Path) -> tuple[int, str, str]:
    """Exit code, output and complaints of a restore.

    ``--force``: the running bot is no hindrance, as nobody uses the scratch file.
    """
    words = ("restore", str(backup), str(target), "--force", "--json")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "bot", *words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_WITHIN_S):
            out, err = await process.communicate()
    except TimeoutError:
        raise StorageUnavailable(f"the restore took more than {_WITHIN_S:.0f} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, out.decode(), err.decode(errors="replace")
