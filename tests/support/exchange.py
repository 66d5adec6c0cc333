"""A small simulated exchange without sockets: one market, a house that trades, calls by path."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
from multidict import CIMultiDict, MultiDict

from bot.domain.ids import EventTicker, MarketTicker, SeriesTicker
from bot.domain.market import CENT_GRID, FeeTerms, PriceGrid
from bot.domain.money import Money, Price, Quantity
from bot.domain.orders import BookSide
from bot.kit.clock import SystemClock
from bot.kit.times import DAY_US, HOUR_US, MINUTE_US
from bot.simulator import admin
from bot.simulator.calls import Call, Route
from bot.simulator.catalog import Event, MarketInfo, Series
from bot.simulator.errors import WireError
from bot.simulator.exchange import Exchange
from bot.simulator.keys import Identity
from bot.simulator.server import ROUTES, answer
from bot.simulator.settings import RateLimits, SimulatorSettings
from bot.venue.accounts import AccountId, AccountTerms
from bot.venue.markets import MarketTerms
from bot.venue.orders import OrderReceipt, OrderRequest

START_US = 1_790_000_000_000_000
TICKER = MarketTicker("KXTEST-26NOV-A")
USER = "11111111-1111-4111-8111-111111111111"
HOUSE = AccountId("house")
KEY_ID = "22222222-2222-4222-8222-222222222222"


def settings(**changes: Any) -> SimulatorSettings:
    """A standing clock, no world, no limits."""
    chosen: dict[str, Any] = {
        "speed": 0,
        "start_us": START_US,
        "world": "empty",
        "limits": RateLimits(is_on=False),
    }
    return SimulatorSettings(**(chosen | changes))


@dataclass(frozen=True)
class Answer:
    """A reply with its body decoded."""

    status: int
    body: Any


@dataclass
class Stand:
    """The exchange and its only user."""

    exchange: Exchange
    account: AccountId

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        """Call an endpoint below ``/trade-api/v2`` (or ``/admin``) as the user."""
        split = urlsplit(path)
        route, params = find_route(method, split.path)
        call = Call(
            method=method,
            path=split.path,
            params=params,
            query=MultiDict(parse_qsl(split.query, keep_blank_values=True)),
            body=b"" if body is None else msgspec.json.encode(body),
            identity=Identity(key_id=KEY_ID, user_id=USER) if route.is_signed else None,
            headers=CIMultiDict(),
        )
        try:
            reply = answer(self.exchange, route, call)
        except WireError as error:
            return Answer(error.status, error.body)
        return Answer(reply.status, None if reply.body is None else msgspec.json.decode(reply.body))

    def order(self, **changes: Any) -> Answer:
        """Create an order: by default one bid of 1 contract at 40 cents that rests."""
        return self.call("POST", "/portfolio/events/orders", order_body(**changes))

    def house(self, side: BookSide, price: int, contracts: int, ticker: str = TICKER) -> None:
        """Let the house rest or trade."""
        request = OrderRequest(
            ticker=MarketTicker(ticker),
            side=side,
            price=Price(price),
            quantity=Quantity(contracts * 100),
        )
        outcome = self.exchange.venue.create_order(HOUSE, request, self.exchange.now_us())
        assert isinstance(self.exchange.apply(outcome), OrderReceipt)

    def advance(self, by_us: int) -> None:
        """Let time pass."""
        self.exchange.clock.advance(by_us)
        self.exchange.catch_up()


def order_body(**changes: Any) -> dict[str, Any]:
    """A create's body; a change to ``None`` leaves the field out."""
    body: dict[str, Any] = {
        "ticker": TICKER,
        "side": "bid",
        "count": "1.00",
        "price": "0.4000",
        "time_in_force": "good_till_canceled",
        "self_trade_prevention_type": "taker_at_cross",
    }
    return {name: value for name, value in (body | changes).items() if value is not None}


def find_route(method: str, path: str) -> tuple[Route, dict[str, str]]:
    """The route that serves a path; fixed paths come before placeholders, as in the server."""
    for route in (*ROUTES, *admin.ROUTES):
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", route.path)
        match = re.fullmatch(pattern, path)
        if match and route.method == method:
            return route, match.groupdict()
    raise LookupError(f"{method} {path}")


def stand(**changes: Any) -> Stand:
    """An exchange with one active market, quoted by the house at 45 and 55 cents."""
    exchange = Exchange(settings(**changes), SystemClock(), Random(7))
    user = exchange.open_account(USER)
    exchange.deposit(user, Money(1_000_000_000))
    terms = AccountTerms(account=HOUSE, checks_funds=False, keeps_records=False)
    exchange.apply(exchange.venue.open_account(terms, exchange.now_us()))
    made = Stand(exchange, user)
    list_market(made)
    made.house(BookSide.BID, 4_500, 100)
    made.house(BookSide.ASK, 5_500, 100)
    return made


def list_market(
    made: Stand,
    ticker: str = TICKER,
    *,
    grid: PriceGrid = CENT_GRID,
    shard: int = 0,
    closes_us: int = START_US + HOUR_US,
) -> MarketTicker:
    """List a market; its event and series are the head of its ticker."""
    event_ticker, series_ticker = ticker.rpartition("-")[0], ticker.partition("-")[0]
    series = Series(
        ticker=SeriesTicker(series_ticker),
        title="Test",
        category="Economics",
        frequency="monthly",
        tags=("Macro",),
        source="Test",
    )
    event = Event(
        ticker=EventTicker(event_ticker),
        series_ticker=series.ticker,
        title="Test event",
        sub_title="",
        is_exclusive=False,
        strike_us=closes_us,
        created_us=START_US - DAY_US,
        exchange_index=shard,
    )
    info = MarketInfo(
        ticker=MarketTicker(ticker),
        event_ticker=event.ticker,
        series_ticker=series.ticker,
        title="Test market",
        yes_sub_title="Above 1",
        no_sub_title="Above 1",
        rules_primary="If it is, then Yes.",
        created_us=START_US - DAY_US,
        expected_expiration_us=closes_us,
        latest_expiration_us=closes_us + DAY_US,
        strike_type="greater",
        floor_strike=1.0,
    )
    terms = MarketTerms(
        ticker=info.ticker,
        event_ticker=event.ticker,
        open_us=START_US - HOUR_US,
        close_us=closes_us,
        exchange_index=shard,
        grid=grid,
        fees=FeeTerms(fee_type="quadratic", multiplier_e6=1_000_000),
        settlement_timer_us=MINUTE_US,
    )
    made.exchange.list_event(series, event, [(info, terms)], made.exchange.now_us())
    return info.ticker
