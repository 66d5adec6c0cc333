"""What is known of an order only grows."""

from dataclasses import replace

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.ids import (
    BracketId,
    ClientOrderId,
    Epoch,
    FillId,
    MarketTicker,
    OrderId,
    SignalId,
    StrategyId,
)
from bot.domain.money import Money, Price, Quantity
from bot.domain.orders import (
    BookSide,
    Fill,
    Order,
    OrderAck,
    OrderIntent,
    OrderStatus,
    Purpose,
    TimeInForce,
)
from bot.execution import order_state
from bot.execution.order_state import TrackedOrder
from bot.kit.times import SECOND_US

TICKER = MarketTicker("KXFED-26DEC-T3.75")
INTENT = OrderIntent(
    client_order_id=ClientOrderId("s-e0"),
    epoch=Epoch(1),
    strategy_id=StrategyId("t"),
    signal_id=SignalId("s"),
    bracket_id=BracketId("s"),
    purpose=Purpose.ENTRY,
    ticker=TICKER,
    exchange_index=0,
    side=BookSide.BID,
    price=Price(9_500),
    quantity=Quantity(1_000),
    time_in_force=TimeInForce.GOOD_TILL_CANCELED,
    post_only=True,
    reduce_only=False,
    expires_us=None,
    decided_us=0,
)


def a_fill(quantity: int, name: str = "f") -> Fill:
    return Fill(
        fill_id=FillId(name),
        order_id=OrderId("v1"),
        ticker=TICKER,
        side=BookSide.BID,
        price=Price(9_400),
        quantity=Quantity(quantity),
        fee=Money(7),
        is_taker=False,
        executed_us=0,
    )


def ack(filled: int, remaining: int) -> OrderAck:
    return OrderAck(
        order_id=OrderId("v1"),
        client_order_id=INTENT.client_order_id,
        filled=Quantity(filled),
        remaining=Quantity(remaining),
        acknowledged_us=0,
    )


def report(status: OrderStatus, filled: int) -> Order:
    return Order(
        order_id=OrderId("v1"),
        client_order_id=INTENT.client_order_id,
        ticker=TICKER,
        exchange_index=0,
        side=BookSide.BID,
        status=status,
        price=Price(9_500),
        initial=Quantity(1_000),
        filled=Quantity(filled),
        remaining=Quantity(1_000 - filled),
        order_group_id=None,
        created_us=5,
        updated_us=0,
    )


def sent() -> TrackedOrder:
    return order_state.submitted(INTENT)


def resting() -> TrackedOrder:
    return order_state.acknowledged(sent(), ack(0, 1_000), 1)


def test_an_acknowledged_order_rests_and_an_immediate_one_is_over() -> None:
    assert resting().status is OrderStatus.RESTING
    partly = order_state.acknowledged(sent(), ack(300, 0), 1)
    assert (partly.status, partly.filled) == (OrderStatus.CANCELED, 300)
    full = order_state.acknowledged(sent(), ack(1_000, 0), 1)
    assert full.status is OrderStatus.EXECUTED


def test_a_cancel_answer_tells_how_much_had_filled() -> None:
    order = order_state.cancel_sent(resting(), 2)
    order = order_state.cancel_acknowledged(order, Quantity(600), 3)
    assert (order.status, order.filled, order.booked) == (OrderStatus.CANCELED, 400, 0)


def test_not_found_proves_nothing_and_a_report_decides() -> None:
    order = order_state.cancel_unsettled(order_state.cancel_sent(resting(), 2), "404", 3)
    assert order.is_in_doubt
    done = order_state.reported(order, report(OrderStatus.EXECUTED, 1_000), 4)
    assert done.status is OrderStatus.EXECUTED
    back = order_state.reported(order, report(OrderStatus.RESTING, 0), 4)
    assert (back.status, back.is_in_doubt) == (OrderStatus.RESTING, False)


def test_a_report_that_crossed_our_cancel_does_not_undo_it() -> None:
    order = order_state.cancel_sent(resting(), 2)
    assert order_state.reported(order, report(OrderStatus.RESTING, 0), 3) == order


def test_a_refusal_is_not_believed_of_an_order_that_is_known_to_exist() -> None:
    refused = order_state.refused(resting(), "x", "y", 2)
    assert refused.status is OrderStatus.RESTING
    assert order_state.refused(sent(), "x", "y", 2).status is OrderStatus.REJECTED


def test_a_fill_does_not_settle_a_doubtful_send() -> None:
    order = order_state.outcome_unknown(sent(), "timeout", 1)
    order = order_state.filled_by(order, a_fill(300), 2)
    assert (order.status, order.filled, order.is_in_doubt) == (OrderStatus.UNKNOWN, 300, True)


def test_an_order_is_abandoned_only_after_time_and_several_complete_lookups() -> None:
    order = order_state.outcome_unknown(sent(), "timeout", 0)
    early = order_state.missing(order, 20 * SECOND_US)
    assert early.status is OrderStatus.UNKNOWN
    for _ in range(2):
        early = order_state.missing(early, 20 * SECOND_US)
    assert early.status is OrderStatus.ABANDONED
    hasty = order
    for _ in range(5):
        hasty = order_state.missing(hasty, 9 * SECOND_US)
    assert hasty.status is OrderStatus.UNKNOWN


def test_an_order_the_venue_has_named_is_never_abandoned() -> None:
    order = order_state.cancel_unsettled(resting(), "404", 0)
    for _ in range(10):
        order = order_state.missing(order, 60 * SECOND_US)
    assert order.is_in_doubt


def test_an_abandoned_order_that_shows_up_is_in_doubt_again() -> None:
    order = msgspec.structs.replace(sent(), status=OrderStatus.ABANDONED)
    assert order_state.filled_by(order, a_fill(10), 5).is_in_doubt
    back = order_state.reported(order, report(OrderStatus.RESTING, 0), 5)
    assert back.status is OrderStatus.RESTING


def test_silence_after_a_send_or_a_cancel_becomes_a_doubt() -> None:
    assert not order_state.aged(sent(), 9 * SECOND_US).is_in_doubt
    assert order_state.aged(sent(), 10 * SECOND_US).status is OrderStatus.UNKNOWN
    order = order_state.cancel_sent(resting(), 0)
    assert order_state.aged(order, 10 * SECOND_US).is_in_doubt
    assert order_state.aged(resting(), 10**12) == resting()


def test_a_new_process_doubts_whatever_was_on_its_way() -> None:
    assert order_state.recovered(sent(), 1).status is OrderStatus.UNKNOWN
    assert order_state.recovered(order_state.cancel_sent(resting(), 1), 2).is_in_doubt
    assert order_state.recovered(resting(), 1) == resting()


def test_only_an_order_that_matches_in_every_respect_is_ours() -> None:
    same = report(OrderStatus.RESTING, 0)
    assert order_state.matches(INTENT, same)
    others = [
        replace(same, price=Price(9_400)),
        replace(same, side=BookSide.ASK),
        replace(same, initial=Quantity(999)),
        replace(same, ticker=MarketTicker("other")),
        replace(same, created_us=-61 * SECOND_US),
        replace(same, created_us=601 * SECOND_US),
        replace(same, client_order_id=None),
    ]
    assert not any(order_state.matches(INTENT, other) for other in others)


messages = st.lists(
    st.one_of(
        st.tuples(st.just("ack"), st.integers(0, 1_000)),
        st.tuples(st.just("refused"), st.just(0)),
        st.tuples(st.just("not sent"), st.just(0)),
        st.tuples(st.just("unknown"), st.just(0)),
        st.tuples(st.just("fill"), st.integers(1, 400)),
        st.tuples(st.just("cancel"), st.just(0)),
        st.tuples(st.just("cancelled"), st.integers(0, 1_000)),
        st.tuples(st.just("unsettled"), st.just(0)),
        st.tuples(st.just("resting"), st.integers(0, 999)),
        st.tuples(st.just("canceled"), st.integers(0, 1_000)),
        st.tuples(st.just("executed"), st.just(1_000)),
        st.tuples(st.just("missing"), st.just(0)),
        st.tuples(st.just("aged"), st.just(0)),
    ),
    max_size=25,
)


def told(order: TrackedOrder, kind: str, value: int, now_us: int) -> TrackedOrder:
    quantity = Quantity(value)
    answers = {
        "ack": lambda: order_state.acknowledged(order, ack(value, 1_000 - value), now_us),
        "refused": lambda: order_state.refused(order, "c", "r", now_us),
        "not sent": lambda: order_state.not_sent(order, "r", now_us),
        "unknown": lambda: order_state.outcome_unknown(order, "r", now_us),
        "fill": lambda: order_state.filled_by(order, a_fill(value), now_us),
        "cancel": lambda: order_state.cancel_sent(order, now_us) if order.is_working else order,
        "cancelled": lambda: order_state.cancel_acknowledged(order, quantity, now_us),
        "unsettled": lambda: order_state.cancel_unsettled(order, "r", now_us),
        "resting": lambda: order_state.reported(order, report(OrderStatus.RESTING, value), now_us),
        "canceled": lambda: order_state.reported(
            order, report(OrderStatus.CANCELED, value), now_us
        ),
        "executed": lambda: order_state.reported(
            order, report(OrderStatus.EXECUTED, value), now_us
        ),
        "missing": lambda: order_state.missing(order, now_us),
        "aged": lambda: order_state.aged(order, now_us),
    }
    return answers[kind]()


@given(messages)
def test_knowledge_only_grows_whatever_is_told(sequence: list[tuple[str, int]]) -> None:
    order = sent()
    for number, (kind, value) in enumerate(sequence):
        before = order
        order = told(order, kind, value, number * 4 * SECOND_US)
        assert order.filled >= before.filled
        assert order.filled >= order.booked
        assert order.booked >= before.booked
        assert order.value == 9_400 * order.booked
        assert order.order_id is not None or before.order_id is None
        assert order.remaining >= 0 or order.filled > INTENT.quantity
        if before.is_final and before.status is not OrderStatus.ABANDONED:
            assert order.status is before.status or order.status is OrderStatus.EXECUTED
        if order.status is OrderStatus.EXECUTED:
            assert order.filled >= INTENT.quantity
        assert not (order.is_final and order.is_in_doubt)
