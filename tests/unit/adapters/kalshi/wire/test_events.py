"""Events and the fees they may override, half by half."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.kalshi.wire.events import read_events
from bot.domain.errors import InvalidMessage
from bot.domain.market import FeeTerms
from tests.fakes.recordings import recordings

SERIES = FeeTerms(fee_type="quadratic", multiplier_e6=1_000_000)


def body(**change: object) -> bytes:
    event = {"event_ticker": "E", "mutually_exclusive": True, "title": "ignored"} | change
    return json.dumps({"events": [event], "cursor": "next"}).encode()


def test_an_event_without_overrides_leaves_fees_to_its_series() -> None:
    page = read_events(body())
    (row,) = page.items
    assert page.cursor == "next"
    assert not row.needs_series
    assert row.terms(None).fees is None


@pytest.mark.parametrize(
    "change, fees",
    [
        ({"fee_multiplier_override": 0}, FeeTerms(fee_type="quadratic", multiplier_e6=0)),
        ({"fee_type_override": "flat"}, FeeTerms(fee_type="flat", multiplier_e6=1_000_000)),
    ],
)
def test_half_an_override_needs_the_series(change: dict[str, object], fees: FeeTerms) -> None:
    (row,) = read_events(body(**change)).items
    assert row.needs_series
    assert row.terms(SERIES).fees == fees


@pytest.mark.parametrize(
    "change",
    [{"event_ticker": ""}, {"mutually_exclusive": "yes"}, {"fee_multiplier_override": "half"}],
)
def test_a_bad_event_refuses_its_page(change: dict[str, object]) -> None:
    with pytest.raises(InvalidMessage):
        read_events(body(**change))


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with pytest.raises(InvalidMessage):
        read_events(data)


def test_recorded_events_are_read() -> None:
    events = json.loads((recordings("rest_2026-08") / "events_sports_nested.json").read_text())
    page = read_events(json.dumps({"events": events, "cursor": ""}).encode())
    assert len(page.items) == len(events) > 1
