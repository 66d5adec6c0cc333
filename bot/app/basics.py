"""What every command needs: time, chance, names, and the database."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from random import Random, SystemRandom

from bot.adapters.storage.database import Database
from bot.adapters.storage.migrations import SchemaState, check, migrate
from bot.adapters.storage.urls import parse_address
from bot.app.settings import BotSettings
from bot.domain.errors import StorageUnavailable
from bot.kit.clock import Clock, SystemClock
from bot.kit.ids import IdFactory

_MADE_BY = "start the bot once, or run `python -m bot migrate`"


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
async def open_existing_database(settings: BotSettings) -> AsyncIterator[Database]:
    """The database for reading only: nothing is created, nothing migrated.

    Raises:
        StorageUnavailable: there is none yet, or it cannot be reached.
    """
    address = parse_address(settings.database.url.get_secret_value())
    if address.dialect == "sqlite" and not address.path.exists():
        raise StorageUnavailable(f"no database at {address.path} yet: {_MADE_BY}")
    async with open_database(settings, migrated=False) as database:
        if await check(database) is SchemaState.BEHIND:
            raise StorageUnavailable(f"the database has an older schema, or none: {_MADE_BY}")
        yield database


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
