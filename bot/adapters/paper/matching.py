"""The market as it acts on our resting orders, one live event after the other.

See :mod:`queueing` for when they trade and :mod:`depth` for what is left to take.
"""

import logging
from collections.abc import Callable, Iterable
from functools import partial

from bot.adapters.paper.account import PaperAccount
from bot.adapters.paper.depth import Depth
from bot.adapters.paper.desk import PaperDesk
from bot.adapters.paper.operations import HouseTrade, MoveClose, Operation, SetActive
from bot.adapters.paper.queueing import Queue, by_priority
from bot.adapters.paper.views import BEFORE_CLOSE
from bot.domain.errors import ExchangeUnavailable, OutcomeUnknown
from bot.domain.ids import MarketTicker
from bot.domain.market import MarketStatus
from bot.domain.money import Quantity
from bot.domain.orders import BookSide
from bot.domain.quotes import BookDelta, BookSnapshot, PublicTrade
from bot.ports.exchange import FeedDown, FeedEvent, FeedGap, MarketLifecycle
from bot.venue.orders import OrderView

logger = logging.getLogger(__name__)

_ENDED = frozenset({"determined", "settled"})
_SETTLEMENT_KINDS = frozenset({*_ENDED, "price_level_structure_updated"})


class MarketActions:
    """Keeps the displayed books and gives our orders what the market would give them."""

    def __init__(self, desk: PaperDesk) -> None:
        self._desk = desk
        self._depths: dict[MarketTicker, Depth] = {}
        self._queue = Queue()
        self.to_check: set[MarketTicker] = set()
        """Markets that must be read again: they ended, or their terms changed."""

    def depth(self, ticker: MarketTicker) -> Depth:
        """The displayed book of a market as the stream tells it."""
        return self._depths.setdefault(ticker, Depth())

    def queue_up(self, order: OrderView, depth: Depth) -> None:
        """An order of ours begins to rest."""
        self._queue.see_book(order, depth, order.created_us)

    def note(self, event: FeedEvent) -> None:
        """Take the event into the books; at once, before anyone acts on it."""
        match event:
            case BookDelta():
                self.depth(event.ticker).apply_delta(event)
            case BookSnapshot():
                self.depth(event.ticker).apply_snapshot(event)
            case FeedGap():
                self._distrust(event.tickers)
            case FeedDown():
                self._distrust(tuple(self._depths))
            case _:
                pass

    async def act(self, event: FeedEvent) -> None:
        """Do to our orders what the event means; a journal that is away loses us fills."""
        try:
            match event:
                case BookDelta():
                    at_us = event.exchange_us or event.received_us
                    await self._after_book(event.ticker, at_us)
                case BookSnapshot():
                    await self._after_book(event.ticker, event.received_us)
                case PublicTrade():
                    await self._after_trade(event)
                case MarketLifecycle():
                    await self._after_lifecycle(event)
                case _:
                    pass
        except (ExchangeUnavailable, OutcomeUnknown) as fault:
            logger.warning("paper market event missed", extra={"reason": str(fault)})

    async def _after_book(self, ticker: MarketTicker, at_us: int) -> None:
        orders = self._desk.peek(lambda account: account.resting(ticker))
        depth = self.depth(ticker)
        if not orders or not depth.is_trusted:
            return
        for order in orders:
            self._queue.see_book(order, depth, at_us)
        for side in BookSide:
            for order in by_priority(orders, side):
                # Whoever comes later in the queue has still less to take.
                if await self._fill_through(order, depth) < order.remaining:
                    break

    async def _fill_through(self, order: OrderView, depth: Depth) -> int:
        """Trade with what is displayed through an order's price; returns how much that was."""

        def wanted(remaining: Quantity) -> Quantity:
            levels = depth.available(order.side.opposite, order.price, is_limit_included=False)
            left = int(remaining)
            for level in levels:
                taken = Quantity(min(left, level.quantity))
                depth.take(order.side.opposite, level.price, taken)
                left -= taken
            return Quantity(remaining - left)

        return await self._fill(order, wanted, "the book moved through")

    async def _after_trade(self, trade: PublicTrade) -> None:
        left = int(trade.quantity)
        orders = self._desk.peek(lambda account: account.resting(trade.ticker))
        for order in by_priority(orders, trade.taker_side.opposite):
            share = self._queue.share_of(order, trade, left)
            filled = 0
            if share:
                filled = await self._fill(order, partial(min, share), f"trade {trade.trade_id}")
            left = left - filled if filled == order.remaining else 0

    async def _fill(
        self, order: OrderView, wanted: Callable[[Quantity], Quantity], cause: str
    ) -> int:
        """``wanted`` is asked with what remains of the order at the moment of the trade."""
        filled = 0

        def decide(account: PaperAccount) -> Operation | None:
            nonlocal filled
            first = next(iter(by_priority(account.resting(order.ticker), order.side)), None)
            # A better order of ours came meanwhile: the next event is for both.
            if first is None or first.order_id != order.order_id:
                return None
            filled = wanted(first.remaining)
            if not filled:
                return None
            return HouseTrade(
                ticker=order.ticker,
                side=order.side.opposite,
                price=order.price,
                quantity=Quantity(filled),
                cause=cause,
            )

        return filled if await self._desk.operate_on_sight(decide) else 0

    async def _after_lifecycle(self, event: MarketLifecycle) -> None:
        ticker = event.ticker
        market = self._desk.peek(lambda account: account.reads.market(ticker))
        if market is None:
            return
        if event.kind in _SETTLEMENT_KINDS:
            self.to_check.add(ticker)
        change: Operation | None = None
        if event.kind in _ENDED and market.status in BEFORE_CLOSE:
            change = MoveClose(ticker=ticker, close_us=event.received_us)
        elif event.kind == "activated" and market.status is MarketStatus.INACTIVE:
            change = SetActive(ticker=ticker, is_active=True)
        elif event.kind == "deactivated" and market.status is MarketStatus.ACTIVE:
            change = SetActive(ticker=ticker, is_active=False)
        elif event.close_us not in (None, market.close_us):
            assert event.close_us is not None
            change = MoveClose(ticker=ticker, close_us=event.close_us)
        if change is not None:
            await self._desk.operate(lambda _: change)

    def _distrust(self, tickers: Iterable[MarketTicker]) -> None:
        for ticker in tickers:
            self.depth(ticker).distrust()
