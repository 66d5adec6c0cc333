"""The operator's calls."""

import pytest

from bot.simulator.keys import make_key_pair
from bot.simulator.settings import KeyType
from tests.support.exchange import START_US, TICKER, stand


def test_faults_are_armed_listed_and_disarmed() -> None:
    made = stand()
    rules = [{"kind": "500"}, {"kind": "drop_frame"}]
    assert made.call("POST", "/admin/faults", rules).body == {"ids": [1, 2]}  # type: ignore[arg-type]
    assert len(made.call("GET", "/admin/faults").body["faults"]) == 2
    assert len(made.call("DELETE", "/admin/faults?id=1").body["faults"]) == 1
    assert made.call("DELETE", "/admin/faults").body["faults"] == []
    bad = made.call("POST", "/admin/faults", {"kind": "meteor"})
    assert (bad.status, bad.body["error"]["code"]) == (400, "invalid_parameters")


def test_time_advances_and_the_state_tells() -> None:
    made = stand()
    state = made.call("POST", "/admin/advance", {"ms": 1_500}).body
    assert state["now_us"] == START_US + 1_500_000
    assert state["markets"] == {"active": 1}
    assert made.call("GET", "/admin/state").body == state
    assert made.call("POST", "/admin/advance", {"ms": -1}).status == 400


def test_money_comes_from_the_operator() -> None:
    made = stand()
    gift = {"user_id": "friend", "amount": "12.50", "exchange_index": 2}
    assert made.call("POST", "/admin/deposits", gift).status == 200
    taken = gift | {"amount": "-99.00"}
    assert made.call("POST", "/admin/deposits", taken).status == 400


def test_keys_are_registered_or_refused() -> None:
    made = stand()
    pem = make_key_pair("k", KeyType.ED25519).public_pem.decode()
    body = {"key_id": "k", "public_key": pem, "user_id": "friend"}
    assert made.call("POST", "/admin/keys", body).status == 201
    assert made.call("POST", "/admin/keys", body | {"public_key": "no"}).status == 400


def test_a_market_lives_as_told() -> None:
    made = stand()

    def act(name: str, **body: object) -> object:
        answer = made.call("POST", f"/admin/markets/{TICKER}/{name}", body)
        return answer.body.get("status", answer.status)

    assert act("deactivate") == "inactive"
    assert act("activate") == "active"
    assert act("move_close", close_ts=START_US // 1_000_000 + 60) == "active"
    assert act("dance") == 404
    assert act("determine", result="scalar", value="0.3000") == "determined"
    assert act("activate") == 409


@pytest.mark.parametrize("group", [True, False])
def test_groups_trip_all_or_one(group: bool) -> None:
    made = stand()
    names = [
        made.call("POST", "/portfolio/order_groups/create", {"contracts_limit": 5}).body[
            "order_group_id"
        ]
        for _ in range(2)
    ]
    rule = {"kind": "group_trigger"} | ({"order_group_id": names[0]} if group else {})
    assert made.call("POST", "/admin/faults", rule).body == {"ids": [0]}
    rows = made.call("GET", "/portfolio/order_groups").body["order_groups"]
    assert [row["is_auto_cancel_enabled"] for row in rows] == [False, group]
