"""Codes: their form, what is kept of them, and how often one may guess."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.console.pairing import (
    GUESSES_MAX,
    GUESSES_WITHIN_US,
    Guesses,
    code_in,
    digest_of,
    link_of,
    new_code,
)


def test_a_code_is_long_enough_and_never_the_same():
    random = Random(1)
    codes = {new_code(random) for _ in range(500)}
    assert len(codes) == 500
    assert all(len(code.replace("-", "")) == 12 for code in codes)
    assert all(code_in(f"/pair {code}") == code for code in codes)
    assert not set("".join(codes)) & set("01IO"), "nothing that looks like something else"


def test_typed_in_small_letters_or_without_dashes_it_is_the_same_code():
    assert digest_of("ABCD-EFGH-JKMN") == digest_of("abcdefghjkmn")
    assert digest_of("ABCD-EFGH-JKMN") != digest_of("ABCD-EFGH-JKMP")
    assert "ABCD" not in digest_of("ABCD-EFGH-JKMN").upper()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("/pair ABCD-EFGH-JKMN", "ABCD-EFGH-JKMN"),
        ("/start abcdefghjkmn", "abcdefghjkmn"),
        ("/pair@kalshi_bot ABCD-EFGH-JKMN", "ABCD-EFGH-JKMN"),
        ("/pair trader", None),
        ("/pair ABCD-EFGH-JKMN now", None),
        ("pair ABCD-EFGH-JKMN", None),
        ("/status ABCD-EFGH-JKMN", None),
        ("/start", None),
        ("", None),
    ],
)
def test_a_code_is_found_where_a_person_or_a_link_puts_it(text, code):
    assert code_in(text) == code


@given(st.text(max_size=200))
def test_no_text_breaks_it(text):
    found = code_in(text)
    assert found is None or found in text


def test_a_link_needs_the_name_of_the_bot():
    assert link_of("ABCD-EFGH-JKMN", "my_bot") == "https://t.me/my_bot?start=ABCD-EFGH-JKMN"
    assert link_of("ABCD-EFGH-JKMN", None) is None


def test_guesses_are_counted_for_each_person_and_forgiven_with_time():
    guesses = Guesses()
    assert all(guesses.allows(1, at) for at in range(GUESSES_MAX))
    assert not guesses.allows(1, GUESSES_MAX)
    assert guesses.allows(2, GUESSES_MAX), "another person's are another's"
    assert guesses.allows(1, GUESSES_WITHIN_US), "the first one is forgotten"
    assert not guesses.allows(1, GUESSES_WITHIN_US), "and only that one"
