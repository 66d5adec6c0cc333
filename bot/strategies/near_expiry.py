"""Near-expiry favourites, bought as a maker.

In the last hours before a market closes, join the best bid of the side that is
bid at 90 to 98 cents and hold it. Favourites of that kind won slightly more often
than they cost when bought by a resting order (STRATEGY 1.2); the held-out
interval of that finding includes zero, so this is a baseline to measure, not a
promise. One loss undoes about nineteen wins at 95 cents.

It buys YES and NO favourites alike, never crosses the spread, and wants nothing
whose assumed edge the fees eat.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.domain.fees import estimate_fee
from bot.domain.ids import StrategyId
from bot.domain.money import PAYOUT, Money, Price, Quantity, complement
from bot.domain.orders import BookSide, own_price
from bot.domain.quotes import Quote
from bot.domain.signals import MILLION, Signal
from bot.kit.times import HOUR_US, MINUTE_US, SECOND_US
from bot.strategies.base import MarketView, Opinion, Skip, Strategy, parameters

NAME = "near_expiry"
_ONE_CONTRACT = Quantity(100)
_E4_TO_E6 = 100
_CHANCE_MAX_E6 = MILLION - 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NearExpiryParams:
    """Own prices (of the favoured side) in $0.0001, amounts in 0.01 contract."""

    bid_min_e4: int = 9_000
    bid_max_e4: int = 9_800
    spread_max_e4: int = 200
    depth_min_e2: int = 10_000
    """Contracts at the best bid we join."""
    closes_after_us: int = 15 * MINUTE_US
    closes_within_us: int = 6 * HOUR_US
    bias_e6: int = 13_000
    """How much more often a favourite is assumed to win than its price says."""
    edge_min_e6: int = 3_000
    """Least expected profit of one contract after fees."""
    target_e4: int = 9_900
    """Where a resting sale frees the money; at least one cent above the entry."""
    stop_below_e4: int = 1_000
    """How far below the entry the position is given up; 0 holds to settlement."""
    lifetime_us: int = 90 * SECOND_US

    def __post_init__(self) -> None:
        if not 0 < self.bid_min_e4 <= self.bid_max_e4 < self.target_e4 < PAYOUT:
            raise ValueError("bid_min_e4 <= bid_max_e4 < target_e4, all inside $0 and $1")
        if not 0 <= self.stop_below_e4 < self.bid_min_e4:
            raise ValueError("stop_below_e4 must be 0 or below bid_min_e4")
        if not 0 <= self.closes_after_us < self.closes_within_us:
            raise ValueError("closes_after_us must be below closes_within_us")
        if self.lifetime_us < 30 * SECOND_US:
            raise ValueError("lifetime_us must be at least 30 s: a late order must not expire")


_TOO_LATE = Skip("closes too soon")
_TOO_EARLY = Skip("closes too late")
_NO_FAVOURITE = Skip("no favourite in the band")
_ONE_SIDED = Skip("one-sided book")
_WIDE = Skip("spread too wide")
_THIN = Skip("too little at the best bid")
_NO_EDGE = Skip("no edge after fees")


@dataclass(frozen=True, slots=True)
class NearExpiry:
    """See the module."""

    params: NearExpiryParams

    @property
    def strategy_id(self) -> StrategyId:
        """See :class:`Strategy`."""
        return StrategyId(NAME)

    def on_quote(self, view: MarketView) -> Opinion:
        """See :class:`Strategy`."""
        params = self.params
        left_us = view.close_us - view.now_us
        if left_us < params.closes_after_us:
            return _TOO_LATE
        if left_us > params.closes_within_us:
            return _TOO_EARLY
        side = self._favoured(view.quote)
        return self._opinion(view, side) if side is not None else _NO_FAVOURITE

    def _favoured(self, quote: Quote) -> BookSide | None:
        low, high = self.params.bid_min_e4, self.params.bid_max_e4
        if quote.bid is not None and low <= quote.bid <= high:
            return BookSide.BID
        if quote.ask is not None and low <= PAYOUT - quote.ask <= high:
            return BookSide.ASK
        return None

    def _opinion(self, view: MarketView, side: BookSide) -> Opinion:
        params, quote = self.params, view.quote
        if quote.bid is None or quote.ask is None:
            return _ONE_SIDED
        if quote.ask - quote.bid > params.spread_max_e4:
            return _WIDE
        is_yes = side is BookSide.BID
        if (quote.bid_size if is_yes else quote.ask_size) < params.depth_min_e2:
            return _THIN
        own = quote.bid if is_yes else complement(quote.ask)
        chance_e6 = min(own * _E4_TO_E6 + params.bias_e6, _CHANCE_MAX_E6)
        edge = self._edge(view, own, chance_e6)
        if edge < params.edge_min_e6:
            return _NO_EDGE
        return self._signal(view, side, own, chance_e6)

    def _edge(self, view: MarketView, own: Price, chance_e6: int) -> Money:
        fee = estimate_fee(view.listing.fees, own, _ONE_CONTRACT, is_taker=False)
        return Money(chance_e6 - own * _E4_TO_E6 - fee)

    def _signal(self, view: MarketView, side: BookSide, own: Price, chance_e6: int) -> Signal:
        params, quote = self.params, view.quote
        target = Price(max(params.target_e4, own + 100))
        stop = Price(own - params.stop_below_e4)
        return Signal(
            strategy_id=self.strategy_id,
            ticker=quote.ticker,
            side=side,
            price=own_price(side, own),
            chance_e6=chance_e6,
            target_price=own_price(side, target) if target < PAYOUT else None,
            stop_price=own_price(side, stop) if params.stop_below_e4 else None,
            lifetime_us=params.lifetime_us,
            inputs=(
                ("bid_e4", str(quote.bid)),
                ("ask_e4", str(quote.ask)),
                ("closes_in_us", str(view.close_us - view.now_us)),
            ),
        )


def build(given: Mapping[str, object]) -> Strategy:
    """The strategy with these parameters."""
    return NearExpiry(parameters(NearExpiryParams, given))
