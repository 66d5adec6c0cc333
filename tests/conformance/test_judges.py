"""The judges of the simulated exchange in their short form, and what makes each of them fail.

The documents are those that ``scripts/conformance.sh`` fetched; without them or
the recordings the tests are skipped.
"""

from pathlib import Path
from typing import Any

import pytest

from conformance import documented, fuzz, recorded, replay
from conformance.specs import RestSpec, StreamSpec, load, schema_of
from conformance.verdicts import Result, Unavailable, Verdict, judged, skipped, table
from tests.fakes.recordings import recordings

SPECS = Path(__file__).parents[2] / ".conformance" / "specs"


def document(name: str) -> Any:
    try:
        return load(SPECS, name)
    except Unavailable as error:
        pytest.skip(str(error))


def passed(verdicts: list[Verdict]) -> bool:
    return all(one.result is Result.PASSED for one in verdicts) and bool(verdicts)


@pytest.mark.looptime(False)
async def test_every_success_and_every_frame_is_as_documented() -> None:
    document("openapi.yaml")
    verdicts = await documented.judge_documents(SPECS, is_short=True)
    assert passed(verdicts), table(verdicts)


@pytest.mark.looptime(False)
async def test_the_recorded_calls_and_frames_come_out_the_same() -> None:
    verdicts = await recorded.judge_recorded(recordings("wire_samples_2026-06").parent)
    assert passed(verdicts), table(verdicts)


@pytest.mark.looptime(False)
async def test_a_replayed_capture_agrees_with_its_tickers_through_the_real_client() -> None:
    root = recordings("ws_btc15m_2026-05").parent
    verdicts = await replay.judge_replay(root, is_short=True)
    assert passed(verdicts), table(verdicts)


# What the judges must not let pass


def complaints(frame: dict[str, Any]) -> list[str]:
    return list(StreamSpec(document("asyncapi.yaml")).findings(frame))


TRADE: dict[str, Any] = {
    "trade_id": "d91bc706-ee49-470d-82d8-11418bda6fed",
    "market_ticker": "M",
    "yes_price_dollars": "0.5200",
    "no_price_dollars": "0.4800",
    "count_fp": "1.00",
    "taker_side": "yes",
    "taker_outcome_side": "yes",
    "taker_book_side": "bid",
    "is_block_trade": False,
    "ts": 1,
    "ts_ms": 1_000,
}


@pytest.mark.parametrize(
    ("change", "word"),
    [({"count_fp": 1}, "not of type"), ({"colour": "red"}, "colour"), ({"taker_side": "up"}, "up")],
)
def test_a_frame_with_a_wrong_type_or_an_unknown_field_is_found(
    change: dict[str, Any], word: str
) -> None:
    frame = {"type": "trade", "sid": 1, "seq": 1, "msg": TRADE}
    assert complaints(frame) == []
    assert word in complaints(frame | {"msg": TRADE | change})[0]


def test_a_frame_without_its_number_or_of_no_known_type_is_found() -> None:
    assert "seq" in complaints({"type": "trade", "sid": 1, "msg": TRADE})[0]
    assert "not documented" in complaints({"type": "chat"})[0]


def test_a_body_with_a_missing_or_an_unknown_field_is_found() -> None:
    spec = RestSpec(document("openapi.yaml"))
    path = "/portfolio/events/orders/some-id"
    good = {"order_id": "o", "reduced_by": "1.00", "ts_ms": 1}
    assert list(spec.findings("DELETE", path, 200, good)) == []
    assert list(spec.findings("DELETE", path, 200, {"order_id": "o"}))
    assert list(spec.findings("DELETE", path, 200, good | {"colour": "red"}))
    assert list(spec.findings("DELETE", path, 299, good))
    assert list(spec.findings("GET", "/nowhere", 200, good))


def test_nullable_is_spelled_out() -> None:
    made = schema_of({"nullable": True, "allOf": [{"$ref": "#/components/schemas/A"}]})
    assert made["anyOf"][1] == {"type": "null"}
    assert made["anyOf"][0]["allOf"][0]["$ref"].endswith("#/components/schemas/A")


def test_other_formats_and_missing_keys_are_differences() -> None:
    theirs = recorded.form({"a": "0.0100", "b": [{"c": 1}], "gone": 1})
    same = recorded.form({"a": "0.5000", "b": [], "gone": 2})
    assert list(recorded.differences(theirs, same)) == []
    other = recorded.form({"a": "0.01", "b": [{"c": "1"}]})
    assert len(list(recorded.differences(theirs, other))) == 3


def test_frames_that_say_something_else_are_found() -> None:
    frame = {"type": "orderbook_delta", "sid": 1, "seq": 2, "msg": {"delta_fp": "1.00"}}
    assert list(recorded.compare_frames([frame], [frame])) == []
    changed = frame | {"msg": {"delta_fp": "2.00"}}
    assert len(list(recorded.compare_frames([frame], [changed]))) == 1
    assert len(list(recorded.compare_frames([frame], [frame | {"seq": 3}]))) == 1
    assert list(recorded.compare_frames([frame, frame], [frame]))


def test_a_ticker_agrees_only_with_a_bid_that_was_held_near_it() -> None:
    score = replay.Score(closes_ms={"M": 10_000})
    score.note("M", 0, "0.50")
    score.note("M", 1_000, "0.60")
    score.tickers += [("M", 1_050, "0.50"), ("M", 1_500, "0.50"), ("M", 900, "0.60")]
    score.tickers += [("other", 1_000, "0.50"), ("M", 20_000, "0.10")]
    assert score.agreed() == (2, 3)


def test_every_exception_for_the_fuzzer_has_a_reason_and_covers_only_its_own() -> None:
    allowed = fuzz.allowed_list()
    assert all(len(one.reason) > 20 for one in allowed)
    crash = fuzz.Finding("not_a_server_error", "GET /markets", "500 internal server error")
    assert len(list(fuzz.judge_findings([crash], allowed))) == 1
    known = fuzz.Finding(
        "unsupported_method",
        "GET /markets",
        "expected 405\nTRACE None None\n404 404 page not found",
    )
    assert list(fuzz.judge_findings([known], allowed)) == []


def test_what_is_created_is_linked_to_its_uses() -> None:
    served = fuzz.served_document(document("openapi.yaml"))
    created = served["paths"]["/portfolio/events/orders"]["post"]["responses"]["201"]
    assert {"GetOrder", "CancelOrderV2", "AmendOrderV2"} <= created["links"].keys()
    assert "/communications/rfqs" not in served["paths"]


def test_a_table_says_what_failed_and_what_was_left_out() -> None:
    rows = [judged("one", "5 things", []), judged("two", "3 things", ["bad", "bad"])]
    text = table([*rows, skipped("three", "no interpreter")])
    assert "SKIPPED" in text
    assert text.count("bad") == 1
    assert [row.result for row in rows] == [Result.PASSED, Result.FAILED]
