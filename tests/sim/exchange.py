"""The exchange as one process reaches it: over a link, with the limits of the real client."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TypeVar

import msgspec

from bot.adapters.paper.views import balance_of, position_of
from bot.domain.errors import BotError, ExchangeUnavailable, OutcomeUnknown
from bot.domain.ids import ClientOrderId, MarketTicker, OrderGroupId, OrderId
from bot.domain.money import Quantity
from bot.domain.orders import (
    Balance,
    CancelAck,
    Fill,
    Order,
    OrderAck,
    OrderIntent,
    OrderStatus,
    Settlement,
    VenuePosition,
)
from tests.sim.defences import Defence, Removed
from tests.sim.links import Link
from tests.sim.market import OURS, Market

_T = TypeVar("_T")
_READ_LIMIT_S = 5.0


class RemoteExchange:
    """What the executor, the groups and the reconciliation call."""

    def __init__(
        self,
        link: Link,
        market: Market,
        order_limit_s: float,
        removed: Removed,
        sending: Callable[[OrderIntent], None],
        before_send: Callable[[], Awaitable[None]],
    ) -> None:
        """``sending`` hears of every order that passed the last check."""
        self._link = link
        self._market = market
        self._order_limit_s = order_limit_s
        self._removed = removed
        self._sending = sending
        self._before_send = before_send

    def create_order(
        self, intent: OrderIntent, *, order_group_id: OrderGroupId | None
    ) -> Coroutine[object, object, OrderAck]:
        """The last check was made in this very step; the request leaves in one of the next."""
        self._sending(intent)
        return self._create(intent, order_group_id)

    async def _create(self, intent: OrderIntent, group: OrderGroupId | None) -> OrderAck:
        try:
            return await self._send(intent, group)
        except OutcomeUnknown:
            if Defence.UNKNOWN_IS_A_STATE not in self._removed:
                raise
            again = msgspec.structs.replace(
                intent, client_order_id=ClientOrderId(f"{intent.client_order_id}-again")
            )
            self._sending(again)
            return await self._send(again, group)

    async def _send(self, intent: OrderIntent, group: OrderGroupId | None) -> OrderAck:
        await self._before_send()
        return await self._write(lambda: self._market.create(intent, group))

    async def cancel_order(self, order_id: OrderId, ticker: MarketTicker) -> CancelAck:
        return await self._write(lambda: self._market.cancel(order_id))

    async def create_order_group(self, limit: Quantity, exchange_index: int) -> OrderGroupId:
        return await self._write(lambda: self._market.create_group(limit))

    async def trigger_order_group(self, group: OrderGroupId) -> None:
        await self._write(lambda: self._market.trigger_group(group))

    async def find_order(
        self, client_order_id: ClientOrderId, ticker: MarketTicker, min_created_us: int
    ) -> Order | None:
        found = await self._read(self._market.orders)
        return next((one for one in found if one.client_order_id == client_order_id), None)

    async def balance(self) -> Balance:
        return await self._read(self._balance)

    async def positions(self) -> Sequence[VenuePosition]:
        return await self._read(self._positions)

    async def orders(
        self,
        *,
        status: OrderStatus | None = None,
        ticker: MarketTicker | None = None,
        min_created_us: int | None = None,
    ) -> Sequence[Order]:
        found = await self._read(self._market.orders)
        return [
            one
            for one in found
            if status in (None, one.status)
            and ticker in (None, one.ticker)
            and (min_created_us is None or one.created_us >= min_created_us)
        ]

    async def fills(
        self, *, since_us: int | None = None, order_id: OrderId | None = None
    ) -> Sequence[Fill]:
        found = await self._read(lambda: tuple(self._market.venue.reads.fills(OURS)))
        return [
            one
            for one in reversed(found)
            if order_id in (None, one.order_id)
            and (since_us is None or one.executed_us >= since_us)
        ]

    async def settlements(self, *, since_us: int | None = None) -> Sequence[Settlement]:
        return ()

    def _balance(self) -> Balance:
        view = self._market.venue.reads.balance(OURS)
        assert view is not None
        return balance_of(view)

    def _positions(self) -> tuple[VenuePosition, ...]:
        views = self._market.venue.reads.positions(OURS)
        return tuple(position_of(view, 0) for view in views if view.quantity)

    async def _write(self, act: Callable[[], _T]) -> _T:
        """Nobody knows what became of a write whose answer does not come."""
        try:
            async with asyncio.timeout(self._order_limit_s):
                return await self._link.call(act)
        except TimeoutError:
            raise OutcomeUnknown("no answer in time") from None

    async def _read(self, act: Callable[[], _T]) -> _T:
        try:
            async with asyncio.timeout(_READ_LIMIT_S):
                return await self._link.call(act)
        except TimeoutError:
            raise ExchangeUnavailable("no answer in time") from None


def refused() -> BotError:
    """The exchange's port is closed: nothing has left."""
    return ExchangeUnavailable("connection refused")
