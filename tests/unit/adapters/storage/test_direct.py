"""Ready statements on real databases: all or nothing, next to everybody else's transactions."""

import asyncio
import contextlib
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import insert, text

from bot.adapters.storage.database import Database, Synchronous
from bot.adapters.storage.direct import Statement, Write, are_apart, statement_of, write_of
from bot.adapters.storage.tables import ingest_state, logs
from bot.domain.errors import StorageUnavailable
from tests.support.blackhole import BlackHole

pytestmark = pytest.mark.looptime(False)

_COUNT = text("SELECT count(*) FROM ingest_state")


def row(database: Database, key: str | None) -> Write:
    """A new row; without a key the database refuses it."""
    values = {"updated_at_us": 0, "value": "1", "key": key}
    return write_of(
        statement_of("ingest_state", insert(ingest_state), tuple(values), database.dialect), values
    )


def line(database: Database, message: str | None) -> Write:
    """A row of another table; without a message the database refuses it."""
    values: dict[str, object] = {
        "at_us": 1,
        "level": "INFO",
        "service": "bot",
        "logger": "x",
        "data_json": "{}",
    }
    values |= {"message": message}
    return write_of(statement_of("logs", insert(logs), tuple(values), database.dialect), values)


async def add(database: Database, key: str) -> None:
    async with database.begin() as connection:
        await connection.execute(insert(ingest_state).values(key=key, value="1", updated_at_us=0))


async def count(database: Database) -> int:
    async with database.read() as connection:
        found: int = await connection.scalar(_COUNT)
        return found


async def test_what_is_written_together_is_there_together(database: Database) -> None:
    await database.write([row(database, "a"), line(database, "told")])
    async with database.read() as connection:
        stored = (await connection.execute(text("SELECT key, value FROM ingest_state"))).all()
        told = (await connection.execute(text("SELECT message FROM logs"))).scalars().all()
    assert [tuple(one) for one in stored] == [("a", "1")]
    assert list(told) == ["told"]


async def test_one_refused_row_leaves_nothing_of_the_others(database: Database) -> None:
    with pytest.raises(Exception, match=r"(?i)not.null"):
        await database.write([row(database, "a"), line(database, None)])
    assert await count(database) == 0
    await database.write([row(database, "b")])
    assert await count(database) == 1


async def test_ready_writes_and_transactions_of_many_tasks_all_succeed(database: Database) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(database.write([row(database, f"a{number}")]))
            group.create_task(add(database, f"b{number}"))
    assert await count(database) == 40


async def test_a_cancelled_write_blocks_nobody(database: Database) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(database.write([row(database, f"k{n}")])) for n in range(5)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
    await database.write([row(database, "b")])
    await add(database, "c")
    assert await count(database) >= 2


async def test_a_foreign_lock_on_sqlite_is_waited_for(sqlite_url: str) -> None:
    database = await Database.open(sqlite_url)
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as other:
        other.execute("BEGIN IMMEDIATE")
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(database.write([row(database, "a")]))
            await asyncio.sleep(0.05)
            assert not waiting.done()
            other.rollback()
    assert await count(database) == 1
    await database.close()


async def test_a_sqlite_file_that_went_away_is_an_outage(tmp_path: Path, sqlite_url: str) -> None:
    database = await Database.open(sqlite_url)
    path = tmp_path / "kalshi.sqlite"
    path.unlink()
    path.mkdir()
    with pytest.raises(StorageUnavailable):
        await database.write([row(database, "a")])
    await database.close()


@pytest.mark.parametrize(("synchronous", "level"), [("FULL", "2"), ("NORMAL", "1")])
async def test_ready_writes_on_sqlite_are_as_durable_as_asked(
    sqlite_url: str, synchronous: Synchronous, level: str
) -> None:
    database = await Database.open(sqlite_url, sqlite_synchronous=synchronous)
    asks = "INSERT INTO ingest_state SELECT 'level', synchronous, 0 FROM pragma_synchronous"
    await database.write([Write(Statement(table="ingest_state", text=asks, names=()), ())])
    async with database.read() as connection:
        assert await connection.scalar(text("SELECT value FROM ingest_state")) == level
    await database.close()


async def test_an_ended_session_is_at_most_one_fault_and_then_forgotten(postgres_url: str) -> None:
    database = await Database.open(postgres_url)
    await database.write([row(database, "a")])
    async with database.begin() as killer:
        await killer.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    # Whoever is told of the end before the next write just connects anew.
    with contextlib.suppress(StorageUnavailable):
        await database.write([row(database, "b")])
    await database.write([row(database, "c")])
    assert await count(database) in (2, 3)
    await database.close()


async def test_a_write_is_cancelled_at_once_where_the_network_swallows_everything(
    postgres_url: str,
) -> None:
    port = int(postgres_url.rpartition(":")[2].partition("/")[0])
    async with BlackHole.running(port) as network:
        database = await Database.open(postgres_url.replace(f":{port}/", f":{network.port}/"))
        await database.write([row(database, "a")])
        network.is_open = False
        async with asyncio.TaskGroup() as group:
            task = group.create_task(database.write([row(database, "b")]))
            await asyncio.sleep(0.1)
            task.cancel()
            # A leader has 0.8 s for it between losing the lead and its watchdog.
            await asyncio.wait({task}, timeout=0.5)
            assert task.cancelled()
        network.is_open = True
        await database.write([row(database, "c")])
        await database.close()


async def test_two_rows_of_one_table_are_not_apart(database: Database) -> None:
    assert are_apart([row(database, "a"), line(database, "told")])
    assert not are_apart([row(database, "a"), row(database, "b")])


async def test_a_ready_write_inside_a_transaction_is_a_bug_that_says_so(sqlite_url: str) -> None:
    database = await Database.open(sqlite_url)
    async with database.begin():
        with pytest.raises(RuntimeError, match="already open"):
            await database.write([row(database, "a")])
    await database.close()
