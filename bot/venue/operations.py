"""What the exchange itself does: listing, opening, closing, determining, settling, pausing."""

from collections.abc import Callable

from bot.domain.ids import MarketTicker
from bot.domain.market import FeeTerms, PriceGrid
from bot.domain.money import Price
from bot.venue import lifecycle
from bot.venue.acting import perform
from bot.venue.market_state import MarketState
from bot.venue.markets import MarketResult, MarketTerms, MarketView
from bot.venue.pauses import set_active
from bot.venue.results import Done, Outcome, Refusal, RefusalCode
from bot.venue.state import VenueState


class Operations:
    """The operator's side of the venue. Every act runs due timers first."""

    def __init__(self, state: VenueState) -> None:
        self._state = state

    def list_market(self, terms: MarketTerms, now_us: int) -> Outcome[MarketView]:
        """List a market: initialized before its open time, active from it on."""
        return perform(self._state, now_us, lambda: lifecycle.list_market(self._state, terms))

    def deactivate(self, ticker: MarketTicker, now_us: int) -> Outcome[MarketView]:
        """From active to inactive: no new orders; resting ones wait."""
        return self._on(ticker, now_us, lambda market: lifecycle.deactivate(self._state, market))

    def activate(self, ticker: MarketTicker, now_us: int) -> Outcome[MarketView]:
        """From inactive to active: every resting order is canceled first."""
        return self._on(ticker, now_us, lambda market: lifecycle.activate(self._state, market))

    def move_close(self, ticker: MarketTicker, close_us: int, now_us: int) -> Outcome[MarketView]:
        """Set another close time. Not in the future: closes now. A closed market may reopen."""
        return self._on(
            ticker, now_us, lambda market: lifecycle.move_close(self._state, market, close_us)
        )

    def determine(
        self,
        ticker: MarketTicker,
        result: MarketResult,
        now_us: int,
        *,
        value: Price | None = None,
    ) -> Outcome[MarketView]:
        """From closed to determined; an open market closes early first, and the timer starts.

        ``value`` is what one YES pays and is needed for, and only for, a scalar result.
        """
        return self._on(
            ticker, now_us, lambda market: lifecycle.determine(self._state, market, result, value)
        )

    def dispute(self, ticker: MarketTicker, now_us: int) -> Outcome[MarketView]:
        """From determined to disputed: the settlement timer stops."""
        return self._on(ticker, now_us, lambda market: lifecycle.dispute(self._state, market))

    def amend_result(
        self,
        ticker: MarketTicker,
        result: MarketResult,
        now_us: int,
        *,
        value: Price | None = None,
    ) -> Outcome[MarketView]:
        """From disputed to amended: the settlement timer starts anew."""
        return self._on(
            ticker,
            now_us,
            lambda market: lifecycle.amend_result(self._state, market, result, value),
        )

    def set_grid(self, ticker: MarketTicker, grid: PriceGrid, now_us: int) -> Outcome[MarketView]:
        """Change the prices that new orders may carry; resting orders stay."""
        return self._on(
            ticker, now_us, lambda market: lifecycle.set_grid(self._state, market, grid)
        )

    def set_fees(self, ticker: MarketTicker, fees: FeeTerms, now_us: int) -> Outcome[MarketView]:
        """Change what fills cost from now on."""
        return self._on(
            ticker, now_us, lambda market: lifecycle.set_fees(self._state, market, fees)
        )

    def set_trading_active(
        self, now_us: int, *, is_active: bool, exchange_index: int | None = None
    ) -> Outcome[Done]:
        """Begin or end a trading pause, of one shard or all: cancels go on, creates do not."""
        state = self._state
        return perform(
            state,
            now_us,
            lambda: set_active(state, state.trading_paused, exchange_index, is_active=is_active),
        )

    def set_exchange_active(
        self, now_us: int, *, is_active: bool, exchange_index: int | None = None
    ) -> Outcome[Done]:
        """Begin or end an exchange pause, of one shard or all: no writes at all."""
        state = self._state
        return perform(
            state,
            now_us,
            lambda: set_active(state, state.exchange_paused, exchange_index, is_active=is_active),
        )

    def _on(
        self,
        ticker: MarketTicker,
        now_us: int,
        act: Callable[[MarketState], MarketView | Refusal],
    ) -> Outcome[MarketView]:
        def find_and_act() -> MarketView | Refusal:
            market = self._state.markets.get(ticker)
            return act(market) if market else Refusal(RefusalCode.MARKET_NOT_FOUND)

        return perform(self._state, now_us, find_and_act)
