"""Backups and restores with the concrete database behind them."""

from pathlib import Path

from bot.adapters.storage.backups import SqlBackupStore
from bot.adapters.storage.database import Database
from bot.app.progress import OnAdvance
from bot.app.settings import BotSettings
from bot.domain.operations import BackupFile
from bot.kit.clock import Clock
from bot.ops.backup import BackupFormat, BackupKind, BackupReport, Backups, BackupSettings
from bot.ports.backups import BackupContents


def backups_of(settings: BotSettings, database: Database, clock: Clock) -> Backups:
    """The one way to make a backup."""
    kept = BackupSettings(directory=settings.backup.dir, keep=settings.backup.keep)
    return Backups(SqlBackupStore(database), kept, clock)


async def make_backup(
    settings: BotSettings,
    database: Database,
    clock: Clock,
    *,
    kind: BackupKind,
    contents: BackupContents,
) -> BackupFile:
    """A backup made by the running bot."""
    report = await backups_of(settings, database, clock).make(_quiet, kind=kind, contents=contents)
    return file_of(report, is_durable=is_durable(settings, report.path))


def usual_contents(settings: BotSettings) -> BackupContents:
    """What the nightly backup holds."""
    return BackupContents.FULL if settings.backup.stream else BackupContents.USUAL


def file_of(report: BackupReport, *, is_durable: bool) -> BackupFile:
    """A finished backup as operators see it."""
    return BackupFile(
        path=str(report.path),
        size_bytes=report.size_bytes,
        sha256=report.sha256,
        made_us=report.created_us,
        is_durable=is_durable,
    )


def is_durable(settings: BotSettings, path: Path) -> bool:
    """Whether a file there survives a deploy: on Railway only inside a volume."""
    deployment = settings.deployment
    if deployment.durable_disk is not None:
        return deployment.durable_disk
    if deployment.deployment_id is None:
        return True
    mount = deployment.volume_path
    return mount is not None and path.resolve().is_relative_to(mount.resolve())


def format_named(name: str) -> BackupFormat:
    """The form a person named."""
    return BackupFormat(name)


def quiet_or(bar: OnAdvance | None) -> OnAdvance:
    """The given progress callback, or one that says nothing."""
    return bar or _quiet


def _quiet(_done: int, _total: int | None, _text: str) -> None:
    return None
