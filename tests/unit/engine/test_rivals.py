"""A second bot on one account is told from a person who trades there."""

from dataclasses import replace

import pytest

from bot.domain.errors import ExchangeUnavailable
from bot.domain.ids import FillId, MarketTicker, OrderId
from bot.domain.money import Money, Price, Quantity
from bot.domain.orders import BookSide, Fill, OrderStatus
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
    assert await find_rival(hands.exchange, hands.store, NOW) == rival, "until it is decided on"
    await take_note(hands.store, rival, EPOCH, NOW)
    assert await find_rival(hands.exchange, hands.store, NOW) is None
    assert await hands.store.open_groups() == []
    assert hands.exchange.groups == {"theirs": False}
    hands.exchange.groups["newer"] = False
    rival = await find_rival(hands.exchange, hands.store, NOW)
    assert rival.groups == ("newer",)


def fill_of(order_id: str, executed_us: int) -> Fill:
    return Fill(
        fill_id=FillId("f1"),
        order_id=OrderId(order_id),
        ticker=MarketTicker("KXFED-27"),
        side=BookSide.BID,
        price=Price(6_000),
        quantity=Quantity(100),
        fee=Money(0),
        is_taker=False,
        executed_us=executed_us,
    )


@pytest.mark.parametrize(
    ("name", "minutes_ago", "is_rivals"),
    [(OTHERS, 1, True), (OTHERS, 60, False), (BY_HAND, 1, False)],
)
async def test_an_order_of_last_week_shows_by_its_fill_of_the_last_minutes(
    name: str, minutes_ago: int, is_rivals: bool
) -> None:
    hands = Hands()
    last_week = NOW - 7 * 24 * 60 * MINUTE_US
    await placed(
        hands,
        name,
        status=OrderStatus.EXECUTED,
        created_us=last_week,
        updated_us=NOW - minutes_ago * MINUTE_US,
    )
    (order_id,) = hands.exchange.known
    hands.exchange.executed = [fill_of(order_id, NOW - minutes_ago * MINUTE_US)]
    rival = await find_rival(hands.exchange, hands.store, NOW)
    assert (rival is not None) is is_rivals


async def test_our_own_order_of_last_week_that_was_just_filled_is_no_rivals() -> None:
    hands = Hands()
    await hands.store.commit(EPOCH, [intent(OTHERS)], [], NOW)
    await placed(hands, OTHERS, status=OrderStatus.EXECUTED, created_us=1, updated_us=NOW)
    (order_id,) = hands.exchange.known
    hands.exchange.executed = [fill_of(order_id, NOW)]
    assert await find_rival(hands.exchange, hands.store, NOW) is None


async def test_orders_decided_on_are_no_news_and_the_reason_is_said_once() -> None:
    hands = Hands()
    await placed(hands, OTHERS)
    rival = await find_rival(hands.exchange, hands.store, NOW)
    first = rival.reason_after("lunch")
    assert first == f"lunch; {rival.why}"
    assert rival.reason_after(first) == first
    assert rival.reason_after(rival.why) == rival.reason_after("") == rival.why
    await take_note(hands.store, rival, EPOCH, NOW)
    assert await find_rival(hands.exchange, hands.store, NOW) is None


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


@pytest.mark.parametrize("name", ["order_groups", "orders", "fills"])
async def test_what_cannot_be_read_is_no_absence(name: str) -> None:
    hands = Hands()
    hands.exchange.faults[name] = [ExchangeUnavailable("down")]
    with pytest.raises(ExchangeUnavailable):
        await find_rival(hands.exchange, hands.store, NOW)
