"""Dollars, percent and seconds of people become the packages' integers, exactly."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.app.sections import CollectSection, ExchangeSection, TradingSection
from bot.app.settings import BotSettings
from bot.app.trading_settings import (
    engine_settings,
    group_settings,
    market_filter,
    monitor_settings,
    strategies,
)
from bot.collect.macro_filter import MACRO_SERIES
from bot.domain.errors import ConfigurationFault


def settings(**trading: object) -> BotSettings:
    return BotSettings(trading=TradingSection(**trading))


def test_amounts_keep_every_place() -> None:
    made = engine_settings(
        settings(
            order_cost_max=Decimal("12.345678"),
            market_max_pct=Decimal("2.25"),
            price_min=Decimal("0.0301"),
            min_minutes_to_close=12.5,
            daily_loss_pct=Decimal("4.5"),
            websocket_silence_s=12.25,
            max_open_orders=7,
            max_entries_per_minute=3,
        )
    )
    assert made.limits.order_cost_max_e6 == 12_345_678
    assert made.limits.market_max_bp == 225
    assert made.limits.price_min_e4 == 301
    assert made.limits.close_distance_min_us == 750_000_000
    assert (made.limits.open_orders_max, made.limits.entries_per_minute_max) == (7, 3)
    assert made.breakers.daily_loss_bp == 450
    assert made.breakers.silence_us == 12_250_000


@given(st.integers(min_value=1, max_value=9_999))
def test_a_price_in_ten_thousandths_survives_the_way_through_dollars(price_e4: int) -> None:
    made = market_filter(settings(max_spread=Decimal(price_e4) / 10_000))
    assert made.spread_max_e4 == price_e4


def test_approval_mode_is_off_until_a_threshold_is_set() -> None:
    assert engine_settings(BotSettings()).approve_above_e6 == 0
    made = engine_settings(
        settings(approve_above_dollars=Decimal("25.5"), approval_seconds=90, max_proposals=7)
    )
    assert (made.approve_above_e6, made.approval_valid_us) == (25_500_000, 90_000_000)
    assert made.proposals_max == 7


def test_the_defaults_are_consistent_and_a_hand_traded_account_is_tolerated_by_choice() -> None:
    assert engine_settings(BotSettings()).foreign_blocks_entries
    assert not engine_settings(settings(traded_by_hand_too=True)).foreign_blocks_entries
    assert [one.strategy_id for one in strategies(BotSettings())] == ["near_expiry"]


@pytest.mark.parametrize(
    ("make", "changes", "words"),
    [
        (engine_settings, {"price_min": Decimal("0.9"), "price_max": Decimal("0.1")}, "trading: "),
        (
            market_filter,
            {"probability_min": Decimal("0.9"), "probability_max": Decimal("0.6")},
            "trading: ",
        ),
        (strategies, {"strategies": {"lottery": {}}}, "trading.strategies: "),
        (strategies, {"strategies": {"near_expiry": {"bid_min": 1}}}, "trading.strategies: "),
    ],
)
def test_a_contradiction_is_a_fault_of_the_configuration(make, changes, words) -> None:
    with pytest.raises(ConfigurationFault, match=words):
        make(settings(**changes))


def test_the_watch_list_is_read_from_the_collected_series() -> None:
    assert monitor_settings(BotSettings()).series == MACRO_SERIES
    chosen = BotSettings(collect=CollectSection(series=("KXFED",)))
    assert monitor_settings(chosen).series == ("KXFED",)


def test_one_normal_order_never_trips_the_group_at_the_exchange() -> None:
    usual = group_settings(BotSettings())
    assert usual.contracts_max_e2 == 3 * 5_000_00
    cheap = group_settings(settings(order_cost_max=Decimal("100.01"), price_min=Decimal("0.0301")))
    assert cheap.contracts_max_e2 == 3 * 3_323_00
    chosen = group_settings(settings(group_contracts_max=5_001))
    assert chosen.contracts_max_e2 == 5_001_00


def test_a_group_limit_that_one_order_reaches_is_refused_with_the_fix() -> None:
    with pytest.raises(ConfigurationFault, match="must be above 5000"):
        group_settings(settings(group_contracts_max=5_000))


def live(**trading: object) -> BotSettings:
    return BotSettings(
        mode="trade",
        exchange=ExchangeSection(environment="production"),
        trading=TradingSection(live=True, **trading),
    )


def test_real_money_begins_tiny_and_with_a_person_asked() -> None:
    made = engine_settings(live())
    assert made.limits.order_cost_max_e6 == 5_000_000
    assert made.limits.total_cost_max_e6 == 50_000_000
    assert made.approvals_first == 10
    raised = engine_settings(live(live_order_cost_max=Decimal(500), approve_first=0))
    assert raised.limits.order_cost_max_e6 == 100_000_000, "order_cost_max holds as well"
    assert raised.approvals_first == 0


def test_paper_is_not_ramped() -> None:
    made = engine_settings(settings())
    assert (made.limits.total_cost_max_e6, made.approvals_first) == (0, 0)


def test_who_only_watches_has_a_scope_of_its_own_and_enters_nothing() -> None:
    watching = settings(read_only=True)
    assert watching.scope == "watch:main:0"
    made = engine_settings(watching)
    assert (made.entries_on, made.is_read_only) == (False, True)


def test_releases_are_times_of_known_groups() -> None:
    made = engine_settings(settings(releases={"CPI": ["2026-12-10T08:30:00-05:00"]}))
    assert made.releases == {"cpi": (1_796_909_400_000_000,)}
    with pytest.raises(ConfigurationFault, match="no release group 'cpy'; known: adp, claims"):
        engine_settings(settings(releases={"cpy": ["2026-12-10T08:30:00-05:00"]}))


def test_ways_out_are_off_unless_set() -> None:
    rules = engine_settings(settings()).rules
    assert (rules.trail_by_e4, rules.max_hold_us, rules.flatten_before_close_us) == (0, 0, 0)
    chosen = engine_settings(
        settings(trail_stop_by=Decimal("0.05"), time_stop_minutes=90, sell_minutes_before_close=15)
    ).rules
    assert chosen.trail_by_e4 == 500
    assert chosen.max_hold_us == 5_400_000_000
    assert chosen.flatten_before_close_us == 900_000_000
