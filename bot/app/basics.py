"""What every command needs: time, chance, names, and the database."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from random import Random, SystemRandom

from bot.adapters.storage.database import Database
from bot.adapters.storage.migrations import migrate
from bot.app.settings import BotSettings
from bot.kit.clock import Clock, SystemClock
from bot.kit.ids import IdFactory


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """Time, chance and names: what tests replace."""

    clock: Clock
    random: Random
    ids: IdFactory


def real_means() -> Means:
    """The machine's own."""
    clock, random = SystemClock(), SystemRandom()
    return Means(clock=clock, random=random, ids=IdFactory(clock, random))


@contextlib.asynccontextmanager
async def open_database(settings: BotSettings, *, migrated: bool) -> AsyncIterator[Database]:
    """The database, brought to this version's schema where asked.

    Raises:
        ConfigurationFault: the address is wrong, or the schema needs newer code.
        StorageUnavailable: it cannot be reached.
    """
    database = await Database.open(
        settings.database.url.get_secret_value(),
        sqlite_synchronous=settings.database.synchronous,
    )
    try:
        if migrated:
            await migrate(database)
        yield database
    finally:
        await database.close()
