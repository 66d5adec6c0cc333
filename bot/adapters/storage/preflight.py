"""What can be known to be wrong with a database before anything is written to it."""

from sqlalchemy import text

from bot.adapters.storage.database import Database
from bot.adapters.storage.sql_terms import NOW_US
from bot.adapters.storage.tables import metadata
from bot.domain.errors import ConfigurationFault
from bot.kit.clock import Clock

# Written by migrations alone, which the owner may run.
_READ_ONLY = ("schema_version",)
_MISSING = text(
    """
SELECT c.relname, r.name FROM pg_class c
CROSS JOIN (VALUES ('SELECT'), ('INSERT'), ('UPDATE')) AS r (name)
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
  AND c.relname = ANY (:names) AND NOT has_table_privilege(c.oid, r.name)
  AND (r.name = 'SELECT' OR c.relname <> ALL (:read_only))
UNION ALL
SELECT s.relname, 'USAGE' FROM pg_class s
JOIN pg_depend d ON d.objid = s.oid AND d.deptype = 'a' JOIN pg_class c ON c.oid = d.refobjid
WHERE s.relnamespace = current_schema()::regnamespace AND c.relname = ANY (:names)
  -- CASE, because the planner may ask about a right before it filters by kind.
  AND CASE WHEN s.relkind = 'S' THEN NOT has_sequence_privilege(s.oid, 'USAGE') ELSE FALSE END
ORDER BY 1, 2
"""
)
_GRANT = (
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role};"
    " GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {role}"
)


async def require_rights(database: Database) -> None:
    """Refuse a role that may not do the bot's work. SQLite has no roles.

    Raises:
        ConfigurationFault: naming a missing right and the statements that grant it.
    """
    if database.dialect == "sqlite":
        return
    given = {"names": list(metadata.tables), "read_only": list(_READ_ONLY)}
    async with database.read() as connection:
        missing = (await connection.execute(_MISSING, given)).all()
        if not missing:
            return
        found = await connection.execute(text("SELECT current_user, current_schema()"))
        role, schema = found.one()
    name, right = missing[0]
    more = f" (and {len(missing) - 1} more rights)" if len(missing) > 1 else ""
    grant = _GRANT.format(schema=schema, role=role)
    raise ConfigurationFault(
        [f"database.url: the role {role} lacks {right} on {name}{more}; as the owner: {grant}"]
    )


async def database_ahead_us(database: Database, clock: Clock) -> int:
    """By how much the database's clock is ahead of ours for sure; 0 is no contradiction."""
    before_us = clock.now_us()
    async with database.read() as connection:
        now_us: int = (
            await connection.execute(text(f"SELECT {NOW_US[database.dialect]}"))
        ).scalar_one()
    after_us = clock.now_us()
    return max(0, now_us - after_us) + min(0, now_us - before_us)
