"""A small exchange with one quoted market, for judges that need to know every order in the book."""

from collections.abc import Iterable

from bot.domain.ids import EventTicker, MarketTicker, SeriesTicker
from bot.domain.market import CENT_GRID
from bot.domain.money import Price, Quantity
from bot.domain.orders import BookSide
from bot.kit.times import DAY_US
from bot.simulator.catalog import Event, MarketInfo, Series
from bot.simulator.exchange import Exchange
from bot.simulator.server import SimulatedExchange
from bot.venue.accounts import AccountId, AccountTerms
from bot.venue.markets import MarketTerms
from bot.venue.orders import OrderReceipt, OrderRequest

HOUSE = AccountId("house")


def open_house(sim: SimulatedExchange) -> None:
    """Somebody to trade with, who never runs out of money."""
    terms = AccountTerms(account=HOUSE, checks_funds=False, keeps_records=False)
    sim.exchange.apply(sim.exchange.venue.open_account(terms, sim.exchange.now_us()))


def list_market(sim: SimulatedExchange, ticker: str, *, life_us: int = 14 * DAY_US) -> None:
    """A market of whole cents; its event and series are the head of its ticker."""
    exchange: Exchange = sim.exchange
    now_us = exchange.now_us()
    event_ticker, series_ticker = ticker.rpartition("-")[0], ticker.partition("-")[0]
    close_us = now_us + life_us
    series = Series(
        ticker=SeriesTicker(series_ticker), title="Judged", category="Sports", frequency="custom"
    )
    event = Event(
        ticker=EventTicker(event_ticker),
        series_ticker=series.ticker,
        title="Judged",
        sub_title="",
        is_exclusive=False,
        strike_us=close_us,
        created_us=now_us - DAY_US,
    )
    info = MarketInfo(
        ticker=MarketTicker(ticker),
        event_ticker=event.ticker,
        series_ticker=series.ticker,
        title="Judged",
        yes_sub_title="Yes",
        no_sub_title="No",
        rules_primary="Resolves as judged.",
        created_us=now_us - DAY_US,
        expected_expiration_us=close_us,
        latest_expiration_us=close_us + DAY_US,
        strike_type="structured",
        custom_strike="somebody",
    )
    terms = MarketTerms(
        ticker=info.ticker,
        event_ticker=event.ticker,
        open_us=now_us - DAY_US,
        close_us=close_us,
        grid=CENT_GRID,
    )
    exchange.list_event(series, event, [(info, terms)], now_us)


def quote(sim: SimulatedExchange, ticker: str, orders: Iterable[tuple[BookSide, int, int]]) -> None:
    """Rest orders of the house: side, price in 1e-4 dollars, whole contracts."""
    exchange: Exchange = sim.exchange
    for side, price, contracts in orders:
        request = OrderRequest(
            ticker=MarketTicker(ticker),
            side=side,
            price=Price(price),
            quantity=Quantity(contracts * 100),
        )
        outcome = exchange.venue.create_order(HOUSE, request, exchange.now_us())
        if not isinstance(exchange.apply(outcome), OrderReceipt):
            raise TypeError(f"the house cannot quote {ticker} at {price}")
