"""Old snapshots go in small batches; what calibration needs stays."""

import pytest

from bot.collect.asking import Past
from bot.collect.gaps import count_missing, find_gaps
from bot.collect.history_settings import HistorySettings
from bot.collect.retention import PastRetention, Retention, RetentionSettings
from bot.kit.times import DAY_US, HOUR_US, MINUTE_US, hour_key
from tests.fakes.clock import ManualClock
from tests.fakes.collection import MemoryCollectionStore, snapshot
from tests.fakes.gaps import MemoryGapStore
from tests.fakes.history_reads import FakePast
from tests.fakes.market_history import MemoryMarketHistoryStore, candle, trade


def filled(clock: ManualClock, days: int) -> MemoryCollectionStore:
    """An hourly snapshot of two markets of a series and two others, up to now."""
    store = MemoryCollectionStore()
    for hours in range(days * 24):
        hour = hour_key(clock.now_us() - hours * HOUR_US)
        for ticker, series in (("A", "KXFED"), ("B", "KXFED"), ("C", None), ("D", None)):
            bucket = None if ticker == "D" else "0.35-0.65"
            one = snapshot(ticker, hour, series_ticker=series, probability_bucket=bucket)
            store.snapshots[one.market_id, hour] = one
    return store


def counts(store: MemoryCollectionStore) -> dict[str, int]:
    found = dict.fromkeys("ABCD", 0)
    for market, _ in store.snapshots:
        found[market] += 1
    return found


async def test_nothing_goes_unless_a_limit_is_set(looptime) -> None:
    clock = ManualClock()
    store = filled(clock, 3)
    assert await Retention(RetentionSettings(), store, clock).run() == 0
    assert counts(store) == dict.fromkeys("ABCD", 72)


async def test_series_and_exchange_are_kept_by_their_own_rules(looptime) -> None:
    clock = ManualClock()
    store = filled(clock, 3)
    settings = RetentionSettings(series_days=2, exchange_days=1, batch=10)
    removed = await Retention(settings, store, clock).run()
    assert counts(store) == {"A": 49, "B": 49, "C": 25, "D": 25}
    assert removed == 2 * 23 + 2 * 47


async def test_the_last_usable_snapshot_of_a_market_stays_unless_said(looptime) -> None:
    clock = ManualClock()
    store = filled(clock, 1)
    clock.advance(10 * DAY_US)
    kept = RetentionSettings(exchange_days=1)
    await Retention(kept, store, clock).run()
    assert counts(store) == {"A": 24, "B": 24, "C": 1, "D": 0}
    await Retention(RetentionSettings(exchange_days=1, keeps_last=False), store, clock).run()
    assert counts(store) == {"A": 24, "B": 24, "C": 0, "D": 0}


async def test_each_hour_removes_the_hour_that_became_old(looptime) -> None:
    clock = ManualClock()
    store = filled(clock, 2)
    retention = Retention(RetentionSettings(exchange_days=1, batch=3), store, clock)
    await retention.run()
    before = counts(store)
    clock.advance(HOUR_US)
    assert await retention.run() == 2
    assert counts(store)["C"] == before["C"] - 1


@pytest.mark.parametrize("wrong", [{"series_days": -1}, {"exchange_days": -1}, {"batch": 0}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="collect retention"):
        RetentionSettings(**wrong)


async def test_what_was_removed_is_not_missing(looptime) -> None:
    clock = ManualClock()
    store = filled(clock, 4)
    # A market that closed long ago: its last snapshot stays for ever, those around it go.
    early = hour_key(clock.now_us() - 90 * HOUR_US)
    closed = snapshot("E", early)
    store.snapshots[closed.market_id, early] = closed
    await Retention(RetentionSettings(series_days=2, exchange_days=2), store, clock).run()
    assert (await store.snapshot_span() or ("",))[0] == early
    assert await count_missing(store) == 0
    report = await find_gaps(store, MemoryGapStore(store))
    assert (report.first_hour, report.missing) == (hour_key(clock.now_us() - 2 * DAY_US), 0)
    asked = await find_gaps(store, MemoryGapStore(store), first_hour=early)
    assert asked.missing == 0
    # Kept for longer from now on: what went is gone all the same.
    await Retention(RetentionSettings(series_days=3), store, clock).run()
    assert await count_missing(store) == 0


async def test_old_candles_and_trades_go_if_a_limit_is_set(looptime) -> None:
    clock, store = ManualClock(), MemoryMarketHistoryStore()
    now_min, day_min = clock.now_us() // MINUTE_US, DAY_US // MINUTE_US
    names = [f"KXFED-{number:03d}" for number in range(120)]
    for days in (19, 21):
        end_min = now_min - days * day_min
        await store.save_candles([candle(name, end_min=end_min) for name in names], [], 1)
        traded = [trade(f"{name}{days}", name, executed_us=end_min * MINUTE_US) for name in names]
        await store.save_trades(traded, [], 1)
    for kept_days, removed in ((0, 0), (20, 240), (20, 0)):
        past = Past(
            settings=HistorySettings(retention_days=kept_days),
            reads=FakePast(),
            store=store,
            clock=clock,
        )
        assert await PastRetention(past, batch=7).run() == removed
    assert (len(store.candles), len(store.trades)) == (120, 120)


def test_what_settling_needs_is_not_removed_before() -> None:
    with pytest.raises(ValueError, match=r"retention_days: set it to 0 .* or to 14 or more"):
        HistorySettings(retention_days=13)
    assert HistorySettings(retention_days=14, horizons_minutes=(60,)).retention_days == 14
    with pytest.raises(ValueError, match="37 or more"):
        HistorySettings(retention_days=36, lookback_h=30 * 24)
