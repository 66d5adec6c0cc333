"""A whole cycle on the real databases: killed, resumed, repeated, and the values it stores."""

import asyncio
import json
from random import Random

from sqlalchemy import text

from bot.adapters.storage.collection import SqlCollectionStore
from bot.collect.settings import CollectSettings
from bot.collect.snapshots import Collector
from bot.kit.ids import IdFactory
from bot.ports.collection import CycleOutcome
from tests.fakes.clock import ManualClock
from tests.fakes.listing import ScriptedListing, listed, page, paged, unreadable


def collector(database, tmp_path, listing) -> Collector:
    clock = ManualClock()
    settings = CollectSettings(
        series=tuple(listing.pages),
        reports_dir=tmp_path / "reports",
        status_file=tmp_path / "status.json",
    )
    store = SqlCollectionStore(database)
    return Collector(settings, listing, store, clock, IdFactory(clock, Random()))


async def rows(database, sql: str) -> list:
    async with database.read() as connection:
        return [dict(row) for row in (await connection.execute(text(sql))).mappings()]


async def test_a_killed_cycle_is_completed_by_the_next_run(database, tmp_path) -> None:
    pages = {"KXFED": paged("KXFED", [30, 20, 10]), "KXCPI": paged("KXCPI", [5, 5])}
    reached = asyncio.Event()

    async def hang(series: str, cursor: str) -> None:
        if (series, cursor) == ("KXFED", "c2"):
            reached.set()
            await asyncio.Event().wait()

    async with asyncio.TaskGroup() as group:
        run = group.create_task(collector(database, tmp_path, ScriptedListing(pages, hang)).run())
        await reached.wait()
        run.cancel()
    [stopped] = await rows(database, "SELECT * FROM collect_cycles")
    assert stopped["outcome"] == "running"

    listing = ScriptedListing(pages)
    report = await collector(database, tmp_path, listing).run()
    assert ("KXFED", "") not in listing.asked
    assert (report.is_success, report.cycle.scanned, report.cycle.inserted) == (True, 70, 70)
    [count] = await rows(database, "SELECT count(*) AS n FROM market_snapshots")
    assert count["n"] == 70
    [cycle] = await rows(database, "SELECT * FROM collect_cycles")
    assert (cycle["outcome"], cycle["attempt"], cycle["inserted"]) == ("complete", 2, 70)


async def test_a_repeat_inserts_nothing_and_says_so(database, tmp_path) -> None:
    listing = ScriptedListing({"KXFED": paged("KXFED", [3])})
    await collector(database, tmp_path, listing).run()
    again = await collector(database, tmp_path, listing).run()
    assert (again.cycle.scanned, again.cycle.inserted) == (3, 0)
    status = {row["key"]: row["value"] for row in await rows(database, "SELECT * FROM status")}
    assert status["cycle_count"] == "2"
    assert status["last_cycle_id"] == again.cycle.cycle_id
    assert json.loads((tmp_path / "status.json").read_text()) == status


async def test_every_column_of_a_snapshot_has_its_unit(database, tmp_path) -> None:
    one = listed("KXFED-26DEC-T3.75", bid=400, ask=None, close_us=1_800_000_000_000_000)
    listing = ScriptedListing({"KXFED": {"": page(one, unreadable("KXFED-BAD"))}})
    report = await collector(database, tmp_path, listing).run()
    assert report.cycle.outcome is CycleOutcome.COMPLETE
    [kept] = await rows(database, "SELECT payload_json FROM market_snapshots")
    assert json.loads(kept["payload_json"]) == {"in": "snapshots"}
    [row] = await rows(database, "SELECT * FROM snapshots")
    del row["id"]
    assert row == {
        "market_id": "KXFED-26DEC-T3.75",
        "snapshot_hour_utc": "2026-11-21T07:00:00Z",
        "payload_json": '{"ticker":"KXFED-26DEC-T3.75"}',
        "created_at_utc": "2026-11-21T07:15:00Z",
        "event_ticker": "KXFED-26DEC",
        "series_ticker": "KXFED",
        "macro_event_type": "fed_rate",
        "probability_bucket": None,
        "yes_bid_e4": 400,
        "yes_ask_e4": None,
        "volume_24h_e2": 100,
        "open_interest_e2": 200,
        "close_us": 1_800_000_000_000_000,
    }
    [kept] = await rows(database, "SELECT cycle_id, name, reason, raw FROM quarantine")
    assert kept == {
        "cycle_id": report.cycle.cycle_id,
        "name": "KXFED-BAD",
        "reason": "no close_time",
        "raw": b'{"ticker":"KXFED-BAD"}',
    }
