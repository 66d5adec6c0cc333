"""Every ``MarketHistoryStore`` keeps what it was given once, and marks that never claim more."""

import asyncio
from dataclasses import replace

import pytest

from bot.adapters.storage.collection import SqlCollectionStore
from bot.adapters.storage.database import Database
from bot.adapters.storage.market_history import SqlMarketHistoryStore
from bot.domain.errors import MarkMoved
from bot.domain.ids import EventTicker, MarketTicker, SeriesTicker
from bot.domain.market import MarketStatus
from bot.domain.money import Price, Quantity
from bot.kit.times import MINUTE_US, parse_rfc3339
from bot.ports.collection import Cycle, CycleOutcome, QuarantinedItem
from bot.ports.market_history import MarkMove, Span
from tests.fakes.collection import snapshot
from tests.fakes.market_history import (
    MemoryMarketHistoryStore,
    candle,
    event,
    market,
    price_before,
    settled,
    trade,
)

pytestmark = pytest.mark.looptime(False)

T4, T5 = MarketTicker("KXFED-26DEC-T4"), MarketTicker("KXFED-26DEC-T5")
FED, CPI = SeriesTicker("KXFED"), SeriesTicker("KXCPI")


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request):
    return None if request.param == "memory" else request.getfixturevalue(f"{request.param}_url")


@pytest.fixture
async def store(url):
    if url is None:
        yield MemoryMarketHistoryStore()
        return
    database = await Database.open(url)
    yield SqlMarketHistoryStore(database)
    await database.close()


async def test_a_listing_is_stored_once_and_renewed(store) -> None:
    assert await store.save_listing([event()], [market(), market("KXFED-26DEC-T5")], [], 10) == 2
    later = market(status=MarketStatus.CLOSED, result="yes", settlement_value=Price(10_000))
    assert await store.save_listing([event()], [later, market("KXFED-26DEC-T6")], [], 20) == 1
    [four, five, _] = await store.markets_of()
    assert (four.ticker, four.status, four.result, four.settlement_value) == (
        T4,
        MarketStatus.CLOSED,
        "yes",
        10_000,
    )
    assert (five.ticker, five.strike_period, five.volume) == (T5, "hour", 300)


async def test_a_market_listed_twice_on_a_page_is_one(store) -> None:
    assert await store.save_listing([event(), event()], [market(), market()], [], 10) == 1


async def test_what_came_out_of_a_cache_undoes_nothing(store) -> None:
    fresh = market(updated_us=900, status=MarketStatus.FINALIZED, result="no")
    await store.save_listing([], [fresh], [], 10)
    await store.save_listing([], [market(updated_us=800)], [], 20)
    await store.save_listing([], [replace(fresh, result="yes")], [], 5)
    [stored] = await store.markets_of()
    assert (stored.status, stored.result) == (MarketStatus.FINALIZED, "no")


async def test_the_close_a_market_was_first_seen_with_is_kept(store) -> None:
    await store.save_listing([], [market(close_us=9_000)], [], 10)
    await store.save_listing([], [market(close_us=4_000)], [], 20)
    [stored] = await store.markets_of()
    assert (stored.close_us, stored.first_close_us) == (4_000, 9_000)


async def test_a_market_without_a_stored_event_is_known_all_the_same(store) -> None:
    await store.save_listing([], [market()], [], 10)
    [stored] = await store.markets_of()
    assert stored.strike_period is None
    unknown = [EventTicker("KXFED-26DEC"), EventTicker("KXX-1"), EventTicker("KXFED-26DEC")]
    assert await store.missing_events(unknown) == unknown[:2]
    await store.save_listing([event()], [], [], 20)
    assert await store.missing_events(unknown) == [EventTicker("KXX-1")]
    assert await store.missing_events([]) == []


async def test_unreadable_items_are_set_aside(store) -> None:
    item = QuarantinedItem(name="A", reason="no close", raw=b'{"\xff"', at_us=7)
    assert await store.save_listing([], [], [item], 10) == 0


async def test_markets_are_chosen_by_series_ticker_and_life(store) -> None:
    rows = [
        market("KXFED-26DEC-T4", open_us=10, close_us=100),
        market("KXFED-26DEC-T5", open_us=20, close_us=300),
        market("KXCPI-26DEC-T1", open_us=30, close_us=200),
    ]
    await store.save_listing([], rows, [], 50)
    await store.save_listing([], [market("KXCPI-26NOV-T1", open_us=1, close_us=90)], [], 250)

    async def named(**filters):
        return [each.ticker for each in await store.markets_of(**filters)]

    assert await named(series=[FED]) == [T4, T5]
    assert await named(tickers=[T5]) == [T5]
    assert await named(open_before_us=20) == ["KXCPI-26NOV-T1", T4]
    # Closed long ago but seen for the first time just now: nobody has read it yet.
    assert await named(live_since_us=200) == ["KXCPI-26NOV-T1", "KXCPI-26DEC-T1", T5]
    assert await named(series=[CPI], live_since_us=251) == []


async def test_closed_markets_wait_until_they_are_in_the_ledger(store) -> None:
    rows = [market(close_us=100), market("KXFED-26DEC-T5", close_us=200)]
    await store.save_listing([], [*rows, market("KXCPI-26DEC-T1", close_us=100)], [], 50)
    assert [each.ticker for each in await store.unsettled(200, [FED])] == [T4]
    await store.save_settlements([settled()], 60)
    assert [each.ticker for each in await store.unsettled(1_000)] == ["KXCPI-26DEC-T1", T5]


async def test_candles_are_kept_once_and_the_newer_reading_counts(store) -> None:
    page = [candle(end_min=1), candle(end_min=2), candle(T5, end_min=2)]
    assert await store.save_candles(page, [], 10) == 3
    assert await store.save_candles(page, [], 20) == 0
    traded = Span(Price(4_200), Price(4_300), Price(4_200), Price(4_300))
    better = candle(end_min=2, price=traded, mean=Price(4_250), volume=Quantity(5))
    assert await store.save_candles([better, candle(end_min=3)], [], 30) == 2
    assert await store.save_candles([candle(end_min=3, period_minutes=60)], [], 40) == 1


async def test_a_trade_is_kept_once_whoever_saw_it(store) -> None:
    assert await store.save_trades([trade("a"), trade("b"), trade("a")], [], 10) == 2
    assert await store.save_trades([trade("b", received_us=9), trade("c")], [], 20) == 1


async def test_a_full_page_of_trades_is_one_call(store) -> None:
    page = [trade(f"{number:05d}") for number in range(1_000)]
    assert await store.save_trades(page, [], 10) == 1_000
    assert await store.save_trades([*page, trade("more")], [], 20) == 1


async def test_rows_and_marks_are_stored_together(store) -> None:
    await store.save_candles([candle()], [MarkMove("k", None, "1"), MarkMove("l", None, "1")], 10)
    assert await store.marks(["k", "l", "m"]) == {"k": "1", "l": "1"}
    await store.save_trades([trade("a")], [MarkMove("k", "1", "2"), MarkMove("l", "1", "3")], 10)
    assert await store.marks(["k", "l"]) == {"k": "2", "l": "3"}


@pytest.mark.parametrize(
    "moves",
    [
        [MarkMove("k", None, "9")],
        [MarkMove("k", "0", "9")],
        [MarkMove("absent", "1", "9")],
        [MarkMove("new", None, "9"), MarkMove("k", "other", "9")],
        [MarkMove("l", "1", "9"), MarkMove("k", None, "9")],
    ],
)
async def test_a_mark_that_another_moved_stores_nothing(store, moves) -> None:
    await store.put_marks({"k": "1", "l": "1"}, 5)
    with pytest.raises(MarkMoved):
        await store.save_trades([trade("a")], moves, 10)
    with pytest.raises(MarkMoved):
        await store.save_candles([candle()], moves, 10)
    assert await store.marks(["k", "l", "new", "absent"]) == {"k": "1", "l": "1"}
    assert await store.save_trades([trade("a")], [], 20) == 1
    assert await store.save_candles([candle()], [], 20) == 1


async def test_of_many_readers_at_one_mark_one_goes_on(store) -> None:
    await store.put_marks({"k": "0"}, 5)

    async def read(number: int) -> bool:
        try:
            await store.save_trades([trade(f"t{number}")], [MarkMove("k", "0", str(number))], 10)
        except MarkMoved:
            return False
        return True

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(read(number)) for number in range(1, 7)]
    [winner] = [n for n, task in enumerate(tasks, start=1) if task.result()]
    assert await store.marks(["k"]) == {"k": str(winner)}
    others = [trade(f"t{number}") for number in range(1, 7)]
    assert await store.save_trades(others, [], 20) == 5


async def test_marks_are_replaced(store) -> None:
    await store.put_marks({"a": "1", "b": "1"}, 5)
    await store.put_marks({"b": "2"}, 6)
    await store.put_marks({}, 7)
    assert await store.marks(["a", "b"]) == {"a": "1", "b": "2"}
    assert await store.marks([]) == {}


async def test_prices_before_the_close_are_the_last_ones_seen(store) -> None:
    held = [candle(end_min=40), candle(end_min=90), candle(end_min=60, period_minutes=60)]
    bare = candle(end_min=50, bid=Span(*[Price(0)] * 4), ask=Span(*[Price(10_000)] * 4))
    await store.save_candles([*held, bare, candle(T5, end_min=99)], [], 10)
    found = await store.prices_before(T4, 100 * MINUTE_US, [5, 10, 30, 45, 59, 61])
    assert [
        (each.horizon_minutes, each.observed_us // MINUTE_US, each.source) for each in found
    ] == [
        (5, 90, "candle_1"),
        (10, 90, "candle_1"),
        (30, 60, "candle_60"),
        (45, 50, "candle_1"),
        (59, 40, "candle_1"),
    ]
    assert (found[0].yes_bid, found[0].yes_ask, found[0].last_price) == (4_100, 4_500, 4_050)
    assert (found[3].yes_bid, found[3].yes_ask) == (None, None)


async def test_a_repeat_of_a_settlement_replaces_it(store) -> None:
    first = settled(prices=(price_before(60), price_before(5, None, None)))
    assert await store.save_settlements([first, settled("KXCPI-26DEC-T1", close_us=9)], 10) == 2
    assert await store.save_settlements([first], 20) == 0
    [other, stored] = await store.settlements()
    assert stored == replace(first, prices=(price_before(5, None, None), price_before(60)))
    assert other.prices == ()
    assert await store.save_settlements([settled(result="no", prices=(price_before(15),))], 30) == 1
    [again] = await store.settlements(series=[FED])
    assert (again.result, again.prices) == ("no", (price_before(15),))


async def test_the_ledger_is_read_by_series_and_close(store) -> None:
    rows = [settled(f"KXFED-26DEC-T{at}", close_us=at) for at in (3, 1, 2)]
    await store.save_settlements([*rows, settled("KXCPI-26DEC-T1", close_us=2)], 10)
    found = await store.settlements(series=[FED], since_us=1, until_us=3)
    assert [each.close_us for each in found] == [1, 2]
    assert len(await store.settlements()) == 4


async def test_an_hourly_snapshot_is_an_observation_too(database) -> None:
    hour = "2026-11-21T07:00:00Z"
    fresh = Cycle(
        cycle_id="c",
        mode="collect",
        snapshot_hour_utc=hour,
        attempt=1,
        outcome=CycleOutcome.RUNNING,
        started_us=1,
    )
    collected = SqlCollectionStore(database)
    cycle = await collected.open_cycle(fresh)
    await collected.save_page(cycle, [snapshot(T4, hour)], [])
    store = SqlMarketHistoryStore(database)
    close_us = parse_rfc3339("2026-11-21T08:00:00Z")
    [found] = await store.prices_before(T4, close_us, [15, 120])
    assert (found.horizon_minutes, found.yes_bid, found.yes_ask, found.source) == (
        15,
        4_700,
        5_200,
        "snapshot",
    )
    assert found.observed_us == parse_rfc3339(hour)
    before = candle(end_min=close_us // MINUTE_US - 90)
    await store.save_candles([before], [], 1)
    assert [each.source for each in await store.prices_before(T4, close_us, [15, 75])] == [
        "snapshot",
        "candle_1",
    ]


async def test_active_markets_are_shown_under_their_documented_names(database) -> None:
    store = SqlMarketHistoryStore(database)
    await store.save_listing(
        [], [market(), market("KXFED-26DEC-T5", status=MarketStatus.CLOSED)], [], 1_000_000
    )
    async with database.read() as connection:
        query = "SELECT ticker, event_ticker, close_time, status, last_seen_ts FROM active_markets"
        [row] = (await connection.exec_driver_sql(query)).all()
    assert (row.ticker, row.event_ticker, row.status) == (T4, "KXFED-26DEC", "active")
    assert str(row.close_time).startswith("1970-01-01")
    assert "00:00:01" in str(row.last_seen_ts)


async def test_old_candles_and_trades_go_in_batches_market_by_market(store) -> None:
    old = [candle(T4, end_min=minute) for minute in range(1, 8)]
    days = [candle(T4, end_min=1_440, period_minutes=1_440), candle(T5, end_min=9)]
    await store.save_candles([*old, *days], [], 10)
    traded = [trade("a", T5, executed_us=3 * MINUTE_US), trade("b", T5, executed_us=9 * MINUTE_US)]
    await store.save_trades(traded, [], 10)
    before_us = 6 * MINUTE_US
    assert await store.markets_with_past(before_us, MarketTicker(""), 9) == [T4, T5]
    assert await store.markets_with_past(before_us, MarketTicker(""), 1) == [T4]
    assert await store.markets_with_past(before_us, T4, 9) == [T5]
    assert await store.markets_with_past(3 * MINUTE_US, T4, 9) == []
    removed = [await store.prune_past([T4, T5], before_us, 3) for _ in range(3)]
    assert removed == [4, 2, 0]
    assert await store.markets_with_past(before_us, MarketTicker(""), 9) == []
    assert await store.save_candles([*old, *days], [], 20) == 5
    assert await store.save_trades(traded, [], 20) == 1
