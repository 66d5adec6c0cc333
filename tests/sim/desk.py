"""One leadership as the bot runs it: the real activation, engine, executor and groups."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from bot.app.draining import DoubtWatch
from bot.app.lifecycle import Tenure
from bot.app.other_bot import OtherBot
from bot.app.replies import ReplyBoard
from bot.app.trading import Activation, HaltWatch
from bot.domain.events import (
    Event,
    FeedConnected,
    FeedHeard,
    MarketsListed,
    QuoteChanged,
    TimeAdvanced,
)
from bot.domain.ids import MarketTicker
from bot.domain.money import Price, Quantity
from bot.domain.quotes import Quote
from bot.engine.core import Engine
from bot.engine.executor import EffectExecutor
from bot.engine.groups import GroupSettings, OrderGroups
from bot.engine.inbox import EngineInbox
from bot.engine.runner import EngineRunner
from bot.engine.sending import Surroundings, TradingGate
from bot.engine.settings import EngineSettings
from bot.kit.clock import Clock
from bot.kit.tasks import Service
from bot.kit.times import SECOND_US
from bot.ports.exchange import Exchange
from bot.ports.trading import TradingStore
from bot.risk.limits import RiskLimits
from bot.risk.readings import BreakerLimits
from tests.sim.database import SCOPE
from tests.sim.market import BID
from tests.support.trading import Eager, a_listing

_MANY = 1_000_000
SETTINGS = EngineSettings(
    # Signals are many and small, and a breaker would only hide what is looked for.
    limits=RiskLimits(
        order_cost_max_e6=5_000_000,
        series_max_bp=10_000,
        release_group_max_bp=10_000,
        total_max_bp=10_000,
        concurrent_max=_MANY,
        open_orders_max=_MANY,
        entries_per_minute_max=_MANY,
    ),
    breakers=BreakerLimits(
        daily_loss_bp=10_000,
        drawdown_bp=10_000,
        position_loss_bp=10_000,
        losses_max=_MANY,
        unknown_orders_max=_MANY,
        rejections_max=_MANY,
        takeovers_max=_MANY,
        stale_books_min=_MANY,
        silence_us=3_600 * SECOND_US,
    ),
    reconcile_every_us=20 * SECOND_US,
    reconcile_retry_us=5 * SECOND_US,
)


@dataclass
class _Trading:
    starts_unhalted: bool = True
    read_only: bool = False


@dataclass
class _Leadership:
    drain_s: float = 10.0


@dataclass
class _Settings:
    trading_mode: str = "paper"
    leadership: _Leadership = field(default_factory=_Leadership)
    trading: _Trading = field(default_factory=_Trading)


@dataclass
class _Means:
    random: Random


@dataclass
class _Parts:
    means: _Means


@dataclass
class Around:
    """As much of a running bot as the activation looks at."""

    clock: Clock
    parts: _Parts
    settings: _Settings = field(default_factory=_Settings)

    @staticmethod
    def of(clock: Clock, random: Random) -> "Around":
        return Around(clock, _Parts(_Means(random)))

    def leading(self, facts: dict[str, object]) -> None:
        """Nobody is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outsides:
    """What a desk reaches the world by."""

    exchange: Exchange
    store: TradingStore
    clock: Clock
    random: Random
    gate: TradingGate
    groups: type[OrderGroups] = OrderGroups


class Feed:
    """In place of the monitor: time, a living stream, markets when asked, quotes when told."""

    name = "monitor"

    def __init__(self, clock: Clock, submit: Callable[[Event], None]) -> None:
        self._clock = clock
        self._submit = submit
        self.listed: list[MarketTicker] = []
        self._told: set[MarketTicker] = set()

    def look_again(self) -> None:
        """The markets of every signal so far."""
        self._list(*self.listed)

    def _list(self, *tickers: MarketTicker) -> None:
        new = tuple(ticker for ticker in tickers if ticker not in self._told)
        self._told |= set(new)
        if new:
            listings = tuple(a_listing(ticker) for ticker in new)
            self._submit(MarketsListed(received_us=self._clock.now_us(), listings=listings))

    def quote(self, ticker: MarketTicker, bid: Price = BID) -> None:
        """A market's price, with its listing: it may be the first word of it."""
        now_us = self._clock.now_us()
        self._list(ticker)
        quote = Quote(
            ticker=ticker,
            bid=bid,
            ask=Price(bid + 100),
            bid_size=Quantity(500_000),
            ask_size=Quantity(500_000),
            received_us=now_us,
        )
        self._submit(QuoteChanged(received_us=now_us, quote=quote))

    async def run(self) -> None:
        self._submit(FeedConnected(received_us=self._clock.now_us()))
        while True:
            now_us = self._clock.now_us()
            self._submit(FeedHeard(received_us=now_us))
            self._submit(TimeAdvanced(received_us=now_us))
            await asyncio.sleep(2.0)

    async def drain(self) -> None:
        """Nothing to finish."""


class Desk:
    """Built when a leadership begins, dropped when it ends: what ``TradingDesk`` is to the bot."""

    def __init__(self, tenure: Tenure, out: Outsides) -> None:
        self.tenure = tenure
        self.exchange = out.exchange
        self.store = out.store
        self.replies = ReplyBoard()
        self._inbox = EngineInbox()
        self.engine = Engine(SETTINGS, (Eager(),), SCOPE, tenure.instance_id)
        self.groups = out.groups(out.exchange, out.store, out.clock, tenure.epoch, GroupSettings())
        around = Surroundings(
            exchange=out.exchange,
            store=out.store,
            gate=out.gate,
            groups=self.groups,
            clock=out.clock,
            random=out.random,
            replies=self.replies,
            messages_of=lambda _: (),
        )
        self.runner = EngineRunner(self.engine, EffectExecutor(around, self.submit), self._inbox)
        self.monitor = Feed(out.clock, self.submit)
        self._halts = HaltWatch(self, out.clock)  # type: ignore[arg-type]
        self._doubt = DoubtWatch(tenure.gate, out.clock, self.submit)
        around_bot = Around.of(out.clock, out.random)
        self.other_bot = OtherBot(around_bot, tenure, out.exchange, out.store, self.groups)  # type: ignore[arg-type]
        self.activation = Activation(around_bot, self)  # type: ignore[arg-type]

    def submit(self, event: Event) -> None:
        """Give the engine an event."""
        self._inbox.put(event)

    def services(self) -> Sequence[Service]:
        """In the order of the bot's own."""
        return (self.runner, self.monitor, self._halts, self._doubt, self.activation)
