"""One text for each event, and none that can fail to be said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.alerts.catalogue import render, shown_fact, text_of
from bot.domain.alerts import AlertKind
from bot.domain.operations import Severity
from bot.engine.effects import NoticeKind
from bot.kit.markup import plain

GOLDEN = [
    (AlertKind.LEADER_STARTED, {"epoch": 8}, "Leading: epoch 8"),
    (
        AlertKind.LEADER_STARTED,
        {"epoch": 8, "adopted": "3 positions"},
        "Leading: epoch 8\nadopted: 3 positions",
    ),
    (
        AlertKind.BREAKER_TRIPPED,
        {"name": "daily_loss", "reason": "-5.1 % <today>", "equity_e6": 950_000_000},
        (
            "Breaker tripped: daily_loss: -5.1 % <today>\n"
            "equity: $950.00\n"
            "No new entries. Positions stay open, their stops are watched while this bot leads. "
            "/breakers shows it, /reset_breaker daily_loss resets it."
        ),
    ),
    (
        AlertKind.HALT_SET,
        {"by": "telegram:11 Ada", "reason": "news"},
        (
            "Halted: by telegram:11 Ada: news\n"
            "No new entries. Positions stay open, their stops are watched while this bot leads. "
            "/unhalt ends it."
        ),
    ),
    (
        AlertKind.POSITION_OPENED,
        {"ticker": "KXFED", "quantity_e2": 1_000, "price_e4": 8_500},
        "Position opened: KXFED\nquantity: 10.00, price: $0.8500",
    ),
    (
        AlertKind.LEADER_DEPOSED,
        {"reason": "epoch 9 leads"},
        (
            "No longer leading: epoch 9 leads\n"
            "Take-profits stay at the exchange; stops are not watched until someone leads."
        ),
    ),
    (
        AlertKind.GAP_FOUND,
        {"missing": 2, "since_us": 1_795_245_300_000_000},
        "Gap in the collection: 2 hours missing\nsince: 21 Nov 07:15:00 UTC\n/gaps lists them.",
    ),
    (AlertKind.RESUMED, {}, "The exchange resumed"),
    (
        AlertKind.POSITION_CLOSED,
        {"ticker": "KXFED", "side": "bid", "reason": "stop", "profit": "-$2.10"},
        "Position closed: KXFED\nside: YES, reason: stop, profit: -$2.10",
    ),
    (
        AlertKind.POSITION_OPENED,
        {
            "ticker": "KXFED",
            "side": "ask",
            "contracts": "103.00",
            "wanted": "120.50",
            "price": "0.0300",
            "stop": "0.1025",
            "target": "none",
        },
        (
            "Position opened: KXFED\n"
            "side: NO, contracts: 103, wanted: 120.50, price: $0.97, stop: $0.8975, target: none"
        ),
    ),
    (
        AlertKind.POSITION_OPENED,
        {
            "ticker": "KXFED",
            "title": "Above 4 %?",
            "side": "ask",
            "contracts": "3.00",
            "wanted": "106.00",
            "price": "0.0600",
            "stop": "0.1600",
            "target": "0.0100",
        },
        ("Position opened: KXFED\nAbove 4 %?\n3 of 106 NO at $0.94, stop $0.84, target $0.99"),
    ),
    (
        AlertKind.POSITION_CLOSED,
        {
            "ticker": "KXFED",
            "title": "Above 4 %?",
            "side": "bid",
            "contracts": "3.00",
            "reason": "stop_loss",
            "profit": "-$2.10",
            "fees": "$0.04",
        },
        "Position closed: KXFED\nAbove 4 %?\n3 YES, stop loss: -$2.10 after $0.04 of fees",
    ),
    (
        AlertKind.POSITION_OPENED,
        {"ticker": "KXFED", "side": "bid", "contracts": "1000.00", "price": "0.9700"},
        "Position opened: KXFED\nside: YES, contracts: 1000, price: $0.97",
    ),
    (
        AlertKind.POSITION_OPENED,
        {"ticker": "KXFED", "side": "ask", "stop": "0.0000", "price": "dear", "target": "0.5625"},
        "Position opened: KXFED\nside: NO, stop: none, price: dear, target: $0.4375",
    ),
    (
        AlertKind.CRITICAL_ERROR,
        {"ticker": "KXFED", "what": "cash contradicts fills"},
        "Critical error\nticker: KXFED, what: cash contradicts fills",
    ),
    (AlertKind.BREAKER_RESET, {"note": "x"}, "Breaker reset\nnote: x"),
]


@pytest.mark.parametrize(("kind", "facts", "text"), GOLDEN)
def test_an_alert_says_word_for_word(kind, facts, text):
    assert plain(render(kind, facts)) == text


@given(
    st.sampled_from(AlertKind),
    st.dictionaries(st.text(max_size=12), st.one_of(st.text(max_size=30), st.integers(0, 10**15))),
)
def test_no_facts_stop_an_alert(kind, facts):
    assert text_of(kind).title in plain(render(kind, facts))


def test_every_kind_has_a_text_and_every_notice_of_the_engine_a_kind():
    assert all(text_of(kind).title for kind in AlertKind)
    assert {notice.value for notice in NoticeKind} <= {kind.value for kind in AlertKind}


def test_breakers_and_halts_are_never_held_back():
    never = {kind for kind in AlertKind if not text_of(kind).is_limited}
    assert {
        AlertKind.BREAKER_TRIPPED,
        AlertKind.BREAKER_RESET,
        AlertKind.HALT_SET,
        AlertKind.HALT_CLEARED,
    } <= never
    assert text_of(AlertKind.BREAKER_TRIPPED).severity is Severity.CRITICAL


def test_whatever_stops_stop_losses_says_so():
    for kind in (AlertKind.LEADER_DEPOSED, AlertKind.DRAINING, AlertKind.HALT_SET):
        assert "stops" in text_of(kind).advice


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("fee_e6", 1_500_000, "$1.50"),
        ("price_e4", 5_625, "$0.5625"),
        ("quantity_e2", 250, "2.50"),
        ("count", 3, "3"),
        ("fee_e6", "ready", "ready"),
    ],
)
def test_facts_are_shown_by_their_unit(name, value, shown):
    assert shown_fact(name, value) == shown
