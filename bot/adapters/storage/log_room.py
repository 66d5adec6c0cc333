"""Room in SQLite's write-ahead log before an order needs it.

The log is kept and written over again once it has reached its size, but after a start it is
empty. A sync of a file that has just grown waits for the file system's journal as well,
and so for everybody else's writes: milliseconds, now and then, instead of a third of one.
"""

import sqlite3
from pathlib import Path

ROOM_PAGES = 1_000
"""As many as SQLite lets the log have before it is copied back and begun anew."""
ORDER_CHECKPOINT_PAGES = 4_000
"""An order's commit copies the log back only if nobody else has for so long."""
_FEW_PAGES = 10


def make_room(connection: sqlite3.Connection, path: Path) -> bool:
    """See that the log of the database at ``path`` has its size; whether it had to grow.

    The log is filled by a transaction too large for the cache and then undone, so the
    database is as it was. Waits for the write lock as every write does.

    Raises:
        sqlite3.Error: there is no room, or somebody else keeps the lock.
    """
    log = path.with_name(f"{path.name}-wal")
    page = _asked(connection, "page_size")
    room = ROOM_PAGES * page
    if log.exists() and log.stat().st_size >= room:
        return False
    cache = _asked(connection, "cache_size")
    try:
        connection.execute(f"PRAGMA cache_size = {_FEW_PAGES}")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("CREATE TABLE room_for_the_log (filler BLOB)")
        connection.execute(
            "INSERT INTO room_for_the_log VALUES (zeroblob(?))",
            (room + _FEW_PAGES * page,),  # the last ones may stay in the cache
        )
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        connection.execute(f"PRAGMA cache_size = {cache}")
    # A commit that changes nothing: its sync brings the whole file to the disk.
    connection.execute(f"PRAGMA user_version = {_asked(connection, 'user_version')}")
    # The schema was forgotten with what was undone; the next statement must not wait for it.
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return True


def _asked(connection: sqlite3.Connection, pragma: str) -> int:
    found: int = connection.execute(f"PRAGMA {pragma}").fetchone()[0]
    return found
