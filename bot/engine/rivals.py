"""Another bot on the same account, whose database is not ours: only the exchange shows it.

A person may trade there too, which is normal. A bot is told by order groups, and by
orders named as ours are named, that our database has never heard of; an order older
than a day shows by its fills of the last minutes. It is never fought: we stay halted
until an operator has decided. Overriding leaves it what it has; adopting shuts its
groups at the exchange, which cancels their orders.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.domain.errors import InvariantBroken
from bot.domain.ids import ClientOrderId, Epoch, OrderGroupId
from bot.domain.orders import Order, OrderStatus
from bot.domain.records import BreakerRecord
from bot.execution.order_names import signal_of
from bot.kit.tasks import together
from bot.kit.times import HOUR_US, MINUTE_US
from bot.ports.exchange import Exchange
from bot.ports.trading import TradingStore

OTHER_BOT = "other_bot"
"""The record of what an operator has decided on, kept beside the breakers."""

_RECENT_US = 15 * MINUTE_US
_CREATED_US = 24 * HOUR_US
_NOTED_MAX = 1_000
_BEGINNING = "another bot trades on this account"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """What another bot left at the exchange."""

    groups: tuple[OrderGroupId, ...]
    orders: tuple[ClientOrderId, ...]

    @property
    def why(self) -> str:
        """One line for the operator."""
        return (
            f"{_BEGINNING}: {len(self.groups)} order groups and "
            f"{len(self.orders)} orders are not in this database; stop it, then /unhalt "
            "(or /adopt, if they are this bot's own from before its database was lost)"
        )

    def reason_after(self, before: str) -> str:
        """The halt's reason with this in it, once."""
        kept = before.partition(_BEGINNING)[0].rstrip("; ")
        return f"{kept}; {self.why}" if kept else self.why


async def find_rival(exchange: Exchange, store: TradingStore, now_us: int) -> Rival | None:
    """Groups that exist, and orders that rest or moved lately, which our database does not know.

    Raises:
        BotError: a part could not be read, so nothing is known.
    """
    async with together() as group:
        listing = group.create_task(exchange.order_groups(), name="list order groups")
        moving = group.create_task(_moving(exchange, now_us), name="list orders")
    groups = listing.result()
    named = {
        order.client_order_id
        for order in moving.result()
        if order.client_order_id is not None and signal_of(order.client_order_id)
    }
    unknown_groups = set(groups) - await store.known_groups(groups)
    unknown_orders = named - await store.known_orders(tuple(named))
    if not unknown_groups and not unknown_orders:
        return None
    decided = _decided((await store.load(now_us)).breakers)
    rival = Rival(
        groups=tuple(sorted(unknown_groups - set(decided.groups))),
        orders=tuple(sorted(unknown_orders - set(decided.orders))),
    )
    return rival if rival.groups or rival.orders else None


async def take_note(store: TradingStore, rival: Rival, epoch: Epoch, now_us: int) -> None:
    """Remember what an operator has decided on, so that it is not news at the next start.

    Raises:
        NotLeader, StorageUnavailable: it is not remembered.
    """
    before = _decided((await store.load(now_us)).breakers)
    data = {
        "groups": [*before.groups, *rival.groups][-_NOTED_MAX:],
        "orders": [*before.orders, *rival.orders][-_NOTED_MAX:],
    }
    record = BreakerRecord(
        name=OTHER_BOT,
        tripped=False,
        reason=rival.why,
        data_json=json.dumps(data),
        changed_us=now_us,
    )
    await store.commit(epoch, [record], [], now_us)


async def _moving(exchange: Exchange, now_us: int) -> Sequence[Order]:
    """Orders that rest, changed lately, or were filled lately however old they are."""
    async with together() as group:
        asking = [
            group.create_task(exchange.orders(status=OrderStatus.RESTING)),
            group.create_task(exchange.orders(min_created_us=now_us - _CREATED_US)),
        ]
        fills = group.create_task(exchange.fills(since_us=now_us - _RECENT_US))
    resting, recent = (one.result() for one in asking)
    filled = {fill.order_id for fill in fills.result()}
    old: Sequence[Order] = ()
    if filled - {order.order_id for order in (*resting, *recent)}:
        old = [order for order in await exchange.orders() if order.order_id in filled]
    changed = [order for order in recent if order.updated_us >= now_us - _RECENT_US]
    return (*resting, *changed, *old)


def _decided(records: Iterable[BreakerRecord]) -> Rival:
    stored = next((one for one in records if one.name == OTHER_BOT), None)
    if stored is None:
        return Rival(groups=(), orders=())
    try:
        data = json.loads(stored.data_json)
        return Rival(
            groups=tuple(OrderGroupId(str(one)) for one in data["groups"]),
            orders=tuple(ClientOrderId(str(one)) for one in data["orders"]),
        )
    except (ValueError, KeyError, TypeError) as fault:
        raise InvariantBroken(f"the note on another bot cannot be read: {fault}") from fault
