"""Lines are taken apart without surprises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.console.arguments import ArgumentSpec, BadArguments, Shape, read_arguments, read_line

NAME = ArgumentSpec(name="name", shape=Shape.WORD, pattern="[a-z]+", example="abc")
HOURS = ArgumentSpec(name="hours", shape=Shape.WORD, pattern=r"\d+-\d+", example="23-07")
SPAN = ArgumentSpec(name="day|week", shape=Shape.WORD, pattern="day|week", example="week")
FORCE = ArgumentSpec(name="force", shape=Shape.FLAG)
REST = ArgumentSpec(name="reason", shape=Shape.REST, length_max=10)


@pytest.mark.parametrize(
    ("text", "word", "bot", "rest"),
    [
        ("/halt", "halt", None, ""),
        ("/HALT@My_Bot  now\nplease ", "halt", "My_Bot", "now\nplease"),
        ("  halt x", "halt", None, "x"),
        ("/\u200bhalt", "halt", None, ""),
    ],
)
def test_a_line_falls_into_word_bot_and_rest(text, word, bot, rest):
    line = read_line(text)
    assert line is not None
    assert (line.word, line.bot, line.rest) == (word, bot, rest)


@pytest.mark.parametrize("text", ["", "   ", "/", "@", "\n"])
def test_a_line_without_a_word_is_none(text):
    line = read_line(text)
    assert line is None or line.word == "/"


@pytest.mark.parametrize(
    ("specs", "rest", "found"),
    [
        ((NAME, FORCE), "abc force", {"name": "abc", "force": "force"}),
        ((NAME, FORCE), "abc", {"name": "abc"}),
        ((NAME, FORCE), "", {}),
        ((REST,), "  a   b\tc ", {"reason": "a b c"}),
        ((REST,), "x" * 50, {"reason": "x" * 10}),
        ((FORCE,), "FORCE", {"force": "force"}),
    ],
)
def test_arguments_are_matched_in_order(specs, rest, found):
    assert read_arguments(specs, rest) == found


@pytest.mark.parametrize(
    ("specs", "rest", "says"),
    [
        ((NAME,), "123", "123 is not a name, for example abc"),
        ((NAME,), "abc def", "def is one word too many"),
        ((HOURS,), "99", "99 is not hours, for example 23-07"),
        ((SPAN,), "year", "year is none of day, week"),
        ((), "<b>", "&lt;b&gt; is one word too many"),
        ((NAME, FORCE), "abc " + "y" * 99, "y" * 32 + "... is one word too many"),
    ],
)
def test_what_does_not_fit_is_named(specs, rest, says):
    with pytest.raises(BadArguments) as caught:
        read_arguments(specs, rest)
    assert str(caught.value) == says


@given(st.text(), st.lists(st.sampled_from([NAME, FORCE, REST]), unique=True))
def test_any_text_is_read_or_refused(text, specs):
    line = read_line(text)
    if line is None:
        return
    try:
        found = read_arguments(specs, line.rest)
    except BadArguments:
        return
    assert set(found) <= {spec.name for spec in specs}
    assert all(found.values())
