"""The trading day of New York, through both changes of the clocks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.tradingday import day_start_us, trading_day
from bot.kit.times import HOUR_US, parse_rfc3339


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2026-11-21T04:59:59Z", "2026-11-20"),
        ("2026-11-21T05:00:00Z", "2026-11-21"),
        ("2026-07-01T03:59:59Z", "2026-06-30"),
        ("2026-07-01T04:00:00Z", "2026-07-01"),
    ],
)
def test_the_day_changes_at_midnight_eastern(moment: str, day: str) -> None:
    assert trading_day(parse_rfc3339(moment)) == day


@pytest.mark.parametrize(
    ("day", "next_day", "hours"),
    [
        ("2026-03-08", "2026-03-09", 23),
        ("2026-11-01", "2026-11-02", 25),
        ("2026-11-20", "2026-11-21", 24),
    ],
)
def test_days_of_23_and_25_hours_are_one_day(day: str, next_day: str, hours: int) -> None:
    assert day_start_us(next_day) - day_start_us(day) == hours * HOUR_US


@given(st.integers(1_600_000_000, 2_000_000_000).map(lambda seconds: seconds * 1_000_000))
def test_every_moment_lies_in_its_day_and_its_day_starts_before_it(at_us: int) -> None:
    day = trading_day(at_us)
    start_us = day_start_us(day)
    assert start_us <= at_us
    assert trading_day(start_us) == day
    assert trading_day(start_us - 1) < day


def test_the_zone_is_a_setting() -> None:
    assert trading_day(parse_rfc3339("2026-11-21T04:59:59Z"), "UTC") == "2026-11-21"
