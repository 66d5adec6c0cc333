"""Limits of a walk, on virtual time."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.collect.series_walk import SeriesWalk
from bot.collect.settings import CollectSettings
from bot.domain.errors import ExchangeUnavailable, StorageUnavailable
from bot.domain.ids import SeriesTicker
from bot.ports.collection import Cycle, CycleOutcome, SeriesProgress
from tests.fakes.clock import ManualClock
from tests.fakes.collection import MemoryCollectionStore
from tests.fakes.listing import ScriptedListing, paged

HOUR = "2026-11-21T07:00:00Z"


def cycle(*progress: SeriesProgress, attempt: int = 1) -> Cycle:
    return Cycle(
        cycle_id="c",
        mode="collect",
        snapshot_hour_utc=HOUR,
        attempt=attempt,
        outcome=CycleOutcome.RUNNING,
        started_us=0,
        progress=progress,
    )


async def walked(listing, start: Cycle, store=None, **settings) -> tuple[Cycle, list]:
    store = store or MemoryCollectionStore()
    store.stored_cycles[start.cycle_id] = start
    wanted = CollectSettings(series=tuple(listing.pages), **settings)
    walk = SeriesWalk(wanted, listing, store, ManualClock(), start)
    seen: list = []
    await walk.run(seen.append)
    return walk.cycle, seen


async def test_a_read_that_never_ends_is_given_up_at_the_cycles_deadline(looptime) -> None:
    async def never(series: str, cursor: str) -> None:
        await asyncio.Event().wait()

    listing = ScriptedListing({"KXFED": paged("KXFED", [1])}, never)
    end, _ = await walked(listing, cycle(), deadline_s=90)
    assert looptime == 90
    assert end.progress[0].failure == "not read within the 90 s of a cycle"


async def test_a_series_that_failed_before_is_tried_again() -> None:
    stored = SeriesProgress(
        series=SeriesTicker("KXFED"), cursor="c1", pages=1, scanned=3, failure="504"
    )
    listing = ScriptedListing({"KXFED": paged("KXFED", [3, 2])})
    end, _ = await walked(listing, cycle(stored, attempt=2))
    assert listing.asked == [("KXFED", "c1")]
    assert (end.scanned, end.errors, end.progress[0].is_done) == (5, 0, True)


async def test_a_series_dropped_from_the_settings_keeps_its_counts_and_is_not_read() -> None:
    dropped = SeriesProgress(series=SeriesTicker("KXOLD"), cursor="c1", pages=1, scanned=7)
    listing = ScriptedListing({"KXFED": paged("KXFED", [3])})
    end, _ = await walked(listing, cycle(dropped, attempt=2))
    assert {series for series, _ in listing.asked} == {"KXFED"}
    assert end.scanned == 10


async def test_a_page_that_was_not_stored_is_not_progress() -> None:
    store = MemoryCollectionStore()
    listing = ScriptedListing({"KXFED": paged("KXFED", [3])})
    start = cycle()
    store.stored_cycles["c"] = start
    walk = SeriesWalk(
        CollectSettings(series=(SeriesTicker("KXFED"),)), listing, store, ManualClock(), start
    )
    store.is_down = True
    with pytest.raises(ExceptionGroup) as caught:
        await walk.run(lambda _: None)
    assert caught.group_contains(StorageUnavailable)
    assert (walk.cycle.scanned, walk.cycle.progress[0].pages) == (0, 0)


SIZES = st.lists(st.integers(0, 5), min_size=1, max_size=4)


@given(sizes=st.lists(SIZES, min_size=1, max_size=5), data=st.data())
async def test_counts_add_up_and_a_second_attempt_completes_the_first(sizes, data) -> None:
    """Whatever pages fail the first time, the repeat stores exactly what the venue lists."""
    good = {f"KX{number}": paged(f"KX{number}", each) for number, each in enumerate(sizes)}
    failing = {
        series: dict(answers) | {data.draw(st.sampled_from(sorted(answers))): _fault()}
        if data.draw(st.booleans())
        else answers
        for series, answers in good.items()
    }
    store = MemoryCollectionStore()
    first, _ = await walked(ScriptedListing(failing), cycle(), store, outages_max=1_000)
    assert first.scanned == len(store.snapshots) == first.inserted
    broken = sum(failing[series] is not good[series] for series in good)
    assert first.errors == broken

    again = store.stored_cycles["c"]
    second, _ = await walked(ScriptedListing(good), again, store)
    total = sum(map(sum, sizes))
    assert (second.scanned, second.inserted, second.errors) == (total, total, 0)
    assert len(store.snapshots) == total


def _fault() -> Exception:
    return ExchangeUnavailable("504")
