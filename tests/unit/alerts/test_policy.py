"""One interruption per kind and window, and nothing left untold."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.alerts.policy import WINDOW_US, Throttle
from bot.domain.alerts import AlertKind

A, B = AlertKind.COLLECT_FAILED, AlertKind.STALE


def test_the_first_goes_out_and_repeats_are_gathered_for_the_window():
    throttle = Throttle()
    assert throttle.admits(A, "one", 0)
    assert not throttle.admits(A, "two", 1)
    assert not throttle.admits(A, "three", WINDOW_US - 1)
    assert throttle.admits(B, "other", 1)
    assert list(throttle.due(WINDOW_US - 1)) == []
    (digest,) = throttle.due(WINDOW_US)
    assert (digest.kind, digest.texts, digest.count) == (A, ("two", "three"), 2)


def test_a_digest_opens_the_next_window_and_quiet_closes_it():
    throttle = Throttle()
    throttle.admits(A, "one", 0)
    throttle.admits(A, "two", 1)
    assert len(list(throttle.due(WINDOW_US))) == 1
    assert not throttle.admits(A, "three", WINDOW_US + 1)
    assert len(list(throttle.due(2 * WINDOW_US))) == 1
    assert list(throttle.due(3 * WINDOW_US)) == []
    assert throttle.admits(A, "four", 3 * WINDOW_US)


def test_a_clock_that_was_set_back_holds_nothing_for_ever():
    throttle = Throttle()
    throttle.admits(A, "one", 10 * WINDOW_US)
    throttle.admits(A, "two", 10 * WINDOW_US)
    assert [digest.count for digest in throttle.due(0)] == [1]


def test_an_ending_process_tells_what_it_gathered():
    throttle = Throttle()
    for number in range(30):
        throttle.admits(A, str(number), number)
    (digest,) = throttle.rest()
    assert (digest.count, len(digest.texts)) == (29, 20)
    assert list(throttle.rest()) == []


def test_a_negative_window_is_refused():
    with pytest.raises(ValueError, match="window_us"):
        Throttle(-1)


@given(st.lists(st.tuples(st.sampled_from([A, B]), st.integers(0, WINDOW_US)), max_size=40))
def test_every_alert_is_told_once_and_at_most_one_interruption_a_window(steps):
    throttle = Throttle()
    now_us, told, gathered = 0, {A: [], B: []}, {A: 0, B: 0}
    offered = {A: 0, B: 0}
    for kind, wait_us in steps:
        now_us += wait_us
        for digest in throttle.due(now_us):
            gathered[digest.kind] += digest.count
            told[digest.kind].append(now_us)
        offered[kind] += 1
        if throttle.admits(kind, "x", now_us):
            gathered[kind] += 1
            told[kind].append(now_us)
    for digest in throttle.rest():
        gathered[digest.kind] += digest.count
    assert gathered == offered
    for times in told.values():
        assert all(later - earlier >= WINDOW_US for earlier, later in itertools.pairwise(times))
