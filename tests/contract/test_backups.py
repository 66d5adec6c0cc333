"""Backup and restore of real databases: while they are written, across engines, from damage."""

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select, text

from bot.adapters.storage import tables
from bot.adapters.storage.backup_files import copy_without
from bot.adapters.storage.backups import SqlBackupStore
from bot.adapters.storage.database import Database
from bot.adapters.storage.migrations import SchemaState, check
from bot.adapters.storage.restores import restorer_for
from bot.app.stream import stream_store
from bot.domain.errors import (
    BackupInvalid,
    ConfigurationFault,
    NotLeader,
    RestoreRefused,
    StorageUnavailable,
)
from bot.kit.clock import SystemClock
from bot.ops.backup import BackupFormat, BackupKind, Backups, BackupSettings, checksum_path
from bot.ops.restore import restore
from bot.ports.backups import BackupContents, OnAdvance
from bot.ports.stream import StreamBatch
from tests.fakes.stream import change, start, tick, trade
from tests.support.postgres import Server
from tests.support.rows import EPOCH, FENCED_ROWS, SCOPE, add, grant_lease, set_halt

_CLOCK = SystemClock()


def quiet(_done: int, _total: int | None, _words: str) -> None:
    """Progress that nobody watches."""


@pytest.fixture
def backups(database: Database, tmp_path: Path) -> Backups:
    settings = BackupSettings(directory=tmp_path / "backups")
    return Backups(SqlBackupStore(database), settings, _CLOCK)


@pytest.fixture
async def filled(database: Database) -> Database:
    await fill(database)
    return database


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def target_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A second, fresh and migrated database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'second' / 'kalshi.sqlite'}"
    factory: Callable[[], str] = request.getfixturevalue("postgres_factory")
    return factory()


async def fill(database: Database) -> None:
    """A leader at work, one row in every fenced table, messages and 5,000 snapshots."""
    await grant_lease(database)
    await set_halt(database, halted=False)
    for name in FENCED_ROWS:
        await add(database, name)
    async with database.begin() as connection:
        await connection.execute(
            insert(tables.market_snapshots), [_snapshot(n) for n in range(5_000)]
        )
        await connection.execute(
            insert(tables.quarantine).values(
                cycle_id="c", name="x", reason="odd", raw=bytes(range(256)), at_us=1
            )
        )
        await connection.execute(insert(tables.bot_instances).values(_INSTANCE))
        for update_id in (1, 2, 3):
            await connection.execute(insert(tables.command_inbox).values(_command(update_id)))
        # The last number was shown to people; its row is pruned.
        await connection.execute(text("DELETE FROM command_inbox WHERE update_id = 3"))


async def test_a_backup_holds_every_row_and_its_checksum(
    filled: Database, backups: Backups
) -> None:
    told: list[str] = []
    report = await backups.make(lambda _done, _total, words: told.append(words))
    assert report.manifest is not None
    assert report.manifest.counts == await counts(filled)
    assert report.manifest.counts["market_snapshots"] == 5_000
    assert checksum_path(report.path).read_text().split() == [report.sha256, report.path.name]
    assert told
    assert sorted(p.name for p in report.path.parent.iterdir()) == [
        report.path.name,
        f"{report.path.name}.sha256",
    ]


async def test_a_core_backup_leaves_out_what_was_collected(
    filled: Database, backups: Backups
) -> None:
    report = await backups.make(quiet, contents=BackupContents.CORE)
    assert report.path.name.startswith("kalshi_core_")
    assert report.manifest is not None
    everything = await counts(filled)
    assert report.manifest.counts == everything | {"market_snapshots": 0, "quarantine": 0}


async def test_the_nightly_backup_leaves_out_ticks_and_books_alone(
    filled: Database, backups: Backups, target_url: str
) -> None:
    stream = stream_store(filled.address)
    batch = StreamBatch(ticks=[tick()], starts=[start()], changes=[change()], trades=[trade()])
    await stream.append(batch, may_repeat=False)
    await stream.close()
    everything = await counts(filled)
    assert everything["market_ticks"] == everything["book_snapshots"] == 1
    report = await backups.make(quiet, kind=BackupKind.NIGHTLY, contents=BackupContents.USUAL)
    assert report.manifest is not None
    left_out = dict.fromkeys(("market_ticks", "book_snapshots", "book_deltas"), 0)
    assert report.manifest.counts == everything | left_out
    assert backups.newest() == report.path
    await restore(report.path, restorer_for(target_url), _CLOCK, quiet)
    restored = await Database.open(target_url)
    try:
        there = await counts(restored)
    finally:
        await restored.close()
    assert (there["market_snapshots"], there["market_trades"], there["market_ticks"]) == (
        5_000,
        1,
        0,
    )


def test_a_copy_of_a_large_table_ends_when_it_is_told(tmp_path: Path) -> None:
    source = tmp_path / "large.sqlite"
    with closing(sqlite3.connect(source)) as connection:
        connection.execute("CREATE TABLE only (n INTEGER PRIMARY KEY, words TEXT)")
        connection.execute(
            "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 600000)"
            " INSERT INTO only SELECT n, 'some words that take room' FROM c"
        )
        connection.commit()
    stop = threading.Event()

    def soon(_done: int, _total: int) -> None:
        threading.Timer(0.02, stop.set).start()

    with pytest.raises(StorageUnavailable, match="interrupted"):
        copy_without(source, tmp_path / "copy.sqlite", stop, soon, without=frozenset())


async def test_twenty_five_backups_of_a_database_being_written_are_all_good(
    filled: Database, backups: Backups
) -> None:
    """Snapshot and position move in one transaction: a torn copy would show one without the other."""
    stop = asyncio.Event()

    async def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            async with filled.begin() as connection:
                await connection.execute(
                    insert(tables.ingest_state).values(key=f"k{number}", value="v", updated_at_us=1)
                )
                await connection.execute(
                    text("UPDATE positions SET updated_us = :n, epoch = :e"),
                    {"n": number, "e": EPOCH},
                )

    seen: list[int] = []
    async with asyncio.TaskGroup() as group:
        group.create_task(write())
        try:
            for _ in range(25):
                path = (await backups.make(quiet, kind=BackupKind.NIGHTLY)).path
                with closing(sqlite3.connect(path)) as copy:
                    [rows] = copy.execute("SELECT count(*) FROM ingest_state").fetchone()
                    [updated] = copy.execute("SELECT updated_us FROM positions").fetchone()
                assert updated == max(rows, 1)
                seen.append(rows)
        finally:
            stop.set()
    assert seen == sorted(seen)
    assert seen[-1] > seen[0]


async def test_any_backup_restores_into_any_database(
    filled: Database, backups: Backups, target_url: str
) -> None:
    report = await backups.make(quiet)
    done = await restore(report.path, restorer_for(target_url), _CLOCK, quiet)
    assert done.warnings == ()
    restored = await Database.open(target_url)
    try:
        assert await check(restored) is SchemaState.CURRENT
        assert await counts(restored) == await counts(filled)
        for name in ("brackets", "fills", "market_snapshots", "quarantine", "schema_version"):
            assert await rows_of(restored, name) == await rows_of(filled, name), name
        async with restored.begin() as connection:
            number = await connection.scalar(
                insert(tables.command_inbox)
                .values(_command(9))
                .returning(tables.command_inbox.c.id)
            )
        assert number == 4
    finally:
        await restored.close()


async def test_after_a_restore_nobody_leads_everything_is_halted_and_epochs_are_new(
    filled: Database, backups: Backups, target_url: str
) -> None:
    report = await backups.make(quiet)
    await restore(report.path, restorer_for(target_url), _CLOCK, quiet)
    restored = await Database.open(target_url)
    try:
        [lease] = await rows_of(restored, "leader_lease")
        assert (lease["holder"], lease["expires_us"], lease["clean_release"]) == (None, 0, False)
        assert lease["epoch"] >= report.created_us // 1_000_000
        [risk] = await rows_of(restored, "risk_state")
        assert risk["halted"]
        assert report.path.name in risk["reason"]
        [instance] = await rows_of(restored, "bot_instances")
        assert (instance["is_active"], instance["stop_reason"]) == (False, "restored")
        assert {row["state"] for row in await rows_of(restored, "command_inbox")} == {"done"}
        with pytest.raises(NotLeader):
            await add(restored, "fills", fill_id="late")
    finally:
        await restored.close()


async def test_work_goes_on_after_backup_wipe_and_restore(
    filled: Database, backups: Backups, database_url: str, tmp_path: Path
) -> None:
    report = await backups.make(quiet)
    await filled.close()
    await wipe(database_url)
    done = await restore(report.path, restorer_for(database_url), _CLOCK, quiet)
    assert (done.kept is None) == database_url.startswith("sqlite")
    again = await Database.open(database_url)
    try:
        await grant_lease(again)
        await set_halt(again, halted=False)
        await add(again, "fills", fill_id="next")
        assert (await counts(again))["fills"] == 2
    finally:
        await again.close()


async def test_what_is_replaced_is_kept(
    filled: Database, backups: Backups, database_url: str
) -> None:
    report = await backups.make(quiet)
    await add(filled, "fills", fill_id="after the backup")
    await filled.close()
    done = await restore(report.path, restorer_for(database_url), _CLOCK, quiet, force=True)
    assert done.kept is not None
    if database_url.startswith("sqlite"):
        old, query = await Database.open(f"sqlite:///{done.kept}"), "SELECT count(*) FROM fills"
    else:
        schema = done.kept.removeprefix("schema ")
        old, query = await Database.open(database_url), f'SELECT count(*) FROM "{schema}".fills'
    async with old.read() as connection:
        assert await connection.scalar(text(query)) == 2
    await old.close()
    now = await Database.open(database_url)
    assert (await counts(now))["fills"] == 1
    await now.close()


async def test_a_live_leader_stops_a_restore_unless_forced(
    filled: Database, backups: Backups, database_url: str
) -> None:
    report = await backups.make(quiet)
    with pytest.raises(RestoreRefused, match=f"me leads {SCOPE}"):
        await restore(report.path, restorer_for(database_url), _CLOCK, quiet)
    await grant_lease(filled, seconds=-1)
    await filled.close()
    await restore(report.path, restorer_for(database_url), _CLOCK, quiet)


async def test_a_damaged_backup_is_refused_and_changes_nothing(
    filled: Database, backups: Backups, database_url: str
) -> None:
    report = await backups.make(quiet)
    before = await counts(filled)
    await filled.close()
    whole = report.path.read_bytes()
    checksum = checksum_path(report.path)
    damages = {
        "one byte": bytes([*whole[:5_000], whole[5_000] ^ 1, *whole[5_001:]]),
        "cut": whole[: len(whole) // 2],
        "empty": b"",
        "other": b"not a database" * 100,
    }
    for name, damaged in damages.items():
        report.path.write_bytes(damaged)
        with pytest.raises(BackupInvalid):
            await restore(report.path, restorer_for(database_url), _CLOCK, quiet, force=True)
        if name != "one byte":
            kept = checksum.rename(checksum.with_suffix(".away"))
            with pytest.raises(BackupInvalid):
                await restore(report.path, restorer_for(database_url), _CLOCK, quiet, force=True)
            kept.rename(checksum)
    again = await Database.open(database_url)
    assert await counts(again) == before
    await again.close()


async def test_a_backup_that_lost_rows_is_refused_without_its_checksum(
    filled: Database, backups: Backups, target_url: str
) -> None:
    report = await backups.make(quiet)
    checksum_path(report.path).unlink()
    with closing(sqlite3.connect(report.path)) as copy:
        copy.execute("DELETE FROM market_snapshots WHERE id = 77")
        copy.commit()
    with pytest.raises(BackupInvalid, match="market_snapshots"):
        await restore(report.path, restorer_for(target_url), _CLOCK, quiet)


async def test_an_interrupted_backup_leaves_no_file(
    filled: Database, backups: Backups, tmp_path: Path
) -> None:
    for moment in (1, 2, 4):
        await cancelled_at(moment, backups.make)
        assert list((tmp_path / "backups").iterdir()) == []
    assert (await backups.make(quiet)).path.exists()


async def test_an_interrupted_restore_changes_nothing(
    filled: Database, backups: Backups, database_url: str
) -> None:
    report = await backups.make(quiet)
    await add(filled, "fills", fill_id="after the backup")
    before = await counts(filled)
    await filled.close()

    async def begin(on_advance: OnAdvance) -> None:
        await restore(report.path, restorer_for(database_url), _CLOCK, on_advance, force=True)

    for moment in (1, 3, 4):
        await cancelled_at(moment, begin)
        again = await Database.open(database_url)
        assert await counts(again) == before
        await again.close()


async def cancelled_at(moment: int, work: Callable[[OnAdvance], Awaitable[object]]) -> None:
    """Cancel ``work`` when it tells of its progress for the so-manieth time."""
    told = 0

    def count(_done: int, _total: int | None, _words: str) -> None:
        nonlocal told
        told += 1
        if told == moment:
            task.cancel()

    async def run() -> None:
        await work(count)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(run())
    assert task.cancelled()


async def test_a_newer_backup_is_refused(
    filled: Database, backups: Backups, target_url: str
) -> None:
    async with filled.begin() as connection:
        await connection.execute(
            insert(tables.schema_version).values(
                version=9_999, revision="9999", min_code_version=1, applied_at_us=1
            )
        )
    report = await backups.make(quiet)
    with pytest.raises(BackupInvalid, match="newer build"):
        await restore(report.path, restorer_for(target_url), _CLOCK, quiet)


async def test_a_native_dump_can_be_listed_by_its_own_tools(
    postgres_url: str, postgres_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not (postgres_server.bin_dir / "pg_dump").exists():
        pytest.skip("this PostgreSQL comes without pg_dump")
    monkeypatch.setenv("PATH", str(postgres_server.bin_dir))
    database = await Database.open(postgres_url)
    await fill(database)
    made = Backups(SqlBackupStore(database), BackupSettings(directory=tmp_path), _CLOCK)
    report = await made.make(quiet, form=BackupFormat.PG_DUMP)
    await database.close()
    assert report.path.suffix == ".dump"
    listing = await asyncio.create_subprocess_exec(
        str(postgres_server.bin_dir / "pg_restore"),
        "--list",
        str(report.path),
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await listing.communicate()
    assert listing.returncode == 0
    assert b"TABLE DATA public market_snapshots" in said


async def test_sqlite_has_no_native_dump(sqlite_url: str, tmp_path: Path) -> None:
    database = await Database.open(sqlite_url)
    made = Backups(SqlBackupStore(database), BackupSettings(directory=tmp_path / "b"), _CLOCK)
    with pytest.raises(ConfigurationFault, match="pg_dump"):
        await made.make(quiet, form=BackupFormat.PG_DUMP)
    assert list((tmp_path / "b").iterdir()) == []
    await database.close()


async def counts(database: Database) -> dict[str, int]:
    """Rows of every table, Alembic's included."""
    found = {}
    async with database.read() as connection:
        for table in tables.metadata.sorted_tables:
            found[table.name] = await connection.scalar(select(func.count()).select_from(table))
        found["alembic_version"] = await connection.scalar(
            text("SELECT count(*) FROM alembic_version")
        )
    return found


async def rows_of(database: Database, name: str) -> list[dict[str, Any]]:
    """Every written column of every row, in the order of the first column."""
    table = tables.metadata.tables[name]
    columns = [column for column in table.c if column.computed is None]
    async with database.read() as connection:
        found = await connection.execute(select(*columns).order_by(columns[0]))
        return [dict(row) for row in found.mappings()]


async def wipe(url: str) -> None:
    """Lose everything."""
    if url.startswith("sqlite"):
        path = Path(url.removeprefix("sqlite:///"))
        for each in path.parent.glob(f"{path.name}*"):
            each.unlink()
        return
    database = await Database.open(url)
    async with database.begin() as connection:
        await connection.run_sync(_delete_all)
    await database.close()


def _delete_all(connection: Any) -> None:
    connection.exec_driver_sql("DELETE FROM leader_lease")
    for table in tables.metadata.sorted_tables:
        if table.name != "schema_version":
            connection.execute(table.delete())


def _snapshot(number: int) -> dict[str, Any]:
    return {
        "market_id": f"KX{number}",
        "snapshot_hour_utc": "2026-11-21T07:00:00Z",
        "payload_json": '{"title": "äöü \\u0000?"}' * 5,
        "created_at_utc": "2026-11-21T07:00:01Z",
        "event_ticker": "KXFED",
        "macro_event_type": "FED",
        "yes_bid_e4": None if number % 3 else number,
        "volume_24h_e2": number * 10**12,
        "open_interest_e2": 0,
        "close_us": 1,
    }


def _command(update_id: int) -> dict[str, Any]:
    return {
        "scope": SCOPE,
        "channel": "telegram",
        "bot_id": 1,
        "update_id": update_id,
        "payload_json": "{}",
        "lane": "ordinary",
        "state": "new",
        "attempts": 0,
        "received_us": 1,
    }


_INSTANCE: dict[str, Any] = {
    "instance_id": "me",
    "scope": SCOPE,
    "deployment_id": "d1",
    "generation": 1,
    "host": "h",
    "pid": 1,
    "code_version": "1",
    "state": "leading",
    "is_active": True,
    "decided_by": "me",
    "decided_us": 1,
    "started_us": 1,
    "heartbeat_us": 1,
}
