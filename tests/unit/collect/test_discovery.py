"""Discovery finds what is there, says when it could not look, and asks for changes only after."""

from dataclasses import replace

import pytest

from bot.collect.asking import Past
from bot.collect.cursors import DISCOVERY, DISCOVERY_HEARTBEAT, read_instant
from bot.collect.discovery import Discovery
from bot.collect.history_settings import HistorySettings
from bot.domain.errors import ExchangeUnavailable
from bot.domain.ids import MarketTicker, SeriesTicker
from bot.domain.market import MarketStatus
from bot.kit.times import HOUR_US, MINUTE_US
from bot.ports.exchange import Quarantined
from bot.ports.history_reads import ListingPage
from tests.fakes.clock import ManualClock
from tests.fakes.history_reads import FakePast, finalized
from tests.fakes.market_history import MemoryMarketHistoryStore, event, market

NOW_US = 1_795_245_300_000_000
FED, CPI = SeriesTicker("KXFED"), SeriesTicker("KXCPI")


def listed() -> FakePast:
    past = FakePast(page_size=2)
    for ticker in ["KXFED-26DEC-T4", "KXFED-26DEC-T5", "KXFED-27JAN-T4", "KXCPI-26NOV-T1"]:
        put(past, ticker)
    for month in range(5):
        put(past, f"KXFED-27FEB{month}-T4")
    put(past, "KXFED-25DEC-T4", status=MarketStatus.FINALIZED)
    return past


def put(past: FakePast, ticker: str, **changes) -> None:
    record = market(ticker, **changes)
    past.records[record.ticker] = record
    past.events.setdefault(record.event_ticker, event(record.event_ticker))


def made(past: FakePast, **knobs) -> tuple[Discovery, Past]:
    one = Past(
        settings=HistorySettings(series=(FED, CPI), **knobs),
        reads=past,
        store=MemoryMarketHistoryStore(),
        clock=ManualClock(NOW_US),
    )
    return Discovery(one), one


async def test_the_first_pass_lists_everything_open() -> None:
    past = listed()
    discovery, one = made(past)
    report = await discovery.run()
    assert report.is_complete
    assert (report.series, report.events, report.markets, report.new_markets) == (2, 8, 9, 9)
    assert "KXFED-25DEC-T4" not in one.store.listed
    assert read_instant(one.store.state[DISCOVERY]) == NOW_US
    assert DISCOVERY_HEARTBEAT in one.store.state
    assert {query.status for query in past.named("event_page")} == {"open"}


async def test_statuses_are_a_setting() -> None:
    past = listed()
    discovery, one = made(past, discovery_statuses=("open", "settled"))
    await discovery.run()
    assert "KXFED-25DEC-T4" in one.store.listed


async def test_later_passes_ask_for_changes_and_fetch_unknown_events() -> None:
    past = listed()
    discovery, one = made(past)
    await discovery.run()
    past.calls.clear()
    one.clock.advance(30 * MINUTE_US)
    put(past, "KXFED-27MAR-T4", updated_us=one.clock.now_us() - 1)
    settled = finalized(past.records["KXFED-26DEC-T4"], one.clock.now_us() - 1)
    past.records[settled.ticker] = settled
    report = await discovery.run()
    assert report.is_complete
    assert (report.markets, report.new_markets) == (3, 1), "the new one came twice, with its event"
    assert [query.tickers for query in past.named("event_page")] == [("KXFED-27MAR",)]
    assert all(
        query.min_updated_us == NOW_US - 5 * MINUTE_US for query in past.named("record_page")
    )
    [known] = await one.store.markets_of(tickers=[MarketTicker("KXFED-26DEC-T4")])
    assert known.status is MarketStatus.FINALIZED


async def test_once_a_day_everything_is_listed_again() -> None:
    past = listed()
    discovery, one = made(past)
    await discovery.run()
    one.clock.advance(23 * HOUR_US)
    past.calls.clear()
    await discovery.run()
    assert past.named("event_page") == []
    one.clock.advance(HOUR_US)
    await discovery.run()
    assert past.named("event_page")
    past.calls.clear()
    await discovery.run(is_full=True)
    assert past.named("event_page")


async def test_a_clock_that_was_set_back_lists_everything() -> None:
    past = listed()
    discovery, one = made(past)
    await discovery.run()
    one.clock.step(-HOUR_US)
    past.calls.clear()
    await discovery.run()
    assert past.named("record_page") == []


async def test_a_series_that_failed_is_told_and_its_mark_stays() -> None:
    past = listed()
    discovery, one = made(past)

    def hook(name, query) -> None:
        if query.series_ticker == FED and name == "event_page" and len(past.calls) > 2:
            raise ExchangeUnavailable("away")

    past.hook = hook
    report = await discovery.run()
    assert report.failed_series == [FED]
    assert "away" in report.error
    assert DISCOVERY not in one.store.state
    assert "discovery_ts:KXFED" not in one.store.state
    assert "discovery_ts:KXCPI" in one.store.state
    past.hook = None
    past.calls.clear()
    report = await discovery.run()
    assert report.is_complete
    assert {query.series_ticker for query in past.named("event_page")} == {FED}
    assert len(one.store.listed) == 9


async def test_an_exchange_that_answers_nobody_ends_the_pass() -> None:
    past = listed()

    def hook(name, query) -> None:
        raise ExchangeUnavailable("away")

    past.hook = hook
    discovery, _ = made(past, outages_max=1)
    report = await discovery.run()
    assert len(past.calls) == 1
    assert report.failed_series == [FED, CPI]


async def test_some_series_alone_say_nothing_of_the_others() -> None:
    discovery, one = made(listed())
    report = await discovery.run(series=[CPI])
    assert report.is_complete
    assert DISCOVERY not in one.store.state


async def test_an_unreadable_market_is_set_aside_and_told() -> None:
    past = listed()
    plain = past.event_page

    async def event_page(query, cursor=""):
        page = await plain(query, cursor)
        bad = Quarantined(name="KXFED-X", reason="no close_time", raw=b"{}")
        return ListingPage(
            events=page.events, markets=page.markets, quarantined=(bad,), cursor=page.cursor
        )

    past.event_page = event_page
    discovery, one = made(past)
    report = await discovery.run(series=[CPI])
    assert (report.is_complete, report.errors, report.markets) == (True, 1, 1)
    assert [item.name for item in one.store.quarantine] == ["KXFED-X"]


async def test_a_listing_that_turns_in_a_circle_is_no_success() -> None:
    past = listed()
    plain = past.event_page

    async def event_page(query, cursor=""):
        return replace(await plain(query, cursor), cursor="2")

    past.event_page = event_page
    discovery, _ = made(past)
    report = await discovery.run(series=[FED])
    assert report.failed_series == [FED]
    assert "does not end" in report.error


@pytest.mark.parametrize(
    "wrong",
    [
        {"series": ()},
        {"series": (FED, FED)},
        {"discovery_statuses": ("opne",)},
        {"discovery_statuses": ()},
        {"minutes_for_hour": 5},
        {"lookback_h": 0},
        {"horizons_minutes": ()},
        {"horizons_minutes": (0,)},
    ],
)
def test_wrong_settings_are_refused_with_their_name(wrong) -> None:
    with pytest.raises(ValueError, match=f"history {next(iter(wrong))}"):
        HistorySettings(**wrong)
