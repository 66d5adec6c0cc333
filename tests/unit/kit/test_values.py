"""Values survive the way through JSON, and nothing else gets in."""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.kit.values import from_plain, to_plain

Cents = NewType("Cents", int)


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True)
class Inner:
    cents: Cents
    is_good: bool


@dataclass(frozen=True, slots=True)
class Outer:
    name: str
    colour: Colour
    inner: Inner | None
    many: tuple[Inner, ...]
    pair: tuple[str, int]


inners = st.builds(Inner, st.integers(), st.booleans())
outers = st.builds(
    Outer,
    st.text(),
    st.sampled_from(Colour),
    st.none() | inners,
    st.lists(inners, max_size=3).map(tuple),
    st.tuples(st.text(), st.integers()),
)


@given(outers)
def test_a_value_comes_back_equal_and_of_its_own_types(value: Outer) -> None:
    back = from_plain(Outer, json.loads(json.dumps(to_plain(value))))
    assert back == value
    assert type(back.colour) is Colour


GOOD = {
    "name": "n",
    "colour": "red",
    "inner": None,
    "many": [{"cents": 5, "is_good": True}],
    "pair": ["a", 1],
}


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": 5},
        {"colour": "green"},
        {"inner": {"cents": 1}},
        {"inner": {"cents": 1.0, "is_good": True}},
        {"inner": {"cents": True, "is_good": True}},
        {"inner": {"cents": 1, "is_good": 1}},
        {"many": {"cents": 5}},
        {"pair": ["a", 1, 2]},
        {"extra": 1},
    ],
)
def test_what_does_not_fit_its_declaration_is_refused(wrong: dict[str, object]) -> None:
    assert from_plain(Outer, GOOD).name == "n"
    with pytest.raises(ValueError):  # noqa: PT011 - the message differs by field
        from_plain(Outer, GOOD | wrong)
