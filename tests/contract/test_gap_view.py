"""The SQL of the runbook and the command find the same missing hours."""

from random import Random

import pytest
from sqlalchemy import text

from bot.adapters.storage import tables, tables_gaps
from bot.adapters.storage.collection import SqlCollectionStore
from bot.adapters.storage.gaps import SqlGapStore
from bot.collect.gaps import find_gaps, hours_between
from bot.kit.times import HOUR_US, parse_rfc3339
from bot.ports.collection import Cycle, CycleOutcome
from tests.fakes.collection import snapshot

DAY = [f"2026-11-21T{hour:02d}:00:00Z" for hour in range(24)]


async def test_the_view_and_the_command_agree(database) -> None:
    store = SqlCollectionStore(database)
    for number in (0, 3, 4, 9, 23):
        cycle = await store.open_cycle(_cycle(number))
        await store.save_page(cycle, [snapshot("A", DAY[number])], [])
    async with database.read() as connection:
        rows = (await connection.execute(text("SELECT * FROM missing_hours"))).all()
    report = await find_gaps(store, SqlGapStore(database))
    found = [hour for gap in report.gaps for hour in hours_between(gap.first_hour, gap.last_hour)]
    assert [row.snapshot_hour_utc for row in rows] == found
    assert len(found) == 19
    assert (
        {row.reason for row in rows}
        == {gap.reason for gap in report.gaps}
        == {"the bot was not running"}
    )


_STATES = ("open", "closed", "unreachable", "trading_paused")
_ERRORS = (
    None,
    "database: gone",
    "KXFED: ExchangeUnavailable: HTTP 503",
    "cut in half",
    "does not answer",
)


@pytest.mark.parametrize("seed", range(12))
async def test_the_view_and_the_command_give_the_same_reasons(database, seed) -> None:
    random = Random(seed)
    store, facts = SqlCollectionStore(database), SqlGapStore(database)
    async with database.begin() as connection:
        for statement, rows in _history(random).items():
            await connection.execute(statement, rows)
    async with database.read() as connection:
        rows = (await connection.execute(text("SELECT * FROM missing_hours"))).all()
        markets = (await connection.execute(text("SELECT * FROM missing_markets"))).all()
    report = await find_gaps(store, facts)
    expected = [
        (hour, gap.reason.value)
        for gap in report.gaps
        for hour in hours_between(gap.first_hour, gap.last_hour)
    ]
    empty = {row.snapshot_hour_utc for row in rows} - {hour for hour, _ in expected}
    found = [
        (row.snapshot_hour_utc, row.reason) for row in rows if row.snapshot_hour_utc not in empty
    ]
    assert found == expected
    assert all(
        row.reason.endswith("rows are gone") for row in rows if row.snapshot_hour_utc in empty
    )
    holes = await facts.market_holes(DAY[0], DAY[-1], None, 10_000)
    assert [(row.snapshot_hour_utc, row.market_id) for row in markets] == [
        (hole.hour, hole.market) for hole in holes
    ]


def _history(random: Random) -> dict:
    """A day in which some hours have rows, some a cycle that went wrong, some nothing."""
    start_us = parse_rfc3339(DAY[0])
    snapshots, cycles, states, lives = [], [], [], []
    for number, hour in enumerate(DAY):
        begin_us = start_us + number * HOUR_US
        if number in (0, 23) or random.random() < 0.4:
            snapshots += [_row(name, hour) for name in random.sample("ABCD", random.randint(1, 4))]
        for attempt in range(random.randint(0, 2)):
            outcome = random.choice(["failed", "partial", "interrupted", "complete"])
            cycles.append(
                {
                    "cycle_id": f"c{number}-{attempt}",
                    "mode": "collect",
                    "snapshot_hour_utc": hour,
                    "outcome": outcome,
                    "scanned": 5,
                    "inserted": 5,
                    "errors": 0,
                    "started_us": begin_us + attempt * 60_000_000,
                    "finished_us": random.choice([None, begin_us + 600_000_000]),
                    "progress_json": _PROGRESS,
                    "error": random.choice(_ERRORS),
                }
            )
        if random.random() < 0.4:
            until_us = begin_us + random.randint(0, HOUR_US)
            states.append(
                {
                    "since_us": begin_us,
                    "until_us": until_us,
                    "state": random.choice(_STATES),
                    "detail": "",
                }
            )
        if random.random() < 0.2:
            lives.append(_life(f"i{number}", begin_us + HOUR_US // 2))
    closed_us = start_us + random.randint(0, 23) * HOUR_US
    closure = {"start_us": closed_us, "end_us": closed_us + 2 * HOUR_US, "seen_us": 1}
    filled = {
        tables.market_snapshots.insert(): snapshots,
        tables.collect_cycles.insert(): cycles,
        tables_gaps.exchange_states.insert(): states,
        tables.bot_instances.insert(): lives,
        tables_gaps.exchange_closures.insert(): [closure | {"kind": "maintenance"}],
    }
    return {statement: rows for statement, rows in filled.items() if rows}


_PROGRESS = '{"series": [{"series": "KXFED", "scanned": 5, "is_done": true}]}'


def _row(name: str, hour: str) -> dict:
    return {
        "market_id": name,
        "snapshot_hour_utc": hour,
        "payload_json": "{}",
        "created_at_utc": hour,
        "event_ticker": "E",
        "series_ticker": "KXFED",
        "macro_event_type": "fed_rate",
        "volume_24h_e2": 0,
        "open_interest_e2": 0,
        "close_us": 0,
    }


def _life(name: str, started_us: int) -> dict:
    return {
        "instance_id": name,
        "scope": "paper:main:0",
        "deployment_id": "d",
        "generation": 1,
        "host": "h",
        "pid": 1,
        "code_version": "1",
        "state": "stopped",
        "is_active": False,
        "decided_by": name,
        "decided_us": 1,
        "started_us": started_us,
        "heartbeat_us": started_us + HOUR_US,
        "stopped_us": None,
    }


def _cycle(number: int) -> Cycle:
    return Cycle(
        cycle_id=f"c{number}",
        mode="collect",
        snapshot_hour_utc=DAY[number],
        attempt=1,
        outcome=CycleOutcome.RUNNING,
        started_us=number,
    )
