"""One bare commit: the row of an intent, put into the bot's own database by the driver alone.

What the bot pays for durability is compared with this, taken in the same run on the same
disk. The row is a copy of one that the bot wrote, under a name of its own, so the same
triggers, indices and checks are passed. An entry's row carries its decision while its order
waits and is relieved of it afterwards: the copy carries as much of the decision as is kept.
"""

# ruff: noqa: S608 - the names come from the catalogue

import sqlite3
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from time import perf_counter_ns
from typing import Any, TypeAlias

import asyncpg  # type: ignore[import-untyped]

BareCommit: TypeAlias = Callable[[], Awaitable[int]]
"""Commits one row; how long that took, in nanoseconds."""

_KEY = "client_order_id"
_DECISION = "decision_json"
_DECIDED = (
    "SELECT s.case_json || b.data_json AS decided FROM order_intents i"
    " JOIN signals s ON s.signal_id = i.signal_id JOIN brackets b ON b.bracket_id = i.bracket_id"
    " WHERE i.purpose = 'entry' LIMIT 1"
)


async def sqlite_commit(path: Path) -> BareCommit:
    """As durable as the bot's own: a log, synced at every commit."""
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")
    # Computed columns are not written: they are marked as hidden.
    described = connection.execute("PRAGMA table_xinfo(order_intents)").fetchall()
    names = [name for _, name, *_, hidden in described if not hidden]
    row = connection.execute(f"SELECT {', '.join(names)} FROM order_intents LIMIT 1").fetchone()
    row = _with(row, names.index(_DECISION), connection.execute(_DECIDED).fetchone()[0])
    marks = ", ".join("?" for _ in names)
    insert = f"INSERT INTO order_intents ({', '.join(names)}) VALUES ({marks})"
    at, numbers = names.index(_KEY), count()

    async def commit() -> int:
        values = _with(row, at, f"bare-{next(numbers)}")
        began_ns = perf_counter_ns()
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(insert, values)
        connection.execute("COMMIT")
        return perf_counter_ns() - began_ns

    return commit


async def postgres_commit(url: str) -> BareCommit:
    """One prepared statement that commits by itself: one round trip."""
    connection: Any = await asyncpg.connect(url)
    described = await connection.fetch(
        "SELECT column_name FROM information_schema.columns"
        " WHERE table_name = 'order_intents' AND is_generated = 'NEVER' ORDER BY ordinal_position"
    )
    names = [one["column_name"] for one in described]
    row = await connection.fetchrow(f"SELECT {', '.join(names)} FROM order_intents LIMIT 1")
    marks = ", ".join(f"${number + 1}" for number in range(len(names)))
    insert = f"INSERT INTO order_intents ({', '.join(names)}) VALUES ({marks})"
    at, numbers = names.index(_KEY), count()
    decided = await connection.fetchval(_DECIDED)
    kept = _with(tuple(row.values()), names.index(_DECISION), decided)

    async def commit() -> int:
        values = _with(kept, at, f"bare-{next(numbers)}")
        began_ns = perf_counter_ns()
        await connection.execute(insert, *values)
        return perf_counter_ns() - began_ns

    return commit


def _with(row: tuple[object, ...], at: int, value: object) -> tuple[object, ...]:
    return (*row[:at], value, *row[at + 1 :])
