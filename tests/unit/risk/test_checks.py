"""Each check says no exactly beyond its limit, and names itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bot.domain.money import Money
from bot.kit.times import MINUTE_US
from bot.risk.checks import CHECKS, first_denial
from bot.risk.limits import RiskLimits, share_of
from tests.support.risk import FINE

LIMITS = RiskLimits()


def test_an_ordinary_entry_passes() -> None:
    assert first_denial(FINE, LIMITS) is None


@pytest.mark.parametrize(
    ("check", "field", "at_limit", "beyond"),
    [
        ("stale_book", "is_book_trusted", True, False),
        ("one_position", "has_position", False, True),
        ("left_by_person", "since_left_us", 60 * MINUTE_US, 60 * MINUTE_US - 1),
        ("unknown_order", "unknown_orders", 0, 1),
        ("foreign_activity", "foreign", "", "order of 5.00"),
        ("price_band", "own_price", 200, 199),
        ("price_band", "own_price", 9_800, 9_801),
        ("time_to_close", "until_close_us", 10 * MINUTE_US, 10 * MINUTE_US - 1),
        ("concurrent_positions", "open_positions", 9, 10),
        ("open_orders", "open_orders", 39, 40),
        ("order_rate", "entries_last_minute", 19, 20),
        ("some_size", "quantity", 100, 0),
        ("shard_cash", "shard_cash", 9_500_000, 9_499_999),
        ("depth_share", "displayed", 4_000, 3_999),
        ("depth_share", "volume_24h", 4_000, 3_999),
        ("order_cost", "cost", 100_000_000, 100_000_001),
        ("cash", "cash_free", 509_500_000, 509_499_999),
        ("market_exposure", "market_after", 500_000_000, 500_000_001),
        ("event_exposure", "event_after", 1_000_000_000, 1_000_000_001),
        ("series_exposure", "series_after", 1_500_000_000, 1_500_000_001),
        ("release_group_exposure", "release_group_after", 2_000_000_000, 2_000_000_001),
        ("total_exposure", "total_after", 3_000_000_000, 3_000_000_001),
    ],
)
def test_a_check_refuses_just_beyond_its_limit_and_not_at_it(
    check: str, field: str, at_limit: object, beyond: object
) -> None:
    assert first_denial(replace(FINE, **{field: at_limit}), LIMITS) is None
    denial = first_denial(replace(FINE, **{field: beyond}), LIMITS)
    assert denial is not None
    assert denial.check == check
    assert denial.reason


def test_every_check_of_the_chain_is_exercised_by_name() -> None:
    names = [name for name, _ in CHECKS]
    assert len(names) == len(set(names)) == 20


@given(st.integers(-(10**12), 10**12), st.integers(0, 10_000))
def test_a_share_is_never_negative_nor_above_the_whole(equity: int, share_bp: int) -> None:
    share = share_of(Money(equity), share_bp)
    assert 0 <= share <= max(0, equity)


@pytest.mark.parametrize(
    "wrong",
    [
        {"market_max_bp": 0},
        {"market_max_bp": 2_000},
        {"total_max_bp": 10_001},
        {"price_min_e4": 9_900},
        {"concurrent_max": 0},
        {"kelly_fraction_bp": 10_001},
        {"order_cost_max_e6": 0},
        {"cash_reserve_bp": 10_000},
    ],
)
def test_limits_that_make_no_sense_are_refused_by_name(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong)).rpartition("_")[0].split("_max")[0]):
        RiskLimits(**wrong)


def test_a_fixed_sum_limits_everything_where_it_is_less_than_the_share() -> None:
    fixed = RiskLimits(total_cost_max_e6=9_500_000)
    assert first_denial(FINE, fixed) is None
    denial = first_denial(replace(FINE, total_after=Money(9_500_001)), fixed)
    assert denial is not None
    assert denial.check == "total_exposure"
