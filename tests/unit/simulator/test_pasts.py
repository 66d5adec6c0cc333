"""The candles of the time before."""

import itertools
from dataclasses import replace
from random import Random

from bot.domain.money import Quantity
from bot.kit.times import HOUR_US
from bot.simulator.latent import Claim, Latent, Uncertainty
from bot.simulator.pasts import HOURS, past_candles
from tests.support.exchange import START_US, TICKER, stand


def test_a_past_is_hourly_ends_before_now_and_stays_inside_a_dollar() -> None:
    uncertainty = Uncertainty(centre=0.0, drift=1.0, release=0.5)
    latent = Latent(uncertainty, START_US, START_US + HOUR_US, Random(1))
    info = replace(
        stand().exchange.catalog.markets[TICKER],
        prior_volume_24h=Quantity(24_000),
        prior_open_interest=Quantity(500),
    )
    value = latent.value
    values = latent.past(HOURS, Random(2))
    assert latent.value == value
    candles = past_candles(info, Claim(floor=0.0), latent, values, START_US)
    ends = [candle.end_s for candle in candles]
    assert len(ends) == HOURS - 1
    assert ends[-1] * 1_000_000 <= START_US
    assert {later - earlier for earlier, later in itertools.pairwise(ends)} == {3_600}
    for candle in candles:
        assert candle.price is not None
        assert 0 < candle.price.low <= candle.price.high < 10_000
        assert candle.bid.close < candle.ask.close
        assert candle.volume == 1_000
    chained = itertools.pairwise(candles)
    assert all(before.bid.close == after.bid.open for before, after in chained)


def test_a_market_listed_now_has_no_past() -> None:
    uncertainty = Uncertainty(centre=0.0, drift=1.0, release=0.5)
    latent = Latent(uncertainty, START_US, START_US + HOUR_US, Random(1))
    info = stand().exchange.catalog.markets[TICKER]
    assert past_candles(info, Claim(floor=0.0), latent, [], START_US) == []


def test_without_volume_there_was_no_price() -> None:
    uncertainty = Uncertainty(centre=0.0, drift=1.0, release=0.5)
    latent = Latent(uncertainty, START_US, START_US + HOUR_US, Random(1))
    info = stand().exchange.catalog.markets[TICKER]
    candles = past_candles(info, Claim(floor=0.0), latent, [0.0, 0.1, 0.2], START_US)
    assert [candle.price for candle in candles] == [None, None]
