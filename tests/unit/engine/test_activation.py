"""Taking over: what is believed, what is asked again, what is left alone."""

from dataclasses import replace

import pytest

from bot.domain.errors import InvariantBroken
from bot.domain.events import (
    ExchangeRead,
    ExchangeStatusRead,
    ForeignAcknowledged,
    MarketPhaseChanged,
    OrderReported,
    ReconcileCommanded,
    Role,
    StateLoaded,
)
from bot.domain.ids import ClientOrderId, EventTicker, FillId, MarketTicker, OrderId
from bot.domain.market import MarketStatus
from bot.domain.money import Money, Quantity
from bot.domain.orders import BookSide, Order, OrderStatus, Purpose, Settlement
from bot.domain.records import BracketState
from bot.engine.effects import CancelOrder, NoticeKind, ReadExchange
from bot.kit.times import SECOND_US
from tests.support.trading import TICKER, Desk


def successor_of(desk: Desk, *, seconds: int = 20) -> Desk:
    after = Desk(
        store=desk.store,
        venue=desk.venue,
        epoch=desk.epoch + 1,
        now_us=desk.now_us + seconds * SECOND_US,
    )
    after.fills, after.cash, after.positions = desk.fills, desk.cash, desk.positions
    after.told = len(desk.fills)
    return after


def leading() -> Desk:
    desk = Desk()
    desk.lead()
    return desk


def test_nothing_is_sent_before_the_account_agrees() -> None:
    desk = Desk()
    desk.role(Role.ACTIVATING)
    effects = desk.put(StateLoaded(received_us=desk.now_us, state=desk.store.state()))
    assert any(isinstance(effect, ReadExchange) for effect in effects)
    desk.list_markets(TICKER)
    desk.role(Role.LEADING)
    desk.quote()
    assert desk.outgoing == []
    desk.read()
    desk.quote()
    assert len(desk.outgoing) == 1


def test_a_failed_read_is_asked_for_again() -> None:
    desk = Desk()
    desk.role(Role.ACTIVATING)
    desk.put(StateLoaded(received_us=desk.now_us, state=desk.store.state()))
    desk.wait(9)
    assert not desk.is_asking()
    desk.wait(1)
    assert desk.is_asking()


def test_the_state_is_loaded_once() -> None:
    desk = leading()
    with pytest.raises(InvariantBroken):
        desk.put(StateLoaded(received_us=desk.now_us, state=desk.store.state()))


def test_what_is_heard_before_the_stored_state_is_known_is_left_for_the_first_comparison() -> None:
    desk = leading()
    entry = desk.bought()
    profit = desk.accept()
    after = successor_of(desk)
    after.role(Role.ACTIVATING)
    after.execute(profit, 500)
    assert FillId("f2") not in after.store.fills, "nothing is booked onto positions not yet read"
    after.lead()
    [bracket] = after.engine.world.desk.open()
    assert bracket.held == after.store.positions[TICKER].quantity == entry.quantity - 500
    assert after.engine.world.doubtful == {}
    assert not after.told_of(NoticeKind.FOREIGN_ACTIVITY)


def test_an_entry_of_the_dead_process_is_found_and_cancelled_under_the_new_epoch() -> None:
    desk = leading()
    desk.quote()
    intent = desk.outgoing[0]
    desk.arrive(intent)
    after = successor_of(desk)
    after.lead()
    assert after.store.orders[intent.client_order_id].status is OrderStatus.CANCELING
    after.quote()
    assert after.outgoing == [], "its market is taken until the exchange has answered"
    after.answer_cancels()
    after.quote()
    assert [one.epoch for one in after.outgoing] == [2]


def test_an_entry_that_never_left_is_given_up_and_its_market_is_free_again() -> None:
    desk = leading()
    desk.quote()
    after = successor_of(desk)
    after.lead()
    for _ in range(5):
        after.wait(4)
        after.answer_lookups()
    first = desk.outgoing[0]
    assert after.store.orders[first.client_order_id].status is OrderStatus.ABANDONED
    after.engine.world.feed.last_frame_us = after.now_us
    after.engine.world.stance.breakers = tuple(
        replace(state, is_tripped=False) for state in after.engine.world.stance.breakers
    )
    after.quote()
    assert [one.signal_id for one in after.outgoing] != [first.signal_id]


def test_take_profits_a_fence_cancelled_are_placed_anew_under_the_new_epoch() -> None:
    desk = leading()
    intent = desk.bought()
    profit = desk.accept()
    desk.venue[profit.client_order_id].is_open = False
    after = successor_of(desk)
    after.lead(is_clean=False)
    after.wait(6)
    assert [(one.purpose, one.epoch, one.quantity) for one in after.outgoing] == [
        (Purpose.TAKE_PROFIT, 2, intent.quantity)
    ]


def a_foreign_order() -> Order:
    return Order(
        order_id=OrderId("hand"),
        client_order_id=ClientOrderId("somebody"),
        ticker=TICKER,
        exchange_index=0,
        side=BookSide.BID,
        status=OrderStatus.RESTING,
        price=9_000,
        initial=Quantity(500),
        filled=Quantity(0),
        remaining=Quantity(500),
        order_group_id=None,
        created_us=0,
        updated_us=0,
    )


def test_a_foreign_order_is_reported_and_never_cancelled_also_after_a_restart() -> None:
    desk = leading()
    desk.put(OrderReported(received_us=desk.now_us, order=a_foreign_order()))
    desk.quote()
    after = successor_of(desk)
    after.lead()
    after.quote()
    assert desk.outgoing == after.outgoing == []
    assert len(after.told_of(NoticeKind.FOREIGN_ACTIVITY)) == 1
    after.put(ForeignAcknowledged(received_us=after.now_us, command_id=1, actor="a", ticker=TICKER))
    last = successor_of(after)
    last.lead()
    last.put(OrderReported(received_us=last.now_us, order=a_foreign_order()))
    last.quote()
    assert len(last.outgoing) == 1, "seen once by a person is enough"
    for one in (desk, after, last):
        effects = [effect for _, effects in one.journal for effect in effects]
        assert not any(isinstance(effect, CancelOrder) for effect in effects)


def test_an_order_of_a_finished_bracket_that_still_rests_is_cancelled() -> None:
    desk = leading()
    desk.quote()
    intent = desk.accept()
    order = desk.venue[intent.client_order_id]
    listed = order.listed()
    order.is_open = False
    desk.read()
    assert desk.store.orders[intent.client_order_id].status is OrderStatus.CANCELED
    effects = desk.put(OrderReported(received_us=desk.now_us, order=listed))
    assert not any(isinstance(effect, CancelOrder) for effect in effects), "it only came late"


def test_one_differing_read_is_not_enough_to_disbelieve_our_fills() -> None:
    desk = leading()
    intent = desk.bought()
    desk.accept()
    desk.wait(10)
    truth = desk.truth(positions=())
    desk.put(ExchangeRead(received_us=desk.now_us, requested_us=desk.now_us, truth=truth))
    assert desk.engine.world.desk.brackets[intent.bracket_id].held == intent.quantity
    before = len(desk.journal)
    desk.wait(10)
    effects = [effect for _, effects in desk.journal[before:] for effect in effects]
    assert any(isinstance(effect, ReadExchange) for effect in effects), "asked again soon"
    desk.read()
    assert desk.engine.world.doubtful == {}


def reads_asked(desk: Desk, *, seconds: int) -> int:
    before = len(desk.journal)
    desk.wait(seconds)
    effects = (effect for _, effects in desk.journal[before:] for effect in effects)
    return sum(isinstance(effect, ReadExchange) for effect in effects)


def pause(desk: Desk) -> None:
    desk.put(
        ExchangeStatusRead(
            received_us=desk.now_us,
            is_exchange_active=True,
            is_trading_active=False,
            resume_us=None,
        )
    )


def test_a_market_that_pays_out_in_a_pause_is_booked_in_the_pause() -> None:
    desk = leading()
    intent = desk.bought()
    # Only "determined" names the value, and that went to a leader who was killed.
    final = MarketPhaseChanged(
        received_us=desk.now_us,
        ticker=TICKER,
        status=MarketStatus.FINALIZED,
        close_us=None,
        value=None,
    )
    desk.put(final)
    pause(desk)
    desk.settlements = [
        Settlement(
            ticker=TICKER,
            event_ticker=EventTicker("KXFED-26DEC"),
            result="yes",
            value=None,
            revenue=Money(0),
            fee=Money(0),
            settled_us=desk.now_us,
        )
    ]
    desk.positions[TICKER] = 0
    assert reads_asked(desk, seconds=60) == 1, "markets settle while nothing is traded"
    desk.read()
    assert desk.engine.world.ledger.position(TICKER).quantity == 0
    assert desk.store.brackets[intent.bracket_id].state is BracketState.SETTLED


def test_a_pause_is_no_time_to_hurry_after_a_difference() -> None:
    desk = leading()
    desk.bought()
    desk.accept()
    desk.wait(10)
    pause(desk)
    truth = desk.truth(positions=())
    desk.put(ExchangeRead(received_us=desk.now_us, requested_us=desk.now_us, truth=truth))
    assert desk.engine.world.doubtful
    assert reads_asked(desk, seconds=60) == 1, "the exchange may be down: once a minute will do"


def test_a_position_without_bracket_is_counted_and_blocks_its_market() -> None:
    desk = Desk()
    desk.foreign_positions[MarketTicker(TICKER)] = -300
    desk.lead()
    desk.wait(10)
    desk.read()
    desk.role(Role.LEADING)
    position = desk.engine.world.ledger.position(TICKER)
    assert (position.quantity, position.cost) == (-300, Money(300 * 9_500))
    desk.quote()
    assert desk.outgoing == []


def test_the_history_of_an_account_is_booked_without_a_message_for_every_market() -> None:
    first = Desk()
    first.lead()
    first.bought(500)
    fresh = Desk(now_us=first.now_us + 3_600 * SECOND_US)
    fresh.fills, fresh.positions, fresh.cash = first.fills, {TICKER: 500}, first.cash
    fresh.lead()
    assert fresh.engine.world.stance.is_reconciled
    assert [one["what"] for one in fresh.told_of(NoticeKind.FOREIGN_ACTIVITY)] == [
        "position of 5.00"
    ], "told of what is there, not of how it came"


def reconcile(desk: Desk, number: int) -> None:
    desk.put(ReconcileCommanded(received_us=desk.now_us, command_id=number, actor="ann"))


def test_a_comparison_on_demand_reads_the_account_and_tells_what_it_found() -> None:
    desk = leading()
    desk.bought()
    desk.accept()
    desk.wait(20)
    desk.replies.clear()
    reconcile(desk, 1)
    assert desk.is_asking()
    assert desk.replies == [], "it is answered when the account has been read"
    desk.read()
    assert desk.replies[-1].text == (
        "the exchange agrees: 1 positions; not ours and not seen yet: nothing"
    )
    desk.foreign_positions[TICKER] = 300
    reconcile(desk, 2)
    desk.read()
    assert desk.replies[-1].text.startswith(
        "the exchange states otherwise and is right (seen again soon): "
    )
    reconcile(desk, 3)
    desk.read()
    assert "(taken over)" in desk.replies[-1].text
    assert desk.engine.world.reads_awaited == []


def test_a_read_that_began_before_the_command_does_not_answer_it() -> None:
    desk = leading()
    began_us = desk.now_us
    desk.wait(1)
    reconcile(desk, 1)
    desk.put(ExchangeRead(received_us=desk.now_us, requested_us=began_us, truth=desk.truth()))
    assert desk.replies == []
