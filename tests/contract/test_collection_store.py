"""Every ``CollectionStore`` counts exactly, and obeys one attempt at a time."""

import asyncio
from dataclasses import replace

import pytest

from bot.adapters.storage.collection import SqlCollectionStore
from bot.adapters.storage.database import Database
from bot.domain.errors import CycleTakenOver
from bot.domain.ids import SeriesTicker
from bot.ports.collection import (
    Cycle,
    CycleOutcome,
    QuarantinedItem,
    SeriesProgress,
)
from tests.fakes.collection import MemoryCollectionStore, snapshot

FED, CPI = SeriesTicker("KXFED"), SeriesTicker("KXCPI")
HOUR = "2026-11-21T07:00:00Z"
NEXT_HOUR = "2026-11-21T08:00:00Z"


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request):
    return None if request.param == "memory" else request.getfixturevalue(f"{request.param}_url")


@pytest.fixture
async def store(url):
    if url is None:
        yield MemoryCollectionStore()
        return
    database = await Database.open(url)
    yield SqlCollectionStore(database)
    await database.close()


pytestmark = pytest.mark.looptime(False)


def fresh(cycle_id: str = "c1", hour: str = HOUR, started_us: int = 1_000) -> Cycle:
    return Cycle(
        cycle_id=cycle_id,
        mode="collect",
        snapshot_hour_utc=hour,
        attempt=1,
        outcome=CycleOutcome.RUNNING,
        started_us=started_us,
    )


def at_page(cycle: Cycle, cursor: str = "x", scanned: int = 2) -> Cycle:
    progress = SeriesProgress(series=FED, cursor=cursor, pages=1, scanned=scanned)
    return replace(cycle, progress=(progress,))


def ended(cycle: Cycle, outcome: CycleOutcome = CycleOutcome.COMPLETE, error=None) -> Cycle:
    return replace(cycle, outcome=outcome, error=error)


async def test_only_new_rows_are_counted(store) -> None:
    cycle = await store.open_cycle(fresh())
    page = [snapshot("A"), snapshot("B")]
    assert await store.save_page(cycle, page, []) == 2
    assert await store.save_page(cycle, page, []) == 0
    assert await store.save_page(cycle, [snapshot("B"), snapshot("C")], []) == 1
    assert await store.save_page(cycle, [snapshot("A", NEXT_HOUR)], []) == 1
    [stored] = await store.cycles(HOUR, HOUR)
    assert stored.inserted == 4


async def test_a_market_listed_twice_on_a_page_is_one_row(store) -> None:
    cycle = await store.open_cycle(fresh())
    twice = [snapshot("A"), snapshot("B"), snapshot("A", probability_bucket=None)]
    assert await store.save_page(cycle, twice, []) == 2


async def test_an_empty_page_stores_progress_alone(store) -> None:
    cycle = await store.open_cycle(fresh())
    assert await store.save_page(at_page(cycle), [], []) == 0
    [stored] = await store.cycles(HOUR, HOUR)
    assert stored.progress == at_page(cycle).progress


async def test_a_full_page_of_the_venue_is_one_call(store) -> None:
    cycle = await store.open_cycle(fresh())
    page = [snapshot(f"M{number}") for number in range(1_000)]
    assert await store.save_page(cycle, page, []) == 1_000
    assert await store.save_page(cycle, [*page, snapshot("one more")], []) == 1


async def test_fields_may_be_absent(store) -> None:
    cycle = await store.open_cycle(fresh())
    bare = snapshot("A", series_ticker=None, probability_bucket=None, yes_bid=None, yes_ask=None)
    assert await store.save_page(cycle, [bare], []) == 1


async def test_an_unfinished_cycle_of_the_hour_is_taken_over_with_its_progress(store) -> None:
    first = await store.open_cycle(fresh("c1"))
    await store.save_page(at_page(first), [snapshot("A"), snapshot("B")], [])
    second = await store.open_cycle(fresh("c2", started_us=2_000))
    assert (second.cycle_id, second.attempt, second.inserted) == ("c1", 2, 2)
    assert second.progress == at_page(first).progress
    assert second.started_us == 1_000


async def test_an_attempt_that_was_taken_over_changes_nothing(store) -> None:
    old = await store.open_cycle(fresh("c1"))
    new = await store.open_cycle(fresh("c2"))
    with pytest.raises(CycleTakenOver):
        await store.save_page(at_page(old, scanned=99), [], [])
    with pytest.raises(CycleTakenOver):
        await store.finish_cycle(ended(old), {"last_mode": "collect"}, 5_000)
    assert await store.status() == {}
    await store.finish_cycle(ended(at_page(new)), {}, 6_000)
    [stored] = await store.cycles(HOUR, HOUR)
    assert (stored.outcome, stored.scanned) == (CycleOutcome.COMPLETE, 2)


async def test_a_finished_cycle_is_closed_and_the_next_run_starts_anew(store) -> None:
    first = await store.open_cycle(fresh("c1"))
    await store.finish_cycle(ended(first), {}, 2_000)
    with pytest.raises(CycleTakenOver):
        await store.save_page(first, [], [])
    second = await store.open_cycle(fresh("c2", started_us=3_000))
    assert (second.cycle_id, second.attempt) == ("c2", 1)
    assert [each.cycle_id for each in await store.cycles(HOUR, HOUR)] == ["c1", "c2"]


async def test_what_is_left_of_earlier_hours_becomes_interrupted(store) -> None:
    await store.open_cycle(fresh("c1", HOUR))
    later = await store.open_cycle(fresh("c2", NEXT_HOUR, started_us=9_000))
    assert later.cycle_id == "c2"
    stored = {each.cycle_id: each for each in await store.cycles(HOUR, NEXT_HOUR)}
    assert stored["c1"].outcome is CycleOutcome.INTERRUPTED
    assert stored["c1"].finished_us == 9_000
    assert stored["c2"].outcome is CycleOutcome.RUNNING


async def test_runs_that_open_an_hour_together_share_one_cycle(store) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(store.open_cycle(fresh(f"c{n}"))) for n in range(6)]
    opened = [task.result() for task in tasks]
    assert len({each.cycle_id for each in opened}) == 1
    assert sorted(each.attempt for each in opened) == [1, 2, 3, 4, 5, 6]


async def test_a_finished_cycle_can_be_read_back_whole(store) -> None:
    cycle = at_page(await store.open_cycle(fresh()))
    await store.save_page(cycle, [snapshot("A")], [])
    cycle = ended(cycle, CycleOutcome.PARTIAL, "KXFED: 504")
    await store.finish_cycle(cycle, {}, 7_000)
    assert await store.cycles(HOUR, HOUR) == [replace(cycle, inserted=1, finished_us=7_000)]


async def test_finishing_writes_status_rows_and_counts_the_cycle(store) -> None:
    await store.put_status({"other": "kept", "last_mode": "trade"}, 1_000)
    for number in (1, 2):
        cycle = await store.open_cycle(fresh(f"c{number}", started_us=number))
        rows = await store.finish_cycle(ended(cycle), {"last_mode": "collect"}, 2_000)
        wanted = {"cycle_count": str(number), "last_mode": "collect", "other": "kept"}
        assert rows == wanted
        assert await store.status() == wanted


async def test_quarantined_items_are_kept_until_they_are_old(store) -> None:
    cycle = await store.open_cycle(fresh())
    items = [
        QuarantinedItem(name="A", reason="no price", raw=b'{"\xff": 1}', at_us=at_us)
        for at_us in (1_000, 2_000, 3_000)
    ]
    await store.save_page(cycle, [], items)
    assert await store.prune_quarantine(3_000) == 2
    assert await store.prune_quarantine(3_000) == 0


async def test_hours_and_span_are_those_with_snapshots(store) -> None:
    assert await store.snapshot_span() is None
    cycle = await store.open_cycle(fresh())
    hours = [f"2026-11-21T{hour:02d}:00:00Z" for hour in (3, 4, 7, 9)]
    page = [snapshot(f"M{n}", hour) for hour in hours for n in range(3)]
    await store.save_page(cycle, [*page, snapshot("C", hours[1], CPI)], [])
    assert await store.snapshot_span() == (hours[0], hours[-1])
    assert await store.snapshot_hours(hours[0], hours[-1]) == hours
    assert await store.snapshot_hours(hours[1], hours[2]) == hours[1:3]
    assert await store.snapshot_hours(hours[0], hours[-1], CPI) == [hours[1]]
    assert await store.snapshot_span(CPI) == (hours[1], hours[1])
    assert await store.snapshot_span(SeriesTicker("KXNONE")) is None


async def test_cycles_of_other_hours_are_not_listed(store) -> None:
    await store.open_cycle(fresh("c1", HOUR))
    await store.open_cycle(fresh("c2", NEXT_HOUR, started_us=2_000))
    assert [each.cycle_id for each in await store.cycles(NEXT_HOUR, NEXT_HOUR)] == ["c2"]


async def test_pages_saved_together_are_all_counted(store) -> None:
    cycle = await store.open_cycle(fresh())
    pages = [[snapshot(f"M{n}") for n in range(first, first + 40)] for first in range(0, 100, 20)]
    async with asyncio.TaskGroup() as group:
        for page in pages:
            group.create_task(store.save_page(cycle, page, []))
    [stored] = await store.cycles(HOUR, HOUR)
    assert stored.inserted == 120


async def test_a_cycle_keeps_the_filter_of_its_last_attempt(store) -> None:
    await store.open_cycle(replace(fresh(), filter_fingerprint="one"))
    [opened] = await store.cycles(HOUR, HOUR)
    assert opened.filter_fingerprint == "one"
    taken = await store.open_cycle(replace(fresh("c2"), filter_fingerprint="two"))
    assert (taken.cycle_id, taken.attempt, taken.filter_fingerprint) == ("c1", 2, "two")
