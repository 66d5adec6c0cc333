"""Making, tripping, resetting, limiting and deleting order groups."""

from bot.domain.ids import OrderGroupId
from bot.domain.money import Quantity
from bot.venue.accounts import AccountId
from bot.venue.admission import refuse_writes
from bot.venue.consequences import cancel_members, follow_up, tell_group, trigger
from bot.venue.groups import LIMIT_MAX, LIMIT_MIN, GroupChange, GroupView, OrderGroup
from bot.venue.results import Refusal, RefusalCode
from bot.venue.state import VenueState

_NOT_FOUND = Refusal(RefusalCode.ORDER_GROUP_NOT_FOUND)


def create_group(
    state: VenueState, account: AccountId, limit: Quantity, exchange_index: int
) -> GroupView | Refusal:
    """Make a group on one shard. Its limit is 1 to 1,000,000 contracts."""
    ledger = state.ledgers.get(account)
    if ledger is None:
        return Refusal(RefusalCode.ACCOUNT_NOT_FOUND)
    refusal = refuse_writes(state, exchange_index) or _refuse_limit(limit)
    if refusal is None and len(ledger.groups) >= state.settings.groups_per_account_max:
        refusal = Refusal(RefusalCode.INVALID_PARAMETERS, "too many order groups")
    if refusal is not None:
        return refusal
    group = OrderGroup(
        order_group_id=OrderGroupId(state.new_id()),
        account=account,
        exchange_index=exchange_index,
        limit=limit,
    )
    ledger.groups[group.order_group_id] = group
    tell_group(state, group, GroupChange.CREATED)
    return group.view(state.now_us)


def trigger_group(
    state: VenueState, account: AccountId, group_id: OrderGroupId
) -> GroupView | Refusal:
    """Trip a group by hand. One that is tripped already stays so without another event."""
    group = _find(state, account, group_id)
    if isinstance(group, Refusal):
        return group
    if not group.is_triggered:
        trigger(state, group)
    return group.view(state.now_us)


def reset_group(
    state: VenueState, account: AccountId, group_id: OrderGroupId
) -> GroupView | Refusal:
    """Empty the window and take orders again."""
    group = _find(state, account, group_id)
    if isinstance(group, Refusal):
        return group
    group.reset()
    tell_group(state, group, GroupChange.RESET)
    return group.view(state.now_us)


def limit_group(
    state: VenueState, account: AccountId, group_id: OrderGroupId, limit: Quantity
) -> GroupView | Refusal:
    """Set another limit; below the volume in the window it trips at once."""
    group = _find(state, account, group_id)
    if isinstance(group, Refusal):
        return group
    refusal = _refuse_limit(limit)
    if refusal is not None:
        return refusal
    group.limit = limit
    tell_group(state, group, GroupChange.LIMIT_UPDATED)
    state.touched_groups[account, group_id] = None
    follow_up(state)
    return group.view(state.now_us)


def delete_group(
    state: VenueState, account: AccountId, group_id: OrderGroupId
) -> GroupView | Refusal:
    """Cancel the members and forget the group."""
    group = _find(state, account, group_id)
    if isinstance(group, Refusal):
        return group
    cancel_members(state, group)
    del state.ledgers[account].groups[group_id]
    tell_group(state, group, GroupChange.DELETED)
    return group.view(state.now_us)


def _refuse_limit(limit: Quantity) -> Refusal | None:
    if LIMIT_MIN <= limit <= LIMIT_MAX:
        return None
    return Refusal(RefusalCode.INVALID_PARAMETERS, "contracts_limit must be 1.00 to 1000000.00")


def _find(state: VenueState, account: AccountId, group_id: OrderGroupId) -> OrderGroup | Refusal:
    ledger = state.ledgers.get(account)
    if ledger is None:
        return Refusal(RefusalCode.ACCOUNT_NOT_FOUND)
    group = ledger.groups.get(group_id)
    if group is None:
        return _NOT_FOUND
    return refuse_writes(state, group.exchange_index) or group
