"""Keeps a machine that only has the production address from leading there by accident."""

from bot.adapters.storage.database import Database
from bot.adapters.storage.leases import SqlLeaseStore
from bot.app.settings import BotSettings
from bot.domain.errors import ConfigurationFault
from bot.leadership.place import foreign_place

_FIX = (
    "run it there, give this one a database of its own (DATABASE_URL),"
    " or start it with --lead-anyway to move the lead here"
)


async def require_place(database: Database, settings: BotSettings, host: str) -> None:
    """Refuse to lead away from home. A SQLite file is at home wherever it is.

    Raises:
        ConfigurationFault: the scope's home is elsewhere.
        StorageUnavailable: the database does not answer.
    """
    if database.dialect == "sqlite" or settings.leadership.allow_foreign_host:
        return
    roster = await SqlLeaseStore(database).last_led(settings.scope)
    last = roster.rows[0] if roster.rows else None
    why = foreign_place(
        last,
        is_alive=last is not None and roster.is_alive(last),
        host=host,
        is_on_platform=settings.deployment.deployment_id is not None,
    )
    if why is not None:
        raise ConfigurationFault([f"leadership: {why}; {_FIX}"])
