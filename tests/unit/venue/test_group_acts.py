"""Order groups as a kill switch: window, trigger, reset, limit, delete, one shard only."""

import pytest

from bot.domain.ids import OrderGroupId
from bot.domain.money import Quantity
from bot.domain.orders import OrderStatus
from bot.venue.accounts import AccountId
from bot.venue.events import GroupChanged
from bot.venue.groups import WINDOW_US, GroupChange
from bot.venue.results import Refusal, RefusalCode
from tests.unit.venue.floor import ANN, ASK, BID, BOB, CAT, FOK, IOC, SECOND, Floor


def changes_told(floor: Floor) -> list[GroupChange]:
    return [event.change for event in floor.told(GroupChanged)]


def test_volume_up_to_the_limit_is_fine_and_one_more_trips_the_group() -> None:
    floor = Floor()
    group = floor.group(ANN, 2)
    bid = floor.order(ANN, BID, 50, 5, order_group_id=group)
    other = floor.order(ANN, BID, 40, 1, order_group_id=group)
    floor.order(BOB, ASK, 50, 2)
    assert floor.reads.group(ANN, group).matched == 200
    assert not floor.reads.group(ANN, group).is_triggered
    floor.order(BOB, ASK, 50, 1)
    assert changes_told(floor) == [GroupChange.TRIGGERED]
    for order_id in (bid.order_id, other.order_id):
        assert floor.reads.order(ANN, order_id).status is OrderStatus.CANCELED
    assert floor.book() == ([], [])
    code = floor.refused(ANN, BID, 40, order_group_id=group)
    assert code is RefusalCode.ORDER_GROUP_TRIGGERED
    assert floor.order(ANN, BID, 40).remaining == 100


def test_a_match_leaves_the_window_after_fifteen_seconds() -> None:
    floor = Floor()
    group = floor.group(ANN, 2)
    floor.order(ANN, BID, 50, 9, order_group_id=group)
    floor.order(BOB, ASK, 50, 2)
    floor.tick(WINDOW_US - 2 * SECOND)
    floor.advance(0)
    assert floor.reads.group(ANN, group).matched == 200
    floor.advance(2 * SECOND)
    assert floor.reads.group(ANN, group).matched == 0
    floor.order(BOB, ASK, 50, 2)
    assert not floor.reads.group(ANN, group).is_triggered


def test_a_takers_fills_count_too_and_its_rest_is_canceled_by_the_trip() -> None:
    floor = Floor()
    group = floor.group(ANN, 1)
    floor.order(BOB, ASK, 50, 2)
    receipt = floor.order(ANN, BID, 50, 5, order_group_id=group)
    assert (receipt.filled, receipt.remaining) == (200, 0)
    assert floor.reads.group(ANN, group).is_triggered


def test_a_fill_or_kill_stays_whole_though_it_trips_groups_on_both_sides() -> None:
    floor = Floor()
    mine, theirs = floor.group(ANN, 1), floor.group(BOB, 1)
    floor.order(BOB, ASK, 50, 2, order_group_id=theirs)
    floor.order(BOB, ASK, 51, 2, order_group_id=theirs)
    receipt = floor.order(ANN, BID, 51, 4, order_group_id=mine, time_in_force=FOK)
    assert receipt.filled == 400
    assert floor.reads.group(ANN, mine).is_triggered
    assert floor.reads.group(BOB, theirs).is_triggered


def test_a_trigger_cancels_members_only_and_needs_a_reset() -> None:
    floor = Floor()
    group = floor.group(ANN, 10)
    member = floor.order(ANN, BID, 40, order_group_id=group)
    outsider = floor.order(ANN, BID, 41)
    assert floor.reads.group(ANN, group).orders == (member.order_id,)
    view = floor.keep(floor.venue.trigger_group(ANN, group, floor.tick()))
    assert view.is_triggered
    assert view.orders == ()
    assert floor.reads.order(ANN, outsider.order_id).status is OrderStatus.RESTING
    floor.keep(floor.venue.trigger_group(ANN, group, floor.tick()))
    assert floor.events == []
    floor.keep(floor.venue.reset_group(ANN, group, floor.tick()))
    assert changes_told(floor) == [GroupChange.RESET]
    assert floor.order(ANN, BID, 40, order_group_id=group).remaining == 100


def test_a_limit_below_the_volume_trips_at_once() -> None:
    floor = Floor()
    group = floor.group(ANN, 5)
    floor.order(ANN, BID, 50, 5, order_group_id=group)
    floor.order(BOB, ASK, 50, 3)
    floor.keep(floor.venue.limit_group(ANN, group, Quantity(300), floor.tick()))
    assert changes_told(floor) == [GroupChange.LIMIT_UPDATED]
    floor.keep(floor.venue.limit_group(ANN, group, Quantity(200), floor.tick()))
    assert changes_told(floor) == [GroupChange.LIMIT_UPDATED, GroupChange.TRIGGERED]
    assert floor.book() == ([], [])


def test_a_deleted_group_takes_its_orders_along() -> None:
    floor = Floor()
    group = floor.group(ANN, 5)
    member = floor.order(ANN, BID, 50, order_group_id=group)
    floor.keep(floor.venue.delete_group(ANN, group, floor.tick()))
    assert changes_told(floor) == [GroupChange.DELETED]
    assert floor.reads.order(ANN, member.order_id).status is OrderStatus.CANCELED
    assert floor.reads.group(ANN, group) is None
    assert list(floor.reads.groups(ANN)) == []
    code = floor.refused(ANN, BID, 50, order_group_id=group)
    assert code is RefusalCode.ORDER_GROUP_NOT_FOUND


def test_an_immediate_order_is_never_a_resting_member() -> None:
    floor = Floor()
    group = floor.group(ANN, 5)
    floor.order(ANN, BID, 50, order_group_id=group, time_in_force=IOC)
    assert floor.reads.group(ANN, group).orders == ()


@pytest.mark.parametrize("limit", [0, 99, 100_000_001])
def test_a_limit_is_one_to_a_million_contracts(limit: int) -> None:
    floor = Floor()
    result = floor.venue.create_group(ANN, Quantity(limit), floor.tick()).result
    assert result.code is RefusalCode.INVALID_PARAMETERS
    group = floor.group(ANN, 5)
    result = floor.venue.limit_group(ANN, group, Quantity(limit), floor.tick()).result
    assert result.code is RefusalCode.INVALID_PARAMETERS


def test_groups_are_counted() -> None:
    floor = Floor(groups_per_account_max=1)
    floor.group(ANN, 5)
    result = floor.venue.create_group(ANN, Quantity(100), floor.tick()).result
    assert result.code is RefusalCode.INVALID_PARAMETERS
    assert floor.group(BOB, 5)


def test_unknown_groups_and_accounts_are_refused_by_every_act() -> None:
    floor = Floor()
    unknown, nobody = OrderGroupId("none"), AccountId("nobody")
    venue, now_us = floor.venue, floor.tick()
    for account, code in (
        (CAT, RefusalCode.ORDER_GROUP_NOT_FOUND),
        (nobody, RefusalCode.ACCOUNT_NOT_FOUND),
    ):
        for outcome in (
            venue.trigger_group(account, unknown, now_us),
            venue.reset_group(account, unknown, now_us),
            venue.limit_group(account, unknown, Quantity(100), now_us),
            venue.delete_group(account, unknown, now_us),
        ):
            assert outcome.result == Refusal(code)
    result = venue.create_group(nobody, Quantity(100), now_us).result
    assert result == Refusal(RefusalCode.ACCOUNT_NOT_FOUND)
