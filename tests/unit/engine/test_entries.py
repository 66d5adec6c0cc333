"""Sizing and checks as the engine applies them."""

from dataclasses import replace

import pytest

from bot.domain.events import CloseCommanded, ExchangeRead, MarketsListed
from bot.domain.ids import MarketTicker
from bot.domain.money import Money, Quantity
from bot.domain.signals import Verdict
from bot.engine.settings import EngineSettings
from bot.kit.times import MINUTE_US, SECOND_US
from bot.risk.limits import RiskLimits
from tests.support.trading import START_US, TICKER, Desk, a_listing


def leading(settings: EngineSettings | None = None) -> Desk:
    desk = Desk(settings)
    desk.lead()
    return desk


def test_the_order_cost_limit_decides_the_size_of_a_strong_signal() -> None:
    desk = leading()
    desk.quote()
    (intent,) = desk.outgoing
    assert desk.store.signals[-1].reason == "order cost"
    assert intent.quantity % 100 == 0
    assert 99_000_000 < intent.quantity * intent.price <= 100_000_000


def test_the_series_limit_holds_over_several_markets() -> None:
    limits = RiskLimits(
        order_cost_max_e6=10_000_000_000,
        market_max_bp=300,
        event_max_bp=500,
        series_max_bp=700,
        kelly_fraction_bp=10_000,
    )
    desk = leading(EngineSettings(limits=limits))
    tickers = [f"KXFED-26{month}-T{n}" for month in ("JAN", "MAR", "APR") for n in range(3)]
    desk.list_markets(*tickers)
    for ticker in tickers:
        desk.quote(ticker=ticker)
    spent = {
        ticker: sum(one.quantity * one.price for one in desk.outgoing if one.ticker == ticker)
        for ticker in tickers
    }
    assert max(spent.values()) <= 300_000_000
    for month in ("JAN", "MAR", "APR"):
        assert sum(spent[f"KXFED-26{month}-T{n}"] for n in range(3)) <= 500_000_000
    assert 690_000_000 < sum(spent.values()) <= 700_000_000


def test_a_release_group_counts_across_series() -> None:
    limits = RiskLimits(
        order_cost_max_e6=10_000_000_000,
        market_max_bp=500,
        release_group_max_bp=600,
        kelly_fraction_bp=10_000,
    )
    desk = leading(EngineSettings(limits=limits))
    listings = tuple(
        replace(a_listing(MarketTicker(ticker)), release_group="cpi-nov")
        for ticker in ("KXCPI-26NOV-T0.3", "KXCPICORE-26NOV-T0.3")
    )
    desk.put(MarketsListed(received_us=desk.now_us, listings=listings))
    for listing in listings:
        desk.quote(ticker=listing.market.ticker)
    assert sum(one.quantity * one.price for one in desk.outgoing) <= 600_000_000


def test_entries_that_rest_count_as_exposure_and_bind_cash() -> None:
    limits = RiskLimits(
        order_cost_max_e6=10_000_000_000, market_max_bp=500, event_max_bp=500, total_max_bp=600
    )
    desk = leading(EngineSettings(limits=limits))
    desk.list_markets("KXCPI-26DEC-T0.3")
    desk.quote()
    desk.accept()
    desk.quote(ticker="KXCPI-26DEC-T0.3")
    spent = sum(one.quantity * one.price for one in desk.entries())
    assert spent <= 600_000_000


def test_no_entry_before_the_balance_is_known() -> None:
    desk = Desk()
    desk.lead()
    desk.engine.world.ledger.cash = None
    desk.quote()
    assert desk.outgoing == []
    assert desk.store.signals[-1].reason == "ready: the balance is not known yet"
    assert desk.store.signals[-1].verdict is Verdict.REFUSED


def test_a_runaway_strategy_is_stopped_by_the_order_rate() -> None:
    limits = RiskLimits(entries_per_minute_max=3, order_cost_max_e6=1_000_000)
    desk = leading(EngineSettings(limits=limits))
    tickers = [f"KXCPI-26DEC-T{number}" for number in range(6)]
    desk.list_markets(*tickers)
    for ticker in tickers:
        desk.quote(ticker=ticker)
    assert len(desk.outgoing) == 3
    assert desk.store.signals[-1].reason.startswith("order_rate")


@pytest.mark.parametrize("left_s", [600, 620])
def test_an_entry_expires_before_the_market_closes(left_s: int) -> None:
    desk = leading()
    close_us = START_US + left_s * SECOND_US
    desk.list_markets(TICKER, close_us=close_us)
    desk.quote()
    if left_s == 600:
        assert desk.store.signals[-1].reason.startswith("time_to_close")
        return
    (intent,) = desk.outgoing
    assert intent.expires_us is not None
    assert intent.expires_us % SECOND_US == 0
    assert intent.expires_us <= close_us - 10 * SECOND_US


def test_equity_that_is_gone_buys_nothing() -> None:
    desk = leading()
    desk.engine.world.ledger.cash = Money(0)
    desk.quote()
    assert desk.outgoing == []
    assert desk.store.signals[-1].quantity == Quantity(0)


def test_an_entry_must_not_begin_its_life_without_a_stop() -> None:
    with pytest.raises(ValueError, match="close_distance_min_us"):
        EngineSettings(limits=RiskLimits(close_distance_min_us=SECOND_US))


def test_an_entry_needs_its_money_on_the_markets_own_shard() -> None:
    desk = leading()
    shards = ((0, Money(5_000_000_000)), (2, Money(20_000_000)))
    balance = replace(desk.truth().balance, by_shard=shards)
    truth = desk.truth(balance=balance)
    desk.put(ExchangeRead(received_us=desk.now_us, requested_us=desk.now_us, truth=truth))
    desk.list_markets("KXFED-26JAN-T1", exchange_index=1)
    desk.list_markets("KXFED-26JAN-T2", "KXFED-26JAN-T3", exchange_index=2)
    desk.quote(ticker="KXFED-26JAN-T1")
    assert desk.store.signals[-1].reason == "some_size: no contracts: cash on its shard"
    desk.quote(ticker="KXFED-26JAN-T2")
    [intent] = desk.outgoing
    assert intent.quantity * intent.price <= 20_000_000
    assert desk.store.signals[-1].reason == "cash on its shard"
    desk.accept()
    desk.execute(intent, intent.quantity)
    desk.quote(ticker="KXFED-26JAN-T3")
    assert desk.store.signals[-1].reason == "some_size: no contracts: cash on its shard"


@pytest.mark.parametrize(("minutes", "enters"), [(10, True), (9, False), (-1, False), (-3, True)])
def test_no_entry_shortly_before_and_after_a_release_of_the_markets_group(
    minutes: int, *, enters: bool
) -> None:
    at_us = START_US + minutes * MINUTE_US + 1_000
    desk = leading(EngineSettings(releases={"fomc": (at_us, at_us + 500 * MINUTE_US)}))
    listing = replace(a_listing(), release_group="fomc")
    desk.put(MarketsListed(received_us=desk.now_us, listings=(listing,)))
    desk.quote()
    assert bool(desk.outgoing) is enters
    if not enters:
        assert desk.store.signals[-1].reason.startswith("time_to_close")


def test_what_a_person_had_closed_is_not_bought_back_at_once_nor_after_a_restart() -> None:
    desk = leading()
    desk.bought()
    desk.accept()
    desk.put(CloseCommanded(received_us=desk.now_us, command_id=1, actor="ann", ticker=TICKER))
    for _ in range(5):
        desk.answer_cancels()
        while desk.outgoing:
            desk.accept()
        desk.wait(1)
    assert desk.position() == 0
    desk.quote()
    assert desk.store.signals[-1].reason.startswith("left_by_person: a person had it closed")
    after = Desk(store=desk.store, venue=desk.venue, epoch=2, now_us=desk.now_us)
    after.fills, after.positions, after.told = desk.fills, desk.positions, desk.told
    after.lead()
    after.quote()
    assert after.outgoing == []
    after.now_us += 60 * MINUTE_US
    after.quote()
    assert len(after.outgoing) == 1
