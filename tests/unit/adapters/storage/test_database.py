"""Transactions, refusals and lifetimes of a real database."""

import pytest
from sqlalchemy import text

from bot.adapters.storage.database import Database


async def test_a_transaction_is_kept_at_its_end(database: Database) -> None:
    async with database.begin() as connection:
        await connection.execute(
            text("INSERT INTO ingest_state (key, value, updated_at_us) VALUES ('a', '1', 0)")
        )
    async with database.read() as connection:
        assert await connection.scalar(text("SELECT value FROM ingest_state")) == "1"


async def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.begin() as connection:
            await connection.execute(
                text("INSERT INTO ingest_state (key, value, updated_at_us) VALUES ('a', '1', 0)")
            )
            raise ZeroDivisionError
    async with database.read() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM ingest_state")) == 0
