"""Every ``JobRunStore`` gives a slot to one leader, and to none whose epoch is over."""

import pytest
from sqlalchemy import text

from bot.adapters.storage.database import Database
from bot.adapters.storage.jobs import SqlJobRunStore
from bot.domain.errors import NotLeader
from bot.domain.ids import Epoch, Scope
from bot.ports.jobs import JobState
from tests.fakes.job_runs import MemoryJobRuns, MemoryJobRunStore

pytestmark = pytest.mark.looptime(False)

SCOPE = Scope("paper:main:0")
FAR_FUTURE_US = 4_000_000_000_000_000


class MemoryLead:
    """The lead of a scope, in memory."""

    def __init__(self) -> None:
        self.shared = MemoryJobRuns(epoch=0)

    async def take(self, epoch: int) -> MemoryJobRunStore:
        self.shared.epoch = epoch
        return MemoryJobRunStore(self.shared, epoch)


class SqlLead:
    """The lead of a scope as a row of ``leader_lease``."""

    def __init__(self, database) -> None:
        self._database = database

    async def take(self, epoch: int) -> SqlJobRunStore:
        async with self._database.begin() as connection:
            await connection.execute(text("DELETE FROM leader_lease"))
            await connection.execute(
                text(
                    "INSERT INTO leader_lease (scope, epoch, holder, generation, renew_seq,"
                    " acquired_us, renewed_us, expires_us, clean_release)"
                    " VALUES (:scope, :epoch, 'me', 1, 0, 0, 0, :expires, :clean)"
                ),
                {"scope": SCOPE, "epoch": epoch, "expires": FAR_FUTURE_US, "clean": False},
            )
        return SqlJobRunStore(self._database, SCOPE, Epoch(epoch))


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request):
    return None if request.param == "memory" else request.getfixturevalue(f"{request.param}_url")


@pytest.fixture
async def lead(url):
    if url is None:
        yield MemoryLead()
        return
    database = await Database.open(url)
    yield SqlLead(database)
    await database.close()


async def test_a_slot_is_claimed_once(lead) -> None:
    store = await lead.take(5)
    assert await store.claim("collect", 100, 101)
    assert not await store.claim("collect", 100, 102)
    assert await store.claim("collect", 200, 201)
    assert await store.claim("backup", 100, 101)


async def test_the_next_leader_gets_what_was_begun_but_not_what_ended(lead) -> None:
    old = await lead.take(5)
    for slot in (1, 2, 3):
        assert await old.claim("collect", slot, slot)
    await old.finish("collect", 1, 10, error=None)
    await old.finish("collect", 2, 10, error="ValueError: no")
    new = await lead.take(6)
    assert [await new.claim("collect", slot, 20) for slot in (1, 2, 3)] == [False, False, True]
    assert not await new.claim("collect", 3, 21)


async def test_a_leader_whose_epoch_is_over_is_refused(lead) -> None:
    old = await lead.take(5)
    assert await old.claim("collect", 1, 1)
    new = await lead.take(6)
    with pytest.raises(NotLeader):
        await old.claim("collect", 2, 2)
    with pytest.raises(NotLeader):
        await old.finish("collect", 1, 10, error=None)
    assert await new.claim("collect", 1, 20)
    with pytest.raises(NotLeader):
        await old.finish("collect", 1, 10, error=None)
    await new.finish("collect", 1, 30, error=None)


async def test_a_run_ends_once(lead) -> None:
    store = await lead.take(5)
    await store.claim("collect", 1, 1)
    await store.finish("collect", 1, 2, error=None)
    with pytest.raises(NotLeader):
        await store.finish("collect", 1, 3, error="late")


async def test_the_latest_run_of_each_job_is_listed(lead) -> None:
    store = await lead.take(5)
    for job, slot in (("collect", 1), ("collect", 2), ("backup", 1)):
        await store.claim(job, slot, slot + 10)
    await store.finish("backup", 1, 30, error="disk full")
    backup, collect = await store.latest()
    assert (backup.job, backup.state, backup.error) == ("backup", JobState.FAILED, "disk full")
    assert (backup.started_us, backup.finished_us) == (11, 30)
    assert (collect.slot_us, collect.state, collect.finished_us) == (2, JobState.RUNNING, None)


async def test_old_runs_can_be_deleted(lead) -> None:
    store = await lead.take(5)
    for slot in (1, 2, 3):
        await store.claim("collect", slot, slot)
        await store.finish("collect", slot, slot, error=None)
    assert await store.prune(3) == 2
    [left] = await store.latest()
    assert left.slot_us == 3
