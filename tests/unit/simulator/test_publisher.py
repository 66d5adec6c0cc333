"""Who hears of what."""

import json

from bot.simulator.session import Session
from tests.support.exchange import TICKER, USER, Stand, list_market, stand
from tests.support.wire import Wire


def listen(made: Stand, user: str, *channels: str, **params: object) -> Wire:
    wire = Wire(capacity=1_000)
    session = Session(made.exchange, made.exchange.hub, wire.outlet(user))
    wanted = {"channels": list(channels), **params}
    session.receive(json.dumps({"id": 1, "cmd": "subscribe", "params": wanted}))
    wire.sent.clear()
    return wire


def test_owner_and_stranger_see_two_views_of_one_delta() -> None:
    made = stand()
    mine = listen(made, USER, "orderbook_delta", market_tickers=[TICKER])
    theirs = listen(made, "x", "orderbook_delta", market_tickers=[TICKER], use_yes_price=True)
    made.order(side="ask", price="0.6000", client_order_id="me")
    own, foreign = mine.sent[0]["msg"], theirs.sent[0]["msg"]
    assert (own["price_dollars"], own["client_order_id"]) == ("0.4000", "me")
    assert foreign["price_dollars"] == "0.6000"
    assert "client_order_id" not in foreign
    assert own["clock"] == foreign["clock"]


def test_private_channels_are_private() -> None:
    made = stand()
    channels = ("fill", "user_orders", "market_positions")
    mine, theirs = listen(made, USER, *channels), listen(made, "x", *channels)
    made.order(price="0.5500")
    assert {frame["type"] for frame in mine.sent} == {"fill", "user_order", "market_position"}
    assert theirs.sent == []


def test_a_ticker_comes_once_per_act_and_only_when_it_differs() -> None:
    made = stand()
    wire = listen(made, USER, "ticker")
    made.order(price="0.5500", count="3.00")
    assert len(wire.sent) == 1
    made.order(price="0.3000")
    assert len(wire.sent) == 1
    made.order(price="0.4600")
    assert wire.sent[1]["msg"]["yes_bid_dollars"] == "0.4600"


def test_a_group_update_reaches_its_owner() -> None:
    made = stand()
    wire = listen(made, USER, "order_group_updates")
    made.call("POST", "/portfolio/order_groups/create", {"contracts_limit": 7})
    assert wire.sent[0]["msg"]["event_type"] == "created"
    assert wire.sent[0]["msg"]["contracts_limit_fp"] == "7.00"


def test_a_new_event_is_announced_before_its_first_market() -> None:
    made = stand()
    wire = listen(made, USER, "market_lifecycle_v2")
    list_market(made, "KXNEW-26DEC-A")
    list_market(made, "KXNEW-26DEC-B")
    kinds = [frame["type"] for frame in wire.sent]
    assert kinds == ["event_lifecycle", "market_lifecycle_v2", "market_lifecycle_v2"]
    assert wire.sent[0]["msg"]["event_ticker"] == "KXNEW-26DEC"
