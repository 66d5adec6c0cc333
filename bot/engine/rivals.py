"""Another bot on the same account, whose database is not ours: only the exchange shows it.

A person may trade there too, which is normal. A bot is told by order groups, and by
orders named as ours are named, that our database has never heard of. It is never
fought: we stay halted until an operator has decided who trades.
"""

import re
from dataclasses import dataclass

from bot.domain.ids import ClientOrderId, Epoch, OrderGroupId
from bot.domain.orders import OrderStatus, Purpose
from bot.kit.tasks import together
from bot.kit.times import HOUR_US, MINUTE_US
from bot.ports.exchange import Exchange
from bot.ports.trading import StoredGroup, TradingStore

_OUR_NAME = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-[a-z]+[0-9]+")
"""A signal id, a leg and an attempt."""
_RECENT_US = 15 * MINUTE_US
_CREATED_US = 24 * HOUR_US


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """What another bot left at the exchange."""

    groups: tuple[OrderGroupId, ...]
    orders: tuple[ClientOrderId, ...]

    @property
    def why(self) -> str:
        """One line for the operator."""
        return (
            f"another bot trades on this account: {len(self.groups)} order groups and "
            f"{len(self.orders)} orders are not in this database; stop it, then /unhalt"
        )


async def find_rival(exchange: Exchange, store: TradingStore, now_us: int) -> Rival | None:
    """Groups that exist, and orders that rest or moved lately, which our database does not know.

    Raises:
        BotError: a part could not be read, so nothing is known.
    """
    async with together() as asking:
        listing = asking.create_task(exchange.order_groups())
        resting = asking.create_task(exchange.orders(status=OrderStatus.RESTING))
        recent = asking.create_task(exchange.orders(min_created_us=now_us - _CREATED_US))
    groups = listing.result()
    named = {
        order.client_order_id
        for order in (*resting.result(), *recent.result())
        if order.client_order_id is not None
        and _OUR_NAME.fullmatch(order.client_order_id)
        and (order.status is OrderStatus.RESTING or order.updated_us >= now_us - _RECENT_US)
    }
    rival = Rival(
        groups=tuple(sorted(set(groups) - await store.known_groups(groups))),
        orders=tuple(sorted(named - await store.known_orders(tuple(named)))),
    )
    return rival if rival.groups or rival.orders else None


async def take_note(store: TradingStore, rival: Rival, epoch: Epoch, now_us: int) -> None:
    """Remember the groups, so that they are not news at the next start.

    They are kept as triggered, because they are not ours to trigger.

    Raises:
        NotLeader, StorageUnavailable: not all are remembered.
    """
    for group in rival.groups:
        stored = StoredGroup(
            order_group_id=group,
            epoch=epoch,
            exchange_index=0,
            purpose=Purpose.ENTRY,
            is_triggered=True,
        )
        await store.add_group(epoch, stored, now_us)
