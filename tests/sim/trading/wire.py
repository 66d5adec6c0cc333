"""The way to the exchange: every call may be slow, get lost, or lose its answer.

What was sent is on its way whatever becomes of who sent it: a request that left
before a kill arrives after it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import TypeVar

from bot.adapters.paper.views import balance_of, order_of, position_of, settlement_of
from bot.domain.errors import ExchangeUnavailable, OrderRejected, OutcomeUnknown
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
    Purpose,
    Settlement,
    VenuePosition,
)
from bot.venue.orders import OrderReceipt, OrderRequest
from bot.venue.results import Refusal
from tests.sim.trading.floor import OURS, Floor

T = TypeVar("T")

_TIMEOUT_S = 3.0
_LATE_MAX_S = 8.0
"""Later than that nothing arrives: a connection that was given up is torn down."""
_READ_TRIES = 3
_LATE, _ANSWER_LOST, _ANSWERED = 0.3, 0.5, 0.8
"""From here on a call is late, its answer is lost, all is well; below, the call is lost."""
_OVERTAKEN_AFTER_S = 0.05


class Wire:
    """``Exchange`` for one process; ``share`` of the calls go wrong."""

    def __init__(self, floor: Floor, random: Random, share: Callable[[], float]) -> None:
        self._floor = floor
        self._random = random
        self._share = share
        self.swallows_next = False
        """The next entry arrives and rests, and neither an answer nor a frame says so."""
        self.overtake: Callable[[], None] | None = None
        """The next entry is late, and this is done while it is on its way."""

    # --- writes -----------------------------------------------------------------------------

    def create_order(
        self, intent: OrderIntent, *, order_group_id: OrderGroupId | None
    ) -> Awaitable[OrderAck]:
        self._floor.judge_departure(intent)
        request = OrderRequest(
            ticker=intent.ticker,
            side=intent.side,
            price=intent.price,
            quantity=intent.quantity,
            time_in_force=intent.time_in_force,
            client_order_id=intent.client_order_id,
            post_only=intent.post_only,
            reduce_only=intent.reduce_only,
            expires_us=intent.expires_us,
            order_group_id=order_group_id,
        )
        fate = self._fate_of(intent)
        # It leaves in the call, as the order path does it.
        sent = self._send(lambda: self._floor.take(intent, request), may_be_late=True, fate=fate)
        return self._acknowledged(sent)

    def _fate_of(self, intent: OrderIntent) -> float | None:
        """What somebody lies in wait for; ``None`` leaves it to chance."""
        if intent.purpose is not Purpose.ENTRY:
            return None
        if self.swallows_next:
            self.swallows_next = False
            self._floor.silent.add(intent.client_order_id)
            return _ANSWER_LOST
        if self.overtake is not None:
            asyncio.get_running_loop().call_later(_OVERTAKEN_AFTER_S, self.overtake)
            self.overtake = None
            return _LATE
        return None

    async def _acknowledged(self, sent: Awaitable[object]) -> OrderAck:
        receipt = _accepted(await self._written(sent))
        assert isinstance(receipt, OrderReceipt)
        return OrderAck(
            order_id=receipt.order_id,
            client_order_id=receipt.client_order_id,
            filled=receipt.filled,
            remaining=receipt.remaining,
            acknowledged_us=receipt.at_us,
        )

    async def cancel_order(self, order_id: OrderId, ticker: MarketTicker) -> CancelAck:
        venue, now_us = self._floor.venue, self._floor.now_us
        sent = self._send(
            lambda: self._floor.do(venue.cancel_order(OURS, order_id, now_us())), may_be_late=True
        )
        receipt = _accepted(await self._written(sent))
        return CancelAck(order_id=order_id, reduced_by=receipt.reduced_by)

    async def create_order_group(self, limit: Quantity, exchange_index: int) -> OrderGroupId:
        venue, now_us = self._floor.venue, self._floor.now_us
        sent = self._send(lambda: self._floor.do(venue.create_group(OURS, limit, now_us())))
        return _accepted(await self._read_or_none(sent)).order_group_id

    async def trigger_order_group(self, group: OrderGroupId) -> None:
        self._floor.groups_shut.add(group)
        venue, now_us = self._floor.venue, self._floor.now_us
        sent = self._send(lambda: self._floor.do(venue.trigger_group(OURS, group, now_us())))
        _accepted(await self._read_or_none(sent))

    # --- reads ------------------------------------------------------------------------------

    async def find_order(
        self, client_order_id: ClientOrderId, ticker: MarketTicker, min_created_us: int
    ) -> Order | None:
        every = await self.orders(ticker=ticker)
        return next((one for one in every if one.client_order_id == client_order_id), None)

    async def balance(self) -> Balance:
        def read() -> Balance:
            view = self._floor.venue.reads.balance(OURS)
            assert view is not None
            return balance_of(view)

        return await self._read(read)

    async def positions(self) -> Sequence[VenuePosition]:
        reads = self._floor.venue.reads
        return await self._read(
            lambda: [position_of(one, 0) for one in reads.positions(OURS) if one.quantity]
        )

    async def orders(
        self,
        *,
        status: OrderStatus | None = None,
        ticker: MarketTicker | None = None,
        min_created_us: int | None = None,
    ) -> Sequence[Order]:
        reads, since_us = self._floor.venue.reads, min_created_us or 0
        return await self._read(
            lambda: [
                order_of(one, 0)
                for one in reads.orders(OURS, ticker=ticker, status=status)
                if one.created_us >= since_us
            ]
        )

    async def fills(
        self, *, since_us: int | None = None, order_id: OrderId | None = None
    ) -> Sequence[Fill]:
        reads, from_us = self._floor.venue.reads, since_us or 0
        newest_first = await self._read(
            lambda: [
                one for one in reads.fills(OURS, order_id=order_id) if one.executed_us >= from_us
            ]
        )
        return newest_first[::-1]

    async def settlements(self, *, since_us: int | None = None) -> Sequence[Settlement]:
        reads, from_us = self._floor.venue.reads, since_us or 0
        newest_first = await self._read(
            lambda: [
                settlement_of(one) for one in reads.settlements(OURS) if one.settled_us >= from_us
            ]
        )
        return newest_first[::-1]

    # --- the way ----------------------------------------------------------------------------

    def _send(
        self, act: Callable[[], T], *, may_be_late: bool = False, fate: float | None = None
    ) -> "asyncio.Future[T]":
        """Put a call on its way; the future is its answer, which may never come."""
        loop, random = asyncio.get_running_loop(), self._random
        answer: asyncio.Future[T] = loop.create_future()
        if fate is None:
            fate = random.random() / max(self._share(), 1e-9)
        there_s, back_s = random.uniform(0.005, 0.08), random.uniform(0.005, 0.08)
        if fate < _LATE:
            return answer  # lost on the way there
        if fate < _ANSWER_LOST:
            there_s = random.uniform(0.1, _LATE_MAX_S if may_be_late else _TIMEOUT_S)

        def arrive() -> None:
            result = act()
            if not _ANSWER_LOST <= fate < _ANSWERED:  # else lost on the way back
                loop.call_later(back_s, _settle, answer, result)

        loop.call_later(there_s, arrive)
        return answer

    async def _written(self, sent: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                return await sent
        except TimeoutError:
            raise OutcomeUnknown("no answer in time") from None

    async def _read_or_none(self, sent: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                return await sent
        except TimeoutError:
            raise ExchangeUnavailable("no answer in time") from None

    async def _read(self, read: Callable[[], T]) -> T:
        for _ in range(_READ_TRIES - 1):
            try:
                return await self._read_or_none(self._send(read))
            except ExchangeUnavailable:
                continue
        return await self._read_or_none(self._send(read))


def _settle(answer: "asyncio.Future[T]", result: T) -> None:
    if not answer.done():
        answer.set_result(result)


def _accepted(result: T | Refusal) -> T:
    if isinstance(result, Refusal):
        raise OrderRejected(str(result.code), result.message)
    return result
