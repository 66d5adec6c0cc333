"""One interruption per kind and window, quiet hours and mutes, and nothing left untold."""

import itertools
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.alerts.catalogue import text_of
from bot.alerts.policy import WINDOW_US, Throttle, Way, way_of
from bot.domain.alert_preferences import (
    NOT_QUIET,
    Preferences,
    QuietHours,
    Verbosity,
    quiet_hours,
)
from bot.domain.alerts import AlertKind
from bot.domain.operations import Severity

A, B = AlertKind.COLLECT_FAILED, AlertKind.STALE
INFO, WARNING, STUCK = AlertKind.RESUMED, AlertKind.STALE, AlertKind.EXIT_STUCK
UTC = ZoneInfo("UTC")
HOUR_US = 3_600_000_000
MIDNIGHT_US = 1_795_219_200_000_000
NIGHT = quiet_hours("23-07")
ALWAYS = AlertKind.BREAKER_TRIPPED, AlertKind.NOBODY_LED, AlertKind.PANIC_BEGUN


def way(kind: AlertKind, preferences: Preferences, now_us: int, window_us: int | None = None):
    return way_of(kind, preferences, UTC, now_us, window_us)


def test_the_first_goes_out_and_repeats_are_gathered_for_the_window():
    throttle = Throttle()
    assert throttle.book(A, 0) is None
    assert throttle.book(A, 1) == WINDOW_US
    assert throttle.book(A, WINDOW_US - 1) == WINDOW_US
    assert throttle.book(B, 1) is None


def test_a_digest_opens_the_next_window_and_quiet_closes_it():
    throttle = Throttle()
    throttle.book(A, 0)
    throttle.book(A, 1)
    assert throttle.book(A, WINDOW_US) == 2 * WINDOW_US
    assert throttle.book(A, 2 * WINDOW_US - 1) == 2 * WINDOW_US
    assert throttle.book(A, 3 * WINDOW_US) is None
    assert throttle.book(A, 4 * WINDOW_US) is None


def test_a_clock_that_was_set_back_holds_nothing_for_ever():
    throttle = Throttle()
    throttle.book(A, 10 * WINDOW_US)
    assert throttle.book(A, 0) is None
    assert throttle.book(A, 1) == WINDOW_US


def test_a_limit_goes_on_where_an_earlier_process_stopped():
    throttle, now_us = Throttle(), 10 * WINDOW_US
    throttle.resume(A, now_us - 5, now_us)
    assert throttle.book(A, now_us) == now_us - 5 + WINDOW_US
    throttle.resume(B, now_us + 5, now_us)
    assert throttle.book(B, now_us) == now_us + 5
    assert throttle.book(B, now_us + 6) == now_us + 5 + WINDOW_US
    # What this process knows itself, it knows better.
    throttle.resume(B, now_us - 3 * WINDOW_US, now_us)
    assert throttle.book(B, now_us + 7) == now_us + 5 + WINDOW_US


def test_a_window_of_nothing_is_no_limit_and_a_negative_one_is_refused():
    throttle = Throttle(0)
    assert [throttle.book(A, 5) for _ in range(3)] == [None] * 3
    with pytest.raises(ValueError, match="window_us"):
        Throttle(-1)


@given(st.lists(st.tuples(st.sampled_from([A, B]), st.integers(0, WINDOW_US)), max_size=40))
def test_every_alert_has_its_time_and_there_is_one_interruption_a_window(steps):
    throttle = Throttle()
    now_us, told = 0, {A: [], B: []}
    for kind, wait_us in steps:
        now_us += wait_us
        due_us = throttle.book(kind, now_us)
        assert due_us is None or now_us < due_us <= now_us + WINDOW_US
        told[kind].append(now_us if due_us is None else due_us)
    for times in told.values():
        assert times == sorted(times)
        moments = sorted(set(times))
        assert all(later - earlier >= WINDOW_US for earlier, later in itertools.pairwise(moments))


def test_what_is_vital_comes_at_once_whatever_was_chosen():
    hushed = Preferences(
        verbosity=dict.fromkeys(AlertKind, Verbosity.OFF),
        muted_until_us=dict.fromkeys(AlertKind, MIDNIGHT_US + 99 * HOUR_US),
        all_muted_until_us=MIDNIGHT_US + 99 * HOUR_US,
        quiet=NIGHT,
    )
    for kind in AlertKind:
        if not text_of(kind).is_vital:
            continue
        is_critical = text_of(kind).severity is Severity.CRITICAL
        assert way(kind, hushed, MIDNIGHT_US) == Way(is_silent=not is_critical)
        assert way(kind, hushed, MIDNIGHT_US + 12 * HOUR_US) == Way()
    assert all(text_of(kind).is_vital for kind in (*ALWAYS, AlertKind.HALT_SET))


def test_quiet_hours_hold_notices_hush_warnings_and_leave_what_is_critical():
    quiet = Preferences(quiet=NIGHT)
    morning_us = MIDNIGHT_US + 7 * HOUR_US
    assert way(INFO, quiet, MIDNIGHT_US) == Way(held_until_us=morning_us)
    assert way(WARNING, quiet, MIDNIGHT_US) == Way(is_silent=True)
    assert way(STUCK, quiet, MIDNIGHT_US) == Way()
    assert way(INFO, quiet, morning_us) == way(WARNING, quiet, morning_us) == Way()


def test_what_the_limit_gathers_into_the_quiet_hours_is_told_as_they_want():
    quiet = Preferences(quiet=NIGHT)
    evening_us, window_us = MIDNIGHT_US - 62 * 60_000_000, MIDNIGHT_US - 58 * 60_000_000
    held = way(INFO, quiet, evening_us, window_us)
    assert held == Way(held_until_us=MIDNIGHT_US + 7 * HOUR_US)
    held = way(WARNING, quiet, evening_us, window_us)
    assert held == Way(held_until_us=window_us, is_silent=True)


def test_a_mute_of_all_leaves_what_is_critical_and_one_by_name_does_not():
    until_us = MIDNIGHT_US + HOUR_US
    everything = Preferences(all_muted_until_us=until_us)
    assert way(INFO, everything, MIDNIGHT_US) == Way(held_until_us=until_us)
    assert way(WARNING, everything, MIDNIGHT_US) == Way(held_until_us=until_us)
    assert way(STUCK, everything, MIDNIGHT_US) == way(INFO, everything, until_us) == Way()
    by_name = Preferences(muted_until_us={STUCK: until_us})
    assert way(STUCK, by_name, MIDNIGHT_US) == Way(held_until_us=until_us)


def test_a_kind_can_be_silent_or_off():
    chosen = Preferences(verbosity={INFO: Verbosity.SILENT, WARNING: Verbosity.OFF})
    assert way(INFO, chosen, MIDNIGHT_US) == Way(is_silent=True)
    assert way(WARNING, chosen, MIDNIGHT_US) is None


@given(
    st.sampled_from(AlertKind),
    st.integers(0, 1439),
    st.integers(0, 1439),
    st.integers(0, 10**11),
    st.integers(0, 10**11),
    st.none() | st.integers(0, WINDOW_US),
)
def test_what_is_held_back_comes_later_and_never_in_quiet_hours(
    kind, begin, end, muted_us, wait_us, window_us
):
    now_us = MIDNIGHT_US + wait_us
    quiet = QuietHours(from_minute=begin, to_minute=end)
    chosen = Preferences(quiet=quiet, all_muted_until_us=MIDNIGHT_US + muted_us)
    found = way(kind, chosen, now_us, None if window_us is None else now_us + window_us)
    assert found is not None
    if found.held_until_us is not None:
        assert found.held_until_us > now_us
        assert not text_of(kind).is_vital
        if text_of(kind).severity is Severity.INFO:
            assert (quiet or NOT_QUIET).ends_us(found.held_until_us, UTC) is None
