"""Order groups and subaccounts."""

from tests.support.exchange import TICKER, Stand, stand

GROUPS = "/portfolio/order_groups"


def group(made: Stand, limit: str = "5.00") -> str:
    answer = made.call("POST", f"{GROUPS}/create", {"contracts_limit_fp": limit})
    assert answer.status == 201, answer.body
    return str(answer.body["order_group_id"])


def test_a_group_lists_its_orders_and_trips_on_its_limit() -> None:
    made = stand()
    name = group(made)
    order_id = made.order(order_group_id=name).body["order_id"]
    assert made.call("GET", f"{GROUPS}/{name}").body == {
        "is_auto_cancel_enabled": True,
        "contracts_limit_fp": "5.00",
        "orders": [order_id],
        "exchange_index": 0,
    }
    made.order(order_group_id=name, price="0.5500", count="6.00")
    assert made.call("GET", f"{GROUPS}/{name}").body["is_auto_cancel_enabled"] is False
    refused = made.order(order_group_id=name)
    assert refused.body["error"]["code"] == "exceeded_order_group_risk_limit"
    assert made.call("PUT", f"{GROUPS}/{name}/reset", {}).status == 200
    assert made.order(order_group_id=name).status == 201


def test_a_trigger_cancels_and_a_delete_forgets() -> None:
    made = stand()
    name = group(made)
    made.order(order_group_id=name)
    assert made.call("PUT", f"{GROUPS}/{name}/trigger", {}).body == {}
    assert made.call("GET", "/portfolio/orders?status=resting").body["orders"] == []
    assert [row["id"] for row in made.call("GET", GROUPS).body["order_groups"]] == [name]
    assert made.call("DELETE", f"{GROUPS}/{name}").status == 200
    assert made.call("GET", f"{GROUPS}/{name}").status == 404
    assert made.call("PUT", f"{GROUPS}/{name}/trigger", {}).status == 404
    assert made.order(order_group_id=name).status == 404


def test_a_limit_is_given_in_one_way() -> None:
    made = stand()
    path = f"{GROUPS}/create"
    assert made.call("POST", path, {}).body["error"]["code"] == "missing_parameters"
    both = {"contracts_limit": 1, "contracts_limit_fp": "1.00"}
    assert made.call("POST", path, both).status == 400
    assert made.call("POST", path, {"contracts_limit": 0}).status == 400
    name = group(made)
    assert made.call("PUT", f"{GROUPS}/{name}/limit", {"contracts_limit": 9}).status == 200
    assert made.call("GET", f"{GROUPS}/{name}").body["contracts_limit_fp"] == "9.00"
    assert made.call("PUT", f"{GROUPS}/none/limit", {"contracts_limit": 9}).status == 404


def test_subaccounts_are_separate_pockets() -> None:
    made = stand()
    assert made.call("POST", "/portfolio/subaccounts", {}).body == {"subaccount_number": 1}
    assert made.order(subaccount=1).body["error"]["code"] == "insufficient_balance"
    transfer = {
        "client_transfer_id": "t", "from_subaccount": 0, "to_subaccount": 1, "amount_cents": 5_000,
    }  # fmt: skip
    assert made.call("POST", "/portfolio/subaccounts/transfer", transfer).status == 200
    assert made.order(subaccount=1).status == 201
    assert made.call("GET", "/portfolio/orders").body["orders"] == []
    mine = made.call("GET", "/portfolio/orders?subaccount=1").body["orders"]
    assert [(row["subaccount_number"], row["ticker"]) for row in mine] == [(1, TICKER)]
    rows = made.call("GET", "/portfolio/subaccounts/balances").body["subaccount_balances"]
    assert [row["balance"] for row in rows] == ["950.0000", "50.0000"]
    too_much = transfer | {"amount_cents": 10_000_000}
    answer = made.call("POST", "/portfolio/subaccounts/transfer", too_much)
    assert answer.body["error"]["code"] == "insufficient_balance"
    nothing = transfer | {"amount_cents": 0}
    assert made.call("POST", "/portfolio/subaccounts/transfer", nothing).status == 400


def test_a_shard_that_is_no_number_is_refused() -> None:
    made = stand()
    group = made.call("POST", "/portfolio/order_groups/create", {"contracts_limit": 5}).body
    path = f"/portfolio/order_groups/{group['order_group_id']}"
    assert made.call("PUT", f"{path}/trigger?exchange_index=true").status == 400
    assert made.call("PUT", f"{path}/reset?exchange_index=2147483648").status == 400
    assert made.call("PUT", f"{path}/trigger?exchange_index=0").status == 200
