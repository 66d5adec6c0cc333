"""Room in the log: it is there, nothing else has changed, and nobody needs it to work."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bot.adapters.storage.database import Database
from bot.adapters.storage.log_room import ROOM_PAGES, make_room

ROOM_BYTES = ROOM_PAGES * 4_096


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "kalshi.sqlite"
    with closing(_open(path)) as connection:
        connection.execute("CREATE TABLE kept (a TEXT PRIMARY KEY)")
        connection.execute("INSERT INTO kept VALUES ('old')")
        connection.execute("PRAGMA user_version = 17")
    return path


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=0.1)
    connection.execute("PRAGMA journal_mode = WAL")
    return connection


def _log_bytes(path: Path) -> int:
    return path.with_name(f"{path.name}-wal").stat().st_size


def _state(connection: sqlite3.Connection) -> list[object]:
    asked = ("SELECT * FROM kept", "SELECT name FROM sqlite_master", "PRAGMA user_version")
    pragmas = ("PRAGMA page_count", "PRAGMA cache_size", "PRAGMA integrity_check")
    return [connection.execute(one).fetchall() for one in (*asked, *pragmas)]


def test_the_log_grows_and_the_database_stays_as_it_was(path: Path) -> None:
    with closing(_open(path)) as connection:
        before = _state(connection)
        assert make_room(connection, path)
        assert _log_bytes(path) >= ROOM_BYTES
        assert _state(connection) == before
        connection.execute("INSERT INTO kept VALUES ('new')")
        assert _log_bytes(path) < ROOM_BYTES + 100_000
        with closing(_open(path)) as other:
            assert other.execute("SELECT count(*) FROM kept").fetchone() == (2,)


def test_room_that_is_there_is_not_made_again(path: Path) -> None:
    with closing(_open(path)) as connection:
        assert make_room(connection, path)
        assert not make_room(connection, path)


def test_what_was_committed_before_survives(path: Path) -> None:
    with closing(_open(path)) as connection:
        connection.execute("INSERT INTO kept VALUES ('in the log')")
        assert make_room(connection, path)
        # As after a kill: the log is read from its file again.
        copy = path.with_name("copy.sqlite")
        copy.write_bytes(path.read_bytes())
        path.with_name("copy.sqlite-wal").write_bytes(
            path.with_name(f"{path.name}-wal").read_bytes()
        )
    with closing(_open(copy)) as killed:
        assert killed.execute("SELECT a FROM kept ORDER BY a").fetchall() == [
            ("in the log",),
            ("old",),
        ]


def test_under_a_foreign_lock_it_gives_up_and_leaves_a_sound_connection(path: Path) -> None:
    with closing(_open(path)) as other, closing(_open(path)) as connection:
        before = _state(connection)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            make_room(connection, path)
        other.execute("ROLLBACK")
        assert _state(connection) == before
        connection.execute("INSERT INTO kept VALUES ('new')")


@pytest.mark.looptime(False)
async def test_a_leader_makes_it_before_it_trades(sqlite_url: str) -> None:
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    database = await Database.open(sqlite_url)
    await database.prepare_writes()
    assert _log_bytes(path) >= ROOM_BYTES
    await database.prepare_writes()
    await database.close()


@pytest.mark.looptime(False)
async def test_a_database_that_is_locked_is_led_without_it(sqlite_url: str, caplog) -> None:
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    database = await Database.open(sqlite_url)
    with closing(_open(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        await database.prepare_writes()
        other.execute("ROLLBACK")
    assert "slower" in caplog.text
    await database.close()


@pytest.mark.looptime(False)
@pytest.mark.postgres
async def test_postgresql_is_connected_to_beforehand(postgres_url: str) -> None:
    database = await Database.open(postgres_url)
    await database.prepare_writes()
    await database.prepare_writes()
    await database.close()
