"""An exchange that keeps what it is told, and fails, waits or lies as a test wants.

Every call is written to ``calls``. ``faults[name]`` is a list of exceptions to
raise, one a call; ``gates[name]`` an event that a call of that name waits for.
"""

import asyncio
from collections.abc import Sequence
from itertools import count

from bot.domain.errors import OrderRejected
from bot.domain.ids import ClientOrderId, MarketTicker, OrderGroupId, OrderId, SeriesTicker
from bot.domain.market import FeeTerms
from bot.domain.money import Money, Quantity
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
from bot.domain.quotes import BookSnapshot
from bot.ports.exchange import (
    EventTerms,
    ExchangeStatus,
    ListedMarket,
    MarketPage,
    MarketQuery,
)

FREE = FeeTerms(fee_type="quadratic", multiplier_e6=0)


class FakeExchange:
    """Implements ``Exchange``. Orders rest and never fill by themselves."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.faults: dict[str, list[Exception]] = {}
        self.gates: dict[str, asyncio.Event] = {}
        self.in_flight = 0
        self.in_flight_max = 0
        self.known: dict[OrderId, Order] = {}
        self.group_of: dict[ClientOrderId, OrderGroupId | None] = {}
        self.groups: dict[OrderGroupId, bool] = {}
        self.held: list[VenuePosition] = []
        self.executed: list[Fill] = []
        self.paid: list[Settlement] = []
        self.pages: dict[tuple[SeriesTicker | None, str], MarketPage] = {}
        self.terms: dict[SeriesTicker, list[EventTerms]] = {}
        self.state = ExchangeStatus(
            is_exchange_active=True, is_trading_active=True, resume_us=None, server_us=None
        )
        self._numbers = count(1)

    def named(self, name: str) -> list[tuple[object, ...]]:
        """The arguments of every call of that name."""
        return [call[1:] for call in self.calls if call[0] == name]

    async def create_order(
        self, intent: OrderIntent, *, order_group_id: OrderGroupId | None
    ) -> OrderAck:
        await self._reach("create_order", intent.client_order_id, order_group_id)
        order_id = OrderId(f"v{next(self._numbers)}")
        self.group_of[intent.client_order_id] = order_group_id
        self.known[order_id] = Order(
            order_id=order_id,
            client_order_id=intent.client_order_id,
            ticker=intent.ticker,
            exchange_index=intent.exchange_index,
            side=intent.side,
            status=OrderStatus.RESTING,
            price=intent.price,
            initial=intent.quantity,
            filled=Quantity(0),
            remaining=intent.quantity,
            order_group_id=order_group_id,
            created_us=intent.decided_us,
            updated_us=intent.decided_us,
        )
        return OrderAck(
            order_id=order_id,
            client_order_id=intent.client_order_id,
            filled=Quantity(0),
            remaining=intent.quantity,
            acknowledged_us=intent.decided_us,
        )

    async def cancel_order(self, order_id: OrderId, ticker: MarketTicker) -> CancelAck:
        await self._reach("cancel_order", order_id)
        order = self.known.pop(order_id, None)
        if order is None:
            raise OrderRejected("not_found", "not found")
        return CancelAck(order_id=order_id, reduced_by=order.remaining)

    async def cancel_all(self) -> None:
        await self._reach("cancel_all")
        self.known.clear()

    async def find_order(
        self, client_order_id: ClientOrderId, ticker: MarketTicker, min_created_us: int
    ) -> Order | None:
        await self._reach("find_order", client_order_id)
        return next(
            (one for one in self.known.values() if one.client_order_id == client_order_id), None
        )

    async def create_order_group(self, limit: Quantity, exchange_index: int) -> OrderGroupId:
        await self._reach("create_order_group", limit, exchange_index)
        group = OrderGroupId(f"g{len(self.groups) + 1}")
        self.groups[group] = False
        return group

    async def trigger_order_group(self, group: OrderGroupId) -> None:
        await self._reach("trigger_order_group", group)
        self.groups[group] = True

    async def order_groups(self) -> Sequence[OrderGroupId]:
        await self._reach("order_groups")
        return list(self.groups)

    async def status(self) -> ExchangeStatus:
        await self._reach("status")
        return self.state

    async def market_page(
        self, query: MarketQuery, cursor: str = "", limit: int = 1000
    ) -> MarketPage:
        await self._reach("market_page", query.series_ticker, cursor)
        empty = MarketPage(markets=(), quarantined=(), cursor="")
        return self.pages.get((query.series_ticker, cursor), empty)

    async def market(self, ticker: MarketTicker) -> ListedMarket:
        raise NotImplementedError

    async def order_book(self, ticker: MarketTicker) -> BookSnapshot:
        raise NotImplementedError

    async def fee_terms(self, series: SeriesTicker) -> FeeTerms:
        await self._reach("fee_terms", series)
        return FREE

    async def event_terms(self, series: SeriesTicker) -> Sequence[EventTerms]:
        await self._reach("event_terms", series)
        return self.terms.get(series, [])

    async def balance(self) -> Balance:
        await self._reach("balance")
        return Balance(cash=Money(1_000_000), portfolio_value=Money(0), by_shard=())

    async def positions(self) -> Sequence[VenuePosition]:
        await self._reach("positions")
        return self.held

    async def orders(
        self,
        *,
        status: OrderStatus | None = None,
        ticker: MarketTicker | None = None,
        min_created_us: int | None = None,
    ) -> Sequence[Order]:
        await self._reach("orders", status, min_created_us)
        return [
            one
            for one in self.known.values()
            if status in (None, one.status) and one.created_us >= (min_created_us or 0)
        ]

    async def fills(
        self, *, since_us: int | None = None, order_id: OrderId | None = None
    ) -> Sequence[Fill]:
        await self._reach("fills", since_us, order_id)
        return [
            one
            for one in self.executed
            if order_id in (None, one.order_id) and one.executed_us >= (since_us or 0)
        ]

    async def settlements(self, *, since_us: int | None = None) -> Sequence[Settlement]:
        await self._reach("settlements", since_us)
        return self.paid

    async def _reach(self, name: str, *arguments: object) -> None:
        self.calls.append((name, *arguments))
        self.in_flight += 1
        self.in_flight_max = max(self.in_flight_max, self.in_flight)
        try:
            await asyncio.sleep(0)
            if name in self.gates:
                await self.gates[name].wait()
        finally:
            self.in_flight -= 1
        if self.faults.get(name):
            raise self.faults[name].pop(0)
