"""WebSocket payloads, one by one."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.kalshi.wire import stream
from bot.domain.errors import InvalidMessage
from bot.domain.orders import BookSide, OrderStatus

DELTA: dict[str, object] = {
    "market_ticker": "KXFOO-1",
    "market_id": "f5ed38e2",
    "clock": 1235,
    "price_dollars": "0.4800",
    "delta_fp": "-3.00",
    "side": "no",
    "ts_ms": 1_781_159_489_957,
}
OWN_ORDER: dict[str, object] = {
    "order_id": "o1",
    "ticker": "KXFOO-1",
    "status": "resting",
    "side": "yes",
    "outcome_side": "no",
    "book_side": "ask",
    "yes_price_dollars": "0.4700",
    "initial_count_fp": "3.00",
    "fill_count_fp": "1.00",
    "remaining_count_fp": "2.00",
    "client_order_id": "c1",
    "order_group_id": "g1",
    "created_ts_ms": 1_781_159_360_866,
    "last_updated_ts_ms": 1_781_159_370_164,
}


def raw(**fields: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(fields).encode())


def test_an_envelope_of_an_unknown_type_keeps_its_numbers() -> None:
    envelope = stream.read_envelope(b'{"type":"of_2027","sid":4,"seq":9,"msg":{"x":[1]}}\n')
    assert (envelope.type, envelope.sid, envelope.seq) == ("of_2027", 4, 9)


def test_a_missing_side_of_a_snapshot_is_empty() -> None:
    book = stream.read_snapshot(
        raw(market_ticker="A", clock=9, yes_dollars_fp=[["0.4600", "10.00"], ["0.4700", "3.00"]]), 5
    )
    assert [level.price for level in book.bids] == [4700, 4600]
    assert book.asks == ()
    assert book.clock == 9


def test_no_levels_are_asks_on_either_leg() -> None:
    yes_leg = stream.read_snapshot(
        raw(market_ticker="A", no_dollars_fp=[["0.5200", "1.00"], ["0.5300", "2.00"]]), 5
    )
    no_leg = stream.read_snapshot(
        raw(market_ticker="A", no_dollars_fp=[["0.4700", "2.00"], ["0.4800", "1.00"]]),
        5,
        uses_yes_price=False,
    )
    assert yes_leg == no_leg
    assert [(level.price, level.quantity) for level in yes_leg.asks] == [(5200, 100), (5300, 200)]


def test_a_book_read_on_the_wrong_leg_is_refused() -> None:
    sides = {"yes_dollars_fp": [["0.4700", "1.00"]], "no_dollars_fp": [["0.4600", "1.00"]]}
    with pytest.raises(InvalidMessage, match="crossed"):
        stream.read_snapshot(raw(market_ticker="A", **sides), 5)


def test_a_delta_is_a_signed_change_on_the_yes_leg() -> None:
    as_asked = stream.read_delta(raw(**DELTA), 5)
    assert (as_asked.side, as_asked.price, as_asked.change) == (BookSide.ASK, 4800, -300)
    assert as_asked.exchange_us == 1_781_159_489_957_000
    assert stream.read_delta(raw(**DELTA), 5, uses_yes_price=False).price == 5200


@pytest.mark.parametrize(
    "change",
    [
        {"side": "maybe"},
        {"price_dollars": "1.0000"},
        {"delta_fp": 3},
        {"ts_ms": -1},
        {"clock": "9"},
    ],
)
def test_a_bad_delta_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(InvalidMessage):
        stream.read_delta(raw(**(DELTA | change)), 5)


def test_a_ticker_keeps_empty_sides_empty() -> None:
    update = stream.read_ticker(
        raw(
            market_ticker="A",
            price_dollars="0.0000",
            yes_bid_dollars="0.0000",
            yes_ask_dollars="0.5200",
            yes_ask_size_fp="2.00",
            volume_fp="33896.00",
            open_interest_fp="0.00",
            ts_ms=1,
        ),
        5,
    )
    assert (update.yes_bid, update.yes_ask, update.last_price) == (None, 5200, None)
    assert (update.yes_bid_size, update.yes_ask_size) == (0, 200)


def test_an_old_trade_names_its_taker_by_the_older_field() -> None:
    old = {
        "trade_id": "t",
        "market_ticker": "A",
        "yes_price_dollars": "0.5200",
        "count_fp": "1.00",
        "taker_side": "no",
        "ts": 1_781_159_502,
    }
    trade = stream.read_trade(raw(**old), 5)
    assert (trade.taker_side, trade.is_block) == (BookSide.ASK, False)
    assert trade.executed_us == 1_781_159_502_000_000
    new = old | {"taker_book_side": "bid", "is_block_trade": True, "ts_ms": 1_781_159_502_550}
    assert stream.read_trade(raw(**new), 5).taker_side is BookSide.BID


def test_an_own_fill_ignores_the_side_as_entered() -> None:
    own = stream.read_own_fill(
        raw(
            trade_id="t",
            order_id="o",
            client_order_id="c",
            market_ticker="A",
            is_taker=True,
            side="yes",
            outcome_side="no",
            book_side="ask",
            yes_price_dollars="0.5200",
            count_fp="1.00",
            fee_cost="0.0175",
            ts_ms=1_781_159_370_164,
        ),
        5,
    )
    assert (own.fill.side, own.fill.fee, own.client_order_id) == (BookSide.ASK, 17_500, "c")


def test_an_own_order_carries_its_group_and_times() -> None:
    order = stream.read_own_order(raw(**OWN_ORDER), 5).order
    assert (order.side, order.status, order.order_group_id) == (
        BookSide.ASK,
        OrderStatus.RESTING,
        "g1",
    )
    assert order.updated_us - order.created_us == 9_298_000
    timeless = OWN_ORDER | {"created_ts_ms": None, "last_updated_ts_ms": None, "status": "unknown"}
    order = stream.read_own_order(raw(**timeless), 5).order
    assert (order.created_us, order.updated_us, order.status) == (5, 5, OrderStatus.UNKNOWN)


def test_lifecycle_times_are_seconds() -> None:
    step = stream.read_lifecycle(
        raw(event_type="close_date_updated", market_ticker="A", close_ts=1_781_200_000), 5
    )
    assert step.close_us == 1_781_200_000_000_000
    determined = stream.read_lifecycle(
        raw(event_type="determined", market_ticker="A", result="yes", settlement_value="1.0000"), 5
    )
    assert (determined.result, determined.settlement_value) == ("yes", "1.0000")


def test_a_group_change_names_its_group() -> None:
    change = stream.read_group_change(raw(event_type="triggered", order_group_id="g"), 5)
    assert (change.order_group_id, change.kind) == ("g", "triggered")


def test_an_error_names_its_culprits() -> None:
    error = stream.read_stream_error(raw(code=26, msg="limit", market_tickers=["A", "B"]))
    assert (error.code, error.culprits) == (26, {"A", "B"})
    assert stream.read_stream_error(raw(code=14, market_ticker="C")).culprits == {"C"}


def test_an_ok_may_list_tickers_or_subscriptions_or_nothing() -> None:
    assert stream.read_ok(raw(market_tickers=["A"])).market_tickers == ["A"]
    assert stream.read_ok(msgspec.Raw(b'[{"channel":"trade","sid":2}]')).market_tickers is None
    assert stream.read_ok(msgspec.Raw(b"null")).market_tickers is None


@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    readers = (
        stream.read_own_fill,
        stream.read_own_order,
        stream.read_ticker,
        stream.read_trade,
        stream.read_lifecycle,
        stream.read_group_change,
        stream.read_snapshot,
        stream.read_delta,
    )
    for read in readers:
        with pytest.raises(InvalidMessage):
            read(msgspec.Raw(data), 5)
    with pytest.raises(InvalidMessage):
        stream.read_subscribed(msgspec.Raw(data))
    assert stream.market_named(msgspec.Raw(data)) is None


def test_usual_sizes_are_read_once_and_others_are_left_to_the_long_way() -> None:
    counts = stream.UsualCounts()
    assert (counts["3.00"], counts["-0.25"], counts["12345.67"]) == (300, -25, 1_234_567)
    assert dict(counts) == {"3.00": 300, "-0.25": -25, "12345.67": 1_234_567}
    for text in (
        "3",
        "3.0",
        "3.000",
        "1_0.00",
        "+1.00",
        " 1.00",
        "\u0663.00",
        "--1.00",
        "",
        "9" * 20,
    ):
        with pytest.raises(KeyError):
            counts[text]


def test_usual_prices_are_those_somebody_can_trade_at() -> None:
    prices = stream.usual_prices(is_complement=True)
    assert (prices["0.4800"], prices["0.0001"], len(prices)) == (5_200, 9_999, 9_999)
    assert stream.usual_prices(is_complement=False)["0.4800"] == 4_800
    assert not {"0.0000", "1.0000"} & prices.keys()
