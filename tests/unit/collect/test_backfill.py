"""Backfill reads everything once, whatever fails or dies, and never says more than it has."""

from collections import Counter
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.adapters.storage.market_history import SqlMarketHistoryStore
from bot.collect.asking import Past
from bot.collect.backfill import CANDLES, KINDS, TRADES, Backfill
from bot.collect.candle_backfill import Reading
from bot.collect.cursors import MIN_CLOSE, candle_key, trade_key, write_instant
from bot.collect.history_settings import HistorySettings
from bot.domain.errors import (
    ExchangeUnavailable,
    InvalidMessage,
    RequestRefused,
    StorageUnavailable,
)
from bot.domain.ids import MarketTicker, SeriesTicker
from bot.domain.market import MarketStatus
from bot.kit.times import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from bot.ports.exchange import Quarantined
from bot.ports.history_reads import CandlePage
from tests.fakes.clock import ManualClock
from tests.fakes.history_reads import FakePast, finalized
from tests.fakes.market_history import MemoryMarketHistoryStore, candle, event, market, trade

NOW_US = 1_795_245_300_000_000
HOUR = NOW_US - NOW_US % HOUR_US
T4, T5 = MarketTicker("KXFED-26DEC-T4"), MarketTicker("KXFED-26DEC-T5")
FED = SeriesTicker("KXFED")
LENIENT = HistorySettings(series=(FED, SeriesTicker("KXCPI")), outages_max=1_000)


class Killed(BaseException):
    """The process ended here."""


def world(*, minutes: int = 90, trades: int = 40, page_size: int = 7, seed: int = 1) -> FakePast:
    """Three markets with candles and trades of the last hours, one of them archived long ago."""
    random = Random(seed)
    past = FakePast(page_size=page_size, border_us=HOUR - 30 * DAY_US)
    old_us = HOUR - 40 * DAY_US
    records = [
        market(T4, open_us=HOUR - 5 * HOUR_US, close_us=HOUR + DAY_US),
        market(T5, open_us=HOUR - 5 * HOUR_US, close_us=HOUR - 3 * HOUR_US + 90 * SECOND_US),
        finalized(
            market("KXCPI-26OCT-T1", open_us=old_us, close_us=old_us + 2 * HOUR_US),
            old_us + 3 * HOUR_US,
        ),
    ]
    for record in records:
        past.records[record.ticker] = record
        past.events[record.event_ticker] = event(record.event_ticker)
        begin_min = record.open_us // MINUTE_US + 1
        past.held_candles += [
            candle(record.ticker, end_min=begin_min + at, volume=random.randrange(9))
            for at in sorted(random.sample(range(120), minutes))
        ]
        # Several within one second, as in a sweep.
        instants = [random.randrange(7_000) * SECOND_US // 4 for _ in range(trades)]
        past.held_trades += [
            trade(f"{record.ticker}-{n}", record.ticker, executed_us=record.open_us + at)
            for n, at in enumerate(instants)
        ]
    return past


def readable(past: FakePast, ticker: str) -> Counter:
    return Counter(each.trade_id for each in past.held_trades if each.ticker == ticker)


def made(past: FakePast, store=None, knobs: HistorySettings = LENIENT) -> tuple[Backfill, Past]:
    one = Past(
        settings=replace(knobs, minutes_for_hour=1, minutes_for_other=1),
        reads=past,
        store=store or MemoryMarketHistoryStore(),
        clock=ManualClock(NOW_US),
    )
    return Backfill(one), one


async def stored(past: FakePast, store) -> None:
    await store.save_listing(list(past.events.values()), list(past.records.values()), [], NOW_US)


def everything(label: str = "open") -> Reading:
    return Reading(until_us=NOW_US - MINUTE_US, from_us=None, label=label)


def assert_whole(past: FakePast, store: MemoryMarketHistoryStore) -> None:
    """What is stored is what the venue has, each thing once."""
    assert sorted(store.trades) == sorted(each.trade_id for each in past.held_trades)
    keys = {(each.ticker, each.period_minutes, each.end_us) for each in past.held_candles}
    assert set(store.candles) == keys


async def test_a_pass_reads_everything_and_a_second_nothing() -> None:
    past = world()
    backfill, one = made(past)
    await stored(past, one.store)
    report = await backfill.run(await one.store.markets_of(), everything(), KINDS)
    assert report.is_complete, report
    assert_whole(past, one.store)
    assert (report.candles, report.trades) == (270, 120)
    again = await backfill.run(await one.store.markets_of(), everything(), KINDS)
    assert (again.candles, again.trades, again.calls) == (0, 0, 1)
    assert again.is_complete


async def test_it_goes_on_where_it_was() -> None:
    past = world()
    backfill, one = made(past)
    await stored(past, one.store)
    first = Reading(until_us=HOUR - 4 * HOUR_US, from_us=None)
    await backfill.run(await one.store.markets_of(), first, KINDS)
    assert one.store.state[candle_key(T4, 1)] == "2026-11-21T03:00:00Z"
    past.calls.clear()
    report = await backfill.run(await one.store.markets_of(), everything(""), KINDS)
    assert report.is_complete
    assert_whole(past, one.store)
    starts = [query.start_us for query in past.named("candles") if T4 in query.tickers]
    assert min(starts) > HOUR - 4 * HOUR_US


async def test_many_rows_are_stored_in_parts_and_the_cursor_comes_with_the_last() -> None:
    past = FakePast()
    record = market(T4, open_us=HOUR - 5 * DAY_US, close_us=HOUR + DAY_US)
    past.records[T4] = record
    begin_min = record.open_us // MINUTE_US
    past.held_candles = [candle(T4, end_min=begin_min + at) for at in range(1, 1_202)]
    backfill, one = made(past)
    await stored(past, one.store)
    sizes: list[tuple[int, int]] = []
    plain = one.store.save_candles

    async def save(candles, moves, at_us):
        sizes.append((len(candles), len(moves)))
        return await plain(candles, moves, at_us)

    one.store.save_candles = save
    report = await backfill.run(await one.store.markets_of(), everything(), [CANDLES])
    assert report.candles == 1_201
    assert sizes == [(500, 0), (500, 0), (201, 1)]


async def test_each_market_is_read_by_the_period_of_its_event() -> None:
    past = world()
    past.events["KXFED-26DEC"] = event("KXFED-26DEC", strike_period="day")
    backfill, one = made(past)
    await stored(past, one.store)
    report = await backfill.run(await one.store.markets_of(series=[FED]), everything(), [CANDLES])
    assert report.is_complete
    assert {query.period_minutes for query in past.named("candles")} == {60}
    await backfill.run(
        await one.store.markets_of(series=[FED]), everything(), [CANDLES], minutes=(1, 1_440)
    )
    assert {query.period_minutes for query in past.named("candles")} == {1, 60, 1_440}


async def test_a_failed_call_leaves_the_cursor_before_its_hole() -> None:
    past = world()
    fails = {"left": 3}

    def hook(name, query) -> None:
        if name in ("candles", "trade_page") and fails["left"]:
            fails["left"] -= 1
            raise ExchangeUnavailable("away")

    past.hook = hook
    backfill, one = made(past)
    await stored(past, one.store)
    report = await backfill.run(await one.store.markets_of(), everything(), KINDS)
    assert not report.is_complete
    assert report.errors == 3
    assert report.left
    assert "away" in report.error
    report = await backfill.run(await one.store.markets_of(), everything(), KINDS)
    assert report.is_complete
    assert_whole(past, one.store)


async def test_an_exchange_that_answers_nobody_ends_the_pass() -> None:
    past = world()

    def hook(name, query) -> None:
        if name != "cutoff":
            raise ExchangeUnavailable("away")

    past.hook = hook
    backfill, one = made(past, knobs=replace(LENIENT, outages_max=2, concurrency=1))
    await stored(past, one.store)
    report = await backfill.run(await one.store.markets_of(), everything(), KINDS)
    assert len(past.calls) == 3
    assert report.left == set(past.records)


async def test_what_one_market_does_wrong_stops_no_other() -> None:
    past = world()

    def hook(name, query) -> None:
        if name == "trade_page" and query.ticker == T4:
            raise InvalidMessage("half a page")
        if name == "candles" and query.is_archived:
            raise RequestRefused(400, "bad_request", "no")

    past.hook = hook
    backfill, one = made(past)
    await stored(past, one.store)
    report = await backfill.run(await one.store.markets_of(), everything(), KINDS)
    assert report.left == {T4, "KXCPI-26OCT-T1"}
    assert {each.ticker for each in one.store.trades.values()} == {T5, "KXCPI-26OCT-T1"}
    assert {key[0] for key in one.store.candles} == {T4, T5}


async def test_a_market_that_the_live_tier_forgot_keeps_its_cursor() -> None:
    past = world()
    backfill, one = made(past)
    await stored(past, one.store)
    del past.records[T4]
    report = await backfill.run(await one.store.markets_of(), everything(), [CANDLES])
    assert report.left == {T4}
    assert candle_key(T4, 1, "open") not in one.store.state
    assert candle_key(T5, 1, "open") in one.store.state


async def test_what_seems_unsettled_long_after_its_close_is_listed_again() -> None:
    past = world()
    backfill, one = made(past)
    await stored(past, one.store)
    # While nobody looked, it settled and went to the archive.
    closed_us = HOUR - 40 * DAY_US
    live = market("KXCPI-26OCT-T2", open_us=closed_us - HOUR_US, close_us=closed_us)
    await one.store.save_listing([], [replace(live, status=MarketStatus.CLOSED)], [], 1)
    past.records[live.ticker] = finalized(live, closed_us + HOUR_US)
    past.held_candles.append(candle(live.ticker, end_min=closed_us // MINUTE_US - 9))
    report = await backfill.run(await one.store.markets_of(), everything(), KINDS)
    assert report.is_complete
    assert_whole(past, one.store)
    [known] = await one.store.markets_of(tickers=[live.ticker])
    assert known.settled_us == closed_us + HOUR_US


async def test_candles_of_a_market_on_its_way_to_the_archive_are_read_live() -> None:
    past = world()
    past.border_us = HOUR - 41 * DAY_US
    record = past.records["KXCPI-26OCT-T1"]
    past.records[record.ticker] = replace(record, settled_us=past.border_us + HOUR_US)
    backfill, one = made(past)
    await stored(past, one.store)
    report = await backfill.run(await one.store.markets_of(), everything(), [CANDLES])
    assert report.is_complete
    assert [
        query.is_archived for query in past.named("candles") if record.ticker in query.tickers
    ] == [True, False]


async def test_trades_that_move_to_the_archive_meanwhile_are_found_there() -> None:
    past = world(trades=30, page_size=4)
    reads = Counter()

    def hook(name, query) -> None:
        reads[name] += 1
        # Some way through the live tier its border overtakes every trade of the market.
        if name == "trade_page" and reads[name] == 3:
            past.border_us += DAY_US

    past.border_us = HOUR - 40 * DAY_US - 12 * HOUR_US
    past.hook = hook
    backfill, one = made(past, knobs=replace(LENIENT, concurrency=1))
    await stored(past, one.store)
    old = [MarketTicker("KXCPI-26OCT-T1")]
    report = await backfill.run(await one.store.markets_of(tickers=old), everything(), [TRADES])
    assert report.is_complete
    assert Counter(one.store.trades.keys()) == readable(past, old[0])


async def test_a_listing_that_turns_in_a_circle_is_left() -> None:
    past = world(trades=30, page_size=4)
    page = past.trade_page

    async def circle(query, cursor=""):
        answer = await page(query, cursor)
        return replace(answer, cursor="4" if answer.cursor else "")

    past.trade_page = circle
    backfill, one = made(past)
    await stored(past, one.store)
    report = await backfill.run(await one.store.markets_of(tickers=[T4]), everything(), [TRADES])
    assert report.left == {T4}
    assert "cursor repeats" in report.error


async def test_of_two_readers_of_a_market_the_slower_changes_nothing() -> None:
    past = world()
    backfill, one = made(past, knobs=replace(LENIENT, concurrency=1))
    await stored(past, one.store)
    rival, _ = made(past, one.store)
    markets = await one.store.markets_of(tickers=[T4])
    plain, is_first = past.hook, [True]

    async def hook(name, query) -> None:
        if name in ("candles", "trade_page") and is_first[0]:
            is_first[0] = False
            past.hook = plain
            await rival.run(markets, everything(), KINDS)

    past.hook = hook
    report = await backfill.run(markets, everything(), KINDS)
    assert "MarkMoved" in report.error
    assert report.left == {T4}
    assert {each.ticker for each in one.store.trades.values()} == {T4}
    assert Counter(one.store.trades.keys()) == readable(past, T4)


async def test_an_unreadable_candle_is_kept_as_it_came_and_told() -> None:
    past = world()
    plain = past.candles

    async def candles(query):
        page = await plain(query)
        bad = Quarantined(name=query.tickers[0], reason="no volume", raw=b"{}")
        return CandlePage(candles=page.candles, quarantined=(bad,), known=page.known)

    past.candles = candles
    backfill, one = made(past)
    await stored(past, one.store)
    report = await backfill.run(await one.store.markets_of(tickers=[T4]), everything(), [CANDLES])
    assert (report.errors, report.left) == (1, set())
    assert not report.is_complete
    assert [item.raw for item in one.store.quarantine] == [b"{}"]


async def test_a_database_that_is_away_is_told_to_the_caller() -> None:
    past = world()
    backfill, one = made(past)
    await stored(past, one.store)
    markets = await one.store.markets_of()

    def hook(name, query) -> None:
        one.store.is_down = name == "trade_page"

    past.hook = hook
    with pytest.raises(StorageUnavailable):
        await backfill.run(markets, everything(), KINDS)


async def test_a_regular_pass_covers_what_was_alive_and_its_mark_moves_when_nothing_is_left() -> (
    None
):
    past = world()
    knobs = replace(LENIENT, lookback_h=24)
    backfill, one = made(past, knobs=knobs)
    await stored(past, one.store)
    is_down = [True]

    def hook(name, query) -> None:
        if is_down[0] and name == "trade_page" and query.ticker == T5:
            raise ExchangeUnavailable("away")

    past.hook = hook
    report = await backfill.run_regular()
    assert not report.is_complete
    assert MIN_CLOSE not in one.store.state
    is_down[0] = False
    report = await backfill.run_regular()
    assert report.is_complete
    assert one.store.state[MIN_CLOSE] == str((NOW_US - MINUTE_US) // SECOND_US)


async def test_a_market_that_the_venue_forgot_does_not_hold_up_the_mark_for_ever() -> None:
    past = world()
    backfill, one = made(past, knobs=replace(LENIENT, series=(FED,)))
    await stored(past, one.store)
    begin = str((NOW_US - 20 * DAY_US) // SECOND_US)
    for closed_days, moves in ((13, False), (15, True)):
        close_us = NOW_US - closed_days * DAY_US
        gone = market("KXFED-GONE", open_us=close_us - DAY_US, close_us=close_us)
        await one.store.save_listing([], [gone], [], NOW_US)
        read_us = (close_us - HOUR_US) // SECOND_US * SECOND_US
        marks = {MIN_CLOSE: begin, candle_key(gone.ticker, 1): write_instant(read_us)}
        await one.store.put_marks(marks, NOW_US)
        report = await backfill.run_regular()
        assert report.left == {"KXFED-GONE"}
        assert not report.is_complete
        mark = (await one.store.marks([MIN_CLOSE]))[MIN_CLOSE]
        assert (mark != begin) is moves


async def test_an_outage_is_no_reason_to_give_a_market_up() -> None:
    past = world()
    backfill, one = made(past, knobs=replace(LENIENT, series=(FED,)))
    gone = market(T5, open_us=NOW_US - 16 * DAY_US, close_us=NOW_US - 15 * DAY_US)
    await one.store.save_listing([], [gone], [], NOW_US)
    begin = str((NOW_US - 20 * DAY_US) // SECOND_US)
    await one.store.put_marks({MIN_CLOSE: begin}, NOW_US)

    async def down(*_: object) -> None:
        raise ExchangeUnavailable("nobody answers")

    past.hook = down
    assert (await backfill.run_regular()).left == {T5}
    assert await one.store.marks([MIN_CLOSE]) == {MIN_CLOSE: begin}


async def test_a_market_whose_last_hour_was_not_over_is_read_by_the_next_pass() -> None:
    past = FakePast()
    closes_us = HOUR + 2 * MINUTE_US
    record = market(T4, open_us=HOUR - 3 * HOUR_US, close_us=closes_us)
    past.records[T4] = record
    past.held_candles = [
        candle(T4, end_min=(HOUR + at * HOUR_US) // MINUTE_US, period_minutes=60)
        for at in (-1, 0, 1)
    ]
    backfill, one = made(past)
    clock = one.clock
    settings = replace(one.settings, minutes_for_other=60)
    one = replace(one, settings=settings)
    backfill = Backfill(one)
    clock.advance(HOUR + 5 * MINUTE_US - clock.now_us())
    await one.store.save_listing([], [record], [], 1)
    await backfill.run_regular()
    assert len(one.store.candles) == 2
    clock.advance(HOUR_US)
    await backfill.run_regular()
    assert len(one.store.candles) == 3
    assert one.store.state[candle_key(T4, 60)] == "2026-11-21T08:00:00Z"


@settings(max_examples=150)
@given(
    seed=st.integers(0, 10**6),
    page_size=st.integers(1, 9),
    kills=st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=12),
    outages=st.lists(st.integers(0, 200), max_size=20),
)
async def test_whatever_dies_or_fails_nothing_is_lost_or_doubled(
    seed: int, page_size: int, kills: list[tuple[int, bool]], outages: list[int]
) -> None:
    """Kills before and after a commit, outages in between: in the end all is there, once.

    And at every moment a cursor says no more than what is stored.
    """
    past = world(seed=seed, page_size=page_size, minutes=30, trades=25)
    store = Doomed(past)
    await stored(past, store)
    calls = Counter()

    def hook(name, query) -> None:
        calls["all"] += 1
        if calls["all"] in outages:
            raise ExchangeUnavailable("away")

    past.hook = hook
    for after, is_committed in [*kills, (10**9, True)]:
        store.doom(after, is_committed=is_committed)
        for _ in range(40):
            backfill, _ = made(past, store)
            try:
                report = await backfill.run(await store.markets_of(), everything(), KINDS)
            except (Killed, BaseExceptionGroup):
                break
            store.check()
            if report.is_complete:
                break
    assert report.is_complete
    assert_whole(past, store)
    assert sum(store.counted.values()) == len(past.held_trades) + len(past.held_candles)


class Doomed(MemoryMarketHistoryStore):
    """Ends the process at one of its commits, before or after it took effect."""

    def __init__(self, past: FakePast) -> None:
        super().__init__()
        self._past = past
        self._left = 10**9
        self._is_committed = True
        self.counted: Counter = Counter()

    def doom(self, after: int, *, is_committed: bool) -> None:
        self._left, self._is_committed = after, is_committed

    async def save_candles(self, candles, moves, at_us):
        return await self._perhaps("candles", super().save_candles, candles, moves, at_us)

    async def save_trades(self, trades, moves, at_us):
        return await self._perhaps("trades", super().save_trades, trades, moves, at_us)

    async def _perhaps(self, name, save, *given):
        self._left -= 1
        if self._left == 0 and not self._is_committed:
            raise Killed
        changed = await save(*given)
        self.counted[name] += changed
        self.check()
        if self._left == 0:
            raise Killed
        return changed

    def check(self) -> None:
        """Everything up to a cursor is stored."""
        from bot.collect.cursors import read_instant, read_trade_cursor  # noqa: PLC0415

        for ticker in self._past.records:
            text = self.state.get(trade_key(ticker, "open"))
            cursor = text and read_trade_cursor(text)
            for each in self._past.held_trades if cursor else ():
                if each.ticker == ticker and each.executed_us <= cursor.done_us:
                    assert each.trade_id in self.trades
            until = read_instant(self.state.get(candle_key(ticker, 1, "open"), ""))
            for each in self._past.held_candles if until else ():
                if each.ticker == ticker and each.end_us <= until:
                    assert (each.ticker, 1, each.end_us) in self.candles


async def test_kills_on_the_real_databases(database) -> None:
    """The same with transactions: cancelled anywhere, over and over, it ends with all, once."""
    past = world(page_size=5, seed=11)
    store = SqlMarketHistoryStore(database)
    await stored(past, store)
    random = Random(3)
    for _ in range(200):
        backfill, _ = made(past, store, replace(LENIENT, concurrency=1))
        past.hook = _killer(random)
        try:
            report = await backfill.run(await store.markets_of(), everything(), KINDS)
        except (Killed, BaseExceptionGroup):
            continue
        if report.is_complete:
            break
    else:
        pytest.fail("it never came to its end")
    async with database.read() as connection:
        trades = (await connection.exec_driver_sql("SELECT count(*) FROM market_trades")).scalar()
        candles = (await connection.exec_driver_sql("SELECT count(*) FROM market_candles")).scalar()
    assert (trades, candles) == (len(past.held_trades), len(past.held_candles))


def _killer(random: Random):
    lives = random.randrange(2, 9)

    def hook(name, query) -> None:
        nonlocal lives
        lives -= 1
        if lives == 0:
            raise Killed

    return hook
