"""What was stored of one market, read back for people and for machines."""

from pathlib import Path

import pytest

from bot.adapters.storage.collection import SqlCollectionStore
from bot.adapters.storage.database import Database
from bot.app.stored_snapshots import read_stored_snapshots
from bot.ports.collection import Cycle, CycleOutcome
from tests.fakes.collection import snapshot
from tests.unit.app.support import settings_at

pytestmark = pytest.mark.looptime(False)

HOURS = ["2026-11-21T07:00:00Z", "2026-11-21T08:00:00Z"]


async def test_hours_come_newest_first_with_the_payload_as_received(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    store = SqlCollectionStore(database)
    cycle = await store.open_cycle(
        Cycle(
            cycle_id="c",
            mode="collect",
            snapshot_hour_utc=HOURS[0],
            attempt=1,
            outcome=CycleOutcome.RUNNING,
            started_us=1,
        )
    )
    page = [
        snapshot("A", HOURS[0], payload_json='{"yes_bid_dollars":"0.4700"}'),
        snapshot("A", HOURS[1], payload_json="half a p", yes_bid=None, probability_bucket=None),
    ]
    await store.save_page(cycle, page, [])
    settings = settings_at(database_url, tmp_path)
    newest, first = await read_stored_snapshots(settings, "A", hour=None, last=5)
    assert newest.facts["payload"] == "half a p"
    assert first.facts["payload"] == {"yes_bid_dollars": "0.4700"}
    assert first.line == (
        "2026-11-21T07:00:00Z  bid 0.4700  ask 0.5200  bucket 0.35-0.65  volume 24h 1.00"
        "  open interest 2.00  fed_rate"
    )
    assert newest.line.startswith("2026-11-21T08:00:00Z  bid -  ask 0.5200  bucket -")
    [only] = await read_stored_snapshots(settings, "A", hour=HOURS[0], last=5)
    assert only == first
    assert await read_stored_snapshots(settings, "B", hour=None, last=5) == []
