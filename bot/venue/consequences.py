"""What follows once an act has matched: tripped order groups, and orders no longer funded."""

from bot.domain.ids import OrderId
from bot.venue.events import GroupChanged
from bot.venue.groups import GroupChange, OrderGroup
from bot.venue.ledger import Ledger
from bot.venue.orders import UpdateReason, WorkingOrder
from bot.venue.resting import cancel
from bot.venue.state import VenueState


def follow_up(state: VenueState) -> None:
    """Judge every group and account that the act touched."""
    for account, group_id in list(state.touched_groups):
        group = state.ledgers[account].groups.get(group_id)
        if group is not None and not group.is_triggered and group.exceeds(state.now_us):
            trigger(state, group)
    state.touched_groups.clear()
    for account, exchange_index in list(state.touched):
        _cancel_unfunded(state, state.ledgers[account], exchange_index)
    state.touched.clear()


def trigger(state: VenueState, group: OrderGroup) -> None:
    """Trip a group: its resting orders go, new ones are refused until a reset."""
    group.is_triggered = True
    tell_group(state, group, GroupChange.TRIGGERED)
    cancel_members(state, group)


def cancel_members(state: VenueState, group: OrderGroup) -> None:
    """End every resting order of a group that its market still lets go."""
    ledger = state.ledgers[group.account]
    for order_id in list(group.orders):
        order = ledger.resting[order_id]
        if state.markets[order.ticker].is_before_close:
            cancel(state, order, None)


def tell_group(state: VenueState, group: OrderGroup, change: GroupChange) -> None:
    """Tell what became of a group."""
    state.tell_owner(
        group.account,
        GroupChanged(
            account=group.account,
            order_group_id=group.order_group_id,
            exchange_index=group.exchange_index,
            change=change,
            limit=group.limit,
            at_us=state.now_us,
        ),
    )


def _cancel_unfunded(state: VenueState, ledger: Ledger, exchange_index: int) -> None:
    for order_id in _newest_first(ledger, exchange_index):
        if ledger.free_of(exchange_index) >= -state.settings.margin_tolerance:
            return
        order = ledger.resting[order_id]
        if _costs(ledger, order):
            cancel(state, order, UpdateReason.MARGIN_CANCEL)


def _newest_first(ledger: Ledger, exchange_index: int) -> list[OrderId]:
    if not ledger.reserved_of(exchange_index):
        return []
    return [
        order_id
        for order_id, order in reversed(ledger.resting.items())
        if order.exchange_index == exchange_index
    ]


def _costs(ledger: Ledger, order: WorkingOrder) -> bool:
    desk = ledger.desk(order.ticker)
    return desk is not None and desk.reserved > 0
