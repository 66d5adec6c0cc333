"""The simulated exchange without its sockets: venue, listings, listeners, read models.

Every act on the venue goes through :meth:`Exchange.apply`, which spreads what
happened to books' listeners, read models and candles before anyone can look.
"""

import uuid
from collections.abc import Iterable, Mapping
from itertools import chain
from random import Random
from typing import Protocol, TypeVar

from bot.domain.ids import MarketTicker
from bot.domain.money import Money
from bot.domain.quotes import BookSnapshot, PublicTrade
from bot.kit.clock import Clock
from bot.simulator.accounts import Accounts
from bot.simulator.agenda import Agenda
from bot.simulator.candles import Candles
from bot.simulator.catalog import Catalog, Event, MarketInfo, Series
from bot.simulator.clock import ExchangeClock
from bot.simulator.faults import Faults
from bot.simulator.keys import Identity, KeyPair, KeyRing, make_key_pair
from bot.simulator.limits import Limiter
from bot.simulator.portfolios import Portfolio, Portfolios
from bot.simulator.publisher import Publisher
from bot.simulator.settings import SimulatorSettings
from bot.simulator.subscriptions import Hub
from bot.venue.accounts import AccountId, AccountTerms
from bot.venue.events import TradePrinted, VenueEvent
from bot.venue.markets import MarketTerms, MarketView
from bot.venue.results import Outcome, Refusal
from bot.venue.venue import Venue

T = TypeVar("T")

SHARDS = {
    0: "Default",
    1: "Combos",
    2: "Crypto & Commodities",
    3: "Tennis, Baseball, Basketball",
}
"""The venue's shards and their descriptions."""


class World(Protocol):
    """What makes things happen: generated traders, or a recording."""

    def step(self, now_us: int) -> None:
        """Do everything due by now, each at its own time."""
        ...


class RecordedBook(Protocol):
    """A market whose book comes from a recording and not from orders."""

    def snapshot(self) -> BookSnapshot:
        """The book now."""
        ...

    def overlay(self, view: MarketView) -> MarketView:
        """The market's summary with the recording's quotes and volumes."""
        ...

    def trades(self) -> Iterable[PublicTrade]:
        """The recorded trades so far."""
        ...


class Exchange:
    """Everything the server serves."""

    def __init__(self, settings: SimulatorSettings, host: Clock, random: Random) -> None:
        self.settings = settings
        self.host = host
        self.clock = ExchangeClock(host, start_us=settings.start_us, speed=settings.speed)
        self._random = random
        self.venue = Venue(new_id=self.new_id, settings=settings.venue)
        self.catalog = Catalog()
        self.accounts = Accounts()
        self.keys = KeyRing(settings.auth)
        self.limiter = Limiter(settings.limits)
        self.faults = Faults(host, Random(settings.seed))  # noqa: S311 - repeatable faults
        self.hub = Hub(self.faults)
        self.portfolios = Portfolios(settings.read_lag_us)
        self.candles = Candles()
        self.recorded: dict[MarketTicker, RecordedBook] = {}
        self.agenda = Agenda()
        self.world: World | None = None
        self.skew_ms = 0
        """How far its idea of the host's time is off: a fault."""
        self._publisher = Publisher(self, self.hub, self.accounts)
        self._listed: dict[MarketTicker, tuple[int, MarketView]] = {}

    @property
    def publisher(self) -> Publisher:
        """For players, whose frames do not come from the venue."""
        return self._publisher

    def new_id(self) -> str:
        """A fresh UUID; repeatable where the randomness is seeded."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def now_us(self) -> int:
        """The exchange's time."""
        return self.clock.now_us()

    def identify(self, headers: Mapping[str, str], method: str, path: str) -> Identity:
        """Who signed a request. Raises ``WireError`` (401) where nobody did."""
        clock = self.clock if self.settings.auth.on_exchange_time else self.host
        now_ms = clock.now_us() // 1_000 + self.skew_ms
        return self.keys.identify(headers, method, path, now_ms)

    # What is shown

    def market(self, ticker: MarketTicker) -> MarketView | None:
        """A market's summary."""
        view = self.venue.reads.market(ticker)
        recorded = self.recorded.get(ticker)
        return view if view is None or recorded is None else recorded.overlay(view)

    def book(self, ticker: MarketTicker) -> BookSnapshot | None:
        """A market's book."""
        recorded = self.recorded.get(ticker)
        return recorded.snapshot() if recorded else self.venue.reads.book(ticker)

    def listed(self, ticker: MarketTicker) -> MarketView | None:
        """A market's summary as old as listings may be."""
        lag_us, now_us = self.settings.listing_lag_us, self.now_us()
        cached = self._listed.get(ticker)
        if cached is not None and cached[0] + lag_us > now_us:
            return cached[1]
        view = self.market(ticker)
        if view is not None and lag_us:
            self._listed[ticker] = (now_us, view)
        return view

    def trades(self, ticker: MarketTicker | None) -> Iterable[PublicTrade]:
        """Public trades, matched or recorded, of one market or all."""
        books = self.recorded.items()
        recorded = (book.trades() for name, book in books if ticker in {None, name})
        return chain(self.venue.reads.trades(ticker), *recorded)

    def portfolio(self, account: AccountId) -> Portfolio:
        """What reads of an account show now."""
        return self.portfolios.of(account, self.now_us())

    # What happens

    def apply(self, outcome: Outcome[T]) -> T | Refusal:
        """Spread an act's events and hand back its result."""
        self.spread(outcome.events)
        return outcome.result

    def spread(self, events: Iterable[VenueEvent]) -> None:
        """Tell read models, candles and listeners."""
        events = tuple(events)
        if not events:
            return
        now_us = self.venue.reads.now_us
        for event in events:
            self.portfolios.record(event, now_us)
            if isinstance(event, TradePrinted):
                self.candles.trade(event.trade)
        for view in self._publisher.publish(events, now_us).values():
            self.candles.quote(view, now_us)

    def catch_up(self) -> None:
        """Let everything due by now happen: the world's acts, planned acts, the venue's timers."""
        now_us = self.now_us()
        if self.world is not None:
            self.world.step(now_us)
        self.agenda.run(now_us)
        self.run_timers(now_us)

    def run_timers(self, now_us: int) -> None:
        """Let the venue's own timers run."""
        self.spread(self.venue.advance(now_us))

    # Listings and accounts

    def list_event(
        self,
        series: Series,
        event: Event,
        markets: Iterable[tuple[MarketInfo, MarketTerms]],
        now_us: int,
    ) -> None:
        """List an event and its markets at a moment that may lie behind the clock."""
        if series.ticker not in self.catalog.series:
            self.catalog.add_series(series)
        if event.ticker not in self.catalog.events:
            self.catalog.add_event(event)
        for info, terms in markets:
            self.catalog.add_market(info)
            self.apply(self.venue.operations.list_market(terms, now_us))

    def open_account(self, user_id: str, subaccount: int = 0) -> AccountId:
        """Open a user's account, empty; an open one stays as it is."""
        account = self.accounts.find(user_id, subaccount)
        if account is None:
            account = self.accounts.add(user_id, subaccount)
            self.apply(self.venue.open_account(AccountTerms(account=account), self.now_us()))
        return account

    def deposit(self, account: AccountId, amount: Money, exchange_index: int = 0) -> Refusal | None:
        """Add cash to a shard, or take it out."""
        now_us = self.now_us()
        outcome = self.venue.deposit(account, amount, now_us, exchange_index=exchange_index)
        result = self.apply(outcome)
        return result if isinstance(result, Refusal) else None

    def new_key(self, user_id: str) -> KeyPair:
        """Make an API key for a user and accept it from now on."""
        pair = make_key_pair(self.new_id(), self.settings.key_type)
        self.keys.register(pair.key_id, pair.public_pem, user_id)
        return pair
