"""Closed markets are followed to their end, and enter the ledger with what they showed before."""

from dataclasses import replace

from bot.collect.asking import Past
from bot.collect.cursors import CLEANUP
from bot.collect.history_settings import HistorySettings
from bot.collect.settling import ClosedCleanup
from bot.domain.errors import ExchangeUnavailable
from bot.domain.ids import MarketTicker, SeriesTicker
from bot.domain.market import MarketStatus
from bot.domain.money import Price
from bot.kit.times import DAY_US, HOUR_US, MINUTE_US
from bot.ports.market_history import Span
from tests.fakes.clock import ManualClock
from tests.fakes.history_reads import FakePast, finalized
from tests.fakes.market_history import MemoryMarketHistoryStore, candle, market

NOW_US = 1_795_245_300_000_000
CLOSE_US = NOW_US - NOW_US % HOUR_US - 2 * HOUR_US
T4 = MarketTicker("KXFED-26DEC-T4")


async def made(*records, border_us: int = 0, **knobs) -> tuple[ClosedCleanup, Past, FakePast]:
    past = FakePast(border_us=border_us)
    store = MemoryMarketHistoryStore()
    for record in records:
        past.records[record.ticker] = record
    await store.save_listing([], records, [], 1)
    series = (SeriesTicker("KXFED"), SeriesTicker("KXCPI"))
    one = Past(
        settings=HistorySettings(series=series, **knobs),
        reads=past,
        store=store,
        clock=ManualClock(NOW_US),
    )
    return ClosedCleanup(one), one, past


def closed(ticker: str = T4, close_us: int = CLOSE_US, **changes):
    given = {"open_us": close_us - 3 * DAY_US, "status": MarketStatus.CLOSED} | changes
    return market(ticker, close_us=close_us, **given)


async def test_a_final_market_enters_the_ledger_with_its_prices() -> None:
    record = closed(details_json='{"expiration_value":"4.25"}')
    cleanup, one, past = await made(record)
    past.records[T4] = finalized(record, CLOSE_US + HOUR_US, volume=700)
    bid = Span(*[Price(8_000)] * 4)
    past.held_candles = [
        candle(T4, end_min=CLOSE_US // MINUTE_US - before, bid=bid) for before in (1_600, 90, 10)
    ]
    report = await cleanup.run()
    assert (report.closed, report.settled, report.waiting, report.error) == (1, 1, 0, None)
    [row] = await one.store.settlements()
    assert (row.result, row.settlement_value, row.expiration_value) == ("yes", 10_000, "4.25")
    assert (row.macro_event_type, row.volume, row.settled_us) == (
        "fed_rate",
        700,
        CLOSE_US + HOUR_US,
    )
    seen = {
        price.horizon_minutes: (CLOSE_US - price.observed_us) // MINUTE_US for price in row.prices
    }
    assert seen == {5: 10, 15: 90, 60: 90}
    assert row.prices[0].yes_bid == 8_000
    assert CLEANUP in one.store.state
    assert (await cleanup.run()).closed == 0


async def test_a_market_within_its_grace_or_not_final_waits() -> None:
    waiting, young = closed(), closed("KXFED-26DEC-T5", NOW_US - 29 * MINUTE_US)
    cleanup, one, past = await made(waiting, young)
    past.records[T4] = replace(waiting, status=MarketStatus.DETERMINED, result="yes")
    report = await cleanup.run()
    assert (report.closed, report.settled, report.waiting) == (1, 0, 1)
    assert one.store.ledger == {}
    [known] = await one.store.markets_of(tickers=[T4])
    assert (known.status, known.result) == (MarketStatus.DETERMINED, "yes")


async def test_what_settled_long_ago_is_found_in_the_archive() -> None:
    record = closed(close_us=CLOSE_US - 90 * DAY_US)
    cleanup, one, past = await made(record, border_us=CLOSE_US - 60 * DAY_US)
    past.records[T4] = finalized(record, CLOSE_US - 89 * DAY_US)
    past.held_candles = [candle(T4, end_min=record.close_us // MINUTE_US - 7)]
    report = await cleanup.run()
    assert (report.settled, report.gone) == (1, 0)
    [row] = await one.store.settlements()
    assert [price.horizon_minutes for price in row.prices] == [5]
    assert [query.is_archived for query in past.named("record_page")] == [False, True]


async def test_a_market_nobody_lists_any_more_is_counted() -> None:
    cleanup, _, past = await made(closed())
    past.records.clear()
    report = await cleanup.run()
    assert (report.gone, report.settled, report.error) == (1, 0, None)


async def test_candles_that_could_not_be_read_leave_the_market_for_the_next_pass() -> None:
    record = closed()
    cleanup, one, past = await made(record)
    past.records[T4] = finalized(record, CLOSE_US + HOUR_US)

    def hook(name, query) -> None:
        if name == "candles":
            raise ExchangeUnavailable("away")

    past.hook = hook
    report = await cleanup.run()
    assert (report.settled, report.errors) == (0, 1)
    assert CLEANUP not in one.store.state
    past.hook = None
    assert (await cleanup.run()).settled == 1


async def test_an_exchange_that_is_away_settles_nothing_and_says_so() -> None:
    cleanup, one, past = await made(closed())

    def hook(name, query) -> None:
        raise ExchangeUnavailable("away")

    past.hook = hook
    report = await cleanup.run()
    assert (report.settled, report.gone) == (0, 0)
    assert "away" in report.error
    assert one.store.ledger == {}


async def test_an_early_close_is_known_by_the_first_one() -> None:
    record = closed(close_us=NOW_US + DAY_US)
    cleanup, one, past = await made(record)
    early = replace(record, close_us=CLOSE_US, updated_us=5)
    await one.store.save_listing([], [early], [], 2)
    past.records[T4] = finalized(early, CLOSE_US + HOUR_US)
    await cleanup.run()
    [row] = await one.store.settlements()
    assert (row.close_us, row.first_close_us) == (CLOSE_US, NOW_US + DAY_US)


async def test_many_markets_are_listed_a_hundred_at_a_time() -> None:
    records = [closed(f"KXFED-26DEC-T{number}") for number in range(230)]
    cleanup, _, past = await made(*records)
    past.page_size = 1_000
    seen: list[tuple[int, int]] = []
    report = await cleanup.run(on_series=lambda done, total, _: seen.append((done, total)))
    assert (report.closed, report.waiting) == (230, 230)
    assert [len(query.tickers) for query in past.named("record_page")] == [100, 100, 30]
    assert seen == [(100, 230), (200, 230), (230, 230)]
