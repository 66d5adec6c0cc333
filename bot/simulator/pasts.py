"""What a market did before the simulation began: hourly candles of a made-up yesterday.

A market that was listed long ago has a history; without one every chart of the
first day would be empty. Nothing that happens later depends on it.
"""

from collections.abc import Sequence

from bot.domain.money import PAYOUT, Price, Quantity
from bot.kit.times import HOUR_US, SECOND_US
from bot.simulator.candles import Candle, Span
from bot.simulator.catalog import MarketInfo
from bot.simulator.latent import Claim, Latent

HOURS = 48
_HALF_SPREAD = 100
_HOURS_OF_DAY = 24


def past_candles(
    info: MarketInfo, claim: Claim, latent: Latent, values: Sequence[float], now_us: int
) -> list[Candle]:
    """One candle per full hour before ``now_us``, oldest first; ``values`` come latest first."""
    last_hour_us = now_us - now_us % HOUR_US
    prices = [_price(latent.past_probability(claim, value)) for value in values]
    volume = Quantity(info.prior_volume_24h // _HOURS_OF_DAY)
    candles: list[Candle] = []
    for back in range(len(prices) - 2, -1, -1):
        candle = Candle(
            end_s=(last_hour_us - back * HOUR_US) // SECOND_US,
            bid=_span(prices[back + 1], prices[back], -_HALF_SPREAD),
            ask=_span(prices[back + 1], prices[back], _HALF_SPREAD),
            price=_span(prices[back + 1], prices[back], 0) if volume else None,
            previous=prices[back + 1],
            paid=(prices[back + 1] + prices[back]) * volume // 2,
            volume=volume,
            open_interest=info.prior_open_interest,
        )
        candles.append(candle)
    return candles


def _price(probability: float) -> Price:
    """A whole cent strictly inside $0 and $1, which every grid has."""
    return Price(min(99, max(1, round(probability * 100))) * 100)


def _span(start: Price, end: Price, shift: int) -> Span:
    first, last = _shifted(start, shift), _shifted(end, shift)
    return Span(first, max(first, last), min(first, last), last)


def _shifted(price: Price, shift: int) -> Price:
    return Price(min(PAYOUT, max(0, price + shift)))
