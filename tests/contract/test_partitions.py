"""Months of the stream's tables on PostgreSQL: made ahead, filled late, dropped whole, restored."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from bot.adapters.storage.backups import SqlBackupStore
from bot.adapters.storage.database import Database
from bot.adapters.storage.migrations import migrate
from bot.adapters.storage.partitions import Month, is_partition, make_months, partitions_of
from bot.adapters.storage.restores import restorer_for
from bot.adapters.storage.stream_postgres import PostgresStreamStore
from bot.adapters.storage.stream_reads import SqlStreamReads, SqlStreamUpkeep
from bot.adapters.storage.tables_stream import PARTITIONED
from bot.domain.ids import MarketTicker
from bot.kit.clock import SystemClock
from bot.kit.times import DAY_US, parse_rfc3339
from bot.ports.backups import BackupContents
from bot.ports.stream import StreamBatch
from tests.fakes.stream import change, start, tick

pytestmark = [pytest.mark.looptime(False)]

NOVEMBER = parse_rfc3339("2026-11-18T00:00:00Z")


@pytest.fixture
async def postgres(postgres_url: str):
    database = await Database.open(postgres_url)
    yield database
    await database.close()


async def months(database: Database, table: str = "market_ticks") -> list[str]:
    async with database.read() as connection:
        found = await connection.run_sync(partitions_of, table)
    return [name.removeprefix(f"{table}_") for name in found]


async def count(database: Database, table: str) -> int:
    async with database.read() as connection:
        return (await connection.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one()


def test_a_month_knows_its_bounds() -> None:
    assert Month.of(NOVEMBER).text == "2026_11"
    assert Month.of(parse_rfc3339("2026-12-31T23:59:59.999999Z")).text == "2026_12"
    december = Month.of(parse_rfc3339("2026-12-01T00:00:00Z"))
    assert december.start_us == parse_rfc3339("2026-12-01T00:00:00Z")
    assert december.end_us == parse_rfc3339("2027-01-01T00:00:00Z")
    assert Month(december.number + 1).text == "2027_01"


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("market_ticks_2026_11", True),
        ("book_deltas_default", True),
        ("market_ticks", False),
        ("market_ticks_old", False),
        ("orders_2026_11", False),
        (None, False),
    ],
)
def test_partitions_are_known_by_name(name: str | None, is_one: bool) -> None:
    assert is_partition(name) is is_one


@pytest.mark.postgres
async def test_a_migrated_database_has_this_month_and_the_next_two(postgres: Database) -> None:
    first = Month.of(SystemClock().now_us()).number
    expected = [Month(first + ahead).text for ahead in range(3)]
    for table in PARTITIONED:
        assert await months(postgres, table) == [*expected, "default"]
    # A start in another month makes what is missing, and nothing twice.
    await migrate(postgres)
    assert await months(postgres) == [*expected, "default"]


@pytest.mark.postgres
async def test_months_are_made_ahead_each_once(postgres: Database) -> None:
    before = set(await months(postgres))
    for at in ("2030-01-31T23:00:00Z", "2030-01-31T23:00:00Z", "2030-03-01T00:00:00Z"):
        await SqlStreamUpkeep(postgres).keep(parse_rfc3339(at), None)
    made = sorted(set(await months(postgres)) - before)
    assert made == ["2030_01", "2030_02", "2030_03", "2030_04", "2030_05"]


@pytest.mark.postgres
async def test_rows_without_a_month_move_when_it_is_made(postgres: Database) -> None:
    far = parse_rfc3339("2031-05-15T12:00:00Z")
    store = PostgresStreamStore(postgres.address)
    batch = StreamBatch(
        ticks=[tick(at_us=far)], starts=[start(at_us=far)], changes=[change(at_us=far)]
    )
    await store.append(batch, may_repeat=False)
    assert await count(postgres, "market_ticks_default") == 1
    async with postgres.begin() as connection:
        await connection.run_sync(make_months, far)
    assert await count(postgres, "market_ticks_default") == 0
    assert await count(postgres, "market_ticks_2031_05") == 1
    assert await count(postgres, "book_deltas_2031_05") == 1
    # The same again is the same rows, wherever they are now.
    assert await store.append(batch, may_repeat=True) == 0
    assert await count(postgres, "market_ticks") == 1
    await store.close()


@pytest.mark.postgres
async def test_whole_months_go_and_a_month_that_is_needed_stays(postgres: Database) -> None:
    upkeep = SqlStreamUpkeep(postgres)
    store = PostgresStreamStore(postgres.address)
    stamps = ["2029-01-15T00:00:00Z", "2029-02-28T23:59:59Z", "2029-03-01T00:00:00Z"]
    await upkeep.keep(parse_rfc3339(stamps[0]), None)
    ancient = parse_rfc3339("1999-01-01T00:00:00Z")
    told = [tick(at_us=ancient), *(tick(at_us=parse_rfc3339(one)) for one in stamps)]
    await store.append(StreamBatch(ticks=told), may_repeat=False)
    now_us = parse_rfc3339("2029-03-29T00:00:00Z")
    counts = await upkeep.keep(now_us, now_us - 30 * DAY_US)
    # The 27th of February is the limit: January ends before it, February does not.
    names = await months(postgres)
    assert "2029_01" not in names
    assert {"2029_02", "2029_03", "2029_04", "2029_05"} <= set(names)
    assert counts["partitions_dropped"] >= 3
    found = [one async for one in SqlStreamReads(postgres).ticks(0, 2**62)]
    assert found == told[2:]
    await store.close()


@pytest.mark.postgres
async def test_a_writer_goes_on_while_months_come_and_go(postgres: Database) -> None:
    upkeep = SqlStreamUpkeep(postgres)
    store = PostgresStreamStore(postgres.address)
    for number in range(12):
        now_us = Month(Month.of(NOVEMBER).number + number).start_us
        ticks = [tick(at_us=now_us + step) for step in range(50)]
        await store.append(StreamBatch(ticks=ticks), may_repeat=False)
        await upkeep.keep(now_us, now_us - 60 * DAY_US)
    assert await count(postgres, "market_ticks_default") == 0
    assert await count(postgres, "market_ticks") <= 4 * 50
    await store.close()


@pytest.mark.postgres
async def test_a_backup_and_its_restore_keep_ticks_and_their_months(
    postgres: Database, postgres_factory: Callable[[], str], tmp_path: Path
) -> None:
    store = PostgresStreamStore(postgres.address)
    old = parse_rfc3339("2025-06-10T00:00:00Z")
    ticks = [tick(at_us=old), tick(at_us=NOVEMBER)]
    await store.append(
        StreamBatch(ticks=ticks, starts=[start(at_us=old)], changes=[change(at_us=old)]),
        may_repeat=False,
    )
    await store.close()
    path = tmp_path / "copy.sqlite"
    made = await SqlBackupStore(postgres).write(path, BackupContents.FULL, 1, lambda *_: None)
    assert made.left_out == ()
    assert (made.counts["market_ticks"], made.counts["book_deltas"]) == (2, 1)
    url = postgres_factory()
    target = PostgresStreamStore((other := await Database.open(url)).address)
    await target.append(StreamBatch(ticks=[tick("KXOTHER")]), may_repeat=False)
    kept = await restorer_for(url).replace(path, "20261118", lambda *_: None)
    found = [one async for one in SqlStreamReads(other).ticks(0, 2**62)]
    assert found == ticks
    assert "2025_06" in await months(other)
    chain = await SqlStreamReads(other).book_chain(MarketTicker("KXA"), old + DAY_US)
    assert chain == (start(at_us=old), [change(at_us=old)])
    # Numbers go on above every one that was given, and what was there before is kept aside.
    await target.append(StreamBatch(ticks=[tick("KXNEW")]), may_repeat=False)
    assert kept is not None
    assert await count(other, f"{kept.removeprefix('schema ')}.market_ticks") == 1
    await target.close()
    await other.close()
