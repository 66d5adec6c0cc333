"""What was chosen about alerts: quiet hours by the clock on the wall, mutes, verbosity."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.alert_preferences import (
    NOT_QUIET,
    Mute,
    Preferences,
    QuietHours,
    SetQuiet,
    SetVerbosity,
    Unmute,
    Verbosity,
    changed,
    quiet_hours,
)
from bot.domain.alerts import AlertKind
from bot.kit.times import MINUTE_US, to_datetime, to_us

VIENNA = ZoneInfo("Europe/Vienna")
NIGHT = QuietHours(from_minute=23 * 60, to_minute=7 * 60)


def at(text: str) -> int:
    return to_us(datetime.fromisoformat(text).replace(tzinfo=VIENNA))


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-11-28T23:00:00", "2026-11-29T07:00:00"),
        ("2026-11-29T06:59:59", "2026-11-29T07:00:00"),
        ("2026-11-29T07:00:00", None),
        ("2026-11-29T22:59:59", None),
        # The clocks go forward at two, back at three: the end stays where the wall says.
        ("2026-03-29T01:30:00", "2026-03-29T07:00:00"),
        ("2026-10-24T23:30:00", "2026-10-25T07:00:00"),
    ],
)
def test_quiet_hours_go_through_midnight_on_the_operators_clock(now, end):
    assert NIGHT.ends_us(at(now), VIENNA) == (None if end is None else at(end))


def test_quiet_hours_within_a_day_and_none_at_all():
    siesta = quiet_hours("13:30-15")
    assert siesta.ends_us(at("2026-11-29T14:00:00"), VIENNA) == at("2026-11-29T15:00:00")
    assert siesta.ends_us(at("2026-11-29T15:00:00"), VIENNA) is None
    assert NOT_QUIET.ends_us(at("2026-11-29T00:00:00"), VIENNA) is None
    assert (siesta.shown, NOT_QUIET.shown) == ("13:30-15:00", "off")


@given(st.integers(0, 1439), st.integers(0, 1439))
def test_quiet_hours_are_read_as_they_are_shown(begin, end):
    hours = QuietHours(from_minute=begin, to_minute=end)
    assert quiet_hours(hours.shown) == (NOT_QUIET if begin == end else hours)


@given(st.integers(0, 1439), st.integers(0, 1439), st.integers(0, 366 * 1440))
def test_quiet_always_ends_and_not_before_it_is_asked(begin, end, minute):
    now_us = at("2026-01-01T00:00:00") + minute * MINUTE_US + 1
    hours = QuietHours(from_minute=begin, to_minute=end)
    until_us = hours.ends_us(now_us, VIENNA)
    if until_us is not None:
        assert now_us < until_us <= now_us + 25 * 60 * MINUTE_US
        local = to_datetime(until_us).astimezone(VIENNA)
        # A time that the spring change skips is an hour later.
        assert (local.hour * 60 + local.minute - end) % 1440 in {0, 60}


@pytest.mark.parametrize("wrong", ["", "23", "24-07", "7-6:60", "23-07-08", "a-b", "-1-3"])
def test_what_are_no_hours_is_refused_with_an_example(wrong):
    with pytest.raises(ValueError, match="for example 23-07"):
        quiet_hours(wrong)


def test_times_that_are_no_minutes_of_a_day_are_refused():
    with pytest.raises(ValueError, match="quiet hours"):
        QuietHours(from_minute=1440, to_minute=0)


def test_changes_add_up_and_what_was_not_chosen_is_as_configured():
    configured = Preferences(
        verbosity={AlertKind.STALE: Verbosity.OFF, AlertKind.RESUMED: Verbosity.SILENT}, quiet=NIGHT
    )
    chosen = Preferences()
    assert chosen.over(configured) == configured
    for change in (
        SetVerbosity(kind=AlertKind.STALE, verbosity=Verbosity.ON),
        Mute(kind=None, until_us=5),
        Mute(kind=AlertKind.STALE, until_us=7),
        Mute(kind=AlertKind.RESUMED, until_us=8),
        Unmute(kind=AlertKind.STALE),
        SetQuiet(hours=NOT_QUIET),
    ):
        chosen = changed(chosen, change)
    holds = chosen.over(configured)
    assert holds.verbosity == {
        AlertKind.STALE: Verbosity.ON,
        AlertKind.RESUMED: Verbosity.SILENT,
    }
    assert (holds.all_muted_until_us, holds.quiet) == (5, NOT_QUIET)
    assert holds.muted_until_us == {AlertKind.STALE: 0, AlertKind.RESUMED: 8}
    freed = changed(chosen, Unmute(kind=None))
    assert (freed.muted_until_us, freed.all_muted_until_us) == ({}, 0)
