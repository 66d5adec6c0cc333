"""Flood limits are kept before they are hit."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.telegram.pace import Gaps, Pace

GAPS = Gaps(private_us=1_000_000, group_us=3_000_000, all_us=34_000)


@given(st.lists(st.tuples(st.sampled_from(["1", "2", "-3"]), st.integers(0, 2_000_000))))
def test_no_two_messages_come_closer_than_their_gap(steps):
    pace, now_us = Pace(GAPS), 0
    sent: list[tuple[str, int]] = []
    for chat, later_us in steps:
        now_us += later_us
        sent.append((chat, now_us + pace.book(chat, now_us)))
    every = sorted(at_us for _, at_us in sent)
    assert all(b - a >= GAPS.all_us for a, b in itertools.pairwise(every))
    for chat, gap_us in (("1", 1_000_000), ("2", 1_000_000), ("-3", 3_000_000)):
        mine = [at_us for to, at_us in sent if to == chat]
        assert all(b - a >= gap_us for a, b in itertools.pairwise(mine))


def test_a_quiet_chat_waits_for_nothing():
    pace = Pace(GAPS)
    assert pace.book("1", 5) == 0
    assert pace.book("1", 2_000_000) == 0


def test_chats_are_forgotten_again():
    pace = Pace(GAPS)
    for chat in range(5_000):
        pace.book(str(chat), chat * 1_000_000)
    assert len(pace._free_us) == 1_000


def test_a_chat_that_was_told_to_keep_still_does_and_others_do_not():
    pace = Pace(GAPS)
    pace.rest("1", 9_000_000)
    assert pace.wait_us("1", 4_000_000) == 5_000_000
    assert pace.wait_us("2", 4_000_000) == 0
    pace.rest("1", 5_000_000)
    assert pace.book("1", 4_000_000) == 5_000_000
