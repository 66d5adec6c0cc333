"""Databases that cannot be used: each is one line that names the fix, and changes nothing."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from bot.adapters.storage.database import Database
from bot.adapters.storage.leases import SqlLeaseStore
from bot.adapters.storage.migrations import migrate
from bot.adapters.storage.preflight import database_ahead_us, require_rights
from bot.app.basics import open_database
from bot.domain.errors import ConfigurationFault, StorageUnavailable
from bot.domain.ids import InstanceId, Scope
from bot.domain.leadership import Candidate
from bot.kit.clock import SystemClock
from tests.fakes.clock import ManualClock
from tests.support.postgres import Server
from tests.unit.app.support import settings_at

pytestmark = [pytest.mark.looptime(False)]

ME = Candidate(
    instance_id=InstanceId("a"),
    scope=Scope("paper:main:0"),
    deployment_id="d1",
    replica_id=None,
    host="box",
    pid=1,
    code_version="0",
)


async def administer(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for one in statements:
            await connection.execute(one)
    finally:
        await connection.close()


@pytest.fixture
async def clerk(postgres_url: str) -> AsyncIterator[str]:
    """The address of the same database for a role that owns nothing."""
    await administer(postgres_url, "CREATE ROLE clerk LOGIN")
    yield postgres_url.replace("postgres@", "clerk@")
    await administer(postgres_url, "DROP OWNED BY clerk", "DROP ROLE clerk")


async def fault_of(url: str) -> str:
    """The only line of the configuration fault of a start."""
    with pytest.raises(ConfigurationFault) as caught:
        async with open_database(settings_at(url, Path()), migrated=True):
            pass
    (told,) = caught.value.faults
    assert "\n" not in told
    return told


@pytest.mark.postgres
async def test_a_role_that_may_not_create_is_told_to_let_the_owner_migrate(
    postgres_url: str, clerk: str
) -> None:
    await administer(postgres_url, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    await administer(postgres_url, "GRANT USAGE ON SCHEMA public TO clerk")
    told = await fault_of(clerk)
    assert "permission denied for schema public" in told
    assert "let the owner run `python -m bot migrate`" in told


@pytest.mark.postgres
async def test_a_role_that_may_not_insert_is_told_what_to_grant_and_that_suffices(
    postgres_url: str, clerk: str
) -> None:
    await administer(postgres_url, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO clerk")
    told = await fault_of(clerk)
    assert "the role clerk lacks INSERT on account_snapshots (and " in told
    await administer(postgres_url, told.partition("as the owner: ")[2])
    async with open_database(settings_at(clerk, Path()), migrated=True) as database:
        await SqlLeaseStore(database).register(ME)


@pytest.mark.postgres
async def test_rights_lost_under_a_running_bot_are_waited_for_and_named(
    postgres_url: str, clerk: str
) -> None:
    grant = "GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO clerk"
    sequences = "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO clerk"
    await administer(postgres_url, grant, sequences)
    database = await Database.open(clerk)
    await require_rights(database)
    await administer(postgres_url, "REVOKE INSERT ON bot_instances FROM clerk")
    with pytest.raises(StorageUnavailable, match="permission denied for table bot_instances"):
        await SqlLeaseStore(database).register(ME)
    await administer(postgres_url, grant)
    await SqlLeaseStore(database).register(ME)
    await database.close()


@pytest.mark.postgres
async def test_an_unknown_role_is_a_wrong_setting_and_shows_no_password(postgres_url: str) -> None:
    told = await fault_of(postgres_url.replace("postgres@", "nobody_here:hush@"))
    assert 'role "nobody_here" does not exist; correct DATABASE_URL' in told
    assert "hush" not in told


@pytest.mark.postgres
async def test_somebody_elses_tables_are_not_migrated_over(
    postgres_server: Server, postgres_url: str
) -> None:
    await administer(postgres_url, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    await administer(postgres_url, "CREATE TABLE fills (id int)")
    told = await fault_of(postgres_url)
    assert 'relation "fills" already exists' in told
    assert "another program's database" in told


@asynccontextmanager
async def silence() -> AsyncIterator[int]:
    """A port where nobody listens."""
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        yield unheard.getsockname()[1]


@asynccontextmanager
async def stranger() -> AsyncIterator[int]:
    """A server that speaks something else."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize("who", [silence, stranger])
async def test_an_address_without_a_database_is_waited_for_in_one_line(
    who: Callable[[], AbstractAsyncContextManager[int]],
) -> None:
    async with who() as port:
        with pytest.raises(StorageUnavailable) as caught:
            await Database.open(f"postgres://me:hush@127.0.0.1:{port}/kalshi?sslmode=prefer")
    told = str(caught.value)
    assert f"127.0.0.1:{port}/kalshi" in told
    assert told.endswith("check DATABASE_URL and that the database is up")
    assert "hush" not in told
    assert "\n" not in told


async def test_a_clock_is_compared_with_the_databases(database: Database) -> None:
    assert abs(await database_ahead_us(database, SystemClock())) < 1_000_000
    off = ManualClock(SystemClock().now_us() - 300_000_000)
    assert 295_000_000 < await database_ahead_us(database, off) < 310_000_000
    off = ManualClock(SystemClock().now_us() + 300_000_000)
    assert -310_000_000 < await database_ahead_us(database, off) < -295_000_000


async def test_migrating_a_foreign_sqlite_file_is_refused_as_well(tmp_path: Path) -> None:
    database = await Database.open(f"sqlite:///{tmp_path / 'k.sqlite'}")
    async with database.begin() as connection:
        await connection.exec_driver_sql("CREATE TABLE fills (id int)")
    with pytest.raises(ConfigurationFault, match="another program's database"):
        await migrate(database)
    await database.close()
