"""A paper exchange with its stream, ready to be acted on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bot.adapters.paper.exchange import PaperExchange
from bot.adapters.paper.feed import PaperFeed
from bot.adapters.paper.settings import PaperSettings
from bot.domain.ids import (
    ClientOrderId,
    Epoch,
    FillId,
    MarketTicker,
    OrderGroupId,
    Scope,
    StrategyId,
)
from bot.domain.money import Price, Quantity
from bot.domain.orders import BookSide, OrderAck, OrderIntent, Purpose, TimeInForce
from bot.domain.quotes import BookDelta, PublicTrade
from bot.ports.exchange import ExchangeReads, FeedEvent
from bot.ports.paper import PaperJournal
from tests.fakes.clock import ManualClock
from tests.fakes.paper import TICKER, MemoryJournal, RealMarkets, ScriptedFeed
from tests.support.feeds import opened

SCOPE = Scope("paper:main:0")
CASH = 100_000_000
BID, ASK = BookSide.BID, BookSide.ASK
IOC, FOK = TimeInForce.IMMEDIATE_OR_CANCEL, TimeInForce.FILL_OR_KILL
SECOND = 1_000_000


@dataclass
class Paper:
    """One process's paper exchange, and everything it is made of."""

    journal: PaperJournal = field(default_factory=MemoryJournal)
    markets: RealMarkets = field(default_factory=RealMarkets)
    clock: ManualClock = field(default_factory=ManualClock)
    latency_us: int = 0
    orders_made: int = 0

    def __post_init__(self) -> None:
        settings = PaperSettings(starting_cash_e6=CASH, latency_us=self.latency_us)
        reads: ExchangeReads = self.markets  # type: ignore[assignment]
        self.exchange = PaperExchange(reads, self.journal, SCOPE, self.clock, settings)
        self.source = ScriptedFeed()
        self.feed = PaperFeed(self.source, self.exchange)
        self.heard: list[FeedEvent] = []

    def restarted(self) -> "Paper":
        """The same database, read by a new process."""
        return Paper(journal=self.journal, markets=self.markets, clock=self.clock)

    async def see(self, *events: FeedEvent) -> None:
        """What the feed does with events, without its tasks."""
        with self.exchange.desk.listening(self.heard.append):
            for event in events:
                self.exchange.actions.note(event)
                await self.exchange.actions.act(event)

    async def order(
        self,
        side: BookSide,
        price: int,
        quantity: int,
        *,
        tif: TimeInForce = TimeInForce.GOOD_TILL_CANCELED,
        group: OrderGroupId | None = None,
        **changes: object,
    ) -> OrderAck:
        self.orders_made += 1
        name = changes.pop("name", f"o{self.clock.now_us()}-{self.orders_made}")
        intent = OrderIntent(
            **{
                "client_order_id": ClientOrderId(str(name)),
                "epoch": Epoch(1),
                "strategy_id": StrategyId("test"),
                "signal_id": None,
                "bracket_id": None,
                "purpose": Purpose.TAKE_PROFIT,
                "ticker": TICKER,
                "exchange_index": 0,
                "side": side,
                "price": Price(price),
                "quantity": Quantity(quantity),
                "time_in_force": tif,
                "post_only": False,
                "reduce_only": False,
                "expires_us": None,
                "decided_us": self.clock.now_us(),
                **changes,
            }  # type: ignore[arg-type]
        )
        return await self.exchange.create_order(intent, order_group_id=group)

    async def position(self) -> int:
        held = await self.exchange.positions()
        return held[0].quantity if held else 0

    def delta(self, side: BookSide, price: int, change: int) -> BookDelta:
        self.clock.advance(SECOND)
        return BookDelta(
            ticker=TICKER,
            side=side,
            price=Price(price),
            change=Quantity(change),
            received_us=self.clock.now_us(),
            exchange_us=self.clock.now_us(),
        )

    def trade(
        self, price: int, quantity: int, taker: BookSide, *, ago_us: int = 0, is_block: bool = False
    ) -> PublicTrade:
        self.clock.advance(SECOND)
        return PublicTrade(
            trade_id=FillId(f"t{self.clock.now_us()}"),
            ticker=MarketTicker(TICKER),
            price=Price(price),
            quantity=Quantity(quantity),
            taker_side=taker,
            is_block=is_block,
            executed_us=self.clock.now_us() - ago_us,
            received_us=self.clock.now_us(),
        )

    @asynccontextmanager
    async def streaming(self) -> AsyncIterator[AsyncIterator[FeedEvent]]:
        async with opened(self.feed) as events:
            yield events
