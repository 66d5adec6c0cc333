"""What every command needs: time, chance, names, and the database."""

import contextlib
import getpass
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random, SystemRandom

from bot.adapters.storage.database import Database
from bot.adapters.storage.migrations import SchemaState, check, migrate
from bot.adapters.storage.preflight import require_rights
from bot.adapters.storage.urls import parse_address
from bot.app.settings import BotSettings
from bot.domain.errors import ConfigurationFault, StorageUnavailable
from bot.kit.clock import Clock, SystemClock
from bot.kit.ids import IdFactory

_MADE_BY = "start the bot once, or run `python -m bot migrate`"
_ELSEWHERE = "if there should be one, check DATABASE_URL"


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


def own_name(look_up: Callable[[], str] = getpass.getuser) -> str:
    """Who runs this program; the user's number where the machine has no name for it.

    A container may run as a number that no list of users holds, and a halt must work there, too.
    """
    try:
        return look_up()
    except (KeyError, OSError):  # before and since Python 3.13
        return f"uid {os.getuid()}"


def missing_file(settings: BotSettings) -> Path | None:
    """Where SQLite's file should be, if it is not there: opening it would make an empty one."""
    address = parse_address(settings.database.url.get_secret_value())
    return address.path if address.dialect == "sqlite" and not address.path.exists() else None


def require_database(settings: BotSettings) -> None:
    """Have nothing created by a command that has no use for an empty database.

    Raises:
        StorageUnavailable: there is none yet.
    """
    if (path := missing_file(settings)) is not None:
        raise StorageUnavailable(f"there is no database at {path} yet: {_MADE_BY}; {_ELSEWHERE}")


def require_database_to_copy(settings: BotSettings) -> None:
    """The same where an empty database does harm: its backups would drive out the real ones.

    Raises:
        ConfigurationFault: there is none.
    """
    if (path := missing_file(settings)) is not None:
        raise ConfigurationFault(
            [f"there is no database at {path}; check DATABASE_URL (nothing was made or removed)"]
        )


@contextlib.asynccontextmanager
async def open_existing_database(settings: BotSettings) -> AsyncIterator[Database]:
    """The database for reading only: nothing is created, nothing migrated.

    Raises:
        StorageUnavailable: there is none yet, or it cannot be reached.
    """
    require_database(settings)
    async with open_database(settings, migrated=False) as database:
        if await check(database) is SchemaState.BEHIND:
            raise StorageUnavailable(f"the database has an older schema, or none: {_MADE_BY}")
        yield database


@contextlib.asynccontextmanager
async def open_database(settings: BotSettings, *, migrated: bool) -> AsyncIterator[Database]:
    """The database, brought to this version's schema where asked.

    Raises:
        ConfigurationFault: the address is wrong, the role may not do the bot's work, or the
            schema needs newer code.
        StorageUnavailable: it cannot be reached.
    """
    database = await Database.open(
        settings.database.url.get_secret_value(),
        sqlite_synchronous=settings.database.synchronous,
    )
    try:
        if migrated:
            await migrate(database)
            await require_rights(database)
        yield database
    finally:
        await database.close()
