"""An exchange whose markets are real and whose account is ours alone.

Market reads go to the real exchange. Orders, fills, positions, cash, groups and
settlements are those of an in-process venue behind a journal. The fills are
meant to be worse than real ones, never better:

- A marketable order takes the displayed levels up to its limit, each once: what
  was taken is not there again until its level is gone or has grown.
- A resting order trades as maker when the opposite best moves through its price,
  or when public trades print through it, or at it once the quantity displayed
  ahead has traded; never more than was displayed or printed.
- Our orders move no real price, and nobody trades *because* of them.

Where the stream has no trusted book, one is read for the order; where that fails
too, nothing is done (``ExchangeUnavailable``). Real pauses are ours as well, once
somebody has read the exchange's status through here.
"""

import asyncio
from collections.abc import Sequence
from typing import TypeVar

from bot.adapters.paper.account import OURS, PaperAccount, Result
from bot.adapters.paper.depth import Depth
from bot.adapters.paper.desk import PaperDesk
from bot.adapters.paper.matching import MarketActions
from bot.adapters.paper.operations import (
    CancelAll,
    CancelOrder,
    CreateGroup,
    Deposit,
    ListMarket,
    Operation,
    Pause,
    PlaceOrder,
    SetTerms,
    TriggerGroup,
)
from bot.adapters.paper.settings import PaperSettings
from bot.adapters.paper.settlement import SettlementWatch
from bot.adapters.paper.terms import FeeMemory
from bot.adapters.paper.views import (
    BEFORE_CLOSE,
    balance_of,
    order_of,
    position_of,
    settlement_of,
)
from bot.domain.errors import (
    ExchangeUnavailable,
    OrderRejected,
    RequestRefused,
)
from bot.domain.ids import (
    ClientOrderId,
    MarketTicker,
    OrderGroupId,
    OrderId,
    Scope,
    SeriesTicker,
)
from bot.domain.market import FeeTerms, Market, MarketStatus
from bot.domain.money import Money, Quantity
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
    TimeInForce,
    VenuePosition,
)
from bot.domain.quotes import BookSnapshot
from bot.kit.clock import Clock
from bot.kit.times import seconds
from bot.ports.exchange import (
    EventTerms,
    ExchangeReads,
    ExchangeStatus,
    ListedMarket,
    MarketPage,
    MarketQuery,
)
from bot.ports.paper import PaperJournal
from bot.venue.groups import GroupView
from bot.venue.markets import MarketTerms
from bot.venue.orders import CancelReceipt, OrderReceipt, OrderRequest
from bot.venue.results import Refusal, RefusalCode

R = TypeVar("R", OrderReceipt, CancelReceipt)

_STATUS_OF = {
    RefusalCode.ORDER_GROUP_NOT_FOUND: 404,
    RefusalCode.EXCHANGE_IS_PAUSED: 409,
}
_BAD_REQUEST = 400


class PaperExchange:
    """Implements ``Exchange``. ``reads`` is the real one; only its market reads are used."""

    def __init__(
        self,
        reads: ExchangeReads,
        journal: PaperJournal,
        scope: Scope,
        clock: Clock,
        settings: PaperSettings,
    ) -> None:
        self._reads = reads
        self._settings = settings
        self._clock = clock
        self._fees = FeeMemory()
        self._polled: dict[MarketTicker, Depth] = {}
        self.desk = PaperDesk(journal, scope, clock, Money(settings.starting_cash_e6))
        self.actions = MarketActions(self.desk)
        self.settlement_watch = SettlementWatch(
            reads, self.desk, self.actions, clock, settings.check_us
        )

    # --- markets: the real exchange's -------------------------------------------------------

    async def status(self) -> ExchangeStatus:
        """See :meth:`ExchangeReads.status`. A pause stops the paper account too."""
        status = await self._reads.status()
        wanted = Pause(
            is_exchange_active=status.is_exchange_active,
            is_trading_active=status.is_trading_active,
        )

        def decide(account: PaperAccount) -> Operation | None:
            return None if _is_paused_like(account, wanted) else wanted

        if not self.desk.peek(lambda account: _is_paused_like(account, wanted)):
            await self.desk.operate(decide)
        return status

    async def market_page(
        self, query: MarketQuery, cursor: str = "", limit: int = 1000
    ) -> MarketPage:
        """See :meth:`ExchangeReads.market_page`."""
        page = await self._reads.market_page(query, cursor, limit)
        for item in page.markets:
            self._fees.saw_market(item.market)
        return page

    async def market(self, ticker: MarketTicker) -> ListedMarket:
        """See :meth:`ExchangeReads.market`."""
        return await self._reads.market(ticker)

    async def order_book(self, ticker: MarketTicker) -> BookSnapshot:
        """See :meth:`ExchangeReads.order_book`."""
        return await self._reads.order_book(ticker)

    async def fee_terms(self, series: SeriesTicker) -> FeeTerms:
        """See :meth:`ExchangeReads.fee_terms`."""
        fees = await self._reads.fee_terms(series)
        self._fees.saw_series(series, fees)
        return fees

    async def event_terms(self, series: SeriesTicker) -> Sequence[EventTerms]:
        """See :meth:`ExchangeReads.event_terms`."""
        events = await self._reads.event_terms(series)
        self._fees.saw_events(events)
        return events

    # --- the account: ours ------------------------------------------------------------------

    async def balance(self) -> Balance:
        """See :meth:`ExchangeReads.balance`."""
        view = await self.desk.look(lambda account: account.reads.balance(OURS))
        assert view is not None  # the account opens its own books
        return balance_of(view)

    async def positions(self) -> Sequence[VenuePosition]:
        """See :meth:`ExchangeReads.positions`."""
        return await self.desk.look(
            lambda account: [
                position_of(view, account.shard_of(view.ticker))
                for view in account.reads.positions(OURS)
                if view.quantity
            ]
        )

    async def orders(
        self,
        *,
        status: OrderStatus | None = None,
        ticker: MarketTicker | None = None,
        min_created_us: int | None = None,
    ) -> Sequence[Order]:
        """See :meth:`ExchangeReads.orders`."""
        since_us = min_created_us or 0
        return await self.desk.look(
            lambda account: [
                order_of(view, account.shard_of(view.ticker))
                for view in account.reads.orders(OURS, ticker=ticker, status=status)
                if view.created_us >= since_us
            ][::-1]
        )

    async def fills(
        self, *, since_us: int | None = None, order_id: OrderId | None = None
    ) -> Sequence[Fill]:
        """See :meth:`ExchangeReads.fills`."""
        from_us = since_us or 0
        return await self.desk.look(
            lambda account: [
                fill
                for fill in account.reads.fills(OURS, order_id=order_id)
                if fill.executed_us >= from_us
            ][::-1]
        )

    async def settlements(self, *, since_us: int | None = None) -> Sequence[Settlement]:
        """See :meth:`ExchangeReads.settlements`."""
        from_us = since_us or 0
        return await self.desk.look(
            lambda account: [
                settlement_of(view)
                for view in account.reads.settlements(OURS)
                if view.settled_us >= from_us
            ][::-1]
        )

    async def deposit(self, amount: Money) -> None:
        """Add cash, or take free cash away; not part of the port.

        Raises:
            RequestRefused: there is not so much to take.
        """
        _accepted(await self.desk.operate(lambda _: Deposit(amount=amount)))

    # --- writes -----------------------------------------------------------------------------

    async def create_order(
        self, intent: OrderIntent, *, order_group_id: OrderGroupId | None
    ) -> OrderAck:
        """See :meth:`ExchangeOrders.create_order`."""
        await self._travel()
        await self._list(intent.ticker)
        depth = await self._depth(intent.ticker)
        request = _request_of(intent, order_group_id)

        def decide(_: PaperAccount) -> Operation:
            if not depth.is_trusted:
                raise ExchangeUnavailable(f"the book of {intent.ticker} was lost just now")
            liquidity = depth.available(request.side.opposite, request.price)
            return PlaceOrder(request=request, liquidity=liquidity)

        receipt = _answered(await self.desk.operate(decide), OrderReceipt)
        self._note_placed(receipt, depth)
        return OrderAck(
            order_id=receipt.order_id,
            client_order_id=intent.client_order_id,
            filled=receipt.filled,
            remaining=receipt.remaining,
            acknowledged_us=receipt.at_us,
        )

    async def cancel_order(self, order_id: OrderId, ticker: MarketTicker) -> CancelAck:
        """See :meth:`ExchangeOrders.cancel_order`."""
        await self._travel()
        operation = CancelOrder(order_id=order_id)
        receipt = _answered(await self.desk.operate(lambda _: operation), CancelReceipt)
        return CancelAck(order_id=order_id, reduced_by=receipt.reduced_by)

    async def cancel_all(self) -> None:
        """See :meth:`ExchangeOrders.cancel_all`."""
        await self._travel()
        _accepted(await self.desk.operate(lambda _: CancelAll()))

    async def find_order(
        self, client_order_id: ClientOrderId, ticker: MarketTicker, min_created_us: int
    ) -> Order | None:
        """See :meth:`ExchangeOrders.find_order`."""
        found = await self.orders(ticker=ticker)
        return next((one for one in found if one.client_order_id == client_order_id), None)

    async def create_order_group(self, limit: Quantity, exchange_index: int) -> OrderGroupId:
        """See :meth:`ExchangeOrders.create_order_group`. All shards share one pot here."""
        await self._travel()
        operation = CreateGroup(limit=limit)
        result = _accepted(await self.desk.operate(lambda _: operation))
        assert isinstance(result, GroupView)
        return result.order_group_id

    async def trigger_order_group(self, group: OrderGroupId) -> None:
        """See :meth:`ExchangeOrders.trigger_order_group`."""
        await self._travel()
        _accepted(await self.desk.operate(lambda _: TriggerGroup(order_group_id=group)))

    async def order_groups(self) -> Sequence[OrderGroupId]:
        """See :meth:`ExchangeOrders.order_groups`."""
        return await self.desk.look(
            lambda account: [view.order_group_id for view in account.reads.groups(OURS)]
        )

    # --- what an order needs ----------------------------------------------------------------

    async def _travel(self) -> None:
        if self._settings.latency_us:
            await asyncio.sleep(seconds(self._settings.latency_us))

    async def _depth(self, ticker: MarketTicker) -> Depth:
        """The stream's book, else one that is read now."""
        depth = self.actions.depth(ticker)
        if depth.is_trusted:
            return depth
        depth = self._polled.setdefault(ticker, Depth())
        depth.apply_snapshot(await self._reads.order_book(ticker))
        if not depth.is_trusted:
            raise ExchangeUnavailable(f"the book of {ticker} is crossed")
        return depth

    async def _list(self, ticker: MarketTicker) -> None:
        """Make sure that the account's exchange knows the market as it is."""
        listed = self.desk.peek(lambda account: account.reads.market(ticker))
        if listed is None:
            market = await self._real_market(ticker)
            fees = await self._fees.fees_of(market.event_ticker, self._reads)
            operation: Operation = ListMarket(
                terms=_terms_of(market, fees),
                exchange_index=market.exchange_index,
                is_active=market.status is not MarketStatus.INACTIVE,
            )
        else:
            known = self._fees.known(listed.event_ticker)
            if known is None or known == listed.fees:
                return
            operation = SetTerms(ticker=ticker, grid=listed.grid, fees=known)
        await self.desk.operate(
            lambda account: None if _is_known(account, operation) else operation
        )

    async def _real_market(self, ticker: MarketTicker) -> Market:
        try:
            market = (await self._reads.market(ticker)).market
        except RequestRefused as refusal:
            raise OrderRejected(RefusalCode.MARKET_NOT_FOUND, refusal.reason) from refusal
        if market.status not in BEFORE_CLOSE or market.close_us <= self._clock.now_us():
            raise OrderRejected(RefusalCode.MARKET_NOT_ACTIVE, f"market is {market.status}")
        return market

    def _note_placed(self, receipt: OrderReceipt, depth: Depth) -> None:
        """What was taken is gone; what is left queues up."""
        fills, order = self.desk.peek(
            lambda account: (
                list(account.reads.fills(OURS, order_id=receipt.order_id)),
                account.reads.order(OURS, receipt.order_id),
            )
        )
        for fill in fills:
            depth.take(fill.side.opposite, fill.price, fill.quantity)
        if order is not None and order.status is OrderStatus.RESTING:
            self.actions.queue_up(order, depth)


def _request_of(intent: OrderIntent, order_group_id: OrderGroupId | None) -> OrderRequest:
    rests = intent.time_in_force is TimeInForce.GOOD_TILL_CANCELED
    return OrderRequest(
        ticker=intent.ticker,
        side=intent.side,
        price=intent.price,
        quantity=intent.quantity,
        time_in_force=intent.time_in_force,
        client_order_id=intent.client_order_id,
        post_only=intent.post_only,
        reduce_only=intent.reduce_only,
        # As the real client asks for: the market that comes back is another one.
        cancel_on_pause=rests and intent.purpose is Purpose.ENTRY,
        expires_us=intent.expires_us,
        order_group_id=order_group_id,
    )


def _terms_of(market: Market, fees: FeeTerms) -> MarketTerms:
    """One shard and no settlement delay: the real market's own has passed when we settle."""
    return MarketTerms(
        ticker=market.ticker,
        event_ticker=market.event_ticker,
        open_us=min(market.open_us, market.close_us - 1),
        close_us=market.close_us,
        grid=market.grid,
        fees=fees,
        settlement_timer_us=0,
    )


def _is_known(account: PaperAccount, operation: Operation) -> bool:
    """Whether another order has told the account already."""
    match operation:
        case ListMarket():
            return account.reads.market(operation.terms.ticker) is not None
        case SetTerms():
            market = account.reads.market(operation.ticker)
            return market is not None and market.fees == operation.fees
        case _:
            return False


def _is_paused_like(account: PaperAccount, wanted: Pause) -> bool:
    is_exchange_active = account.reads.is_exchange_active()
    is_trading_active = account.reads.is_trading_active()
    # A paused exchange trades nothing either, whatever it says of trading.
    return is_exchange_active == wanted.is_exchange_active and is_trading_active == (
        wanted.is_trading_active and wanted.is_exchange_active
    )


def _answered(result: Result | None, kind: type[R]) -> R:
    if isinstance(result, Refusal):
        raise OrderRejected(result.code, result.details or result.message)
    assert isinstance(result, kind)
    return result


def _accepted(result: Result | None) -> Result | None:
    if isinstance(result, Refusal):
        status = _STATUS_OF.get(result.code, _BAD_REQUEST)
        raise RequestRefused(status, result.code, result.details or result.message)
    return result
