"""The order endpoints. What the venue decides is tested with the venue; here is the wire."""

from typing import Any

import pytest

from bot.simulator.limits import Bucket
from bot.simulator.settings import RateLimits
from tests.support.exchange import START_US, TICKER, Stand, list_market, order_body, stand

BASE = "/portfolio/events/orders"


def details(made: Stand, **changes: Any) -> str:
    answer = made.order(**changes)
    assert answer.status == 400, answer.body
    return str(answer.body["error"].get("details", ""))


def test_a_resting_order_is_answered_flat() -> None:
    answer = stand().order(client_order_id="mine", count="2.5")
    assert answer.status == 201
    assert set(answer.body) == {
        "order_id", "client_order_id", "fill_count", "remaining_count", "ts_ms",
    }  # fmt: skip
    assert (answer.body["fill_count"], answer.body["remaining_count"]) == ("0.00", "2.50")
    assert answer.body["ts_ms"] == START_US // 1_000


def test_a_fill_tells_its_averages() -> None:
    body = stand().order(price="0.6000", count="10.00").body
    assert body["average_fill_price"] == "0.5500"
    assert body["average_fee_paid"] == "0.0173"


def test_an_unfilled_immediate_order_is_a_success_of_nothing() -> None:
    answer = stand().order(time_in_force="immediate_or_cancel")
    assert answer.status == 201
    assert (answer.body["fill_count"], answer.body["remaining_count"]) == ("0.00", "0.00")


@pytest.mark.parametrize("field", ["ticker", "side", "count", "price", "time_in_force"])
def test_a_missing_field_is_named(field: str) -> None:
    answer = stand().order(**{field: None})
    assert answer.body["error"]["code"] == "missing_parameters"
    assert field in answer.body["error"]["details"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("side", "yes"), ("time_in_force", "GTT"), ("self_trade_prevention_type", "none")],
)
def test_an_unknown_word_is_refused(field: str, value: str) -> None:
    assert stand().order(**{field: value}).body["error"]["code"] == "invalid_parameters"


def test_precision_is_checked_on_the_text() -> None:
    made = stand()
    assert details(made, price="0.30000000000000004").startswith("invalid price: invalid dollar")
    assert details(made, count="1.005") == "invalid count: invalid count precision: -3"
    assert details(made, price="cheap") == "invalid price: cheap"
    assert made.order(count="0.00").body["error"]["code"] == "invalid_order_size"
    assert made.order(price="1.0000").body["error"]["code"] == "invalid_price"


def test_reduce_only_rests_never() -> None:
    assert "reduce_only" in details(stand(), reduce_only=True)


def test_an_expiry_must_lie_ahead() -> None:
    made = stand()
    past = START_US // 1_000_000 - 1
    assert "future" in details(made, expiration_time=past)
    order_id = made.order(expiration_time=past + 60).body["order_id"]
    order = made.call("GET", f"/portfolio/orders/{order_id}").body["order"]
    assert order["expiration_time"].endswith("Z")
    made.advance(60_000_000)
    order = made.call("GET", f"/portfolio/orders/{order_id}").body["order"]
    assert order["status"] == "canceled"


def test_a_batch_answers_item_by_item() -> None:
    made = stand()
    items = [
        order_body(client_order_id="a"),
        order_body(client_order_id="a"),
        order_body(client_order_id="b", count="1.005"),
        order_body(client_order_id="c", price="0.6000", post_only=True),
    ]
    answer = made.call("POST", f"{BASE}/batched", {"orders": items})
    assert answer.status == 201
    rows = answer.body["orders"]
    assert rows[0]["remaining_count"] == "1.00"
    assert rows[1] == {
        "client_order_id": "a",
        "error": {"code": "order_already_exists", "message": "order already exists"},
    }
    assert rows[2]["error"]["code"] == "invalid_order"
    assert rows[3]["error"]["details"] == "post only cross"
    assert made.call("POST", f"{BASE}/batched", {"orders": []}).status == 400


def test_a_batch_cancel_answers_item_by_item() -> None:
    made = stand()
    order_id = made.order().body["order_id"]
    rows = made.call(
        "DELETE", f"{BASE}/batched", {"orders": [{"order_id": order_id}, {"order_id": "none"}]}
    ).body["orders"]
    assert rows[0]["reduced_by"] == "1.00"
    assert (rows[1]["reduced_by"], rows[1]["error"]["code"]) == ("0.00", "not_found")
    foreign = {"orders": [{"order_id": order_id, "subaccount": 9}]}
    assert made.call("DELETE", f"{BASE}/batched", foreign).body["orders"][0]["error"]


def test_cancel_all_takes_everything_and_says_nothing() -> None:
    made = stand()
    made.order()
    made.order(price="0.3900")
    answer = made.call("DELETE", BASE)
    assert (answer.status, answer.body) == (204, None)
    assert made.call("GET", "/portfolio/orders?status=resting").body["orders"] == []


def test_an_order_of_another_shard_needs_its_ticker_to_be_canceled() -> None:
    made = stand()
    list_market(made, "KXFAR-26NOV-A", shard=2)
    made.exchange.deposit(made.account, made.exchange.settings.cash[2], 2)
    order_id = made.order(ticker="KXFAR-26NOV-A").body["order_id"]
    assert made.call("DELETE", f"{BASE}/{order_id}").status == 404
    assert made.call("DELETE", f"{BASE}/{order_id}?exchange_index=1").status == 404
    assert made.call("DELETE", f"{BASE}/{order_id}?market_ticker=KXFAR-26NOV-A").status == 200


def test_an_amend_moves_an_order_and_keeps_its_id() -> None:
    made = stand()
    order_id = made.order(client_order_id="old").body["order_id"]
    change = {
        "ticker": TICKER, "side": "bid", "price": "0.4200", "count": "5.00",
        "client_order_id": "old", "updated_client_order_id": "new",
    }  # fmt: skip
    answer = made.call("POST", f"{BASE}/{order_id}/amend", change)
    assert (answer.status, answer.body["remaining_count"]) == (200, "5.00")
    order = made.call("GET", f"/portfolio/orders/{order_id}").body["order"]
    assert (order["client_order_id"], order["yes_price_dollars"]) == ("new", "0.4200")
    assert made.call("POST", f"{BASE}/none/amend", change).status == 404


def test_a_decrease_takes_one_of_two_fields() -> None:
    made = stand()
    order_id = made.order(count="5.00").body["order_id"]
    path = f"{BASE}/{order_id}/decrease"
    assert made.call("POST", path, {"reduce_by": "2.00"}).body["remaining_count"] == "3.00"
    assert made.call("POST", path, {"reduce_to": "1.00"}).body["remaining_count"] == "1.00"
    both = made.call("POST", path, {"reduce_by": "1.00", "reduce_to": "1.00"})
    assert both.body["error"]["code"] == "invalid_parameters"
    assert made.call("POST", f"{BASE}/none/decrease", {"reduce_by": "1.00"}).status == 404


def test_costs_are_per_item_and_named_shards_have_their_own_bucket() -> None:
    made = stand(limits=RateLimits())
    batch = {"orders": [order_body() for _ in range(11)]}
    assert made.call("POST", f"{BASE}/batched", batch).status == 429
    statuses = [made.order().status for _ in range(11)]
    assert statuses == [201] * 10 + [429]
    assert made.order(exchange_index=2).status == 404
    assert made.exchange.limiter.allows("nobody", Bucket.WRITE, 100, 0)
    documented = stand(limits=RateLimits(flat_body=True, write_capacity=1))
    assert documented.order().body == {"error": "too many requests"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", ""),
        ("POST", "/batched"),
        ("DELETE", "/x"),
        ("POST", "/x/amend"),
        ("POST", "/x/decrease"),
        ("DELETE", "/batched"),
    ],
)
def test_version_one_is_closed(method: str, path: str) -> None:
    answer = stand().call(method, f"/portfolio/orders{path}", {})
    assert (answer.status, answer.body["error"]["code"]) == (410, "deprecated_v1_order_endpoint")


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_one_item_of_the_wrong_type_refuses_the_whole_batch(method: str) -> None:
    made = stand()
    kept = made.order(client_order_id="kept").body
    good: dict[str, Any] = order_body() if method == "POST" else {"order_id": kept["order_id"]}
    answer = made.call(method, f"{BASE}/batched", {"orders": [good, good | {"subaccount": "0"}]})
    assert (answer.status, answer.body["code"]) == (400, "bad_request")
    resting = made.call("GET", "/portfolio/orders?status=resting").body["orders"]
    assert [order["client_order_id"] for order in resting] == ["kept"]
