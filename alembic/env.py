"""Runs migrations inside a transaction and connection that the bot, or ``-x url=``, provides.

Keeps ``schema_version`` in step: one row for each revision, removed when it is
downgraded. Offline SQL is refused, since nobody could check where it would run.
"""

import asyncio
from typing import Any

from sqlalchemy import Connection

from alembic import context
from bot.adapters.storage.database import Database
from bot.adapters.storage.migrations import drop_from_comparison, record_step
from bot.adapters.storage.tables import metadata


def run(connection: Connection) -> None:
    """Migrate, or compare, over an open transaction."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        compare_type=True,
        render_as_batch=connection.dialect.name == "sqlite",
        include_object=drop_from_comparison,
        on_version_apply=record_step,
    )
    with context.begin_transaction():
        context.run_migrations()


async def run_at(url: str) -> None:
    """The command line's way: open the address, migrate, close."""
    database = await Database.open(url)
    try:
        async with database.begin() as connection:
            await connection.run_sync(run)
    finally:
        await database.close()


def main() -> None:
    """Take the caller's connection, else the address of the command line."""
    if context.is_offline_mode():
        raise SystemExit("offline SQL is not supported; migrate a database")
    provided: Any = context.config.attributes.get("connection")
    if provided is not None:
        run(provided)
        return
    url = context.get_x_argument(as_dictionary=True).get("url", "sqlite:///var/kalshi.sqlite")
    asyncio.run(run_at(url))


main()
