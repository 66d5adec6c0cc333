"""The fence on every table that only the leader writes, and the halt on entries."""

import pytest
from sqlalchemy import insert, text, update
from sqlalchemy.dialects import sqlite

from bot.adapters.storage import tables
from bot.adapters.storage.database import Database
from bot.adapters.storage.triggers import FENCED
from bot.domain.errors import NotLeader, StorageUnavailable, TradingHalted
from tests.support.rows import EPOCH, FENCED_ROWS, SCOPE, add, grant_lease, set_halt

_TAKE_OVER = text("UPDATE leader_lease SET epoch = epoch + 1")


def test_every_table_written_under_an_epoch_is_fenced() -> None:
    under_epoch = {
        table.name
        for table in tables.metadata.sorted_tables
        if {"scope", "epoch"} <= set(table.c.keys()) and not table.c.epoch.nullable
    }
    assert under_epoch - {"leader_lease"} == set(FENCED) == set(FENCED_ROWS)


@pytest.mark.parametrize("table", FENCED)
async def test_the_current_epoch_may_write(database: Database, table: str) -> None:
    await grant_lease(database)
    await add(database, table)
    async with database.begin() as connection:
        changed = await connection.execute(
            update(tables.metadata.tables[table]).values(epoch=EPOCH)
        )
    assert changed.rowcount == 1


@pytest.mark.parametrize("table", FENCED)
async def test_another_epoch_may_neither_insert_nor_update(database: Database, table: str) -> None:
    await grant_lease(database)
    with pytest.raises(NotLeader, match="stale leader epoch"):
        await add(database, table, epoch=EPOCH - 1)
    await add(database, table)
    await grant_lease(database, epoch=EPOCH + 1)
    with pytest.raises(NotLeader):
        await _change_all(database, table)


@pytest.mark.parametrize("table", FENCED)
async def test_an_ended_lease_writes_nothing(database: Database, table: str) -> None:
    await grant_lease(database, seconds=-1)
    with pytest.raises(NotLeader):
        await add(database, table)


async def test_nobody_writes_before_there_is_a_lease(database: Database) -> None:
    with pytest.raises(NotLeader):
        await add(database, "fills")


async def test_ignoring_duplicates_does_not_ignore_the_fence(sqlite_url: str) -> None:
    database = await Database.open(sqlite_url)
    statement = insert(tables.fills).prefix_with("OR IGNORE").values(FENCED_ROWS["fills"])
    upsert = sqlite.insert(tables.fills).values(FENCED_ROWS["fills"]).on_conflict_do_nothing()
    for each in (statement, upsert):
        with pytest.raises(NotLeader):
            await _execute(database, each)
    await database.close()


async def test_a_scope_that_was_never_seen_is_halted(database: Database) -> None:
    await grant_lease(database)
    with pytest.raises(TradingHalted, match="trading halted"):
        await add(database, "order_intents", purpose="entry")


async def test_a_halt_stops_entries_and_lets_exits_through(database: Database) -> None:
    await grant_lease(database)
    await set_halt(database, halted=False)
    await add(database, "order_intents", purpose="entry", client_order_id="first")
    await set_halt(database, halted=True)
    with pytest.raises(TradingHalted):
        await add(database, "order_intents", purpose="entry", client_order_id="second")
    for purpose in ("take_profit", "stop_loss", "flatten"):
        await add(database, "order_intents", purpose=purpose, client_order_id=purpose)


async def test_an_entry_placed_before_the_halt_can_still_be_updated(database: Database) -> None:
    await grant_lease(database)
    await set_halt(database, halted=False)
    await add(database, "order_intents", purpose="entry")
    await set_halt(database, halted=True)
    async with database.begin() as connection:
        await connection.execute(
            update(tables.order_intents).values(status="canceled", epoch=EPOCH)
        )


async def test_a_take_over_waits_for_the_write_it_overtakes_and_a_renewal_does_not(
    postgres_url: str,
) -> None:
    database = await Database.open(postgres_url)
    await grant_lease(database)
    impatient = text("SET LOCAL lock_timeout = '100ms'")
    async with database.begin() as writing:
        await writing.execute(insert(tables.fills).values(FENCED_ROWS["fills"]))
        renewal = text("UPDATE leader_lease SET renew_seq = renew_seq + 1")
        await _execute(database, impatient, renewal)
        with pytest.raises(StorageUnavailable, match="lock timeout"):
            await _execute(database, impatient, _TAKE_OVER)
    await _execute(database, impatient, _TAKE_OVER)
    await database.close()


async def test_a_halt_waits_for_entries_under_way(postgres_url: str) -> None:
    database = await Database.open(postgres_url)
    await grant_lease(database)
    await set_halt(database, halted=False)
    entry = insert(tables.order_intents).values(FENCED_ROWS["order_intents"] | {"purpose": "entry"})
    halt = text("UPDATE risk_state SET halted = TRUE")
    async with database.begin() as writing:
        await writing.execute(entry)
        with pytest.raises(StorageUnavailable, match="lock timeout"):
            await _execute(database, text("SET LOCAL lock_timeout = '100ms'"), halt)
    await _execute(database, halt)
    await database.close()


async def test_the_fence_holds_whatever_schema_the_caller_looks_in(postgres_url: str) -> None:
    database = await Database.open(postgres_url)
    with pytest.raises(NotLeader):
        await _execute(
            database,
            text("SET LOCAL search_path = pg_catalog"),
            text(
                "INSERT INTO public.job_runs (scope, job, slot_us, epoch, state, started_us)"
                f" VALUES ('{SCOPE}', 'collect', 1, 1, 'running', 1)"
            ),
        )
    await database.close()


async def _change_all(database: Database, table: str) -> None:
    await _execute(database, update(tables.metadata.tables[table]).values(epoch=EPOCH))


async def _execute(database: Database, *statements: object) -> None:
    async with database.begin() as connection:
        for statement in statements:
            await connection.execute(statement)  # type: ignore[call-overload]
