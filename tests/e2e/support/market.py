"""Markets of the simulated exchange that do what a test says, and nothing else."""

from bot.domain.ids import EventTicker, MarketTicker, SeriesTicker
from bot.domain.market import CENT_GRID, FeeTerms
from bot.domain.money import Price, Quantity
from bot.domain.orders import BookSide
from bot.kit.times import DAY_US, HOUR_US, MINUTE_US
from bot.simulator.catalog import Event, MarketInfo, Series
from bot.simulator.server import SimulatedExchange
from bot.venue.accounts import AccountId, AccountTerms
from bot.venue.markets import MarketTerms
from bot.venue.orders import OrderReceipt, OrderRequest

SERIES = SeriesTicker("KXFED")
TICKER = MarketTicker("KXFED-26DEC-T1")
_CONTRACTS = 20_000


class Market:
    """Quoted by its own house account; closes in two hours, so that near-expiry favourites trade."""

    def __init__(self, server: SimulatedExchange, ticker: MarketTicker = TICKER) -> None:
        self.ticker = ticker
        self._exchange = server.exchange
        self._house, self._crowd = AccountId(f"house of {ticker}"), AccountId(f"crowd of {ticker}")
        now_us = self._exchange.now_us()
        for account in (self._house, self._crowd):
            terms = AccountTerms(account=account, checks_funds=False, keeps_records=False)
            self._exchange.apply(self._exchange.venue.open_account(terms, now_us))
        self._list(now_us)
        # Without a day's volume no strategy looks at it.
        self.quote(9_400, 9_500)
        self.trade(9_500)
        self.quote(9_400, 9_500)

    def quote(self, bid: int, ask: int) -> None:
        """Replace the house's orders: prices in $0.0001, 20,000 contracts on each side."""
        exchange = self._exchange
        exchange.apply(exchange.venue.cancel_all(self._house, exchange.now_us()))
        self._order(self._house, BookSide.BID, bid)
        self._order(self._house, BookSide.ASK, ask)

    def trade(self, price: int) -> None:
        """Let somebody buy everything offered up to a price."""
        self._order(self._crowd, BookSide.BID, price)

    def _order(self, account: AccountId, side: BookSide, price: int) -> None:
        request = OrderRequest(
            ticker=self.ticker, side=side, price=Price(price), quantity=Quantity(_CONTRACTS * 100)
        )
        made = self._exchange.venue.create_order(account, request, self._exchange.now_us())
        assert isinstance(self._exchange.apply(made), OrderReceipt)

    def _list(self, now_us: int) -> None:
        closes_us = now_us + 2 * HOUR_US
        series = Series(
            ticker=SERIES,
            title="Fed",
            category="Economics",
            frequency="monthly",
            tags=("Macro",),
            source="Test",
        )
        event = Event(
            ticker=EventTicker(self.ticker.rpartition("-")[0]),
            series_ticker=SERIES,
            title="Test event",
            sub_title="",
            is_exclusive=False,
            strike_us=closes_us,
            created_us=now_us - DAY_US,
            exchange_index=0,
        )
        info = MarketInfo(
            ticker=self.ticker,
            event_ticker=event.ticker,
            series_ticker=SERIES,
            title="Test market",
            yes_sub_title="Above 1",
            no_sub_title="Above 1",
            rules_primary="If it is, then Yes.",
            created_us=now_us - DAY_US,
            expected_expiration_us=closes_us,
            latest_expiration_us=closes_us + DAY_US,
            strike_type="greater",
            floor_strike=1.0,
        )
        terms = MarketTerms(
            ticker=self.ticker,
            event_ticker=event.ticker,
            open_us=now_us - HOUR_US,
            close_us=closes_us,
            exchange_index=0,
            grid=CENT_GRID,
            fees=FeeTerms(fee_type="quadratic", multiplier_e6=1_000_000),
            settlement_timer_us=MINUTE_US,
        )
        self._exchange.list_event(series, event, [(info, terms)], now_us)
