"""Markets in which the real bot sends an order every few hundredths of a second.

The exchange is the simulated one, in this process, so that its own record says
when an order was accepted, on the host's monotonic clock.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from itertools import cycle

from bot.domain.ids import MarketTicker
from bot.domain.money import Money
from bot.domain.orders import OrderStatus
from bot.kit.clock import SystemClock
from bot.simulator.server import FIRST_USER, SimulatedExchange
from bot.simulator.settings import RateLimits, SimulatorSettings
from bot.venue.accounts import AccountId
from chaos.arrivals import Arrival
from tests.e2e.support.market import Market

MARKETS = 12
_PAUSE_S = 0.04
_CASH_E6 = 10_000_000_000_000
_RATE = 10_000
_NO_LIMITS = RateLimits(
    is_on=False,
    read_rate=_RATE,
    read_capacity=_RATE,
    write_rate=_RATE,
    write_capacity=_RATE,
)
_CALM, _OTHER = (9_400, 9_500), (9_300, 9_400)


class Street:
    """A row of markets, each of which gets a new order as soon as the last one is gone."""

    def __init__(self, server: SimulatedExchange) -> None:
        self.server = server
        self._markets = [Market(server, MarketTicker(f"KXFED-{n}-T1")) for n in range(MARKETS)]
        account = server.exchange.accounts.find(FIRST_USER, 0)
        assert account is not None
        self._account: AccountId = account

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls) -> AsyncIterator["Street"]:
        """A busy street on an exchange of its own."""
        settings = SimulatorSettings(world="empty", limits=_NO_LIMITS, cash={0: Money(_CASH_E6)})
        async with SimulatedExchange(settings) as server, asyncio.TaskGroup() as group:
            street = cls(server)
            work = group.create_task(street._bustle(), name="street")
            try:
                yield street
            finally:
                work.cancel()

    def arrivals(self) -> list[Arrival]:
        """Every order the exchange accepted.

        Its epoch is the rank of its order group: each leadership makes one of its own. The
        epoch in the database is that of the last leader who wrote the row.
        """
        reads, offset_us = self.server.venue.reads, self._offset_us()
        groups = reads.groups(self._account)
        rank = {group.order_group_id: number for number, group in enumerate(groups, 1)}
        return [
            Arrival(
                at_us=order.created_us - offset_us,
                epoch=rank[order.order_group_id] if order.order_group_id else 0,
                is_accepted=True,
            )
            for order in reversed(list(reads.orders(self._account)))
        ]

    def order_names(self) -> set[str]:
        """The client's names of every accepted order."""
        orders = self.server.venue.reads.orders(self._account)
        return {str(order.client_order_id) for order in orders}

    def _offset_us(self) -> int:
        """What the exchange's clock is ahead of the monotonic one: it runs on that, constantly."""
        return self.server.exchange.now_us() - SystemClock().monotonic_us()

    async def _bustle(self) -> None:
        for market in cycle(self._markets):
            await asyncio.sleep(_PAUSE_S)
            self._renew(market)

    def _renew(self, market: Market) -> None:
        """Take the bot's order away and quote anew, which is a reason for another one."""
        exchange = self.server.exchange
        resting = self.server.venue.reads.orders(
            self._account, ticker=market.ticker, status=OrderStatus.RESTING
        )
        for order in list(resting):
            now_us = exchange.now_us()
            exchange.apply(exchange.venue.cancel_order(self._account, order.order_id, now_us))
        market.quote(*_OTHER)
        market.quote(*_CALM)
