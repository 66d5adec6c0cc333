"""A decision inside its order's row: what is folded, and that it comes back as it was."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.storage.folding import VERSION, Decision, entry_in, from_json, missing, to_json
from bot.domain.errors import InvariantBroken
from bot.domain.orders import Purpose
from bot.domain.records import BracketState
from tests.support.decisions import bracket, intent, signal, snapshot

AMOUNTS = st.integers(min_value=0, max_value=10**15)
DECISION = Decision(signals=(signal(),), bracket=bracket())


def test_an_entry_with_its_signals_and_its_bracket_is_one_decision() -> None:
    refused = signal("s0")
    found = entry_in((refused, signal(), bracket(), intent()))
    assert found == (intent(), Decision(signals=(refused, signal()), bracket=bracket()))


@pytest.mark.parametrize(
    "records",
    [
        (),
        (intent(),),
        (bracket(), intent()),
        (signal(), bracket()),
        (signal(), intent(), bracket()),
        (snapshot(), signal(), bracket(), intent()),
        (signal(), bracket("b2"), intent()),
        (signal(), bracket(), intent(purpose=Purpose.TAKE_PROFIT)),
        (signal(), bracket(), intent(bracket_id=None)),
    ],
    ids=lambda records: " ".join(type(one).__name__ for one in records) or "nothing",
)
def test_whatever_else_is_committed_is_not(records: tuple) -> None:
    assert entry_in(records) is None


@given(
    texts=st.lists(st.text(), min_size=2, max_size=2),
    amounts=st.lists(AMOUNTS, min_size=4, max_size=4),
    closed_us=st.none() | AMOUNTS,
    case=st.dictionaries(st.text(), st.none() | AMOUNTS | st.text() | st.lists(AMOUNTS)),
)
def test_a_decision_comes_back_as_it_was(texts, amounts, closed_us, case) -> None:
    decision = Decision(
        signals=(signal(reason=texts[0], quantity=amounts[0], case=case),),
        bracket=bracket(
            title=texts[1], wanted=amounts[1], entry_cost=amounts[2], closed_us=closed_us
        ),
    )
    assert from_json(to_json(decision)) == decision


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        to_json(DECISION)[:-1],
        to_json(DECISION).replace('"bid"', '"both"'),
        to_json(msgspec.structs.replace(DECISION, version=VERSION + 1)),
    ],
)
def test_a_decision_that_cannot_be_read_is_not_guessed_at(text: str) -> None:
    with pytest.raises(InvariantBroken, match="decision"):
        from_json(text)


def test_a_bracket_that_is_written_anyway_is_newer() -> None:
    other = Decision(signals=(signal("s2"),), bracket=bracket("b2"))
    now = bracket(state=BracketState.CLOSED)
    assert missing((DECISION, other), (snapshot(), now)) == [
        signal(),
        signal("s2"),
        bracket("b2"),
    ]
    assert missing((), (now,)) == []
