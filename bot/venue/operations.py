"""What the exchange itself does: listing, opening, closing, determining, settling, pausing."""

from bot.domain.ids import MarketTicker
from bot.domain.market import FeeTerms, PriceGrid
from bot.domain.money import Price
from bot.venue.markets import MarketResult, MarketTerms, MarketView
from bot.venue.results import Done, Outcome


class Operations:
    """The operator's side of the venue. Every act runs due timers first."""

    def list_market(self, terms: MarketTerms, now_us: int) -> Outcome[MarketView]:
        """List a market: initialized before its open time, active from it on."""
        raise NotImplementedError

    def deactivate(self, ticker: MarketTicker, now_us: int) -> Outcome[MarketView]:
        """From active to inactive: no new orders; resting ones wait."""
        raise NotImplementedError

    def activate(self, ticker: MarketTicker, now_us: int) -> Outcome[MarketView]:
        """From inactive to active: every resting order is canceled first."""
        raise NotImplementedError

    def move_close(self, ticker: MarketTicker, close_us: int, now_us: int) -> Outcome[MarketView]:
        """Set another close time. Not in the future: closes now. A closed market may reopen."""
        raise NotImplementedError

    def determine(
        self,
        ticker: MarketTicker,
        result: MarketResult,
        now_us: int,
        *,
        value: Price | None = None,
    ) -> Outcome[MarketView]:
        """From closed to determined, an open market closing early first; starts the settlement timer.

        ``value`` is what one YES pays and is needed for, and only for, a scalar result.
        """
        raise NotImplementedError

    def dispute(self, ticker: MarketTicker, now_us: int) -> Outcome[MarketView]:
        """From determined to disputed: the settlement timer stops."""
        raise NotImplementedError

    def amend_result(
        self,
        ticker: MarketTicker,
        result: MarketResult,
        now_us: int,
        *,
        value: Price | None = None,
    ) -> Outcome[MarketView]:
        """From disputed to amended: the settlement timer starts anew."""
        raise NotImplementedError

    def set_grid(self, ticker: MarketTicker, grid: PriceGrid, now_us: int) -> Outcome[MarketView]:
        """Change the prices that new orders may carry; resting orders stay."""
        raise NotImplementedError

    def set_fees(self, ticker: MarketTicker, fees: FeeTerms, now_us: int) -> Outcome[MarketView]:
        """Change what fills cost from now on."""
        raise NotImplementedError

    def set_trading_active(
        self, now_us: int, *, is_active: bool, exchange_index: int | None = None
    ) -> Outcome[Done]:
        """Begin or end a trading pause, of one shard or all: cancels go on, creates do not."""
        raise NotImplementedError

    def set_exchange_active(
        self, now_us: int, *, is_active: bool, exchange_index: int | None = None
    ) -> Outcome[Done]:
        """Begin or end an exchange pause, of one shard or all: no writes at all."""
        raise NotImplementedError
