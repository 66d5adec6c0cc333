"""An order is sent once, and every outcome is told for what it is."""

import asyncio

import pytest

from bot.domain.errors import (
    CredentialsRefused,
    ExchangeUnavailable,
    InvalidMessage,
    OrderRejected,
    OutcomeUnknown,
    RateLimited,
    StorageUnavailable,
)
from bot.domain.events import (
    OrderAcknowledged,
    OrderNotSent,
    OrderOutcomeUnknown,
    OrderRefused,
)
from bot.domain.orders import Purpose, TimeInForce
from bot.engine.sending import OrderSender
from tests.support.hands import Hands, intent


async def test_an_entry_carries_the_epochs_group_and_is_acknowledged() -> None:
    hands = Hands()
    event = await OrderSender(hands.around).send(intent())
    assert isinstance(event, OrderAcknowledged)
    assert hands.exchange.named("create_order") == [("c1", "g1")]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (OrderRejected("insufficient_balance", "no money"), OrderRefused),
        (RateLimited("no request left in time"), OrderNotSent),
        (CredentialsRefused("key"), OrderRefused),
        (ExchangeUnavailable("not connected"), OrderNotSent),
        (OutcomeUnknown("lost"), OrderOutcomeUnknown),
        (InvalidMessage("odd"), OrderOutcomeUnknown),
        (RuntimeError(""), OrderOutcomeUnknown),
    ],
)
async def test_each_fault_has_one_meaning_and_nothing_is_sent_twice(fault, kind) -> None:
    hands = Hands()
    hands.exchange.faults["create_order"] = [fault]
    event = await OrderSender(hands.around).send(intent())
    assert type(event) is kind
    assert event.client_order_id == "c1"
    assert event.reason
    assert len(hands.exchange.named("create_order")) == 1


@pytest.mark.parametrize(
    ("purpose", "time_in_force", "group"),
    [
        (Purpose.TAKE_PROFIT, TimeInForce.GOOD_TILL_CANCELED, "g1"),
        (Purpose.TAKE_PROFIT, TimeInForce.IMMEDIATE_OR_CANCEL, None),
        (Purpose.ENTRY, TimeInForce.IMMEDIATE_OR_CANCEL, "g1"),
    ],
)
async def test_an_exit_that_cannot_rest_carries_no_group(purpose, time_in_force, group) -> None:
    hands = Hands()
    await OrderSender(hands.around).send(intent(purpose=purpose, time_in_force=time_in_force))
    assert hands.exchange.named("create_order") == [("c1", group)]


async def test_a_shut_gate_sends_nothing() -> None:
    hands = Hands()
    hands.gate.is_open = False
    event = await OrderSender(hands.around).send(intent())
    assert event.reason == "the lead is in doubt"
    assert hands.exchange.calls == []


async def test_a_gate_that_shuts_while_the_group_is_made_sends_nothing() -> None:
    hands = Hands()
    hands.exchange.gates["create_order_group"] = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        sent = tasks.create_task(OrderSender(hands.around).send(intent()))
        await asyncio.sleep(0.1)
        hands.gate.is_open = False
        hands.exchange.gates["create_order_group"].set()
    assert isinstance(sent.result(), OrderNotSent)
    assert hands.exchange.named("create_order") == []


async def test_stopped_entries_stay_here_and_exits_leave() -> None:
    hands = Hands()
    sender = OrderSender(hands.around)
    sender.stop_entries()
    assert isinstance(await sender.send(intent("in")), OrderNotSent)
    exit_order = intent("out", purpose=Purpose.STOP_LOSS)
    assert isinstance(await sender.send(exit_order), OrderAcknowledged)
    sender.stop_entries(stopped=False)
    assert isinstance(await sender.send(intent("in2")), OrderAcknowledged)


@pytest.mark.parametrize(
    "fault", [ExchangeUnavailable(""), StorageUnavailable(""), OutcomeUnknown("")]
)
async def test_without_its_group_an_entry_is_not_sent_whatever_the_fault_says(fault) -> None:
    hands = Hands()
    hands.exchange.faults["create_order_group"] = [fault]
    event = await OrderSender(hands.around).send(intent())
    assert isinstance(event, OrderNotSent)
    assert event.reason == type(fault).__name__
    assert hands.exchange.named("create_order") == []


async def test_a_dry_run_sends_nothing_and_says_so() -> None:
    hands = Hands(is_dry_run=True)
    event = await OrderSender(hands.around).send(intent())
    assert "dry run" in event.reason
    assert hands.exchange.calls == []
