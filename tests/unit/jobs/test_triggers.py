"""Slots are fixed moments: the same from wherever one looks."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.jobs.triggers import Daily, Every
from bot.kit.times import DAY_US, HOUR_US, MINUTE_US, parse_rfc3339, to_datetime

MOMENTS = st.integers(0, 4_102_444_800_000_000)
PERIODS = st.sampled_from([1, 10_000_000, 5 * MINUTE_US, HOUR_US, 7 * HOUR_US])


@st.composite
def every(draw) -> Every:
    period = draw(PERIODS)
    return Every(period, draw(st.integers(0, period - 1)))


ZONES = st.sampled_from(["UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata"])
DAILY = st.builds(Daily, st.integers(0, 23), st.integers(0, 59), ZONES)
TRIGGERS = st.one_of(every(), DAILY)


@given(TRIGGERS, MOMENTS)
def test_every_moment_lies_between_two_slots(trigger, at_us) -> None:
    last, following = trigger.last(at_us), trigger.following(at_us)
    assert last <= at_us < following
    assert trigger.last(last) == last
    assert trigger.following(last) == following
    assert trigger.last(following - 1) == last


@given(DAILY, MOMENTS)
def test_a_daily_slot_comes_once_a_day_at_its_hour(trigger, at_us) -> None:
    slot = trigger.last(at_us)
    assert 23 * HOUR_US <= trigger.following(slot) - slot <= 25 * HOUR_US
    local = to_datetime(slot).astimezone(ZoneInfo(trigger.zone))
    skipped = local.hour == trigger.hour + 1  # the spring change has no such hour
    assert local.hour == trigger.hour or skipped
    assert local.minute == trigger.minute


@given(every(), MOMENTS)
def test_a_period_is_aligned_to_the_epoch(trigger, at_us) -> None:
    assert trigger.last(at_us) % trigger.period_us == trigger.offset_us


@pytest.mark.parametrize(
    ("at", "slot"),
    [
        ("2026-03-07T07:31:00Z", "2026-03-07T07:30:00Z"),  # winter: 02:30 is 07:30 UTC
        ("2026-03-08T12:00:00Z", "2026-03-08T07:30:00Z"),  # no 02:30 that day: due at 03:30 EDT
        ("2026-03-09T12:00:00Z", "2026-03-09T06:30:00Z"),  # summer
    ],
)
def test_an_hour_that_the_spring_change_skips_is_not_skipped_by_the_job(at, slot) -> None:
    trigger = Daily(2, 30, "America/New_York")
    assert trigger.last(parse_rfc3339(at)) == parse_rfc3339(slot)


def test_an_hour_that_the_autumn_change_repeats_is_due_once() -> None:
    trigger = Daily(1, 30, "America/New_York")
    at_us = int(datetime(2026, 11, 1, 0, tzinfo=UTC).timestamp()) * 1_000_000
    slots = {trigger.last(at_us + minute * MINUTE_US) for minute in range(0, 24 * 60, 10)}
    assert [slot for slot in slots if at_us <= slot < at_us + DAY_US] == [
        parse_rfc3339("2026-11-01T05:30:00Z")
    ]


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: Every(0), "period_us"),
        (lambda: Every(10, 10), "offset_us"),
        (lambda: Every(10, -1), "offset_us"),
        (lambda: Daily(24), "time of day"),
        (lambda: Daily(1, 60), "time of day"),
        (lambda: Daily(1, 0, "Mars/Olympus"), "zone"),
    ],
)
def test_a_trigger_that_makes_no_sense_is_refused(make, named) -> None:
    with pytest.raises(ValueError, match=named):
        make()
