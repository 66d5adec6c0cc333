"""Backups and restores from the command line; a backup needs no lock, a restore a quiet host."""

import asyncio
from pathlib import Path

from bot.adapters.storage.restores import restorer_for
from bot.app.backups import backups_of, format_named, is_durable, quiet_or, usual_contents
from bot.app.basics import open_database, real_means, require_database_to_copy
from bot.app.progress import OnAdvance
from bot.app.settings import BotSettings
from bot.ops import hostlock
from bot.ops.backup import BackupKind
from bot.ops.restore import restore as restore_backup
from bot.ports.backups import BackupContents


async def backup(
    settings: BotSettings, *, core: bool, nightly: bool, form: str, bar: OnAdvance | None
) -> dict[str, object]:
    """Make a checked backup."""
    require_database_to_copy(settings)
    contents = usual_contents(settings) if nightly else BackupContents.FULL
    if core:
        contents = BackupContents.CORE
    async with open_database(settings, migrated=True) as database:
        report = await backups_of(settings, database, real_means().clock).make(
            quiet_or(bar),
            kind=BackupKind.NIGHTLY if nightly else BackupKind.MANUAL,
            contents=contents,
            form=format_named(form),
        )
    rows = sum(report.manifest.counts.values()) if report.manifest else None
    durable = is_durable(settings, report.path)
    return {
        "backup": str(report.path),
        "bytes": report.size_bytes,
        "rows": rows,
        "sha256": report.sha256,
        "durable": "yes" if durable else "no: this disk does not survive a deploy; copy it away",
        "removed": ", ".join(report.removed) or None,
    }


async def restore(
    settings: BotSettings, file: Path, *, target: str | None, force: bool, bar: OnAdvance | None
) -> dict[str, object]:
    """Replace the database, or the one at ``target``."""
    url = settings.database.url.get_secret_value() if target is None else _address(target)
    lock = settings.lock_file or hostlock.default_path()

    async def lock_is_held() -> str | None:
        holder = await asyncio.to_thread(hostlock.running_holder, lock)
        return None if holder is None else f"PID {holder.pid} holds the lock {lock}"

    report = await restore_backup(
        file,
        restorer_for(url),
        real_means().clock,
        quiet_or(bar),
        guards=(lock_is_held,),
        force=force,
    )
    return {
        "restored": str(report.backup),
        "rows": sum(report.manifest.counts.values()),
        "replaced": report.kept or "nothing was there",
        "warnings": "; ".join(report.warnings) or None,
        "next": "trading is halted until /unhalt; start the bot",
    }


def _address(target: str) -> str:
    return target if "://" in target else f"sqlite:///{target}"
