"""Every ``GapStore`` keeps the facts that explain gaps, and finds the same holes."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.adapters.storage import tables
from bot.adapters.storage.collection import SqlCollectionStore
from bot.adapters.storage.database import Database
from bot.adapters.storage.gaps import SqlGapStore
from bot.adapters.storage.market_history import SqlMarketHistoryStore
from bot.domain.ids import InstanceId, MarketTicker, SeriesTicker
from bot.kit.times import HOUR_US, MINUTE_US, hour_key, parse_rfc3339
from bot.ports.collection import Cycle, CycleOutcome, QuarantinedItem
from bot.ports.gaps import (
    Closure,
    ClosureKind,
    ExchangeSpell,
    ExchangeState,
    InstanceLife,
    MarketHole,
    Repair,
    RepairOutcome,
    Unreadable,
)
from tests.fakes.collection import snapshot
from tests.fakes.gaps import MemoryGapStore
from tests.fakes.market_history import market as market_record

pytestmark = pytest.mark.looptime(False)

START = parse_rfc3339("2026-11-21T00:00:00Z")
FED, CPI = SeriesTicker("KXFED"), SeriesTicker("KXCPI")
PAUSE = 5 * MINUTE_US


def hour(number: int) -> str:
    return hour_key(START + number * HOUR_US)


class Bench:
    """A store of each kind beside the collection it looks at."""

    def __init__(self, store, collection, database: Database | None) -> None:
        self.store = store
        self.collection = collection
        self.database = database
        self.cycles = 0

    async def stored(self, number: int, *markets: str, bad: tuple[str, ...] = ()) -> None:
        self.cycles += 1
        cycle = await self.collection.open_cycle(
            Cycle(
                cycle_id=f"c{self.cycles}",
                mode="collect",
                snapshot_hour_utc=hour(number),
                attempt=1,
                outcome=CycleOutcome.RUNNING,
                started_us=self.cycles,
            )
        )
        rows = [
            replace(snapshot(each, hour(number)), series_ticker=each.partition("-")[0] or None)
            for each in markets
        ]
        items = [QuarantinedItem(name=name, reason="no price", raw=b"{}", at_us=1) for name in bad]
        await self.collection.save_page(cycle, rows, items)

    async def listed(self, market: str, open_us: int, close_us: int) -> None:
        if self.database is None:
            series = SeriesTicker(market.partition("-")[0])
            self.store.open_markets.append((MarketTicker(market), series, open_us, close_us))
            return
        series = market.partition("-")[0]
        record = market_record(market, series_ticker=series, open_us=open_us, close_us=close_us)
        await SqlMarketHistoryStore(self.database).save_listing([], [record], [], 1)

    async def lived(self, name: str, started_us: int, beat_us: int, stopped_us=None) -> None:
        if self.database is None:
            life = InstanceLife(
                instance_id=InstanceId(name),
                started_us=started_us,
                seen_until_us=stopped_us or beat_us,
            )
            self.store.lived.append(life)
            return
        row = {
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
            "heartbeat_us": beat_us,
            "stopped_us": stopped_us,
        }
        async with self.database.begin() as connection:
            await connection.execute(tables.bot_instances.insert(), row)


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request):
    return None if request.param == "memory" else request.getfixturevalue(f"{request.param}_url")


@pytest.fixture
async def bench(url):
    if url is None:
        store = MemoryGapStore()
        yield Bench(store, store.collection, None)
        return
    database = await Database.open(url)
    yield Bench(SqlGapStore(database), SqlCollectionStore(database), database)
    await database.close()


def look(at_us: int, state: ExchangeState = ExchangeState.OPEN, detail: str = "") -> ExchangeSpell:
    return ExchangeSpell(state=state, since_us=at_us, until_us=at_us, detail=detail)


async def test_looks_that_agree_are_one_spell_and_a_change_begins_another(bench) -> None:
    for at_us in (0, PAUSE, 2 * PAUSE):
        await bench.store.note_exchange(look(at_us), PAUSE)
    down = look(2 * PAUSE + 1, ExchangeState.UNREACHABLE, "HTTP 503")
    await bench.store.note_exchange(down, PAUSE)
    assert await bench.store.spells(0, 9 * PAUSE) == [
        ExchangeSpell(state=ExchangeState.OPEN, since_us=0, until_us=2 * PAUSE),
        down,
    ]
    assert await bench.store.spells(0, 1) == [
        ExchangeSpell(state=ExchangeState.OPEN, since_us=0, until_us=2 * PAUSE)
    ]


async def test_nothing_is_claimed_for_a_time_in_which_nobody_looked(bench) -> None:
    await bench.store.note_exchange(look(0), PAUSE)
    await bench.store.note_exchange(look(PAUSE + 1), PAUSE)
    assert [each.since_us for each in await bench.store.spells(0, 9 * PAUSE)] == [0, PAUSE + 1]


async def test_the_newest_plan_replaces_what_is_to_come_but_not_what_was(bench) -> None:
    def closure(start_us: int, kind=ClosureKind.HOURS) -> Closure:
        return Closure(start_us=start_us, end_us=start_us + 10, kind=kind)

    await bench.store.note_closures([closure(100), closure(200)], 50)
    await bench.store.note_closures([closure(300, ClosureKind.MAINTENANCE)], 150)
    expected = [closure(100), closure(300, ClosureKind.MAINTENANCE)]
    assert await bench.store.closures(0, 1_000) == expected
    assert await bench.store.closures(0, 299) == [closure(100)]


async def test_a_life_ends_with_its_stop_or_its_last_heartbeat(bench) -> None:
    await bench.lived("a", 100, 200)
    await bench.lived("b", 150, 250, stopped_us=300)
    assert [each.instance_id for each in await bench.store.lives(0, 99)] == []
    assert [each.instance_id for each in await bench.store.lives(201, 220)] == ["b"]
    assert [each.seen_until_us for each in await bench.store.lives(0, 400)] == [200, 300]


async def test_a_market_between_two_snapshots_is_a_hole_only_in_an_hour_others_have(bench) -> None:
    await bench.stored(0, "KXFED-1", "KXCPI-1")
    await bench.stored(2, "KXFED-1")
    await bench.stored(3, "KXFED-1", "KXFED-2")
    await bench.stored(4, "KXFED-1", "KXCPI-1")
    hole = MarketHole(market=MarketTicker("KXCPI-1"), series=CPI, hour=hour(2))
    later = MarketHole(market=MarketTicker("KXCPI-1"), series=CPI, hour=hour(3))
    assert await bench.store.market_holes(hour(0), hour(4), None, 10) == [hole, later]
    assert await bench.store.market_holes(hour(0), hour(4), None, 1) == [hole]
    assert await bench.store.market_holes(hour(0), hour(4), FED, 10) == []
    assert await bench.store.market_holes(hour(0), hour(3), None, 10) == []
    assert await bench.store.series_known() == [CPI, FED]


async def test_a_market_known_to_be_open_is_missed_before_its_first_and_after_its_last(
    bench,
) -> None:
    await bench.stored(0, "KXFED-1")
    for number in (1, 2, 3):
        await bench.stored(number, "KXFED-1", "KXFED-2")
    await bench.stored(4, "KXFED-1")
    await bench.listed("KXFED-2", START, START + 5 * HOUR_US)
    await bench.listed("KXFED-3", START + 3 * HOUR_US, START + 99 * HOUR_US)
    await bench.listed("KXFED-4", START + 3 * HOUR_US + 1, START + 5 * HOUR_US - 1)
    await bench.listed("KXOTHER-1", START, START + 99 * HOUR_US)
    found = await bench.store.market_holes(hour(0), hour(4), None, 10)
    assert [(hole.market, hole.hour, hole.is_known_open) for hole in found] == [
        ("KXFED-2", hour(0), True),
        ("KXFED-3", hour(3), True),
        ("KXFED-2", hour(4), True),
        ("KXFED-3", hour(4), True),
    ]
    assert await bench.store.market_holes(hour(0), hour(4), CPI, 10) == []


async def test_what_a_scan_of_the_whole_exchange_found_is_not_due_every_hour(bench) -> None:
    await bench.stored(0, "KXFED-1", "-1")
    await bench.stored(1, "KXFED-1")
    await bench.stored(2, "KXFED-1", "-1")
    assert await bench.store.market_holes(hour(0), hour(2), None, 10) == []


async def test_what_could_not_be_read_is_found_by_the_hour_of_its_cycle(bench) -> None:
    await bench.stored(0, "KXFED-1")
    await bench.stored(1, "KXFED-1", bad=("KXCPI-1",))
    item = Unreadable(name="KXCPI-1", hour=hour(1), reason="no price")
    assert await bench.store.unreadable(hour(0), hour(1)) == [item]
    assert await bench.store.unreadable(hour(0), hour(0)) == []


async def test_a_repair_made_again_adds_its_rows(bench) -> None:
    first = Repair(
        what="candles",
        subject="KXFED-1",
        from_us=10,
        to_us=20,
        outcome=RepairOutcome.FAILED,
        rows=3,
        reason="HTTP 503",
        at_us=30,
    )
    await bench.store.record_repair(first)
    again = Repair(
        what="candles",
        subject="KXFED-1",
        from_us=10,
        to_us=20,
        outcome=RepairOutcome.REFETCHED,
        rows=4,
        reason="the bot was not running",
        at_us=40,
    )
    await bench.store.record_repair(again)
    [kept] = await bench.store.repairs(20, 25)
    assert (kept.rows, kept.outcome, kept.reason, kept.at_us) == (
        7,
        RepairOutcome.REFETCHED,
        "the bot was not running",
        40,
    )
    assert await bench.store.repairs(0, 9) == []


@given(held=st.lists(st.sets(st.integers(0, 7)), min_size=1, max_size=4))
@settings(max_examples=30)
async def test_both_find_the_same_holes(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, held: list[set[int]]
) -> None:
    copy = tmp_path_factory.mktemp("holes") / "kalshi.sqlite"
    shutil.copyfile(sqlite_template, copy)
    database = await Database.open(f"sqlite:///{copy}")
    memory = MemoryGapStore()
    benches = [
        Bench(memory, memory.collection, None),
        Bench(SqlGapStore(database), SqlCollectionStore(database), database),
    ]
    for bench in benches:
        for number in sorted(set().union(*held)):
            markets = [f"KXFED-{place}" for place, hours in enumerate(held) if number in hours]
            await bench.stored(number, *markets)
    expected, found = [
        await bench.store.market_holes(hour(0), hour(7), None, 100) for bench in benches
    ]
    await database.close()
    assert found == expected
