"""What is ours: read whole or refused whole."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.kalshi.wire import account
from bot.domain.errors import InvalidMessage
from bot.domain.ids import ClientOrderId, OrderId
from bot.domain.orders import BookSide, OrderStatus
from tests.fakes.recordings import recordings

ORDER: dict[str, object] = {
    "order_id": "o1",
    "client_order_id": "c1",
    "ticker": "KXFOO-1",
    "exchange_index": 1,
    "outcome_side": "no",
    "book_side": "ask",
    "side": "yes",
    "action": "sell",
    "status": "resting",
    "yes_price_dollars": "0.9900",
    "initial_count_fp": "3.00",
    "fill_count_fp": "1.00",
    "remaining_count_fp": "2.00",
    "created_time": "2026-06-11T06:29:30.164956Z",
    "last_update_time": None,
}
FILL: dict[str, object] = {
    "fill_id": "f1",
    "trade_id": "f1",
    "order_id": "o1",
    "ticker": "KXFOO-1",
    "book_side": "bid",
    "count_fp": "1.00",
    "yes_price_dollars": "0.5200",
    "is_taker": True,
    "fee_cost": "0.017500",
    "created_time": "2026-06-11T06:29:30.164956Z",
}


def body(**fields: object) -> bytes:
    return json.dumps(fields).encode()


def test_a_balance_prefers_dollars_over_truncated_cents() -> None:
    balance = account.read_balance(
        body(
            balance=9801,
            balance_dollars="98.0186",
            portfolio_value=198,
            balance_breakdown=[{"exchange_index": 2, "balance": "98.0186"}],
        )
    )
    assert balance.cash == 98_018_600
    assert balance.portfolio_value == 1_980_000
    assert balance.by_shard == ((2, 98_018_600),)
    assert account.read_balance(body(balance=9801, portfolio_value=0)).cash == 98_010_000


def test_an_order_is_read_in_the_venues_words() -> None:
    (order,) = account.read_orders(body(orders=[ORDER], cursor="next")).items
    assert order.side is BookSide.ASK
    assert order.status is OrderStatus.RESTING
    assert (order.price, order.initial, order.filled, order.remaining) == (9900, 300, 100, 200)
    assert order.created_us == order.updated_us == 1_781_159_370_164_956
    assert order.order_group_id is None


@pytest.mark.parametrize(
    "change, side",
    [
        ({"book_side": None}, BookSide.ASK),
        ({"book_side": None, "outcome_side": None}, BookSide.ASK),
        ({"book_side": None, "outcome_side": None, "action": "buy"}, BookSide.BID),
    ],
)
def test_older_orders_name_their_side_differently(
    change: dict[str, object], side: BookSide
) -> None:
    (order,) = account.read_orders(body(orders=[ORDER | change])).items
    assert order.side is side


def test_a_status_of_tomorrow_is_unknown_and_not_guessed() -> None:
    (order,) = account.read_orders(body(orders=[ORDER | {"status": "levitating"}])).items
    assert order.status is OrderStatus.UNKNOWN


def test_an_order_without_our_id_is_foreign() -> None:
    (order,) = account.read_orders(body(orders=[ORDER | {"client_order_id": ""}])).items
    assert order.client_order_id is None


@pytest.mark.parametrize(
    "read, body_",
    [
        (account.read_orders, body(orders=[ORDER, ORDER | {"fill_count_fp": 1}])),
        (account.read_orders, body(cursor="")),
        (account.read_fills, body(fills=[FILL, FILL | {"fill_id": "", "trade_id": ""}])),
        (account.read_fills, body(fills=[FILL | {"created_time": None}])),
        (account.read_positions, body(positions=[])),
        (account.read_settlements, body(error="x")),
        (account.read_balance, body(balance="98.01", portfolio_value=0)),
        (account.read_balance, body(balance=1 << 60, portfolio_value=0)),
        (account.read_groups, b"[]"),
    ],
)
def test_one_unreadable_item_refuses_the_page(read: object, body_: bytes) -> None:
    with pytest.raises(InvalidMessage):
        read(body_)  # type: ignore[operator]


def test_a_fill_falls_back_to_the_older_names() -> None:
    older = FILL | {"fill_id": "", "ticker": "", "market_ticker": "KXFOO-1", "created_time": None}
    (fill,) = account.read_fills(body(fills=[older | {"ts": 1_781_159_370}])).items
    assert (fill.fill_id, fill.ticker) == ("f1", "KXFOO-1")
    assert fill.executed_us == 1_781_159_370_000_000
    assert fill.fee == 17_500


def test_flat_positions_are_left_out() -> None:
    row = {
        "ticker": "KXFOO-1",
        "position_fp": "-3.00",
        "market_exposure_dollars": "2.500000",
        "realized_pnl_dollars": "-0.100000",
        "fees_paid_dollars": "0.018900",
    }
    page = account.read_positions(body(market_positions=[row, row | {"position_fp": "0.00"}]))
    assert [(one.quantity, one.exposure, one.realized) for one in page.items] == [
        (-300, 2_500_000, -100_000)
    ]


def test_a_settlement_value_is_in_cents_per_contract() -> None:
    row = {
        "ticker": "KXFOO-1",
        "event_ticker": "KXFOO",
        "market_result": "scalar",
        "revenue": 625,
        "value": 63,
        "settled_time": "2026-08-17T14:00:00Z",
        "fee_cost": "0.000000",
    }
    (settlement,) = account.read_settlements(body(settlements=[row])).items
    assert (settlement.value, settlement.revenue) == (6300, 6_250_000)
    (older,) = account.read_settlements(body(settlements=[row | {"value": None}])).items
    assert older.value is None
    with pytest.raises(InvalidMessage):
        account.read_settlements(body(settlements=[row | {"value": 101}]))


CREATED: dict[str, object] = {
    "order_id": "o1",
    "client_order_id": "c1",
    "fill_count": "1.00",
    "remaining_count": "2.00",
    "ts_ms": 1_781_159_370_164,
}


def test_a_create_is_acknowledged_only_for_our_own_order() -> None:
    ack = account.read_created(body(**CREATED), ClientOrderId("c1"))
    assert (ack.order_id, ack.filled, ack.remaining) == ("o1", 100, 200)
    with pytest.raises(InvalidMessage):
        account.read_created(body(**CREATED), ClientOrderId("c2"))


def test_a_cancel_is_acknowledged_only_for_the_order_asked_about() -> None:
    answer = body(order_id="o1", reduced_by="2.00", ts_ms=1)
    assert account.read_canceled(answer, OrderId("o1")).reduced_by == 200
    with pytest.raises(InvalidMessage):
        account.read_canceled(answer, OrderId("o2"))


def test_groups_know_their_shard() -> None:
    rows = account.read_groups(body(order_groups=[{"id": "g1", "exchange_index": 3}, {"id": "g2"}]))
    assert [(row.order_group_id, row.exchange_index) for row in rows] == [("g1", 3), ("g2", 0)]
    assert account.read_groups(b"{}") == ()
    assert account.read_group_created(body(order_group_id="g1", subaccount=0)) == "g1"


@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for read in (
        account.read_balance,
        account.read_positions,
        account.read_orders,
        account.read_fills,
        account.read_settlements,
        account.read_group_created,
        lambda one: account.read_created(one, ClientOrderId("c")),
        lambda one: account.read_canceled(one, OrderId("o")),
    ):
        with pytest.raises(InvalidMessage):
            read(data)


@given(st.sampled_from(sorted(ORDER)), st.none() | st.integers() | st.text(max_size=9))
def test_an_order_with_one_field_replaced_is_read_or_refused(name: str, value: object) -> None:
    try:
        page = account.read_orders(json.dumps({"orders": [ORDER | {name: value}]}).encode())
    except InvalidMessage:
        return
    assert len(page.items) == 1


def test_recorded_account_answers_are_read() -> None:
    folder = recordings("wire_samples_2026-06")

    def sample(name: str) -> bytes:
        return (folder / f"{name}.json").read_bytes()

    assert account.read_balance(sample("auth__balance_ok")).cash == 98_018_600
    assert [
        one.quantity for one in account.read_positions(sample("portfolio__positions")).items
    ] == [300]
    orders = account.read_orders(sample("portfolio__orders_list")).items
    assert len(orders) > 5
    assert {one.status for one in orders} == {OrderStatus.EXECUTED, OrderStatus.CANCELED}
    fills = account.read_fills(sample("fills__after_taker")).items
    assert {one.fee for one in fills} >= {17_500}
    for name in ("orders__create_v2_maker", "orders__create_v2_taker_ioc"):
        own = json.loads(sample(name))["client_order_id"]
        assert account.read_created(sample(name), ClientOrderId(own)).order_id
    canceled = json.loads(sample("orders__cancel_v2"))["order_id"]
    assert account.read_canceled(sample("orders__cancel_v2"), OrderId(canceled)).reduced_by > 0
    assert account.read_settlements(sample("settlements__page")).items == ()


def test_recorded_settlements_are_read() -> None:
    path = recordings("rest_2026-08") / "portfolio_settlements_redacted.json"
    payload = json.loads(path.read_text())["payload"]
    page = account.read_settlements(json.dumps(payload).encode())
    assert len(page.items) == len(payload["settlements"]) > 1
    assert {one.value for one in page.items} <= {0, 10_000}
