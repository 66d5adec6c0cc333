"""A payload in two parts is the same payload; what stays stays equal."""

import json

from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.storage.payloads import MARK, joined_payload, split_payload

_PIECES = st.sampled_from(['_dollars":"', '_fp":"', '"', "\\", "0.47", '"yes_bid_dollars":"0.47"'])


def market(**changes: object) -> str:
    told = {"ticker": "A", "yes_bid_dollars": "0.4700", "volume_fp": "2.00", "rules": "long"}
    return json.dumps(told | changes, separators=(",", ":"))


@given(st.lists(st.one_of(_PIECES, st.text(max_size=5)), max_size=20).map("".join))
def test_both_parts_give_the_text_again(text: str) -> None:
    split = split_payload(text)
    if split is None:
        assert not text or MARK in text
        return
    assert joined_payload(split.template, split.held) == text
    assert split.template.count(MARK) == (
        split.held.count(MARK) + 1 if MARK in split.template else 0
    )


def test_quotes_and_volumes_are_held_apart_from_what_stays() -> None:
    first, later = split_payload(market()), split_payload(market(yes_bid_dollars="0.4800"))
    assert first is not None
    assert later is not None
    assert first.held == MARK.join(["0.4700", "2.00"])
    assert first.template_digest == later.template_digest
    assert first.digest != later.digest


def test_a_changed_rule_is_another_template_and_another_payload() -> None:
    first, later = split_payload(market()), split_payload(market(rules="changed"))
    assert first is not None
    assert later is not None
    assert first.held == later.held
    assert first.digest != later.digest


def test_a_text_that_holds_the_mark_stays_whole() -> None:
    assert split_payload(market(rules=f"a{MARK}b").replace("\\u007f", MARK)) is None
