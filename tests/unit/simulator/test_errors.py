"""Error bodies have the venue's shapes."""

import pytest

from bot.simulator import errors
from bot.venue.results import Refusal, RefusalCode


def test_the_shapes_are_the_recorded_ones() -> None:
    assert errors.nested(400, "invalid_order", details="post only cross").body == {
        "error": {"code": "invalid_order", "message": "invalid order", "details": "post only cross"}
    }
    assert errors.undecodable("why").body == {
        "code": "bad_request", "message": "bad request", "details": "why",
    }  # fmt: skip
    assert errors.details_only("invalid status filter").body == {"details": "invalid status filter"}
    assert errors.too_many_requests(flat=True).body == {"error": "too many requests"}
    assert errors.too_many_requests(flat=False).body["error"]["code"] == "too_many_requests"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (RefusalCode.NOT_FOUND, 404),
        (RefusalCode.MARKET_NOT_FOUND, 404),
        (RefusalCode.ORDER_ALREADY_EXISTS, 409),
        (RefusalCode.TRADING_IS_PAUSED, 409),
        (RefusalCode.FILL_OR_KILL_INSUFFICIENT_RESTING_VOLUME, 409),
        (RefusalCode.INSUFFICIENT_BALANCE, 400),
        (RefusalCode.MARKET_NOT_ACTIVE, 400),
    ],
)
def test_a_refusal_gets_its_status(code: RefusalCode, status: int) -> None:
    assert errors.refused(Refusal(code)).status == status


def test_every_refusal_has_a_status() -> None:
    assert {errors.refusal_status(code) for code in RefusalCode} == {400, 404, 409}


def test_a_refused_item_is_flat_and_keeps_its_details() -> None:
    refusal = Refusal(RefusalCode.INVALID_ORDER, "post only cross")
    assert errors.refused_item(refusal) == {
        "code": "invalid_order", "message": "invalid order", "details": "post only cross",
    }  # fmt: skip
    assert errors.not_found().status == 404
    assert "'lte' tag" in errors.failed_validation("GetMarkets", "Limit", "lte").body["msg"]
