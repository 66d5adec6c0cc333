"""Reads the whole account from the exchange: what reconciliation compares with."""

from bot.domain.events import ExchangeTruth
from bot.domain.orders import OrderStatus
from bot.kit.tasks import together
from bot.kit.times import HOUR_US, MINUTE_US
from bot.ports.exchange import ExchangeReads

_OVERLAP_US = 10 * MINUTE_US
"""Read models lag and clocks differ; what is read twice is recognised by its id."""
_FIRST_LOOK_US = 24 * HOUR_US
"""So much of an account's past is read when we know none of it. What is held is stated by the
exchange; years of fills would only hold up the first start, and the renewals of the lead."""


async def read_account(
    exchange: ExchangeReads, fill_cursor_us: int | None, now_us: int
) -> ExchangeTruth:
    """Positions, resting orders, fills and settlements since the cursor, and cash.

    Raises:
        ExchangeUnavailable: a part is missing; an incomplete account is no evidence.
    """
    known_us = now_us - _FIRST_LOOK_US if fill_cursor_us is None else fill_cursor_us
    since_us = known_us - _OVERLAP_US
    settled_from = since_us - _FIRST_LOOK_US
    # Fills after the positions they are part of, and the balance last: the other way round, what
    # happens in between would look like a difference. Within a step nothing depends on the order.
    async with together() as asking:
        positions = asking.create_task(exchange.positions())
        resting = asking.create_task(exchange.orders(status=OrderStatus.RESTING))
    async with together() as asking:
        recent = asking.create_task(exchange.orders(min_created_us=since_us))
        fills = asking.create_task(exchange.fills(since_us=since_us))
        settlements = asking.create_task(exchange.settlements(since_us=settled_from))
    balance = await exchange.balance()
    # What was read later is newer.
    orders = {order.order_id: order for order in (*resting.result(), *recent.result())}
    return ExchangeTruth(
        positions=tuple(positions.result()),
        orders=tuple(orders.values()),
        fills=tuple(fills.result()),
        settlements=tuple(settlements.result()),
        balance=balance,
    )
