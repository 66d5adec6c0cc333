"""The SQL of the runbook and the command find the same missing hours."""

from sqlalchemy import text

from bot.adapters.storage.collection import SqlCollectionStore
from bot.collect.gaps import find_gaps, hours_between
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
    report = await find_gaps(store)
    found = [hour for gap in report.gaps for hour in hours_between(gap.first_hour, gap.last_hour)]
    assert [row.snapshot_hour_utc for row in rows] == found
    assert len(found) == 19
    assert {row.reason for row in rows} == {gap.reason for gap in report.gaps} == {"no cycle ran"}


def _cycle(number: int) -> Cycle:
    return Cycle(
        cycle_id=f"c{number}",
        mode="collect",
        snapshot_hour_utc=DAY[number],
        attempt=1,
        outcome=CycleOutcome.RUNNING,
        started_us=number,
    )
