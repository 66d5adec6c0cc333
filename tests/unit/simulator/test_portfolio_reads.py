"""The signed reads."""

import pytest

from bot.kit.times import MINUTE_US
from tests.support.exchange import START_US, TICKER, list_market, stand

NOW_S = START_US // 1_000_000


def test_orders_are_listed_newest_first_and_filtered() -> None:
    made = stand()
    first = made.order(client_order_id="a").body["order_id"]
    made.advance(1_000_000)
    second = made.order(client_order_id="b", price="0.5500").body["order_id"]
    rows = made.call("GET", "/portfolio/orders").body["orders"]
    assert [row["order_id"] for row in rows] == [second, first]
    assert [row["status"] for row in rows] == ["executed", "resting"]

    def ids(query: str) -> list[str]:
        found = made.call("GET", f"/portfolio/orders?{query}").body["orders"]
        return [row["order_id"] for row in found]

    assert ids("status=resting") == [first]
    assert ids("status=canceled") == []
    assert ids(f"min_ts={NOW_S + 1}") == [second]
    assert ids(f"max_ts={NOW_S}") == [first]
    assert ids("ticker=KXNONE") == []
    assert ids("event_ticker=KXTEST-26NOV&exchange_index=0") == [second, first]
    assert ids("exchange_index=2") == []
    assert made.call("GET", "/portfolio/orders?status=mars").status == 400
    assert made.call("GET", "/portfolio/orders?subaccount=4").status == 404


def test_an_order_shows_its_limit_and_a_fill_its_price() -> None:
    made = stand()
    order_id = made.order(price="0.9900", client_order_id="x").body["order_id"]
    order = made.call("GET", f"/portfolio/orders/{order_id}").body["order"]
    assert (order["yes_price_dollars"], order["taker_fill_cost_dollars"]) == ("0.9900", "0.550000")
    fill = made.call("GET", f"/portfolio/fills?order_id={order_id}").body["fills"][0]
    assert (fill["yes_price_dollars"], fill["is_taker"]) == ("0.5500", True)
    assert fill["fill_id"] == fill["trade_id"]
    assert fill["fee_cost"] == order["taker_fees_dollars"]
    assert made.call("GET", "/portfolio/fills?order_id=none").body["fills"] == []
    assert made.call("GET", "/portfolio/orders/none").status == 404


def test_a_canceled_order_has_nothing_remaining() -> None:
    made = stand()
    order_id = made.order().body["order_id"]
    made.call("DELETE", f"/portfolio/events/orders/{order_id}")
    order = made.call("GET", f"/portfolio/orders/{order_id}").body["order"]
    assert (order["status"], order["remaining_count_fp"]) == ("canceled", "0.00")


def test_money_and_positions_add_up() -> None:
    made = stand()
    made.order(price="0.5500", count="10.00")
    balance = made.call("GET", "/portfolio/balance").body
    position = made.call("GET", "/portfolio/positions").body
    row = position["market_positions"][0]
    assert (row["position_fp"], row["market_exposure_dollars"]) == ("10.00", "5.500000")
    spent = 1_000_000_000 - 5_500_000 - round(float(row["fees_paid_dollars"]) * 1_000_000)
    assert balance["balance"] == spent // 10_000
    assert position["event_positions"][0]["event_exposure_dollars"] == "5.500000"


def test_positions_are_filtered_by_count_and_settlement() -> None:
    made = stand()
    made.order(price="0.5500", count="10.00")
    made.order(price="0.4500", side="ask", count="10.00")

    def rows(query: str) -> int:
        return len(made.call("GET", f"/portfolio/positions?{query}").body["market_positions"])

    assert rows("") == 1
    assert rows("count_filter=position") == 0
    assert rows("count_filter=total_traded") == 1
    assert rows("settlement_status=settled") == 0
    made.call("POST", f"/admin/markets/{TICKER}/determine", {"result": "yes"})
    made.advance(MINUTE_US)
    assert rows("") == 0
    assert rows("settlement_status=all") == 1
    assert made.call("GET", "/portfolio/positions?count_filter=luck").status == 400
    assert made.call("GET", "/portfolio/positions?settlement_status=luck").status == 400


def test_a_settlement_pays_in_cents() -> None:
    made = stand()
    made.order(price="0.5500", count="4.00")
    made.call("POST", f"/admin/markets/{TICKER}/determine", {"result": "yes"})
    made.advance(MINUTE_US)
    row = made.call("GET", "/portfolio/settlements").body["settlements"][0]
    assert (row["revenue"], row["value"], row["market_result"]) == (400, 100, "yes")
    assert row["yes_total_cost_dollars"] == "2.200000"
    assert made.call("GET", "/portfolio/settlements?ticker=KXNONE").body["settlements"] == []


def test_queue_positions_count_what_is_ahead() -> None:
    made = stand()
    order_id = made.order(price="0.4500").body["order_id"]
    one = made.call("GET", f"/portfolio/orders/{order_id}/queue_position").body
    assert one == {"queue_position_fp": "100.00"}
    many = made.call("GET", f"/portfolio/orders/queue_positions?market_tickers={TICKER}").body
    assert many["queue_positions"] == [
        {"order_id": order_id, "market_ticker": TICKER, "queue_position_fp": "100.00"}
    ]
    event = made.call("GET", "/portfolio/orders/queue_positions?event_ticker=KXTEST-26NOV").body
    assert event == many
    assert made.call("GET", "/portfolio/orders/queue_positions").status == 400


def test_reads_lag_behind_writes_as_long_as_told() -> None:
    made = stand(read_lag_us=300_000)
    order_id = made.order().body["order_id"]
    assert made.call("GET", f"/portfolio/orders/{order_id}").status == 404
    made.advance(300_000)
    assert made.call("GET", f"/portfolio/orders/{order_id}").status == 200
    made.call("DELETE", f"/portfolio/events/orders/{order_id}")
    order = made.call("GET", f"/portfolio/orders/{order_id}").body["order"]
    assert order["status"] == "resting"
    made.advance(300_000)
    order = made.call("GET", f"/portfolio/orders/{order_id}").body["order"]
    assert order["status"] == "canceled"


def test_the_balance_knows_its_shards() -> None:
    made = stand()
    list_market(made, "KXFAR-26NOV-A", shard=2)
    assert made.order(ticker="KXFAR-26NOV-A").body["error"]["code"] == "insufficient_balance"
    made.exchange.deposit(made.account, made.exchange.settings.cash[2], 2)
    assert made.order(ticker="KXFAR-26NOV-A").status == 201
    assert made.call("GET", "/portfolio/balance?exchange_index=2").body["balance"] == 250_000
    assert made.call("GET", "/portfolio/balance").body["balance"] == 350_000


@pytest.mark.parametrize(
    "path", ["/historical/fills", "/historical/orders", "/historical/positions"]
)
def test_a_young_account_has_no_history(path: str) -> None:
    answer = stand().call("GET", path)
    assert (answer.status, answer.body["cursor"]) == (200, "")


def test_limits_and_resting_value_are_told() -> None:
    made = stand()
    made.order(count="10.00")
    assert made.call("GET", "/account/limits").body["write"]["refill_rate"] == 100
    keys = made.call("GET", "/api_keys").body
    assert (len(keys["api_keys"]), keys["api_key_region_expiration_ts"]) == (1, None)
    value = made.call("GET", "/portfolio/summary/total_resting_order_value").body
    assert value["total_resting_order_value"] >= 400
