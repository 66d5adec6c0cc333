"""An order met at the worst moment: in whole or in part, whatever is before it in the queue."""

from typing import Any

from bot.domain.ids import OrderId
from bot.domain.orders import BookSide
from bot.simulator.races import fill_resting
from tests.support.exchange import TICKER, Stand, stand


def order_of(made: Stand, order_id: str) -> dict[str, Any]:
    return dict(made.call("GET", f"/portfolio/orders/{order_id}").body["order"])


def test_an_order_behind_others_is_filled_with_them() -> None:
    made = stand()
    made.house(BookSide.BID, 4_000, 7, TICKER)
    order_id = made.order(price="0.4000", count="3.00").body["order_id"]
    fill_resting(made.exchange, OrderId(order_id), parts=1)
    order = order_of(made, order_id)
    assert (order["status"], order["fill_count_fp"]) == ("executed", "3.00")
    book = made.call("GET", f"/markets/{TICKER}/orderbook").body["orderbook_fp"]
    assert book["yes_dollars"] == []


def test_half_of_a_sale_is_filled_and_the_rest_rests() -> None:
    made = stand()
    order_id = made.order(side="ask", price="0.5200", count="4.00").body["order_id"]
    fill_resting(made.exchange, OrderId(order_id), parts=2)
    order = order_of(made, order_id)
    assert (order["status"], order["fill_count_fp"]) == ("resting", "2.00")
    fill_resting(made.exchange, OrderId(order_id), parts=2)
    assert order_of(made, order_id)["fill_count_fp"] == "3.00"


def test_an_order_that_rests_no_more_is_left_alone() -> None:
    made = stand()
    order_id = made.order(price="0.4000").body["order_id"]
    made.call("DELETE", f"/portfolio/events/orders/{order_id}")
    fill_resting(made.exchange, OrderId(order_id), parts=1)
    fill_resting(made.exchange, OrderId("no-such-order"), parts=1)
    assert order_of(made, order_id)["fill_count_fp"] == "0.00"
    assert made.call("GET", "/markets/trades").body["trades"] == []
