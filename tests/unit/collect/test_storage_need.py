"""The room a scan of the exchange needs is told before it starts."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bot.collect.storage_need import (
    GIB,
    Room,
    ScanPlan,
    bytes_needed,
    rows_per_day,
    why_no_room,
    why_over_budget,
)

PLAN = ScanPlan(markets=120_000, whole_every_hours=24, kept_days=30)
ROOMY = Room(budget=500 * GIB, used=0, free=500 * GIB)


def test_a_day_is_one_whole_scan_and_the_updates_of_the_other_hours() -> None:
    assert rows_per_day(PLAN) == 120_000 + 23 * 3_600
    assert rows_per_day(replace(PLAN, whole_every_hours=1)) == 24 * 120_000


@given(st.integers(1, 10**6), st.integers(1, 168), st.integers(1, 3_650))
def test_more_of_anything_never_needs_less(markets: int, hours: int, days: int) -> None:
    plan = ScanPlan(markets=markets, whole_every_hours=hours, kept_days=days)
    needed = bytes_needed(plan)
    assert bytes_needed(replace(plan, markets=markets + 1)) >= needed
    assert bytes_needed(replace(plan, kept_days=days + 1)) >= needed
    assert bytes_needed(replace(plan, whole_every_hours=hours + 1)) <= needed


def test_what_fits_is_no_fault() -> None:
    assert why_no_room(PLAN, ROOMY) is None
    assert why_no_room(PLAN, replace(ROOMY, free=None)) is None


def test_over_the_budget_is_told_with_the_numbers_and_what_to_change() -> None:
    why = why_no_room(PLAN, replace(ROOMY, budget=2 * GIB))
    assert why is not None
    assert why.startswith("collect.whole_exchange: about ")
    assert "for 120000 markets kept 30 days (202800 snapshots a day)" in why
    assert "(2.0 GiB): raise it, keep fewer days (collect.retention_days)" in why


def test_a_small_disk_is_told_and_what_is_there_already_counts() -> None:
    small = replace(ROOMY, free=GIB)
    why = why_no_room(PLAN, small)
    assert why is not None
    assert "the disk has 1.0 GiB free" in why
    assert why_no_room(PLAN, replace(small, used=bytes_needed(PLAN))) is None


def test_a_budget_is_used_up_when_it_is_reached() -> None:
    assert why_over_budget(GIB - 1, GIB) is None
    assert why_over_budget(GIB, 0) is None, "no limit"
    assert "take 1.0 GiB of the 1.0 GiB" in str(why_over_budget(GIB, GIB))
