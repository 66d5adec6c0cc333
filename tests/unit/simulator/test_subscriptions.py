"""Listeners, envelopes and what faults do to frames."""

from bot.domain.ids import MarketTicker
from bot.simulator.subscriptions import Channel, FrameFault, Hub, Subscription
from tests.support.wire import Wire

A, B = MarketTicker("A"), MarketTicker("B")


class Script:
    def __init__(self, *faults: FrameFault | None) -> None:
        self.faults = list(faults)

    def on_frame(self, channel: str, kind: str) -> FrameFault | None:
        return self.faults.pop(0) if self.faults else None


def listening(
    hub: Hub, wire: Wire, channel: Channel, tickers: dict[MarketTicker, None] | None
) -> Subscription:
    subscription = Subscription(sid=1, channel=channel, outlet=wire.outlet(), tickers=tickers)
    hub.add(subscription)
    return subscription


def test_listeners_are_found_by_market_or_hear_everything() -> None:
    hub, wire = Hub(Script()), Wire()
    narrow = listening(hub, wire, Channel.TRADE, {A: None})
    wide = listening(hub, wire, Channel.TRADE, None)
    assert hub.listeners(Channel.TRADE, A) == [wide, narrow]
    assert hub.listeners(Channel.TRADE, B) == [wide]
    hub.widen(narrow, [B])
    assert hub.listeners(Channel.TRADE, B) == [wide, narrow]
    hub.narrow(narrow, [A])
    assert hub.listeners(Channel.TRADE, A) == [wide]
    hub.remove(wide)
    assert hub.listeners(Channel.TRADE, A) == []
    assert hub.listeners(Channel.TICKER, B) == []


def test_sequenced_channels_count_and_the_others_do_not() -> None:
    hub, wire = Hub(Script()), Wire()
    trades = listening(hub, wire, Channel.TRADE, None)
    fills = listening(hub, wire, Channel.FILL, None)
    hub.push(trades, "trade", b"{}")
    hub.push(trades, "trade", b"{}", command_id=4)
    hub.push(fills, "fill", b"{}")
    assert wire.sent == [
        {"type": "trade", "sid": 1, "seq": 1, "msg": {}},
        {"type": "trade", "id": 4, "sid": 1, "seq": 2, "msg": {}},
        {"type": "fill", "sid": 1, "msg": {}},
    ]


def test_faults_lose_repeat_and_end() -> None:
    hub, wire = Hub(Script(FrameFault.DROP, FrameFault.DUPLICATE, FrameFault.OVERFLOW)), Wire()
    subscription = listening(hub, wire, Channel.TRADE, None)
    for _ in range(4):
        hub.push(subscription, "trade", b"{}")
    assert [(frame["type"], frame["seq"]) for frame in wire.sent] == [
        ("trade", 2), ("trade", 2), ("error", 4),
    ]  # fmt: skip
    assert wire.sent[-1]["msg"] == {"code": 25, "msg": "Subscription buffer overflow"}
    assert hub.listeners(Channel.TRADE, A) == []


def test_a_held_frame_comes_after_the_next_one() -> None:
    hub, wire = Hub(Script(FrameFault.REORDER)), Wire()
    subscription = listening(hub, wire, Channel.TRADE, None)
    for _ in range(3):
        hub.push(subscription, "trade", b"{}")
    assert [frame["seq"] for frame in wire.sent] == [2, 1, 3]


def test_a_wrong_snapshot_keeps_its_number_and_its_prices() -> None:
    hub, wire = Hub(Script(FrameFault.WRONG_SNAPSHOT)), Wire()
    subscription = listening(hub, wire, Channel.ORDERBOOK, {A: None})
    hub.push(subscription, "orderbook_snapshot", b'{"yes_dollars_fp":[["0.4700","3.00"]]}')
    assert wire.sent[0]["seq"] == 1
    assert wire.sent[0]["msg"] == {"yes_dollars_fp": [["0.4700", "0.01"]]}


def test_faults_reach_the_connection() -> None:
    acts = (FrameFault.SILENCE, FrameFault.DISCONNECT, FrameFault.HALF_OPEN)
    hub, wire = Hub(Script(*acts, FrameFault.CHANNEL_ERROR)), Wire()
    subscription = listening(hub, wire, Channel.TRADE, None)
    for _ in range(4):
        hub.push(subscription, "trade", b"{}")
    assert wire.acts == ["silence", "disconnect", "freeze"]
    assert wire.sent[-1]["msg"]["code"] == 10


def test_a_slow_reader_loses_the_subscription() -> None:
    hub, wire = Hub(Script()), Wire(capacity=1)
    subscription = listening(hub, wire, Channel.TRADE, {A: None})
    for _ in range(3):
        hub.push(subscription, "trade", b"{}")
    assert [frame["type"] for frame in wire.sent] == ["trade", "error"]
    assert wire.sent[1]["msg"]["code"] == 25
    assert subscription.is_over
