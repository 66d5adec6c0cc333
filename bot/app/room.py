"""Whether there is room for snapshots of the whole exchange: asked before anything is stored."""

import shutil
from pathlib import Path

from bot.adapters.storage.urls import parse_address
from bot.app.settings import BotSettings
from bot.collect.retention import RetentionSettings
from bot.collect.storage_need import GIB, Room, ScanPlan, why_no_room
from bot.domain.errors import ConfigurationFault


def retention_settings(settings: BotSettings) -> RetentionSettings:
    """How long snapshots are kept."""
    section = settings.collect
    return RetentionSettings(
        series_days=section.series_retention_days,
        exchange_days=section.retention_days,
        keeps_last=section.retention_keeps_last,
    )


def require_room(settings: BotSettings) -> None:
    """Refuse a scan of the whole exchange that would not fit.

    Raises:
        ConfigurationFault: over the budget, more than the disk holds, or without a limit.
    """
    section = settings.collect
    if not section.whole_exchange:
        return
    missing = [
        f"collect.{name}: set it: collect.whole_exchange needs a limit"
        for name in ("storage_budget_gib", "retention_days")
        if not getattr(section, name)
    ]
    if missing or section.storage_budget_gib is None:
        raise ConfigurationFault(missing)
    plan = ScanPlan(
        markets=section.expected_markets,
        whole_every_hours=section.whole_every_hours,
        kept_days=section.retention_days,
    )
    used, free = _disk(settings)
    why = why_no_room(plan, Room(budget=section.storage_budget_gib * GIB, used=used, free=free))
    if why is not None:
        raise ConfigurationFault([why])


def _disk(settings: BotSettings) -> tuple[int, int | None]:
    """Bytes of the database, and free ones beside it; unknown where it is on a server."""
    address = parse_address(settings.database.url.get_secret_value())
    if address.dialect != "sqlite":
        return 0, None
    path = address.path
    place = next(each for each in (path.parent, *path.absolute().parents) if each.exists())
    return _size(path), shutil.disk_usage(place).free


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
