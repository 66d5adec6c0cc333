"""Behind a real PgBouncer: sessions of one's own work, shared ones are refused."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text

from bot.adapters.storage.database import Database
from bot.adapters.storage.leases import SqlLeaseStore
from bot.domain.errors import ConfigurationFault, StorageUnavailable
from bot.domain.ids import InstanceId, Scope
from bot.domain.leadership import Candidate
from tests.support.pgbouncer import NoPooler, pooler

pytestmark = [pytest.mark.postgres, pytest.mark.looptime(False)]

SCOPE = Scope("paper:main:0")


@asynccontextmanager
async def behind(url: str, mode: str, **ways: bool) -> AsyncIterator[str]:
    try:
        async with pooler(url, mode, **ways) as address:
            yield address
    except NoPooler as fault:
        pytest.skip(f"PgBouncer: {fault}")


@pytest.mark.parametrize(
    ("mode", "takes_turns"), [("transaction", False), ("transaction", True), ("statement", False)]
)
async def test_shared_sessions_are_refused_with_the_address_to_use(
    postgres_url: str, mode: str, takes_turns: bool
) -> None:
    async with behind(postgres_url, mode, takes_turns=takes_turns) as address:
        with pytest.raises(ConfigurationFault) as caught:
            await Database.open(address)
    (told,) = caught.value.faults
    assert told.startswith("database.url: a transaction pooler answers")
    assert "postgresql://USER@HOST:5432/NAME" in told
    assert "\n" not in told


async def test_a_server_that_wants_tls_gets_it_in_libpqs_words(postgres_url: str) -> None:
    async with behind(postgres_url, "session", wants_tls=True) as address:
        platforms = address.replace("postgresql://", "postgres://")
        database = await Database.open(f"{platforms}?sslmode=require")
        async with database.read() as connection:
            assert await connection.scalar(text("SELECT 1")) == 1
        await database.close()
        with pytest.raises(StorageUnavailable, match=r"SSL required.*check DATABASE_URL"):
            await Database.open(f"{address}?sslmode=disable")


async def test_a_session_pooler_carries_the_lead_the_hints_and_the_timeouts(
    postgres_url: str,
) -> None:
    async with behind(postgres_url, "session") as address:
        database = await Database.open(address)
        store = SqlLeaseStore(database)
        woken = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            hearing = group.create_task(store.hear(SCOPE, woken.set))
            await asyncio.sleep(0.2)
            me = InstanceId("a")
            await store.register(
                Candidate(
                    instance_id=me,
                    scope=SCOPE,
                    deployment_id="d1",
                    replica_id=None,
                    host="box",
                    pid=1,
                    code_version="0",
                )
            )
            seen = (await store.read(SCOPE, me)).lease
            assert await store.claim(SCOPE, me, None)
            won = await store.acquire(SCOPE, me, seen, 15_000_000)
            assert won is not None
            assert (await store.renew(SCOPE, me, won.epoch, 15_000_000)).is_kept
            async with asyncio.timeout(10):
                await woken.wait()
            hearing.cancel()
        async with database.read() as connection:
            shown = await connection.scalar(text("SHOW idle_in_transaction_session_timeout"))
            assert shown == "5s"
        await database.close()
