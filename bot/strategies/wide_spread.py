"""An example to copy: join the bid of a market with a wide spread, sell one spread higher.

It shows the whole shape of a strategy: parameters with their units and checks,
reasons for doing nothing, a signal with both exits. It is not recommended: a
quote that is wide is often wide because someone knows more (STRATEGY 1.3).

To write your own: copy this file, change ``NAME``, the parameters and
``on_quote``, and add ``build`` to ``registry.STRATEGIES``. Prices are whole
$0.0001 of the YES leg, chances whole millionths of the side you buy.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.domain.ids import StrategyId
from bot.domain.money import Price
from bot.domain.orders import BookSide
from bot.domain.signals import MILLION, Signal
from bot.kit.times import HOUR_US, SECOND_US
from bot.strategies.base import MarketView, Opinion, Skip, Strategy, parameters

NAME = "wide_spread"
_E4_TO_E6 = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class WideSpreadParams:
    """Everything a user may turn, with its unit in the name."""

    spread_min_e4: int = 600
    bid_min_e4: int = 2_000
    bid_max_e4: int = 8_000
    closes_after_us: int = 2 * HOUR_US
    stop_below_e4: int = 800
    lifetime_us: int = 60 * SECOND_US

    def __post_init__(self) -> None:
        if not 0 < self.bid_min_e4 <= self.bid_max_e4:
            raise ValueError("bid_min_e4 must be positive and at most bid_max_e4")
        if not 0 < self.stop_below_e4 < self.bid_min_e4:
            raise ValueError("stop_below_e4 must be positive and below bid_min_e4")


@dataclass(frozen=True, slots=True)
class WideSpread:
    """Buys YES only, to stay short."""

    params: WideSpreadParams

    @property
    def strategy_id(self) -> StrategyId:
        """See :class:`Strategy`."""
        return StrategyId(NAME)

    def on_quote(self, view: MarketView) -> Opinion:
        """See :class:`Strategy`."""
        params, bid, ask = self.params, view.quote.bid, view.quote.ask
        if bid is None or ask is None:
            return Skip("one-sided book")
        if view.close_us - view.now_us < params.closes_after_us:
            return Skip("closes too soon")
        if not params.bid_min_e4 <= bid <= params.bid_max_e4:
            return Skip("bid is outside the band")
        if ask - bid < params.spread_min_e4:
            return Skip("spread too narrow")
        middle = (bid + ask) // 2
        return Signal(
            strategy_id=self.strategy_id,
            ticker=view.quote.ticker,
            side=BookSide.BID,
            price=bid,
            chance_e6=min(middle * _E4_TO_E6, MILLION),
            target_price=ask,
            stop_price=Price(bid - params.stop_below_e4),
            lifetime_us=params.lifetime_us,
            inputs=(("middle_e4", str(middle)),),
        )


def build(given: Mapping[str, object]) -> Strategy:
    """The strategy with these parameters."""
    return WideSpread(parameters(WideSpreadParams, given))
