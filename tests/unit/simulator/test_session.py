"""The WebSocket conversation, without a socket."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.simulator.session import Session
from tests.support.exchange import TICKER, Stand, list_market, stand
from tests.support.wire import Wire

OTHER = "KXOTHER-26DEC-A"


class Talk:
    """A session on a stand."""

    def __init__(self, markets_max: int = 1_000) -> None:
        self.stand: Stand = stand()
        list_market(self.stand, OTHER)
        self.wire = Wire(capacity=1_000)
        exchange = self.stand.exchange
        self.session = Session(exchange, exchange.hub, self.wire.outlet(), markets_max=markets_max)

    def say(self, **command: Any) -> list[dict[str, Any]]:
        before = len(self.wire.sent)
        self.session.receive(json.dumps(command))
        return self.wire.sent[before:]

    def subscribe(self, *channels: str, **params: Any) -> list[dict[str, Any]]:
        return self.say(id=1, cmd="subscribe", params={"channels": list(channels), **params})

    def update(self, action: str, **params: Any) -> list[dict[str, Any]]:
        return self.say(id=2, cmd="update_subscription", params={"action": action, **params})


def test_sids_count_from_one_and_snapshots_follow_the_replies() -> None:
    frames = Talk().subscribe("orderbook_delta", "trade", market_tickers=[TICKER, OTHER])
    assert [(f["type"], f.get("sid"), f.get("seq")) for f in frames] == [
        ("subscribed", None, None), ("subscribed", None, None),
        ("orderbook_snapshot", 1, 1), ("orderbook_snapshot", 1, 2),
    ]  # fmt: skip
    assert [f["msg"]["sid"] for f in frames[:2]] == [1, 2]
    assert "yes_dollars_fp" not in frames[3]["msg"]


def test_every_message_of_a_sid_counts() -> None:
    talk = Talk()
    talk.subscribe("orderbook_delta", market_tickers=[TICKER])
    added = talk.update("add_markets", sids=[1], market_tickers=[OTHER])
    assert [(f["type"], f["seq"]) for f in added] == [("ok", 2), ("orderbook_snapshot", 3)]
    assert added[0]["msg"]["market_tickers"] == [TICKER, OTHER]
    shot = talk.update("get_snapshot", sid=1, market_tickers=[TICKER])
    assert [(f["type"], f["id"], f["seq"]) for f in shot] == [("orderbook_snapshot", 2, 4)]
    dropped = talk.update("delete_markets", sid=1, market_tickers=[TICKER])
    assert (dropped[0]["msg"]["market_tickers"], dropped[0]["seq"]) == ([OTHER], 5)
    talk.stand.order()
    ended = talk.say(id=3, cmd="unsubscribe", params={"sids": [1]})
    assert ended == [{"type": "unsubscribed", "id": 3, "sid": 1, "seq": 6}]
    assert talk.say(id=4, cmd="list_subscriptions") == [{"type": "ok", "id": 4, "msg": []}]


def test_a_second_subscribe_widens_the_first() -> None:
    talk = Talk()
    talk.subscribe("orderbook_delta", market_tickers=[TICKER])
    frames = talk.subscribe("orderbook_delta", market_tickers=[TICKER, OTHER])
    assert [f["type"] for f in frames] == ["ok", "orderbook_snapshot"]
    assert frames[1]["msg"]["market_ticker"] == OTHER
    listed = talk.say(id=9, cmd="list_subscriptions")[0]["msg"]
    assert listed == [{"channel": "orderbook_delta", "sid": 1}]


def test_tickers_come_at_once_where_asked_for() -> None:
    talk = Talk()
    assert len(talk.subscribe("ticker", market_tickers=[TICKER])) == 1
    assert [f["type"] for f in Talk().subscribe("ticker", send_initial_snapshot=True)] == [
        "subscribed", "ticker", "ticker",
    ]  # fmt: skip
    market_id = talk.stand.exchange.catalog.markets[TICKER].market_id
    by_id = Talk().subscribe("ticker", market_ids=[market_id], send_initial_snapshot=True)
    assert by_id[1]["msg"]["market_ticker"] == TICKER


def test_an_acknowledgement_can_be_short() -> None:
    talk = Talk()
    talk.subscribe("orderbook_delta", market_tickers=[TICKER], skip_ticker_ack=True)
    assert "msg" not in talk.update("add_markets", sid=1, market_tickers=[OTHER])[0]


def test_an_unknown_ticker_is_named_and_hurts_no_other() -> None:
    frames = Talk().subscribe("orderbook_delta", market_tickers=["KXNONE", TICKER])
    assert [f["type"] for f in frames] == ["subscribed", "error", "orderbook_snapshot"]
    assert frames[1]["msg"]["market_tickers"] == ["KXNONE"]
    assert (frames[1]["seq"], frames[2]["seq"]) == (1, 2)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ({"id": 1, "cmd": "dance"}, 5),
        ({"id": 1, "cmd": "subscribe"}, 2),
        ({"id": 1, "cmd": "subscribe", "params": {}}, 3),
        ({"id": 1, "cmd": "subscribe", "params": {"channels": ["mars"]}}, 8),
        ({"id": 1, "cmd": "subscribe", "params": {"channels": ["orderbook_delta"]}}, 14),
        ({"id": 1, "cmd": "subscribe", "params": {"channels": ["cfbenchmarks_value"]}}, 24),
        ({"id": 1, "cmd": "subscribe", "params": {"channels": ["pyth_value"]}}, 28),
        ({"id": 1, "cmd": "subscribe",
          "params": {"channels": ["trade"], "market_ticker": "A", "market_tickers": ["B"]}}, 11),
        ({"id": 1, "cmd": "subscribe", "params": {"channels": ["trade"], "market_ids": ["x"]}}, 11),
        ({"id": 1, "cmd": "subscribe", "params": {"channels": ["trade"], "use_yes_price": 1}}, 11),
        ({"id": 1, "cmd": "unsubscribe", "params": {}}, 4),
        ({"id": 1, "cmd": "unsubscribe", "params": {"sids": [7]}}, 7),
        ({"id": 1, "cmd": "update_subscription", "params": {"sid": 1}}, 15),
        ({"id": 1, "cmd": "update_subscription", "params": {"action": "add_markets"}}, 12),
        ({"id": 1, "cmd": "update_subscription",
          "params": {"action": "add_markets", "sids": [1, 2]}}, 12),
        ({"id": 1, "cmd": "update_subscription",
          "params": {"action": "add_markets", "sid": 9, "market_tickers": ["A"]}}, 7),
    ],
)  # fmt: skip
def test_a_wrong_command_is_answered_with_its_code(command: dict[str, Any], code: int) -> None:
    frames = Talk().say(**command)
    assert [(f["type"], f["id"], f["msg"]["code"]) for f in frames] == [("error", 1, code)]


def test_updates_know_their_limits() -> None:
    talk = Talk(markets_max=1)
    talk.subscribe("orderbook_delta", market_tickers=[TICKER])
    assert talk.update("jump", sid=1, market_tickers=[TICKER])[0]["msg"]["code"] == 13
    assert talk.update("add_markets", sid=1)[0]["msg"]["code"] == 14
    assert talk.update("add_markets", sid=1, market_tickers=[OTHER])[0]["msg"]["code"] == 26
    talk.subscribe("trade")
    assert talk.update("add_markets", sid=2, market_tickers=[TICKER])[0]["msg"]["code"] == 11
    other = Talk()
    other.subscribe("trade", market_tickers=[TICKER])
    assert other.update("get_snapshot", sid=1, market_tickers=[TICKER])[0]["msg"]["code"] == 13


def test_a_closed_session_hears_nothing() -> None:
    talk = Talk()
    talk.subscribe("orderbook_delta", market_tickers=[TICKER])
    talk.session.close()
    before = len(talk.wire.sent)
    talk.stand.order()
    assert len(talk.wire.sent) == before


@given(st.one_of(st.text(), st.binary(), st.builds(
    json.dumps,
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8)
        | st.sampled_from(["subscribe", "update_subscription", "unsubscribe", "trade", TICKER]),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
            st.sampled_from(["id", "cmd", "params", "channels", "sid", "sids", "action",
                             "market_tickers", "market_ticker", "market_ids"]), inner, max_size=5),
        max_leaves=12,
    ),
)))  # fmt: skip
def test_no_frame_breaks_a_session(frame: str | bytes) -> None:
    talk = TALK
    before = len(talk.wire.sent)
    talk.session.receive(frame)
    assert len(talk.wire.sent) > before
    talk.wire.sent.clear()


TALK = Talk()
