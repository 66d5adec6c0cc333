"""Warnings reach the table, whatever the database is doing."""

import logging
from collections.abc import Mapping, Sequence

import pytest
from sqlalchemy import text

from bot.adapters.storage.database import Database
from bot.adapters.storage.logs import SqlLogs
from bot.app.log_keeper import LogKeeper
from bot.domain.errors import StorageUnavailable
from bot.kit.logs import LogSettings, RecordTap


class FlakyLogs(SqlLogs):
    """The real store behind a switch."""

    is_away = False

    async def append(self, rows: Sequence[Mapping[str, object]]) -> None:
        if self.is_away:
            raise StorageUnavailable("away")
        await super().append(rows)


def log(keeper: LogKeeper, message: str, **facts: object) -> None:
    logger = logging.getLogger("bot.kept")
    tap: RecordTap = keeper.tap
    logger.addHandler(tap)
    logger.error(message, extra=facts)
    logger.removeHandler(tap)


@pytest.mark.looptime(False)
async def test_errors_show_in_recent_errors_without_secrets(database: Database) -> None:
    keeper = LogKeeper(SqlLogs(database), LogSettings(secrets=("s3cret-value",)))
    log(keeper, "api error", reason="s3cret-value timed out")
    await keeper.drain()
    async with database.read() as connection:
        rows = (await connection.execute(text("SELECT * FROM recent_errors"))).mappings().all()
    assert len(rows) == 1
    assert "api error" in str(dict(rows[0]))
    assert "s3cret-value" not in str(dict(rows[0]))


@pytest.mark.looptime(False)
async def test_what_happens_while_the_database_is_away_is_written_later_in_order(
    database: Database,
) -> None:
    store = FlakyLogs(database)
    keeper = LogKeeper(store, LogSettings())
    store.is_away = True
    for number in range(3):
        log(keeper, f"fault {number}")
    await keeper.drain()
    store.is_away = False
    await keeper.drain()
    async with database.read() as connection:
        found = await connection.execute(text("SELECT message FROM logs ORDER BY id"))
    assert list(found.scalars()) == ["fault 0", "fault 1", "fault 2"]


@pytest.mark.looptime(False)
async def test_old_records_go(database: Database) -> None:
    store = SqlLogs(database)
    keeper = LogKeeper(store, LogSettings())
    log(keeper, "old by tomorrow")
    await keeper.drain()
    assert await store.prune(2**62) == 1
    assert await store.prune(2**62) == 0
