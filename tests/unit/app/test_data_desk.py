"""What the chat is told about collected data is what the command line is told."""

from pathlib import Path

import pytest

from bot.adapters.storage.collection import SqlCollectionStore
from bot.adapters.storage.database import Database
from bot.app.data_desk import DataDesk
from bot.kit.times import HOUR_US, hour_key
from bot.ports.collection import Cycle, CycleOutcome
from tests.fakes.collection import snapshot
from tests.fakes.listing import ScriptedListing
from tests.unit.app.test_chores import Bench

pytestmark = pytest.mark.looptime(False)


@pytest.fixture
async def desk(database: Database, tmp_path: Path) -> DataDesk:
    """Ten days ago an hour was stored, then two of the last three."""
    bench = Bench(database, tmp_path, ScriptedListing({}))
    store = SqlCollectionStore(database)
    for ago, markets in ((240, "AB"), (3, "AB"), (2, ""), (1, "A"), (0, "AB")):
        if not markets:
            continue
        hour = hour_key(bench.slot_us - ago * HOUR_US)
        cycle = await store.open_cycle(
            Cycle(
                cycle_id=f"c{ago}",
                mode="collect",
                snapshot_hour_utc=hour,
                attempt=1,
                outcome=CycleOutcome.RUNNING,
                started_us=bench.slot_us - ago * HOUR_US,
            )
        )
        at = hour.replace(":00:00Z", ":00:07Z")
        rows = [snapshot(name, hour, created_at_utc=at, close_us=10**17) for name in markets]
        await store.save_page(cycle, rows, [])
    return DataDesk(bench.running)


async def test_gaps_are_all_hours_and_the_details_of_a_week(desk: DataDesk) -> None:
    view = await desk.gaps()
    assert (view.hours_expected, len(view.missing)) == (241, 237)
    assert view.reasons == (("the bot was not running", 237),)
    assert (view.markets_missing, view.stream_gaps, view.detail_hours) == (1, 0, 168)


async def test_quality_is_of_the_newest_hour(desk: DataDesk) -> None:
    view = await desk.quality()
    assert (view.snapshots, view.wrong, view.findings) == (2, 0, ())
