"""The default world: repeatable, lively, ending and beginning anew."""

import hashlib
import json
from random import Random

import pytest

from bot.kit.clock import SystemClock
from bot.kit.times import DAY_US, HOUR_US, MINUTE_US, SECOND_US, parse_rfc3339
from bot.simulator.exchange import Exchange
from bot.simulator.session import Session
from bot.simulator.settings import SimulatorSettings, WorldSettings
from bot.simulator.worlds import GeneratedWorld, open_world, weekly_pause
from bot.venue.markets import MarketResult
from tests.support.wire import Wire

START_US = parse_rfc3339("2026-11-21T13:00:00Z")


def world(seed: int = 1, start_us: int = START_US, **changes: int) -> Exchange:
    settings = SimulatorSettings(
        speed=0, seed=seed, start_us=start_us, worlds=WorldSettings(**changes)
    )
    exchange = Exchange(settings, SystemClock(), Random(seed))
    exchange.world = open_world(exchange)
    return exchange


def history(seed: int, step_us: int, until_us: int) -> str:
    """A digest of every public frame, with the world moved in steps of a given length."""
    exchange = world(seed)
    wire = Wire(capacity=10_000_000)
    session = Session(exchange, exchange.hub, wire.outlet())
    channels = ["orderbook_delta", "trade", "ticker", "market_lifecycle_v2"]
    params = {"channels": channels, "market_tickers": list(exchange.catalog.markets)}
    session.receive(json.dumps({"id": 1, "cmd": "subscribe", "params": params}))
    passed = 0
    while passed < until_us:
        exchange.clock.advance(step_us)
        exchange.catch_up()
        passed += step_us
    assert len(wire.sent) > 700
    return hashlib.sha256(json.dumps(wire.sent).encode()).hexdigest()


def test_the_same_seed_gives_the_same_history_however_it_is_stepped() -> None:
    until_us = 15 * SECOND_US
    first = history(1, SECOND_US, until_us)
    assert history(1, SECOND_US, until_us) == first
    assert history(1, 5 * SECOND_US, until_us) == first
    assert history(2, SECOND_US, until_us) != first


def test_events_end_pay_and_are_followed_by_others() -> None:
    exchange = world(pace_us=300_000_000)
    before = set(exchange.catalog.events)
    for _ in range(8):
        exchange.clock.advance(10 * MINUTE_US)
        exchange.catch_up()
    views = [exchange.market(ticker) for ticker in exchange.catalog.markets]
    settled = [view for view in views if view is not None and view.result is not None]
    assert len(settled) > 20
    assert {view.result for view in settled} == {MarketResult.YES, MarketResult.NO}
    assert len(set(exchange.catalog.events) - before) >= 5
    by_event: dict[str, int] = {}
    for view in settled:
        by_event[view.event_ticker] = by_event.get(view.event_ticker, 0) + (
            view.result is MarketResult.YES
        )
    exclusive = [name for name in by_event if exchange.catalog.events[name].is_exclusive]  # type: ignore[index]
    assert exclusive
    assert all(by_event[name] == 1 for name in exclusive)


def test_books_never_cross_and_prices_move() -> None:
    exchange = world()
    opening = {ticker: exchange.market(ticker) for ticker in exchange.catalog.markets}
    exchange.clock.advance(2 * MINUTE_US)
    exchange.catch_up()
    moved = 0
    for ticker, was in opening.items():
        view = exchange.market(ticker)
        assert view is not None
        assert was is not None
        if view.yes_bid is not None and view.yes_ask is not None:
            assert view.yes_bid < view.yes_ask
        moved += view.yes_bid != was.yes_bid
    assert moved > 30


def test_some_books_are_thin_and_some_one_sided() -> None:
    exchange = world()
    views = [exchange.market(ticker) for ticker in exchange.catalog.markets]
    one_sided = [v for v in views if v is not None and (v.yes_bid is None) != (v.yes_ask is None)]
    thin = [v for v in views if v is not None and 0 < v.yes_bid_size < 20_000]
    assert len(one_sided) >= 10
    assert len(thin) >= 20


def test_a_long_leap_skips_the_trading_and_not_the_lives() -> None:
    exchange = world(pace_us=60_000_000)
    exchange.clock.advance(2 * DAY_US)
    exchange.catch_up()
    settled = [
        ticker
        for ticker in exchange.catalog.markets
        if (view := exchange.market(ticker)) is not None and view.settled_us is not None
    ]
    assert len(settled) > 500


def test_quiet_events_can_fill_a_load_test() -> None:
    assert len(world(extra_events=50).catalog.markets) == len(world().catalog.markets) + 50


def test_a_listed_market_has_a_yesterday() -> None:
    exchange = world()
    ticker = next(iter(exchange.catalog.markets))
    now_s = START_US // 1_000_000
    hours = exchange.candles.read(ticker, now_s - 24 * 3_600, now_s, 60)
    assert len(hours) == 25
    assert sum(candle.volume for candle in hours) > 100_000


def test_an_empty_world_is_no_world() -> None:
    settings = SimulatorSettings(speed=0, world="empty")
    exchange = Exchange(settings, SystemClock(), Random(1))
    assert open_world(exchange) is None
    assert not isinstance(exchange.world, GeneratedWorld)


@pytest.mark.parametrize(
    ("after", "begin", "end"),
    [
        ("2026-11-21T13:00:00Z", "2026-11-26T08:00:00Z", "2026-11-26T10:00:00Z"),
        ("2026-11-26T08:30:00Z", "2026-11-26T08:30:00Z", "2026-11-26T10:00:00Z"),
        ("2026-11-26T11:00:00Z", "2026-12-03T08:00:00Z", "2026-12-03T10:00:00Z"),
        ("2026-10-31T12:00:00Z", "2026-11-05T08:00:00Z", "2026-11-05T10:00:00Z"),
        ("2026-07-01T12:00:00Z", "2026-07-02T07:00:00Z", "2026-07-02T09:00:00Z"),
    ],
)
def test_the_weekly_pause_is_new_yorks(after: str, begin: str, end: str) -> None:
    assert weekly_pause(parse_rfc3339(after)) == [
        (parse_rfc3339(begin), False),
        (parse_rfc3339(end), True),
    ]


def test_trading_pauses_on_thursday_morning_and_goes_on() -> None:
    thursday_us = parse_rfc3339("2026-11-26T07:59:00Z")
    exchange = world(start_us=thursday_us, pace_us=60_000_000)
    assert exchange.venue.reads.is_trading_active()
    exchange.clock.advance(2 * MINUTE_US)
    exchange.catch_up()
    assert not exchange.venue.reads.is_trading_active()
    assert exchange.venue.reads.is_exchange_active()
    exchange.clock.advance(2 * HOUR_US)
    exchange.catch_up()
    assert exchange.venue.reads.is_trading_active()
