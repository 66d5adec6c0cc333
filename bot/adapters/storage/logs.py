"""The ``logs`` table, which ``recent_errors`` shows."""

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, insert

from bot.adapters.storage.database import Database
from bot.adapters.storage.tables import logs


class SqlLogs:
    """Appends log records. They belong to the process, so no fence applies."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, rows: Sequence[Mapping[str, object]]) -> None:
        """Store records as ``bot.kit.logs.RecordTap`` makes them."""
        async with self._database.begin() as connection:
            await connection.execute(insert(logs), [dict(row) for row in rows])

    async def prune(self, before_us: int) -> int:
        """Forget older ones; returns how many there were."""
        async with self._database.begin() as connection:
            gone = await connection.execute(delete(logs).where(logs.c.at_us < before_us))
            return int(gone.rowcount)
