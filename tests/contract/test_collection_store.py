"""Every ``CollectionStore`` counts exactly, and obeys one attempt at a time."""

import asyncio
import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from bot.adapters.storage.collection import SqlCollectionStore
from bot.adapters.storage.database import Database
from bot.domain.errors import CycleTakenOver
from bot.domain.ids import MarketTicker, SeriesTicker
from bot.ports.collection import (
    Cycle,
    CycleOutcome,
    PruneRule,
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


async def test_hours_of_a_complete_cycle_that_found_nothing_are_told(store) -> None:
    empty, full = await store.open_cycle(fresh()), fresh("c2", NEXT_HOUR)
    await store.finish_cycle(ended(empty), {}, 2_000)
    again = await store.open_cycle(fresh("c3"))
    await store.finish_cycle(ended(again), {}, 3_000)
    full = await store.open_cycle(full)
    assert await store.hours_without_market(HOUR, NEXT_HOUR) == [HOUR]
    await store.finish_cycle(ended(at_page(full)), {}, 4_000)
    assert await store.hours_without_market(HOUR, NEXT_HOUR) == [HOUR]
    assert await store.hours_without_market(NEXT_HOUR, NEXT_HOUR) == []


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


A = MarketTicker("A")


def market(**values: str) -> str:
    """A market's JSON as the venue writes it."""
    quotes = {
        "yes_bid_dollars": "0.4700",
        "yes_ask_dollars": "0.5200",
        "volume_fp": "2.00",
        "open_interest_fp": "",
    }
    return json.dumps(
        {"ticker": "A", "rules_primary": 'Köln "quoted" \\'} | quotes | values,
        separators=(",", ":"),
    )


async def stored_payloads(store) -> tuple[int, int]:
    """How many templates and payloads a database holds."""
    async with store._database.read() as connection:
        found = [
            (await connection.execute(text(f"SELECT count(*) FROM {name}"))).scalar_one()
            for name in ("snapshot_templates", "snapshot_payloads")
        ]
    return found[0], found[1]


async def test_a_payload_comes_back_byte_for_byte(store) -> None:
    cycle = await store.open_cycle(fresh())
    texts = [
        market(),
        market(volume_fp="3.00"),
        market(title="mark \x7f inside", yes_bid_dollars='0.47"00'),
        "{}",
        '{"volume_fp": "spaced", "yes_bid_dollars":"0.1',
        "[1]",
    ]
    for number, payload in enumerate(texts):
        hour = f"2026-11-21T{number:02d}:00:00Z"
        await store.save_page(cycle, [snapshot("A", hour, payload_json=payload)], [])
    found = await store.read_snapshots(A, limit=10)
    assert [one.payload_json for one in reversed(found)] == texts
    [one] = await store.read_snapshots(A, "2026-11-21T01:00:00Z")
    assert one == snapshot("A", "2026-11-21T01:00:00Z", payload_json=texts[1])
    assert [one.payload_json for one in await store.read_snapshots(A)] == texts[-1:]
    assert await store.read_snapshots(MarketTicker("B")) == []


_PIECES = st.sampled_from(
    ['_dollars":"', '_fp":"', '"', "\\", "\x7f", "0.4700", "}", "\\u007f", "\\u0000", "ö", "\n"]
)


@given(pieces=st.lists(st.one_of(_PIECES, st.text(max_size=4)), max_size=12))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_any_text_comes_back(store, pieces) -> None:
    payload = "".join(pieces).replace("\x00", "").encode("utf-8", "ignore").decode()
    cycle = await store.open_cycle(fresh())
    hour = f"text {hash(payload)}"
    await store.save_page(cycle, [snapshot("A", hour, payload_json=payload)], [])
    [one] = await store.read_snapshots(A, hour)
    assert one.payload_json == payload


async def test_an_unchanged_payload_is_stored_once(store, url) -> None:
    if url is None:
        return
    cycle = await store.open_cycle(fresh())
    hours = [f"2026-11-21T{number:02d}:00:00Z" for number in range(6)]
    for hour in hours[:4]:
        await store.save_page(cycle, [snapshot("A", hour, payload_json=market())], [])
    assert await stored_payloads(store) == (1, 1)
    await store.save_page(
        cycle, [snapshot("A", hours[4], payload_json=market(yes_bid_dollars="0.4800"))], []
    )
    assert await stored_payloads(store) == (1, 2)
    await store.save_page(
        cycle, [snapshot("A", hours[5], payload_json=market(rules_primary="new"))], []
    )
    assert await stored_payloads(store) == (2, 3)


async def test_a_row_that_exists_leaves_no_payload_behind(store, url) -> None:
    cycle = await store.open_cycle(fresh())
    first, later = market(), market(rules_primary="changed since")
    await store.save_page(cycle, [snapshot("A", payload_json=first)], [])
    assert await store.save_page(cycle, [snapshot("A", payload_json=later)], []) == 0
    [one] = await store.read_snapshots(A)
    assert one.payload_json == first
    assert url is None or await stored_payloads(store) == (1, 1)


async def test_a_row_of_the_release_before_is_read_like_every_other(store, url) -> None:
    if url is None:
        return
    async with store._database.begin() as connection:
        written = await connection.execute(
            text(
                "INSERT INTO market_snapshots (market_id, snapshot_hour_utc, payload_json,"
                " created_at_utc, event_ticker, macro_event_type, volume_24h_e2,"
                " open_interest_e2, close_us) VALUES ('A', :hour, :payload, :hour, 'E', 'other',"
                " 0, 0, 1) ON CONFLICT (market_id, snapshot_hour_utc) DO NOTHING"
            ),
            {"hour": HOUR, "payload": market()},
        )
        assert written.rowcount == 1
    [one] = await store.read_snapshots(A)
    assert one.payload_json == market()


def rule(before_hour: str = "2026-11-21T04:00:00Z", **changes) -> PruneRule:
    plain = PruneRule(before_hour=before_hour, is_of_series=False, keeps_last=True)
    return replace(plain, **changes)


async def pruned(store, which: PruneRule, batch: int = 2) -> tuple[int, int]:
    """Prune to the end; how many snapshots and payloads went."""
    snapshots, payloads, hour = 0, 0, ""
    while (done := await store.prune_snapshots(which, hour, batch)) is not None:
        snapshots, payloads = snapshots + done.snapshots, payloads + done.payloads
        assert done.snapshots <= batch
        hour = done.hour if done.snapshots == batch else done.hour + "~"
    return snapshots, payloads


async def fill(store, *, series: SeriesTicker | None) -> None:
    """Eight hours of three markets, the third one-sided."""
    cycle = await store.open_cycle(fresh())
    for number in range(8):
        page = [
            snapshot(
                name,
                f"2026-11-21T{number:02d}:00:00Z",
                series_ticker=series,
                probability_bucket=None if name == "C" else "0.35-0.65",
                payload_json=market(ticker=name, volume_fp=str(number // 4)),
            )
            for name in "ABC"
        ]
        await store.save_page(cycle, page, [])


async def test_old_snapshots_go_with_the_payloads_only_they_had(store, url) -> None:
    await fill(store, series=None)
    assert await pruned(store, rule()) == (12, 3)
    assert await store.snapshot_span() == ("2026-11-21T04:00:00Z", "2026-11-21T07:00:00Z")
    assert url is None or await stored_payloads(store) == (3, 3)
    assert await pruned(store, rule()) == (0, 0)


async def test_the_last_snapshot_that_calibration_can_use_stays(store, url) -> None:
    await fill(store, series=None)
    assert await pruned(store, rule("2027")) == (22, 4)
    assert [one.market_id for one in await store.read_snapshots(A)] == ["A"]
    assert await store.read_snapshots(MarketTicker("C")) == []
    assert await pruned(store, rule("2027", keeps_last=False)) == (2, 2)
    assert await store.snapshot_span() is None
    assert url is None or await stored_payloads(store) == (0, 0)


async def test_the_configured_series_have_a_rule_of_their_own(store) -> None:
    await fill(store, series=CPI)
    assert await pruned(store, rule("2027", keeps_last=False)) == (0, 0)
    assert await pruned(store, rule("2027", is_of_series=True, keeps_last=False)) == (24, 6)


async def test_saving_and_removing_at_once_loses_no_payload(store) -> None:
    cycle = await store.open_cycle(fresh())
    old = [snapshot(f"M{n}", "2026-01-01T00:00:00Z", series_ticker=None) for n in range(200)]
    await store.save_page(cycle, old, [])

    async def save(number: int) -> None:
        page = [replace(one, snapshot_hour_utc=f"2027-01-01T{number:02d}:00:00Z") for one in old]
        await store.save_page(cycle, page, [])

    async with asyncio.TaskGroup() as group:
        group.create_task(pruned(store, rule("2026-12", keeps_last=False), batch=20))
        for number in range(4):
            group.create_task(save(number))
    for one in await store.read_snapshots(MarketTicker("M7"), limit=9):
        assert one.payload_json == old[7].payload_json


async def test_what_is_stored_takes_room(store) -> None:
    cycle = await store.open_cycle(fresh())
    before = await store.snapshot_bytes()
    page = [
        snapshot(f"M{n}", payload_json=market(ticker=str(n), rules="x" * 500)) for n in range(900)
    ]
    await store.save_page(cycle, page, [])
    assert await store.snapshot_bytes() > before + 300_000
