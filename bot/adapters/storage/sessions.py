"""Whether a connection to PostgreSQL is a session of its own.

A transaction pooler lends one server session to many clients, a transaction at
a time. LISTEN, the settings of a connection and the timeouts that the fence
relies on are then lost, or hit somebody else. Its address need not tell, so the
server is asked: the process behind a session never changes and is nobody else's.
"""

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot.domain.errors import ConfigurationFault

WHAT_TO_USE = (
    "use PostgreSQL's own address or a session pooler, postgresql://USER@HOST:5432/NAME"
    " (Supabase: port 5432 instead of 6543 of the same host; Railway: set DATABASE_UNPOOLED_URL;"
    " PgBouncer: pool_mode = session)"
)
_TOLD = (
    "database.url: a transaction pooler answers, behind which the lead cannot be kept; "
    f"{WHAT_TO_USE}"
)
_BACKEND = "SELECT pg_backend_pid()"
# A statement prepared in one transaction is gone, or another client's, in the next.
_PREPARED_ELSEWHERE = {"26000", "42P05"}
_STATEMENT_MODE = "in statement pooling mode"


async def refuse_shared_sessions(engine: AsyncEngine) -> None:
    """Refuse a pooler that shares sessions.

    Raises:
        ConfigurationFault: with the form of the address to use instead.
    """
    try:
        async with engine.connect() as first, engine.connect() as second:
            is_shared = await _is_shared(first, second)
    except (DBAPIError, asyncpg.PostgresError) as fault:
        if not _is_of_a_pooler(fault):
            raise
        is_shared = True
    if is_shared:
        raise ConfigurationFault([_TOLD])


async def _is_shared(first: AsyncConnection, second: AsyncConnection) -> bool:
    """A pooler that reuses the latest session is seen at once, one that takes turns later."""
    one = (await first.get_raw_connection()).driver_connection
    other = (await second.get_raw_connection()).driver_connection
    assert one is not None
    assert other is not None
    mine = await one.fetchval(_BACKEND)
    if await other.fetchval(_BACKEND) == mine:
        return True
    return any([await one.fetchval(_BACKEND) != mine for _ in range(2)])


def _is_of_a_pooler(fault: DBAPIError | asyncpg.PostgresError) -> bool:
    origin = fault.orig if isinstance(fault, DBAPIError) else fault
    code = getattr(origin, "sqlstate", None)
    return code in _PREPARED_ELSEWHERE or _STATEMENT_MODE in str(origin)
