"""The live stream of one process: books in order, the rest as it comes; frames get lost and doubled."""

import asyncio
from collections.abc import Callable
from random import Random

from bot.adapters.paper.values import FromValues
from bot.adapters.paper.views import order_of
from bot.domain.ids import MarketTicker
from bot.domain.money import format_price
from bot.domain.quotes import BookDelta, BookSnapshot
from bot.engine.executor import Event
from bot.kit.times import SECOND_US
from bot.marketdata.feed import FeedTranslator, Reader
from bot.ports.exchange import (
    FeedAlive,
    FeedDown,
    FeedEvent,
    FeedGap,
    FeedUp,
    MarketLifecycle,
    OrderGroupChanged,
    OwnFill,
    OwnOrder,
)
from bot.venue.events import (
    BookChanged,
    GroupChanged,
    MarketChanged,
    OrderChanged,
    VenueEvent,
)
from bot.venue.events import OwnFill as VenueFill
from bot.venue.groups import GroupChange
from bot.venue.markets import MarketChange
from tests.sim.trading.floor import OURS, TICKERS, Floor

Frame = Callable[[int], FeedEvent]
"""What is told when it arrives."""
_TOLD = {"activated", "deactivated", "determined", "settled", "close_date_updated"}


class Stream:
    """Feeds the real translator, which keeps the real books."""

    def __init__(
        self,
        floor: Floor,
        random: Random,
        share: Callable[[], float],
        submit: Callable[[Event], None],
        reader: Reader,
    ) -> None:
        self._floor, self._random, self._share = floor, random, share
        self._translator = FeedTranslator(submit, self._snapshots, reader)
        self._teller = FromValues(self._translator)
        self._is_up = self._is_over = self._has_gap = False
        self.is_mute = False
        """Nothing of ours is told, and nothing shows that it was not."""
        self._last_s = 0.0

    def begin(self) -> None:
        """Connect, and tell every second that there is life."""
        self._connect()
        self._breathe()

    def end(self) -> None:
        """Nothing is told any more."""
        self._is_over = True

    def cut(self) -> None:
        """The connection breaks and comes back."""
        self._is_up = False
        self._tell(lambda now_us: FeedDown(received_us=now_us, reason="cut"))
        asyncio.get_running_loop().call_later(self._random.uniform(0.3, 6), self._connect)

    def take(self, event: VenueEvent) -> None:
        """Something happened at the venue."""
        if not self._is_up or self._is_over:
            return
        if isinstance(event, BookChanged):
            self._queue(lambda now_us: _delta(event, now_us))
            return
        frame = _private(event)
        if frame is None or self.is_mute:
            return
        fate = self._random.random() / max(self._share(), 1e-9)
        for _ in range(0 if fate < 0.5 else 2 if fate < 1 else 1):
            self._later(self._random.uniform(0.005, 0.3), frame)

    def _connect(self) -> None:
        if self._is_over:
            return
        self._is_up, self._has_gap = True, False
        self._tell(lambda now_us: FeedUp(received_us=now_us))
        self._snapshots(TICKERS)

    def _breathe(self) -> None:
        if self._is_over:
            return
        if self._is_up:
            self._tell(lambda now_us: FeedAlive(received_us=now_us))
        asyncio.get_running_loop().call_later(1.0, self._breathe)

    def _snapshots(self, tickers: tuple[MarketTicker, ...]) -> None:
        for ticker in tickers:
            book = self._floor.venue.reads.book(ticker)
            assert book is not None
            self._queue(lambda now_us, book=book: _stamped(book, now_us), may_be_lost=False)  # type: ignore[misc]

    def _queue(self, frame: Frame, *, may_be_lost: bool = True) -> None:
        """Books are one sequence: what is lost shows with the next frame."""
        loop, random = asyncio.get_running_loop(), self._random
        if may_be_lost and random.random() < self._share() / 20:
            self._has_gap = True
            return
        self._last_s = max(self._last_s + 1e-6, loop.time() + random.uniform(0.002, 0.05))
        if self._has_gap and may_be_lost:
            self._has_gap = False
            loop.call_at(self._last_s, self._tell, _gap)
            loop.call_later(random.uniform(0.1, 2), self._snapshots, TICKERS)
            return
        loop.call_at(self._last_s, self._tell, frame)

    def _later(self, delay_s: float, frame: Frame) -> None:
        asyncio.get_running_loop().call_later(delay_s, self._tell, frame)

    def _tell(self, frame: Frame) -> None:
        if not self._is_over:
            self._teller.tell(frame(self._floor.now_us()))


def _gap(now_us: int) -> FeedGap:
    return FeedGap(tickers=TICKERS, reason="lost", received_us=now_us)


def _delta(event: BookChanged, now_us: int) -> BookDelta:
    return BookDelta(
        event.ticker, event.side, event.price, event.change, now_us, event.at_us // SECOND_US
    )


def _stamped(book: BookSnapshot, now_us: int) -> BookSnapshot:
    return BookSnapshot(ticker=book.ticker, bids=book.bids, asks=book.asks, received_us=now_us)


def _private(event: VenueEvent) -> Frame | None:
    match event:
        case VenueFill() if event.account == OURS:
            mine = event.client_order_id
            return lambda now_us: OwnFill(fill=event.fill, client_order_id=mine, received_us=now_us)
        case OrderChanged() if event.account == OURS:
            return lambda now_us: OwnOrder(order=order_of(event.order, 0), received_us=now_us)
        case GroupChanged() if event.change is GroupChange.TRIGGERED:
            group = event.order_group_id
            return lambda now_us: OrderGroupChanged(
                order_group_id=group, kind="triggered", received_us=now_us
            )
        case MarketChanged() if str(event.change) in _TOLD:
            return lambda now_us: _lifecycle(event, now_us)
        case _:
            return None


def _lifecycle(event: MarketChanged, now_us: int) -> MarketLifecycle:
    """As the venue words it: only "determined" names the result; "settled" does not repeat it."""
    market = event.market
    is_determined = event.change is MarketChange.DETERMINED
    result = market.result if is_determined else None
    value = market.settlement_value if is_determined else None
    return MarketLifecycle(
        ticker=market.ticker,
        kind=str(event.change),
        close_us=market.close_us,
        result=None if result is None else str(result),
        settlement_value=None if value is None else format_price(value),
        received_us=now_us,
    )
