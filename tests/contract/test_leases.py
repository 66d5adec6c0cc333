"""One suite for every lease store: in memory, SQLite and PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest
from sqlalchemy import text

from bot.adapters.storage.database import Database
from bot.adapters.storage.leases import SqlLeaseStore
from bot.domain.errors import ActivationRefused
from bot.domain.ids import InstanceId, Scope
from bot.domain.leadership import OPERATOR, Candidate, InstanceRow, InstanceState, Predecessor
from tests.fakes.clock import ManualClock
from tests.fakes.leases import MemoryLeases, MemoryLeaseStore

pytestmark = pytest.mark.looptime(False)

SCOPE = Scope("paper:main:0")
LEASE_US = 15_000_000
NOBODY = "UPDATE bot_instances SET is_active = FALSE"
ONE = "UPDATE bot_instances SET is_active = TRUE WHERE instance_id = '{}'"
A, B, C = InstanceId("a"), InstanceId("b"), InstanceId("c")


@dataclass
class Bench:
    """A store, and a person with a SQL prompt beside it."""

    store: SqlLeaseStore | MemoryLeaseStore
    type_sql: Callable[[str], Awaitable[None]]
    let_pass: Callable[[int], Awaitable[None]]


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    if request.param == "memory":
        yield _memory_bench()
        return
    url = request.getfixturevalue(f"{request.param}_url")
    database = await Database.open(url)

    async def type_sql(statement: str) -> None:
        async with database.begin() as connection:
            for one in statement.split(";"):
                await connection.execute(text(one))

    async def let_pass(microseconds: int) -> None:
        # Real clocks cannot be moved; the rows can be made older instead.
        async with database.begin() as connection:
            await connection.execute(
                text("UPDATE bot_instances SET heartbeat_us = heartbeat_us - :by"),
                {"by": microseconds},
            )
            await connection.execute(
                text("UPDATE leader_lease SET expires_us = expires_us - :by"),
                {"by": microseconds},
            )

    yield Bench(SqlLeaseStore(database), type_sql, let_pass)
    await database.close()


def _memory_bench() -> Bench:
    clock = ManualClock()
    tables = MemoryLeases(clock)

    async def type_sql(statement: str) -> None:
        for one in statement.split(";"):
            _type_in_memory(tables, one.strip())

    async def let_pass(microseconds: int) -> None:
        clock.advance(microseconds)

    return Bench(MemoryLeaseStore(tables), type_sql, let_pass)


def _type_in_memory(tables: MemoryLeases, statement: str) -> None:
    """Just the documented statements."""
    head = "UPDATE bot_instances SET is_active = "
    assert statement.startswith(head)
    rest = statement.removeprefix(head)
    if rest == "FALSE":
        changes = dict.fromkeys(tables.rows, False)
    elif rest.startswith("TRUE WHERE instance_id = "):
        changes = {InstanceId(rest.split("'")[1]): True}
    elif rest.startswith("FALSE WHERE instance_id <> "):
        kept = InstanceId(rest.split("'")[1])
        changes = {one: False for one in tables.rows if one != kept}
    else:
        assert rest.startswith("(instance_id = ")
        chosen = InstanceId(rest.split("'")[1])
        changes = {one: one == chosen for one in tables.rows}
    for instance_id, is_active in changes.items():
        tables.type_active(instance_id, is_active)


def candidate(instance_id: InstanceId, deployment_id: str = "d1") -> Candidate:
    return Candidate(
        instance_id=instance_id,
        scope=SCOPE,
        deployment_id=deployment_id,
        replica_id=None,
        host="box",
        pid=4711,
        code_version="0.1.0",
    )


async def lead(bench: Bench, instance_id: InstanceId, deployment_id: str = "d1") -> int:
    """Register, claim and acquire."""
    store = bench.store
    await store.register(candidate(instance_id, deployment_id))
    reading = await store.read(SCOPE, instance_id)
    instead_of = reading.active.instance_id if reading.active else None
    assert await store.claim(SCOPE, instance_id, instead_of)
    won = await store.acquire(SCOPE, instance_id, reading.lease, LEASE_US)
    assert won is not None
    return won.epoch


async def row(bench: Bench, instance_id: InstanceId) -> InstanceRow:
    roster = await bench.store.roster(SCOPE, 50)
    return next(one for one in roster.rows if one.instance_id == instance_id)


async def test_deployments_rank_in_the_order_they_were_first_seen(bench: Bench) -> None:
    first = await bench.store.register(candidate(A, "d1"))
    second = await bench.store.register(candidate(B, "d2"))
    again = await bench.store.register(candidate(C, "d1"))
    assert first.generation == again.generation < second.generation
    assert not first.is_active
    assert first.state is InstanceState.STANDBY


async def test_registering_twice_changes_nothing(bench: Bench) -> None:
    first = await bench.store.register(candidate(A))
    await lead(bench, A)
    again = await bench.store.register(candidate(A))
    assert again.started_us == first.started_us
    assert again.is_active


async def test_a_new_scope_is_free_and_clean(bench: Bench) -> None:
    await bench.store.register(candidate(A))
    reading = await bench.store.read(SCOPE, A)
    assert reading.lease.holder is None
    assert reading.lease.clean_release
    assert reading.active is None
    assert reading.me is not None


async def test_acquiring_gives_an_epoch_above_the_clock(bench: Bench) -> None:
    epoch = await lead(bench, A)
    reading = await bench.store.read(SCOPE, A)
    assert reading.lease.epoch == epoch
    assert abs(epoch - reading.database_now_us // 1_000_000) <= 1
    assert reading.lease.holder == A
    assert not reading.lease.clean_release
    assert (await row(bench, A)).state is InstanceState.ACTIVATING


async def test_an_unwanted_instance_cannot_acquire(bench: Bench) -> None:
    await bench.store.register(candidate(A))
    seen = (await bench.store.read(SCOPE, A)).lease
    assert await bench.store.acquire(SCOPE, A, seen, LEASE_US) is None


async def test_only_one_of_two_claims_on_the_same_reading_succeeds(bench: Bench) -> None:
    await bench.store.register(candidate(A))
    await bench.store.register(candidate(B))
    assert await bench.store.claim(SCOPE, A, None)
    assert not await bench.store.claim(SCOPE, B, None)
    reading = await bench.store.read(SCOPE, B)
    assert reading.active is not None
    assert reading.active.instance_id == A


async def test_a_claim_leaves_the_lease_with_its_holder(bench: Bench) -> None:
    epoch = await lead(bench, A)
    await bench.store.register(candidate(B, "d2"))
    assert await bench.store.claim(SCOPE, B, A)
    renewal = await bench.store.renew(SCOPE, A, epoch, LEASE_US)
    assert renewal.is_kept
    assert not renewal.is_active
    assert renewal.active_id == B


async def test_a_renewal_moves_the_counter_and_the_heartbeat(bench: Bench) -> None:
    epoch = await lead(bench, A)
    before = await bench.store.read(SCOPE, A)
    await asyncio.sleep(0.002)
    await bench.let_pass(1)
    renewal = await bench.store.renew(SCOPE, A, epoch, LEASE_US)
    after = await bench.store.read(SCOPE, A)
    assert renewal.is_kept
    assert renewal.is_active
    assert after.lease.renew_seq == before.lease.renew_seq + 1
    assert after.me is not None
    assert before.me is not None
    assert after.me.heartbeat_us != before.me.heartbeat_us


async def test_an_acquisition_on_a_stale_reading_fails(bench: Bench) -> None:
    epoch = await lead(bench, A)
    await bench.store.register(candidate(B, "d2"))
    seen = (await bench.store.read(SCOPE, B)).lease
    await bench.store.renew(SCOPE, A, epoch, LEASE_US)
    assert await bench.store.claim(SCOPE, B, A)
    assert await bench.store.acquire(SCOPE, B, seen, LEASE_US) is None


async def test_a_clean_release_is_told_to_the_next(bench: Bench) -> None:
    epoch = await lead(bench, A)
    assert await bench.store.release(SCOPE, A, epoch, is_clean=True, is_leaving=True)
    assert not (await row(bench, A)).is_active
    await bench.store.register(candidate(B, "d2"))
    seen = (await bench.store.read(SCOPE, B)).lease
    assert await bench.store.claim(SCOPE, B, None)
    won = await bench.store.acquire(SCOPE, B, seen, LEASE_US)
    assert won is not None
    assert won.epoch > epoch
    assert won.previous.clean_release
    assert won.previous.holder is None


async def test_a_deposed_holder_neither_renews_nor_releases(bench: Bench) -> None:
    epoch = await lead(bench, A)
    await lead(bench, B, "d2")
    renewal = await bench.store.renew(SCOPE, A, epoch, LEASE_US)
    assert not renewal.is_kept
    assert not renewal.is_holder
    assert not await bench.store.release(SCOPE, A, epoch, is_clean=True, is_leaving=False)
    assert (await bench.store.read(SCOPE, B)).lease.holder == B


async def test_an_ended_lease_is_not_renewed(bench: Bench) -> None:
    epoch = await lead(bench, A)
    await bench.let_pass(LEASE_US + 1)
    renewal = await bench.store.renew(SCOPE, A, epoch, LEASE_US)
    assert not renewal.is_kept
    assert renewal.is_holder


async def test_epochs_rise_within_one_second(bench: Bench) -> None:
    epochs = []
    for _ in range(3):
        epoch = await lead(bench, A)
        epochs.append(epoch)
        await bench.store.release(SCOPE, A, epoch, is_clean=True, is_leaving=False)
    assert epochs == sorted(set(epochs))


async def test_a_typed_deactivation_ends_the_lease_and_stands_everybody_down(bench: Bench) -> None:
    epoch = await lead(bench, A)
    await bench.type_sql("UPDATE bot_instances SET is_active = FALSE")
    renewal = await bench.store.renew(SCOPE, A, epoch, LEASE_US)
    assert not renewal.is_kept
    assert renewal.is_holder
    assert not renewal.is_active
    assert renewal.active_id is None
    reading = await bench.store.read(SCOPE, A)
    assert reading.lease.stood_down
    assert reading.me is not None
    assert reading.me.decided_by == OPERATOR
    assert await bench.store.release(SCOPE, A, epoch, is_clean=True, is_leaving=True)


@pytest.mark.parametrize(
    "statement",
    [
        f"{NOBODY};{ONE}",
        f"{ONE};{NOBODY} WHERE instance_id <> '{{}}'",
        "UPDATE bot_instances SET is_active = (instance_id = '{}')",
        ONE,
    ],
    ids=["documented", "other order", "one statement", "one row"],
)
@pytest.mark.parametrize(("leader", "chosen"), [(A, B), (B, A)])
async def test_the_documented_statements_move_the_wish(
    bench: Bench, statement: str, leader: InstanceId, chosen: InstanceId
) -> None:
    first, second = sorted((A, B), key=lambda one: one == leader)
    await bench.store.register(candidate(first, "d1"))
    await bench.store.register(candidate(second, "d2"))
    await lead(bench, leader, "d2" if leader == second else "d1")
    await bench.type_sql(statement.format(chosen, chosen))
    reading = await bench.store.read(SCOPE, chosen)
    assert reading.active is not None
    assert reading.active.instance_id == chosen
    assert not (await row(bench, leader)).is_active
    assert not reading.lease.stood_down


async def test_an_activated_instance_ranks_with_the_newest_until_the_next_deployment(
    bench: Bench,
) -> None:
    await bench.store.register(candidate(A, "d1"))
    newer = await bench.store.register(candidate(B, "d2"))
    await bench.store.activate(A)
    assert (await row(bench, A)).generation == newer.generation
    assert (await bench.store.register(candidate(C, "d3"))).generation > newer.generation


async def test_a_dead_instance_cannot_be_activated(bench: Bench) -> None:
    await bench.store.register(candidate(A))
    await bench.let_pass(20_000_000)
    await lead(bench, B, "d2")
    with pytest.raises(ActivationRefused, match="not alive"):
        await bench.store.activate(A)
    with pytest.raises(ActivationRefused, match="activation refused"):
        await bench.type_sql("UPDATE bot_instances SET is_active = (instance_id = 'a')")
    assert (await row(bench, B)).is_active


async def test_a_mistyped_instance_cannot_be_activated(bench: Bench) -> None:
    await lead(bench, A)
    with pytest.raises(ActivationRefused, match="no instance nobody"):
        await bench.store.activate(InstanceId("nobody"))
    assert (await row(bench, A)).is_active


async def test_a_stopped_instance_cannot_be_activated_nor_claim(bench: Bench) -> None:
    await bench.store.register(candidate(A))
    await bench.store.retire(A, "stopped by signal")
    with pytest.raises(ActivationRefused):
        await bench.store.activate(A)
    assert not await bench.store.claim(SCOPE, A, None)


async def test_deactivating_all_names_who_was_wanted(bench: Bench) -> None:
    await lead(bench, A)
    await bench.store.register(candidate(B))
    assert await bench.store.deactivate_all(SCOPE) == [A]
    assert await bench.store.deactivate_all(None) == []


async def test_retiring_keeps_the_reason(bench: Bench) -> None:
    await lead(bench, A)
    await bench.store.retire(A, "superseded by b")
    stopped = await row(bench, A)
    assert stopped.state is InstanceState.STOPPED
    assert stopped.stop_reason == "superseded by b"
    assert stopped.stopped_us is not None
    assert not stopped.is_active


async def test_burying_the_dead_frees_the_lead_at_once_and_uncleanly(bench: Bench) -> None:
    epoch = await lead(bench, A)
    assert await bench.store.bury(SCOPE, A, "killed by SIGKILL")
    buried = await row(bench, A)
    assert (buried.is_active, buried.state, buried.stop_reason) == (
        False,
        InstanceState.STOPPED,
        "killed by SIGKILL",
    )
    await bench.store.register(candidate(B))
    reading = await bench.store.read(SCOPE, B)
    assert (reading.lease.holder, reading.lease.epoch) == (None, epoch)
    assert not reading.lease.clean_release
    assert not reading.lease.stood_down, "nobody was deactivated"
    assert reading.lease.expires_us <= reading.database_now_us
    assert await lead(bench, B) > epoch


async def test_an_acquisition_names_whoever_led_last_and_how_that_ended(bench: Bench) -> None:
    await bench.store.register(candidate(A))
    await bench.store.claim(SCOPE, A, None)
    reading = await bench.store.read(SCOPE, A)
    first = await bench.store.acquire(SCOPE, A, reading.lease, LEASE_US)
    assert first is not None
    assert first.predecessor is None
    await bench.store.bury(SCOPE, A, "killed by SIGKILL")
    await bench.store.register(candidate(B))
    await bench.store.claim(SCOPE, B, None)
    reading = await bench.store.read(SCOPE, B)
    second = await bench.store.acquire(SCOPE, B, reading.lease, LEASE_US)
    assert second is not None
    assert second.previous.holder is None
    assert second.predecessor == Predecessor(instance_id=A, end="killed by SIGKILL")


async def test_a_statement_of_the_dead_that_arrives_late_changes_nothing(bench: Bench) -> None:
    """Its connection may outlive it: what it sent last is carried out after the burial."""
    await bench.store.register(candidate(A))
    await bench.store.claim(SCOPE, A, None)
    reading = await bench.store.read(SCOPE, A)
    await bench.store.bury(SCOPE, A, "killed by SIGKILL")
    assert await bench.store.acquire(SCOPE, A, reading.lease, LEASE_US) is None
    assert not await bench.store.claim(SCOPE, A, None)
    epoch = await lead(bench, B)
    await bench.store.bury(SCOPE, B, "killed by SIGKILL")
    assert not (await bench.store.renew(SCOPE, B, epoch, LEASE_US)).is_kept
    await bench.store.register(candidate(C))
    reading = await bench.store.read(SCOPE, C)
    assert (reading.lease.holder, reading.active) == (None, None)


async def test_burying_one_process_takes_nothing_from_another(bench: Bench) -> None:
    await lead(bench, A)
    await bench.store.retire(A, "stopped by signal")
    epoch = await lead(bench, B, "d2")
    assert not await bench.store.bury(SCOPE, A, "killed by SIGKILL")
    assert (await row(bench, A)).stop_reason == "stopped by signal", "its own last word stays"
    renewal = await bench.store.renew(SCOPE, B, epoch, LEASE_US)
    assert renewal.is_kept
    assert renewal.is_active
    assert not await bench.store.bury(SCOPE, InstanceId("never-registered"), "killed")


async def test_scopes_do_not_see_each_other(bench: Bench) -> None:
    await lead(bench, A)
    other = Scope("live:main:0")
    await bench.store.register(
        Candidate(
            instance_id=B,
            scope=other,
            deployment_id="d1",
            replica_id="r",
            host="box",
            pid=1,
            code_version="0.1.0",
        )
    )
    reading = await bench.store.read(other, B)
    assert reading.active is None
    assert reading.lease.holder is None
    assert await bench.store.claim(other, B, None)
    assert (await row(bench, A)).is_active


async def test_who_led_last_is_known_whoever_started_since(bench: Bench) -> None:
    assert (await bench.store.last_led(SCOPE)).rows == ()
    await lead(bench, A)
    await bench.store.register(candidate(B, "d2"))
    (last,) = (await bench.store.last_led(SCOPE)).rows
    assert (last.instance_id, last.host) == (A, "box")
    await bench.store.register(candidate(C, "d3"))
    await lead(bench, C, "d3")
    (last,) = (await bench.store.last_led(SCOPE)).rows
    assert last.instance_id == C


async def test_the_roster_shows_the_living_first_and_who_has_the_lease(bench: Bench) -> None:
    await lead(bench, A)
    await bench.store.register(candidate(B, "d2"))
    await bench.store.retire(B, "ended")
    roster = await bench.store.roster(SCOPE, 1)
    (only,) = roster.rows
    assert only.instance_id == A
    assert roster.is_alive(only)
    assert roster.leads_since_us(only) is not None
    await bench.let_pass(20_000_000)
    roster = await bench.store.roster(SCOPE, 9)
    a = next(one for one in roster.rows if one.instance_id == A)
    assert not roster.is_alive(a)
    assert roster.leads_since_us(a) is None


async def test_simultaneous_claims_and_acquisitions_leave_one_holder(bench: Bench) -> None:
    names = [InstanceId(f"i{number}") for number in range(4)]
    for name in names:
        await bench.store.register(candidate(name))
    seen = (await bench.store.read(SCOPE, names[0])).lease

    async def contend(name: InstanceId) -> bool:
        if not await bench.store.claim(SCOPE, name, None):
            return False
        return await bench.store.acquire(SCOPE, name, seen, LEASE_US) is not None

    async with asyncio.TaskGroup() as group:
        tries = [group.create_task(contend(name)) for name in names]
    assert [one.result() for one in tries].count(True) == 1
    roster = await bench.store.roster(SCOPE, 9)
    assert len([one for one in roster.rows if one.is_active]) == 1


async def test_renewals_and_typed_statements_never_wait_for_each_other(bench: Bench) -> None:
    epoch = await lead(bench, A)
    await bench.store.register(candidate(B, "d2"))

    async def renew() -> None:
        for _ in range(40):
            await bench.store.renew(SCOPE, A, epoch, LEASE_US)

    async def type_in() -> None:
        for _ in range(20):
            await bench.type_sql(ONE.format(B))
            await bench.type_sql(ONE.format(A))

    async with asyncio.TaskGroup() as group:
        group.create_task(renew())
        group.create_task(type_in())
    kept = await bench.store.renew(SCOPE, A, epoch, LEASE_US)
    assert kept.is_active
    assert kept.active_id == A
