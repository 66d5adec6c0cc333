"""Trading pauses let orders be canceled, exchange pauses let nothing; shards pause alone."""

import pytest

from bot.domain.money import Price, Quantity
from bot.domain.orders import OrderStatus
from bot.venue.events import PauseChanged
from bot.venue.orders import AmendRequest, UpdateReason
from bot.venue.results import RefusalCode
from tests.unit.venue.floor import ANN, BID, BOB, Floor, M, terms_of


def pause(floor: Floor, what: str, *, is_active: bool = False, shard: int | None = None) -> None:
    act = getattr(floor.venue.operations, f"set_{what}_active")
    floor.keep(act(floor.tick(), is_active=is_active, exchange_index=shard))


def test_a_trading_pause_refuses_creates_and_changes_but_not_cancels() -> None:
    floor = Floor()
    order = floor.order(ANN, BID, 50)
    pause(floor, "trading")
    assert floor.refused(ANN, BID, 40) is RefusalCode.TRADING_IS_PAUSED
    request = AmendRequest(ticker=M, side=BID, price=Price(4_000), quantity=Quantity(100))
    outcome = floor.venue.amend_order(ANN, order.order_id, request, floor.tick())
    assert outcome.result.code is RefusalCode.TRADING_IS_PAUSED
    shrunk = floor.venue.decrease_order(ANN, order.order_id, floor.tick(), reduce_by=Quantity(1))
    assert shrunk.result.code is RefusalCode.TRADING_IS_PAUSED
    assert floor.cancel(ANN, order.order_id).reduced_by == 100
    pause(floor, "trading", is_active=True)
    assert floor.order(ANN, BID, 40).remaining == 100


def test_an_exchange_pause_refuses_every_write() -> None:
    floor = Floor()
    order = floor.order(ANN, BID, 50)
    group = floor.group(ANN, 5)
    pause(floor, "exchange")
    assert floor.refused(ANN, BID, 40) is RefusalCode.EXCHANGE_IS_PAUSED
    refusals = [
        floor.cancel(ANN, order.order_id),
        floor.venue.cancel_all(ANN, floor.tick()).result,
        floor.venue.create_group(ANN, Quantity(100), floor.tick()).result,
        floor.venue.trigger_group(ANN, group, floor.tick()).result,
    ]
    assert [refusal.code for refusal in refusals] == [RefusalCode.EXCHANGE_IS_PAUSED] * 4
    assert floor.reads.order(ANN, order.order_id).status is OrderStatus.RESTING


@pytest.mark.parametrize("what", ["trading", "exchange"])
def test_orders_that_asked_for_it_are_canceled_when_a_pause_begins(what: str) -> None:
    floor = Floor()
    sensitive = floor.order(ANN, BID, 50, cancel_on_pause=True)
    patient = floor.order(BOB, BID, 49)
    pause(floor, what)
    gone = floor.reads.order(ANN, sensitive.order_id)
    assert (gone.status, gone.last_reason) == (OrderStatus.CANCELED, UpdateReason.HALT_CANCEL)
    assert floor.reads.order(BOB, patient.order_id).status is OrderStatus.RESTING


def test_a_shard_pauses_alone() -> None:
    floor = Floor()
    other = terms_of("KXFOO-2", exchange_index=1)
    floor.keep(floor.venue.operations.list_market(other, floor.tick()))
    floor.keep(floor.venue.deposit(ANN, 10**6, floor.tick(), exchange_index=1))
    kept = floor.order(ANN, BID, 50, ticker="KXFOO-2", cancel_on_pause=True)
    pause(floor, "trading", shard=0)
    assert floor.refused(ANN, BID, 40) is RefusalCode.TRADING_IS_PAUSED
    assert floor.order(ANN, BID, 40, ticker="KXFOO-2").remaining == 100
    assert floor.reads.order(ANN, kept.order_id).status is OrderStatus.RESTING
    assert not floor.reads.is_trading_active(0)
    assert floor.reads.is_trading_active(1)
    assert floor.reads.is_trading_active()


def test_a_pause_says_so_once_and_an_exchange_pause_stops_trading_too() -> None:
    floor = Floor()
    pause(floor, "exchange")
    (event,) = floor.told(PauseChanged)
    assert (event.exchange_index, event.is_exchange_active, event.is_trading_active) == (
        None,
        False,
        False,
    )
    pause(floor, "exchange")
    assert floor.events == []
    pause(floor, "exchange", is_active=True)
    assert floor.told(PauseChanged)[0].is_trading_active
