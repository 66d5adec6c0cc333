"""Every ``StreamStore`` keeps what it is given, once, and gives it back as it was."""

import asyncio
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs
from sqlalchemy import bindparam, text

from bot.adapters.storage.database import Database
from bot.adapters.storage.market_history import SqlMarketHistoryStore
from bot.adapters.storage.stream_postgres import PostgresStreamStore
from bot.adapters.storage.stream_reads import (
    MARKETS_OF_OLD_BOOKS,
    OLD_BOOKS,
    SqlStreamReads,
    SqlStreamUpkeep,
)
from bot.adapters.storage.stream_sqlite import SqliteStreamStore
from bot.domain.errors import StorageUnavailable
from bot.domain.ids import MarketTicker
from bot.domain.money import Price, Quantity
from bot.kit.times import DAY_US, SECOND_US
from bot.ports.stream import GapEnd, GapReason, Origin, StreamBatch
from tests.fakes.market_history import market as market_record
from tests.fakes.stream import (
    T0,
    MemoryStreamStore,
    change,
    gap,
    levels,
    lifecycle,
    start,
    tick,
    trade,
)

pytestmark = pytest.mark.looptime(False)

ALWAYS = (0, 2**62)
A, B = MarketTicker("KXA"), MarketTicker("KXB")


@dataclass
class Stand:
    """One kind of store, with what reads it back."""

    store: Any
    reads: Any
    upkeep: Any
    again: Any
    """Makes another writer of the same place."""
    database: Database | None = None

    async def put(self, *, may_repeat: bool = False, **kinds) -> int:
        return await self.store.append(StreamBatch(**kinds), may_repeat=may_repeat)

    async def ticks(self, first_us: int = ALWAYS[0], last_us: int = ALWAYS[1]):
        return [one async for one in self.reads.ticks(first_us, last_us)]

    async def closes(self, ticker: MarketTicker, close_us: int) -> None:
        """Discovery has heard of a market."""
        if self.database is None:
            self.reads.closes_us[ticker] = close_us
            return
        record = market_record(ticker, close_us=close_us)
        await SqlMarketHistoryStore(self.database).save_listing([], [record], [], 1)

    async def ask(self, statement: str):
        assert self.database is not None
        async with self.database.read() as connection:
            return (await connection.exec_driver_sql(statement)).all()


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request):
    return None if request.param == "memory" else request.getfixturevalue(f"{request.param}_url")


@pytest.fixture
async def stand(url):
    if url is None:
        memory = MemoryStreamStore()
        yield Stand(memory, memory, memory, lambda: memory)
        return
    database = await Database.open(url)
    address = database.address

    def make():
        if address.dialect == "sqlite":
            return SqliteStreamStore(address.path)
        return PostgresStreamStore(address)

    store = make()
    yield Stand(store, SqlStreamReads(database), SqlStreamUpkeep(database), make, database)
    await store.close()
    await database.close()


async def test_ticks_come_back_as_they_were(stand) -> None:
    told = [
        tick("KXA", T0),
        tick("KXB", T0 + 1_000, yes_bid=None, yes_bid_size=Quantity(0)),
        tick("KXC", T0 + 2_000, yes_ask=None, last_price=None, volume=Quantity(0)),
        tick("KXA", T0 + 3_000, volume=Quantity(2**62), open_interest=Quantity(2**61)),
    ]
    assert await stand.put(ticks=told) == 4
    assert await stand.ticks() == told
    assert await stand.ticks(T0 + 1_000, T0 + 2_000) == told[1:3]


@pytest.mark.parametrize("may_repeat", [False, True])
async def test_a_tick_told_twice_is_one_row(stand, may_repeat) -> None:
    first = tick()
    again = structs.replace(first, received_us=first.received_us + 777)
    other = structs.replace(first, volume=Quantity(first.volume + 100))
    assert await stand.put(ticks=[first]) == 1
    assert await stand.put(ticks=[again, other], may_repeat=may_repeat) == 1
    assert await stand.put(ticks=[other, other, again], may_repeat=may_repeat) == 0
    assert sorted(one.volume for one in await stand.ticks()) == [first.volume, other.volume]
    assert first in await stand.ticks()


async def test_one_batch_may_hold_the_same_tick_twice(stand) -> None:
    assert await stand.put(ticks=[tick(), tick("KXB"), tick()]) == 2


async def test_a_number_no_column_can_hold_takes_nothing_else_with_it(stand) -> None:
    wild = tick("KXB", volume=Quantity(2**63))
    assert await stand.put(ticks=[tick("KXA"), wild, tick("KXC")]) == 2


async def test_a_batch_of_every_kind_is_stored_together(stand) -> None:
    await stand.put(
        ticks=[tick()],
        trades=[trade(1), trade(2)],
        starts=[start()],
        changes=[change(1), change(2, exchange_us=None)],
        lifecycle=[lifecycle(), lifecycle(kind="activated", result=None, settlement_value=None)],
        gaps=[gap(), gap(ticker=MarketTicker("KXGONE"))],
    )
    assert await stand.ticks() == [tick()]
    found = await stand.reads.book_chain(MarketTicker("KXA"), T0 + DAY_US)
    assert found == (start(), [change(1), change(2, exchange_us=None)])
    kinds = {one.kind: one for one in await stand.reads.lifecycle(*ALWAYS)}
    assert kinds["determined"] == lifecycle()
    assert kinds["activated"].settlement_value is None
    tickers = [one.ticker for one in await stand.reads.gaps(*ALWAYS)]
    assert sorted(tickers, key=str) == ["KXGONE", None]
    if stand.database is not None:
        rows = await stand.ask(
            "SELECT trade_id, price_e4, quantity_e2, taker_side FROM market_trades"
        )
        assert sorted(map(tuple, rows)) == [
            ("trade-1", 4_800, 1_000, "bid"),
            ("trade-2", 4_800, 1_000, "bid"),
        ]


@pytest.mark.parametrize("may_repeat", [False, True])
async def test_a_whole_batch_again_changes_nothing(stand, may_repeat) -> None:
    batch = {
        "ticks": [tick(), tick("KXB")],
        "trades": [trade()],
        "starts": [start()],
        "changes": [change(number) for number in range(1, 200)],
        "lifecycle": [lifecycle()],
        "gaps": [gap()],
    }
    assert await stand.put(**batch) == 2
    assert await stand.put(**batch, may_repeat=may_repeat) == 0
    _, changes = await stand.reads.book_chain(MarketTicker("KXA"), T0 + DAY_US)
    assert changes == batch["changes"]
    assert len(await stand.reads.gaps(*ALWAYS)) == 1


async def test_the_chain_of_a_moment_is_the_latest_that_began_by_then(stand) -> None:
    later = T0 + 10 * SECOND_US
    second = start(at_us=later, origin=Origin.KEPT, bids=levels(), asks=levels((9_900, 1)))
    await stand.put(
        starts=[start(), second, start("KXB")],
        changes=[change(1), change(2), change(1, at_us=later), change(1, "KXB")],
    )
    chain = stand.reads.book_chain
    ticker = MarketTicker("KXA")
    assert await chain(ticker, T0 - 1) is None
    assert await chain(ticker, T0) == (start(), [])
    assert await chain(ticker, T0 + 1_000) == (start(), [change(1)])
    assert await chain(ticker, later - 1) == (start(), [change(1), change(2)])
    assert await chain(ticker, later + DAY_US) == (second, [change(1, at_us=later)])
    assert await chain(MarketTicker("KXNONE"), later) is None


async def test_a_gap_ends_where_it_began(stand) -> None:
    await stand.put(gaps=[gap(), gap(T0 + 5, reason=GapReason.BACKPRESSURE, stream="other")])
    assert await stand.store.open_gaps(gap().stream, T0) == [gap()]
    assert await stand.store.open_gaps(gap().stream, T0 + 1) == []
    ended = gap(to_us=T0 + 9 * SECOND_US, lost=3, ended=GapEnd.RESUMED, detail="network")
    await stand.put(gaps=[ended], may_repeat=True)
    assert await stand.store.open_gaps(gap().stream, 0) == []
    assert [one for one in await stand.reads.gaps(*ALWAYS) if one.stream == gap().stream] == [ended]


async def test_gaps_of_a_span_are_those_that_touch_it(stand) -> None:
    await stand.put(
        gaps=[
            gap(T0, to_us=T0 + 10, ended=GapEnd.RESUMED),
            gap(T0 + 20, to_us=T0 + 30, ended=GapEnd.RESUMED),
            gap(T0 + 40),
        ]
    )

    async def begins(first: int, last: int) -> list[int]:
        return [one.from_us - T0 for one in await stand.reads.gaps(T0 + first, T0 + last)]

    assert await begins(11, 19) == []
    assert await begins(10, 20) == [0, 20]
    assert await begins(31, 39) == []
    assert await begins(10_000, 10_001) == [40]


async def test_a_gap_of_a_market_lasts_no_longer_than_the_market(stand) -> None:
    gone, early = MarketTicker("KXGONE"), MarketTicker("KXEARLY")
    for ticker, close_us in ((gone, T0 + 100), (early, T0 - 100), (A, T0 + 10_000)):
        await stand.closes(ticker, close_us)
    left = [gap(T0, ticker=each, reason=GapReason.UNWATCHED) for each in (gone, early, A, B)]
    await stand.put(gaps=left)

    async def ends(first: int, last: int) -> dict[MarketTicker | None, int | None]:
        return {one.ticker: one.to_us for one in await stand.reads.gaps(T0 + first, T0 + last)}

    assert await ends(0, 500) == {gone: T0 + 100, early: T0, A: None, B: None}
    assert await ends(0, 99) == {gone: None, early: T0, A: None, B: None}
    assert await ends(101, 500) == {A: None, B: None}


async def test_marks_are_kept_and_replaced(stand) -> None:
    assert await stand.store.marks(["last_tick_ts"]) == {}
    await stand.store.put_marks({"last_tick_ts": "a", "ws_heartbeat": "b"}, T0)
    await stand.store.put_marks({"last_tick_ts": "c"}, T0 + 1)
    found = await stand.store.marks(["last_tick_ts", "ws_heartbeat", "unknown"])
    assert found == {"last_tick_ts": "c", "ws_heartbeat": "b"}


async def test_what_is_too_old_goes_and_the_rest_stays(stand) -> None:
    now_us = T0 + 100 * DAY_US
    old, young = T0 - 40 * DAY_US, now_us - DAY_US
    await stand.upkeep.keep(T0 - 40 * DAY_US, None)
    await stand.upkeep.keep(now_us, None)
    await stand.put(
        ticks=[tick(at_us=old + number) for number in range(6_000)] + [tick(at_us=young)],
        starts=[start(at_us=old), start(at_us=young)],
        changes=[change(1, at_us=old), change(1, at_us=young)],
        lifecycle=[lifecycle(at_us=old)],
        gaps=[gap(old)],
    )
    await stand.upkeep.keep(now_us, now_us - 30 * DAY_US)
    assert await stand.ticks() == [tick(at_us=young)]
    assert await stand.reads.book_chain(MarketTicker("KXA"), young - 1) is None
    assert await stand.reads.book_chain(MarketTicker("KXA"), now_us) == (
        start(at_us=young),
        [change(1, at_us=young)],
    )
    assert len(await stand.reads.lifecycle(*ALWAYS)) == 1
    assert len(await stand.reads.gaps(*ALWAYS)) == 1


async def test_many_old_books_go_market_by_market(stand) -> None:
    now_us = T0 + 60 * DAY_US
    await stand.upkeep.keep(T0, None)
    old = [start(f"KX{one % 7}", T0 + one) for one in range(1_200)]
    young = [start(f"KX{one}", now_us - one) for one in range(9)]
    await stand.put(starts=[*old, *young])
    await stand.upkeep.keep(now_us, now_us - 30 * DAY_US)
    for one in young:
        assert await stand.reads.book_chain(one.ticker, now_us - 10) is None
        assert (await stand.reads.book_chain(one.ticker, now_us))[0] == one


async def test_no_old_book_is_looked_for_in_all_of_them(sqlite_url) -> None:
    """That is done in the one writer's turn, and orders wait for it."""
    database = await Database.open(sqlite_url)
    given = {"markets": [1, 2], "before": 1, "few": 1, "after": 0, "most": 1}
    listed = bindparam("markets", expanding=True)
    plans = (
        text(f"EXPLAIN QUERY PLAN {OLD_BOOKS.text}").bindparams(listed),
        text(f"EXPLAIN QUERY PLAN {MARKETS_OF_OLD_BOOKS.text}"),
    )
    async with database.begin() as connection:
        for plan in plans:
            told = [row.detail for row in await connection.execute(plan, given)]
            assert not [line for line in told if line.startswith("SCAN")], told
    await database.close()


async def test_two_writers_of_the_same_never_double_it(stand) -> None:
    others = [stand.again() for _ in range(3)]
    batches = [
        StreamBatch(
            ticks=[tick(f"KX{number}", T0 + step * 1_000) for number in range(40)],
            starts=[start(f"KX{number}", T0 + step) for number in range(40)],
        )
        for step in range(6)
    ]

    async def write(store) -> int:
        return sum([await store.append(each, may_repeat=False) for each in batches])

    async with asyncio.TaskGroup() as group:
        writes = [group.create_task(write(store)) for store in [stand.store, *others]]
    assert sum(one.result() for one in writes) == 240
    assert len(await stand.ticks()) == 240
    for store in others:
        await store.close()


@given(
    told=st.lists(
        st.builds(
            tick,
            ticker=st.sampled_from(["KXA", "KXB", "KXÜ"]),
            at_us=st.integers(T0, T0 + 5).map(lambda us: us * 1_000 // 1_000),
            yes_bid=st.none() | st.integers(1, 9_999).map(Price),
            yes_ask=st.none() | st.integers(1, 9_999).map(Price),
            last_price=st.none() | st.integers(1, 10_000).map(Price),
            volume=st.integers(0, 2**63 - 1).map(Quantity),
        ),
        max_size=12,
    ),
    may_repeat=st.booleans(),
)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_tick_is_found_again(stand, told, may_repeat) -> None:
    before = {_facts(one) for one in await stand.ticks()}
    new = await stand.put(ticks=told, may_repeat=may_repeat)
    after = [_facts(one) for one in await stand.ticks()]
    assert len(after) == len(set(after)) == len(before) + new
    assert set(after) == before | {_facts(one) for one in told}


def _facts(one):
    return structs.astuple(structs.replace(one, received_us=0))


async def test_a_fault_of_the_database_is_told_in_our_words(url, stand, tmp_path) -> None:
    if url is None:
        stand.store.is_down = True
        store = stand.store
    elif stand.database.dialect == "sqlite":
        store = SqliteStreamStore(tmp_path / "gone.sqlite")
    else:
        store = PostgresStreamStore(
            replace(stand.database.address, url=stand.database.address.url.set(port=1))
        )
    with pytest.raises(StorageUnavailable):
        await store.append(StreamBatch(ticks=[tick()]), may_repeat=False)
    await store.close()


async def test_people_read_dollars_and_tickers(stand) -> None:
    if stand.database is None:
        pytest.skip("the fake has no views")
    await stand.put(
        ticks=[tick(), tick("KXB", yes_bid=None, yes_ask=None, last_price=None)],
        lifecycle=[lifecycle()],
        gaps=[
            gap(to_us=T0 + 1_500_000, ended=GapEnd.RESUMED),
            gap(T0 + 1, ticker=MarketTicker("KXA")),
        ],
    )
    rows = await stand.ask(
        "SELECT ticker, yes_bid, yes_ask, last_price, volume, open_interest, yes_bid_size"
        " FROM ticks ORDER BY ticker"
    )
    plain = [
        tuple(None if one is None else one if isinstance(one, str) else float(one) for one in row)
        for row in rows
    ]
    assert plain == [
        ("KXA", 0.47, 0.49, 0.48, 10_000.0, 2_500.0, 123.0),
        ("KXB", None, None, None, 10_000.0, 2_500.0, 123.0),
    ]
    [event] = await stand.ask("SELECT ticker, kind, settlement_value FROM lifecycle_history")
    assert (event[0], event[1], float(event[2])) == ("KXA", "determined", 1.0)
    gaps = await stand.ask("SELECT ticker, reason, seconds, ended FROM stream_gap_history")
    assert [(row[0], None if row[2] is None else float(row[2])) for row in gaps] == [
        ("KXA", None),
        (None, 1.5),
    ]


async def test_a_disk_that_is_nearly_full_is_left_to_orders(sqlite_url: str) -> None:
    database = await Database.open(sqlite_url)
    path = database.address.path
    batch = StreamBatch(ticks=[tick()])
    full = SqliteStreamStore(path, 2**62)
    with pytest.raises(StorageUnavailable, match=r"stream\.min_free_mb"):
        await full.append(batch, may_repeat=False)
    assert await full.marks(["x"]) == {}
    await full.close()
    roomy = SqliteStreamStore(path, 1)
    assert await roomy.append(batch, may_repeat=False) == 1
    await roomy.close()
    await database.close()
