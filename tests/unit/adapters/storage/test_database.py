"""Transactions, refusals and outages of real databases."""

import asyncio
import socket
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from bot.adapters.storage.database import Database
from bot.adapters.storage.urls import parse_address
from bot.domain.errors import ConfigurationFault, StorageUnavailable
from tests.support.blackhole import BlackHole
from tests.support.postgres import Server

pytestmark = pytest.mark.looptime(False)

_ADD = text("INSERT INTO ingest_state (key, value, updated_at_us) VALUES (:key, '1', 0)")
_COUNT = text("SELECT count(*) FROM ingest_state")


async def add(database: Database, key: str) -> None:
    async with database.begin() as connection:
        await connection.execute(_ADD, {"key": key})


async def count(database: Database) -> int:
    async with database.read() as connection:
        found: int = await connection.scalar(_COUNT)
        return found


async def test_a_transaction_is_kept_at_its_end(database: Database) -> None:
    await add(database, "a")
    assert await count(database) == 1


async def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    async def fail() -> None:
        async with database.begin() as connection:
            await connection.execute(_ADD, {"key": "a"})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await count(database) == 0


@pytest.mark.postgres
async def test_a_transaction_is_cancelled_at_once_where_the_network_swallows_everything(
    postgres_url: str,
) -> None:
    port = int(postgres_url.rpartition(":")[2].partition("/")[0])
    async with BlackHole.running(port) as network:
        database = await Database.open(postgres_url.replace(f":{port}/", f":{network.port}/"))
        begun = asyncio.Event()

        async def sleep() -> None:
            async with database.begin() as connection:
                begun.set()
                await connection.execute(text("SELECT pg_sleep(30)"))

        async with asyncio.TaskGroup() as group:
            task = group.create_task(sleep())
            await begun.wait()
            await asyncio.sleep(0.1)
            network.is_open = False
            task.cancel()
            # A leader has 0.8 s for it between losing the lead and its watchdog.
            await asyncio.wait({task}, timeout=0.5)
            assert task.cancelled()
        network.is_open = True
        await database.close()


async def test_a_cancelled_transaction_leaves_nothing_and_blocks_nobody(database: Database) -> None:
    written = asyncio.Event()

    async def wait_for_ever() -> None:
        async with database.begin() as connection:
            await connection.execute(_ADD, {"key": "a"})
            written.set()
            await asyncio.Event().wait()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(wait_for_ever())
        await written.wait()
        task.cancel()
    await add(database, "b")
    assert await count(database) == 1


async def test_many_writers_at_once_all_succeed(database: Database) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(40):
            group.create_task(add(database, f"k{number}"))
    assert await count(database) == 40


async def test_two_processes_worth_of_writers_wait_for_each_other(database_url: str) -> None:
    first, second = await Database.open(database_url), await Database.open(database_url)
    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(add(first, f"a{number}"))
            group.create_task(add(second, f"b{number}"))
    assert await count(first) == 40
    await first.close()
    await second.close()


async def test_a_read_sees_one_moment_and_cannot_write(database: Database) -> None:
    async with database.read() as connection:
        assert await connection.scalar(_COUNT) == 0
        await add(database, "a")
        assert await connection.scalar(_COUNT) == 0
    with pytest.raises((StorageUnavailable, DBAPIError)):
        await _write_while_reading(database)
    assert await count(database) == 1


async def _write_while_reading(database: Database) -> None:
    async with database.read() as connection:
        await connection.execute(_ADD, {"key": "b"})


async def test_a_write_inside_a_write_is_a_bug_that_says_so(sqlite_url: str) -> None:
    database = await Database.open(sqlite_url)
    async with database.begin():
        with pytest.raises(RuntimeError, match="already open in this task"):
            await add(database, "a")
    await database.close()


async def test_a_broken_key_stays_the_callers_business(database: Database) -> None:
    await add(database, "a")
    with pytest.raises(IntegrityError):
        await add(database, "a")
    await add(database, "b")


async def test_a_wrong_statement_is_not_an_outage(database: Database) -> None:
    async def ask() -> None:
        async with database.read() as connection:
            await connection.execute(text("SELECT nothing FROM nowhere"))

    with pytest.raises(DBAPIError):
        await ask()


@pytest.mark.parametrize(("synchronous", "level"), [("FULL", 2), ("NORMAL", 1)])
async def test_sqlite_writes_through_a_log_as_durably_as_asked(
    sqlite_url: str, synchronous: str, level: int
) -> None:
    database = await Database.open(sqlite_url, sqlite_synchronous=synchronous)  # type: ignore[arg-type]
    async with database.begin() as connection:
        for pragma, expected in (
            ("journal_mode", "wal"),
            ("synchronous", level),
            ("foreign_keys", 1),
            ("busy_timeout", 5_000),
        ):
            assert await connection.scalar(text(f"PRAGMA {pragma}")) == expected
    await database.close()


async def test_a_sqlite_file_that_is_no_database_is_a_wrong_setting(tmp_path: Path) -> None:
    path = tmp_path / "k.sqlite"
    path.write_bytes(b"something else entirely" * 100)
    with pytest.raises(ConfigurationFault, match="not a database; correct DATABASE_URL"):
        await Database.open(f"sqlite:///{path}")


async def test_a_place_no_sqlite_file_can_be_in_is_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationFault, match="it is a directory; add the file's name"):
        await Database.open(f"sqlite:///{tmp_path}")
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationFault, match="correct DATABASE_URL"):
        await Database.open(f"sqlite:///{tmp_path / 'file' / 'k.sqlite'}")


async def test_a_foreign_lock_on_sqlite_is_waited_for(sqlite_url: str) -> None:
    database = await Database.open(sqlite_url)
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as other:
        other.execute("BEGIN IMMEDIATE")
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(add(database, "a"))
            await asyncio.sleep(0.05)
            assert not waiting.done()
            other.rollback()
    assert await count(database) == 1
    await database.close()


async def test_nobody_at_the_address_is_unavailable() -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        port = unheard.getsockname()[1]
        with pytest.raises(StorageUnavailable):
            await Database.open(f"postgresql://postgres@127.0.0.1:{port}/kalshi")


async def test_a_database_that_does_not_exist_is_a_wrong_setting(postgres_server: Server) -> None:
    with pytest.raises(ConfigurationFault, match="does not exist"):
        await Database.open(postgres_server.url("no_such_database"))


async def test_an_ended_session_is_one_fault_and_then_forgotten(postgres_url: str) -> None:
    database = await Database.open(postgres_url)
    other = await Database.open(postgres_url)

    async def interrupted() -> None:
        async with database.begin() as connection:
            await connection.execute(_ADD, {"key": "a"})
            pid = await connection.scalar(text("SELECT pg_backend_pid()"))
            async with other.begin() as killer:
                await killer.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
            await connection.execute(_ADD, {"key": "b"})

    with pytest.raises(StorageUnavailable):
        await interrupted()
    await add(database, "c")
    assert await count(database) == 1
    await database.close()
    await other.close()


async def test_a_frozen_transaction_is_ended_by_the_server(postgres_url: str) -> None:
    """The setting is what is tested; waiting for it would take five seconds."""
    database = await Database.open(postgres_url)
    async with database.read() as connection:
        for name in ("idle_in_transaction_session_timeout", "lock_timeout"):
            assert await connection.scalar(text(f"SHOW {name}")) == "5s"
        assert await connection.scalar(text("SHOW timezone")) == "UTC"
    await database.close()


async def test_notifications_are_heard_only_while_listening(postgres_url: str) -> None:
    database = await Database.open(postgres_url)
    heard: list[str] = []
    arrived = asyncio.Event()

    def hear(payload: str) -> None:
        heard.append(payload)
        arrived.set()

    async with database.listening("changes", hear):
        async with database.begin() as connection:
            await connection.execute(text("SELECT pg_notify('changes', 'one')"))
        async with asyncio.timeout(10):
            await arrived.wait()
    async with database.begin() as connection:
        await connection.execute(text("SELECT pg_notify('changes', 'two')"))
    assert heard == ["one"]
    await database.close()


async def test_a_pooler_that_refuses_our_settings_is_named(refusing_pooler: int) -> None:
    with pytest.raises(ConfigurationFault, match="PostgreSQL's own address"):
        await Database.open(f"postgresql://postgres@127.0.0.1:{refusing_pooler}/kalshi?ssl=disable")


@pytest.fixture
async def refusing_pooler() -> AsyncIterator[int]:
    """A server that answers every start as PgBouncer does one with settings it does not know."""
    fields = b"SFATAL\0C08P01\0Munsupported startup parameter: lock_timeout\0\0"
    answer = b"E" + (len(fields) + 4).to_bytes(4, "big") + fields

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1_024)
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def test_a_write_that_is_cancelled_anywhere_leaves_the_file_unlocked(
    sqlite_url: str,
) -> None:
    # The traceback of a cancelled task keeps its cursor: that alone must not keep the lock.
    kept: list[object] = []
    for pause in range(120):
        database = await Database.open(sqlite_url)

        async def write(database: Database = database) -> None:
            while True:
                async with database.begin() as connection:
                    await connection.execute(
                        text(
                            "INSERT INTO status (key, value, updated_at_utc) VALUES ('a', 'b', 'c')"
                            " ON CONFLICT (key) DO UPDATE SET value = excluded.value RETURNING key"
                        )
                    )

        async with asyncio.TaskGroup() as group:
            writing = group.create_task(write())
            for _ in range(pause):
                await asyncio.sleep(0)
            writing.cancel()
        with pytest.raises(asyncio.CancelledError) as gone:
            await writing
        kept.append(gone)
        await database.close()
        path = parse_address(sqlite_url).path
        with closing(sqlite3.connect(path, timeout=0.5, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            other.execute("ROLLBACK")
    assert len(kept) == 120


# --- whole transactions in one turn -----------------------------------------------------------


def added(key: str) -> Callable[[Connection], int]:
    """Work for ``transact``: one row, and how many there are then."""

    def work(connection: Connection) -> int:
        connection.execute(_ADD, {"key": key})
        found: int = connection.execute(_COUNT).scalar_one()
        return found

    return work


async def test_work_in_one_turn_is_kept_and_returns_what_it_found(database: Database) -> None:
    assert await database.transact(added("a")) == 1
    assert await database.transact(added("b"), is_synced=False) == 2
    await add(database, "c")
    assert await count(database) == 3


async def test_work_that_fails_leaves_nothing_and_blocks_nobody(database: Database) -> None:
    def fail(connection: Connection) -> None:
        connection.execute(_ADD, {"key": "a"})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await database.transact(fail)
    with pytest.raises(IntegrityError):
        await database.transact(lambda one: [one.execute(_ADD, {"key": "x"}) for _ in range(2)])
    await add(database, "b")
    assert await count(database) == 1


async def test_work_inside_a_write_is_a_bug_that_says_so(sqlite_url: str) -> None:
    database = await Database.open(sqlite_url)
    async with database.begin():
        with pytest.raises(RuntimeError, match="already open"):
            await database.transact(added("a"))
    await database.close()


async def test_work_that_nobody_waits_for_any_more_is_over_before_the_next_write(
    sqlite_url: str,
) -> None:
    database = await Database.open(sqlite_url)
    begun, may_go_on = Event(), Event()

    def work(connection: Connection) -> None:
        connection.execute(_ADD, {"key": "a"})
        begun.set()
        may_go_on.wait(20)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(database.transact(work))
        await asyncio.to_thread(begun.wait)
        task.cancel()
        after = group.create_task(add(database, "b"))
        await asyncio.sleep(0.1)
        assert not after.done()
        may_go_on.set()
    assert await count(database) == 2
    await database.close()


async def test_all_ways_to_write_at_once_take_turns(database: Database) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(add(database, f"a{number}"))
            is_synced = bool(number % 2)
            group.create_task(database.transact(added(f"b{number}"), is_synced=is_synced))
    assert await count(database) == 40


@pytest.mark.parametrize(("is_synced", "mode"), [(True, 2), (False, 1)])
async def test_only_what_may_be_lost_in_a_power_cut_is_not_synced(
    sqlite_url: str, is_synced: bool, mode: int
) -> None:
    database = await Database.open(sqlite_url)
    for _ in range(2):
        found = await database.transact(
            lambda one: one.exec_driver_sql("PRAGMA synchronous").scalar_one(), is_synced=is_synced
        )
        assert found == mode
    await database.close()


async def test_a_foreign_lock_is_an_outage_for_work_too(sqlite_url: str) -> None:
    database = await Database.open(sqlite_url)
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as other:
        await database.transact(lambda one: one.exec_driver_sql("PRAGMA busy_timeout = 100"))
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageUnavailable):
            await database.transact(added("a"))
    assert await database.transact(added("a")) == 1
    await database.close()
