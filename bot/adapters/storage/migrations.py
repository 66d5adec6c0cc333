"""Brings a database to this code's schema, and tells how far apart the two are.

A newer schema is no fault as long as it says that code of our version may use
it: that is what makes a rollback possible. Two starts never migrate at once.
"""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from alembic import command
from bot.adapters.storage.database import Database
from bot.adapters.storage.faults import is_misconfigured
from bot.adapters.storage.partitions import is_partition, make_months
from bot.adapters.storage.sql_terms import NOW_US
from bot.domain.errors import ConfigurationFault, StorageUnavailable

_HOME = Path(__file__).resolve().parents[3] / "alembic"
# Any number that nothing else locks; PostgreSQL's advisory locks share one space per database.
_MIGRATION_LOCK = 7_364_120_251
_OWNER = "let the owner run `python -m bot migrate`, or grant this role CREATE on the schema"
_FOREIGN = (
    "another program's database, or a migration undone by hand: give the bot a database of its own"
)


class SchemaState(StrEnum):
    """How the database's schema relates to this code's."""

    CURRENT = "current"
    BEHIND = "behind"
    AHEAD = "ahead"
    """Newer than this code, which may use it all the same."""
    INCOMPATIBLE = "incompatible"
    """Newer than this code, which must not touch it."""


def code_version() -> int:
    """The schema version this code was written for: the number of its newest revision."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    return int(head or 0)


async def check(database: Database) -> SchemaState:
    """Compare, changing nothing."""
    async with database.read() as connection:
        return await connection.run_sync(_state)


async def migrate(database: Database) -> SchemaState:
    """Upgrade to this code's schema if it is behind; returns the state afterwards.

    One transaction under a lock: it happens completely or not at all. The partitions of
    this month and the next ones are made too.

    Raises:
        ConfigurationFault: the database needs newer code than this.
    """
    try:
        async with database.begin() as connection:
            await connection.run_sync(_lock)
            state = await connection.run_sync(_state)
            if state is SchemaState.BEHIND:
                await connection.run_sync(upgrade, "head")
                state = await connection.run_sync(_state)
            if state is SchemaState.CURRENT:
                await connection.run_sync(make_months)
    except DBAPIError as fault:
        if "already exists" not in str(fault.orig):
            raise
        told = str(fault.orig).partition("\n")[0]
        raise ConfigurationFault([f"database.url: cannot migrate: {told}; {_FOREIGN}"]) from fault
    except StorageUnavailable as fault:
        if is_misconfigured(fault.__cause__):
            raise ConfigurationFault(
                [f"database.url: cannot migrate: {fault}; {_OWNER}"]
            ) from fault
        raise
    if state is SchemaState.INCOMPATIBLE:
        raise ConfigurationFault(
            [
                (
                    f"database: its schema needs newer code than version {code_version()};"
                    " start the newer build, or restore the backup made before its migration"
                )
            ]
        )
    return state


def upgrade(connection: Connection, revision: str) -> None:
    """Run the migrations up to ``revision`` inside the open transaction."""
    command.upgrade(_config({"connection": connection}), revision)


def record_step(*, ctx: Any, step: Any, **_: object) -> None:
    """Alembic's hook: one ``schema_version`` row for each revision that is applied."""
    connection: Connection = ctx.connection
    version = int(step.up_revision_id)
    if step.is_upgrade:
        module = ctx.script.get_revision(step.up_revision_id).module
        _insert_version(connection, version, step.up_revision_id, module.min_code_version)
    elif inspect(connection).has_table("schema_version"):
        connection.execute(
            text("DELETE FROM schema_version WHERE version = :version"), {"version": version}
        )


def drop_from_comparison(
    _object: object, name: str | None, kind: str, is_reflected: bool, _target: object
) -> bool:
    """Alembic's filter: the exclusion constraint's index and partitions belong to ``ddl``."""
    belongs_to_ddl = name == "one_active_per_scope" if kind == "index" else is_partition(name)
    return not (is_reflected and belongs_to_ddl)


def _insert_version(
    connection: Connection, version: int, revision: str, min_code_version: int
) -> None:
    connection.execute(
        text(
            "INSERT INTO schema_version (version, revision, min_code_version, applied_at_us)"
            " VALUES (:version, :revision, :minimum, @now)".replace(
                "@now", NOW_US[connection.dialect.name]
            )
        ),
        {"version": version, "revision": revision, "minimum": min_code_version},
    )


def _config(attributes: Mapping[str, object] | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HOME).replace("%", "%%"))
    config.attributes.update(attributes or {})
    return config


def _lock(connection: Connection) -> None:
    """On SQLite the write transaction itself is the lock."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")


def _state(connection: Connection) -> SchemaState:
    ours = code_version()
    if not inspect(connection).has_table("schema_version"):
        return SchemaState.BEHIND
    newest = connection.execute(
        text("SELECT version, min_code_version FROM schema_version ORDER BY version DESC LIMIT 1")
    ).first()
    if newest is None or newest.version < ours:
        return SchemaState.BEHIND
    if newest.version == ours:
        return SchemaState.CURRENT
    return SchemaState.AHEAD if newest.min_code_version <= ours else SchemaState.INCOMPATIBLE
