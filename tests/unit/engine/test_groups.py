"""The fence at the exchange: one group for each epoch, shard and purpose."""

import asyncio

import pytest

from bot.domain.errors import (
    ExchangeUnavailable,
    NotLeader,
    OutcomeUnknown,
    RequestRefused,
    StorageUnavailable,
)
from bot.domain.ids import Epoch
from bot.domain.orders import Purpose
from bot.engine.groups import GroupSettings, OrderGroups
from bot.ports.trading import StoredGroup
from tests.fakes.loop_clock import LoopClock
from tests.support.hands import EPOCH, Hands


def stored(name: str, epoch: int, purpose: Purpose = Purpose.ENTRY) -> StoredGroup:
    return StoredGroup(
        order_group_id=name, epoch=epoch, exchange_index=0, purpose=purpose, is_triggered=False
    )


async def shut_entries(hands: Hands) -> None:
    hands.groups.condemn_entries()
    await hands.groups.trigger_condemned()


def test_a_limit_below_one_contract_is_refused() -> None:
    with pytest.raises(ValueError, match="contracts_max_e2"):
        GroupSettings(contracts_max_e2=99)


async def test_a_group_is_made_once_for_each_shard_and_purpose_and_remembered() -> None:
    hands = Hands()
    async with asyncio.TaskGroup() as tasks:
        found = [tasks.create_task(hands.groups.group_for(Purpose.ENTRY, 0)) for _ in range(5)]
    other = await hands.groups.group_for(Purpose.ENTRY, 1)
    exit_group = await hands.groups.group_for(Purpose.TAKE_PROFIT, 0)
    assert {task.result() for task in found} == {"g1"}
    assert {other, exit_group} == {"g2", "g3"}
    assert [shard for _, shard in hands.exchange.named("create_order_group")] == [0, 1, 0]
    assert [group.order_group_id for group in await hands.store.open_groups()] == ["g1", "g2", "g3"]


@pytest.mark.parametrize("purpose", [Purpose.STOP_LOSS, Purpose.FLATTEN])
async def test_immediate_exits_carry_no_group(purpose: Purpose) -> None:
    hands = Hands()
    assert await hands.groups.group_for(purpose, 0) is None
    assert hands.exchange.calls == []


async def test_a_failed_creation_is_tried_again_by_the_next_order() -> None:
    hands = Hands()
    hands.exchange.faults["create_order_group"] = [ExchangeUnavailable("down")]
    with pytest.raises(ExchangeUnavailable):
        await hands.groups.group_for(Purpose.ENTRY, 0)
    assert await hands.groups.group_for(Purpose.ENTRY, 0) == "g1"


async def test_a_group_that_could_not_be_stored_carries_no_order() -> None:
    hands = Hands()
    hands.store.leader = 8
    with pytest.raises(NotLeader):
        await hands.groups.group_for(Purpose.ENTRY, 0)
    assert not hands.groups.is_in_use("g1")


async def test_triggering_shuts_every_entry_group_and_leaves_exits() -> None:
    hands = Hands()
    for shard in (0, 1):
        await hands.groups.group_for(Purpose.ENTRY, shard)
    await hands.groups.group_for(Purpose.TAKE_PROFIT, 0)
    await shut_entries(hands)
    assert hands.exchange.groups == {"g1": True, "g2": True, "g3": False}
    assert [group.order_group_id for group in await hands.store.open_groups()] == ["g3"]
    assert await hands.groups.group_for(Purpose.ENTRY, 0) == "g4"


@pytest.mark.parametrize(
    "fault",
    [
        ExchangeUnavailable("down"),
        OutcomeUnknown("lost"),
        RequestRefused(409, "exchange_is_paused", ""),
    ],
)
async def test_one_groups_fault_does_not_keep_the_other_open(fault: Exception) -> None:
    hands = Hands()
    for shard in (0, 1):
        await hands.groups.group_for(Purpose.ENTRY, shard)
    hands.exchange.faults["trigger_order_group"] = [fault]
    with pytest.raises(type(fault)):
        await shut_entries(hands)
    assert hands.exchange.groups == {"g1": False, "g2": True}
    await shut_entries(hands)
    assert hands.exchange.groups == {"g1": True, "g2": True}


async def test_a_store_that_is_away_keeps_no_group_open() -> None:
    hands = Hands()
    for shard in (0, 1):
        await hands.groups.group_for(Purpose.ENTRY, shard)
    hands.store.is_away = True
    await shut_entries(hands)
    assert hands.exchange.groups == {"g1": True, "g2": True}


async def test_a_group_the_venue_forgot_counts_as_triggered() -> None:
    hands = Hands()
    await hands.groups.group_for(Purpose.ENTRY, 0)
    hands.exchange.faults["trigger_order_group"] = [RequestRefused(404, "not_found", "")]
    await shut_entries(hands)
    assert await hands.store.open_groups() == []


async def test_a_condemned_group_is_no_longer_in_use_even_before_the_venue_answers() -> None:
    hands = Hands()
    group = await hands.groups.group_for(Purpose.ENTRY, 0)
    assert hands.groups.is_in_use(group)
    hands.exchange.gates["trigger_order_group"] = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(shut_entries(hands))
        await asyncio.sleep(0.1)
        assert not hands.groups.is_in_use(group)
        assert await hands.groups.group_for(Purpose.ENTRY, 0) != group
        hands.exchange.gates["trigger_order_group"].set()


async def test_after_a_clean_release_the_exits_are_adopted_and_entries_triggered() -> None:
    hands = Hands()
    hands.exchange.groups = {"old-entry": False, "old-exit": False}
    hands.store.groups = {
        "old-entry": stored("old-entry", 6),
        "old-exit": stored("old-exit", 6, Purpose.TAKE_PROFIT),
    }
    assert await hands.groups.fence_predecessors(clean=Epoch(6)) == 1
    assert hands.exchange.groups == {"old-entry": True, "old-exit": False}
    assert hands.store.groups["old-exit"].epoch == EPOCH, "our successor may adopt it as well"
    assert await hands.groups.group_for(Purpose.TAKE_PROFIT, 0) == "old-exit"
    assert await hands.groups.group_for(Purpose.ENTRY, 0) not in {"old-entry", None}


async def test_exits_of_before_a_take_over_that_broke_off_are_triggered_not_adopted() -> None:
    """Epoch 6 began to trigger what 5 had left, and was told to go; its request may be late."""
    hands = Hands()
    hands.exchange.groups = {"x5": False}
    hands.store.groups = {"x5": stored("x5", 5, Purpose.TAKE_PROFIT)}
    assert await hands.groups.fence_predecessors(clean=Epoch(6)) == 1
    assert hands.exchange.groups == {"x5": True}
    assert await hands.groups.group_for(Purpose.TAKE_PROFIT, 0) != "x5"


async def test_an_adoption_that_broke_off_is_gone_on_with() -> None:
    hands = Hands()
    hands.exchange.groups = {"x6": False, "y6": False}
    hands.store.groups = {
        "x6": stored("x6", 6, Purpose.TAKE_PROFIT),
        "y6": stored("y6", 6),
    }
    hands.exchange.faults["trigger_order_group"] = [ExchangeUnavailable("down")]
    with pytest.raises(ExchangeUnavailable):
        await hands.groups.fence_predecessors(clean=Epoch(6))
    again = OrderGroups(hands.exchange, hands.store, LoopClock(), EPOCH, GroupSettings())
    assert await again.fence_predecessors(clean=Epoch(6)) == 1
    assert await again.group_for(Purpose.TAKE_PROFIT, 0) == "x6"


async def test_after_an_unclean_end_everything_older_is_triggered_and_nothing_of_ours() -> None:
    hands = Hands()
    mine = await hands.groups.group_for(Purpose.ENTRY, 0)
    hands.exchange.groups |= {"e5": False, "x6": False}
    hands.store.groups |= {
        "e5": stored("e5", 5),
        "x6": stored("x6", 6, Purpose.TAKE_PROFIT),
    }
    assert await hands.groups.fence_predecessors(clean=None) == 2
    assert hands.exchange.groups == {mine: False, "e5": True, "x6": True}


async def test_a_predecessors_group_that_cannot_be_triggered_stops_the_activation() -> None:
    hands = Hands()
    hands.exchange.groups = {"e6": False}
    hands.store.groups = {"e6": stored("e6", EPOCH - 1)}
    hands.exchange.faults["trigger_order_group"] = [ExchangeUnavailable("down")]
    with pytest.raises(ExchangeUnavailable):
        await hands.groups.fence_predecessors(clean=Epoch(EPOCH - 1))
    hands.store.is_away = True
    with pytest.raises(StorageUnavailable):
        await hands.groups.fence_predecessors(clean=Epoch(EPOCH - 1))
