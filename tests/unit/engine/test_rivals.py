"""A second bot on one account is told from a person who trades there."""

from dataclasses import replace

import pytest

from bot.domain.errors import ExchangeUnavailable
from bot.domain.orders import OrderStatus
from bot.engine.rivals import find_rival, take_note
from bot.kit.times import MINUTE_US
from tests.support.hands import EPOCH, Hands, intent

NOW = 1_795_000_000_000_000
OTHERS = "01a2b3c4-0000-7123-8abc-0123456789ab-e0"
BY_HAND = "01a2b3c4-0000-4123-8abc-a12345678901"


async def placed(hands: Hands, name: str, **changes: object) -> None:
    ack = await hands.exchange.create_order(intent(name, decided_us=NOW), order_group_id=None)
    hands.exchange.known[ack.order_id] = replace(hands.exchange.known[ack.order_id], **changes)


async def test_our_own_orders_and_groups_are_no_rival() -> None:
    hands = Hands()
    await hands.groups.group_for(intent().purpose, 0)
    await hands.groups.trigger("g1")
    await hands.store.commit(EPOCH, [intent(OTHERS)], [], NOW)
    await placed(hands, OTHERS)
    assert await find_rival(hands.exchange, hands.store, NOW) is None


async def test_a_person_who_trades_by_hand_is_no_rival() -> None:
    hands = Hands()
    await placed(hands, BY_HAND)
    await placed(hands, "", client_order_id=None)
    assert await find_rival(hands.exchange, hands.store, NOW) is None


async def test_a_group_we_never_made_is_a_rivals_once() -> None:
    hands = Hands()
    hands.exchange.groups["theirs"] = False
    rival = await find_rival(hands.exchange, hands.store, NOW)
    assert rival.groups == ("theirs",)
    assert "1 order groups and 0 orders" in rival.why
    await take_note(hands.store, rival, EPOCH, NOW)
    assert await find_rival(hands.exchange, hands.store, NOW) is None
    assert await hands.store.open_groups() == []
    assert hands.exchange.groups == {"theirs": False}


@pytest.mark.parametrize(
    ("changes", "is_rivals"),
    [
        ({"updated_us": NOW - 60 * MINUTE_US}, True),
        ({"status": OrderStatus.EXECUTED, "updated_us": NOW - MINUTE_US}, True),
        ({"status": OrderStatus.EXECUTED, "updated_us": NOW - 60 * MINUTE_US}, False),
    ],
)
async def test_an_order_named_as_ours_counts_while_it_rests_or_is_recent(
    changes, is_rivals
) -> None:
    hands = Hands()
    await placed(hands, OTHERS, **changes)
    rival = await find_rival(hands.exchange, hands.store, NOW)
    assert (rival is not None) is is_rivals
    assert rival is None or rival.orders == (OTHERS,)


@pytest.mark.parametrize("name", ["order_groups", "orders"])
async def test_what_cannot_be_read_is_no_absence(name: str) -> None:
    hands = Hands()
    hands.exchange.faults[name] = [ExchangeUnavailable("down")]
    with pytest.raises(ExchangeUnavailable):
        await find_rival(hands.exchange, hands.store, NOW)
