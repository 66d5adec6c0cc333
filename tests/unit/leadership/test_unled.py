"""Nobody leads: told once after the limit, and its end once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.kit.times import SECOND_US
from bot.leadership.unled import UnledNews, UnledSpell

LIMIT_S = 60


def news_of(looks: dict[int, str]) -> list[tuple[int, str, int]]:
    """What is told when somebody or nobody leads from these seconds on, looked at every second."""
    spell, leader, told = UnledSpell(LIMIT_S * SECOND_US), "", []
    for second in range(max(looks) + 200):
        leader = looks.get(second, leader)
        news = spell.see(leader, second * SECOND_US)
        if news is not None:
            told.append((second, news.leader, news.seconds))
            spell.told(news)
    return told


def test_it_is_told_after_the_limit_and_its_end_with_its_length() -> None:
    assert news_of({0: "a", 10: "", 100: "b"}) == [(70, "", 60), (100, "b", 90)]


def test_a_hand_over_is_no_news() -> None:
    assert news_of({0: "a", 10: "", 69: "b"}) == []


def test_a_process_that_never_saw_a_leader_counts_from_its_start() -> None:
    assert news_of({0: ""}) == [(60, "", 60)]


def test_what_reached_nobody_is_news_again() -> None:
    spell = UnledSpell(SECOND_US)
    spell.see("", 0)
    first = spell.see("", 2 * SECOND_US)
    assert first == UnledNews(leader="", seconds=2)
    assert spell.see("", 3 * SECOND_US) == UnledNews(leader="", seconds=3)
    assert spell.see("b", 4 * SECOND_US) is None, "what was not told needs no end"
    spell.see("", 5 * SECOND_US)
    spell.told(UnledNews(leader="", seconds=1))
    ended = spell.see("b", 9 * SECOND_US)
    assert ended == UnledNews(leader="b", seconds=4)
    assert spell.see("b", 20 * SECOND_US) == ended, "until it is told"
    spell.told(ended)
    assert spell.see("b", 30 * SECOND_US) is None


def test_no_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        UnledSpell(0)


@given(st.dictionaries(st.integers(0, 500), st.sampled_from(["", "a", "b"]), min_size=1))
def test_beginnings_and_ends_take_turns(looks: dict[int, str]) -> None:
    told = [bool(leader) for _, leader, _ in news_of(looks)]
    assert told == [bool(nth % 2) for nth in range(len(told))]
