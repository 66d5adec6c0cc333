"""Which markets are watched, and the first reason for each that is not."""

import pytest

from bot.domain.ids import MarketTicker, SeriesTicker
from bot.domain.listing import Listing
from bot.domain.market import MarketStatus
from bot.domain.money import Price, Quantity
from bot.kit.times import HOUR_US, MINUTE_US
from bot.marketdata.universe import MarketFilter, favourite_of, select, why_not
from tests.support.trading import START_US, a_listing

RULES = MarketFilter()
GOOD = {"yes_bid_size": Quantity(100_000), "volume_24h": Quantity(2_000_000)}


def listing(ticker: str = "KXFED-1", **changes: object) -> Listing:
    return a_listing(MarketTicker(ticker), **(GOOD | changes))


def test_a_liquid_favourite_near_its_close_is_watched() -> None:
    assert why_not(listing().market, RULES, START_US) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": MarketStatus.INACTIVE}, "market is inactive"),
        ({"close_us": START_US + 9 * MINUTE_US}, "closes too soon"),
        ({"close_us": START_US + 7 * HOUR_US}, "closes too late"),
        ({"yes_bid": Price(4_900), "yes_ask": Price(5_100)}, "no favourite"),
        ({"yes_bid": Price(8_400)}, "probability too low"),
        ({"yes_bid": Price(9_900), "yes_ask": Price(9_950)}, "probability too high"),
        ({"yes_ask": None}, "one-sided book"),
        ({"yes_bid": Price(9_300)}, "spread too wide"),
        ({"yes_bid_size": Quantity(50_000)}, "too little liquidity"),
        ({"volume_24h": Quantity(1_000_000)}, "too little volume"),
    ],
)
def test_the_first_reason_is_named(changes: dict[str, object], reason: str) -> None:
    assert why_not(listing(**changes).market, RULES, START_US) == reason


def test_limits_are_inclusive() -> None:
    on_the_edge = listing(
        yes_bid=Price(8_500), yes_ask=Price(8_700), close_us=START_US + 6 * HOUR_US
    )
    assert why_not(on_the_edge.market, RULES, START_US) is None


def test_a_no_favourite_is_judged_by_its_own_bid() -> None:
    market = listing(yes_bid=Price(400), yes_ask=Price(500), yes_ask_size=Quantity(100_000)).market
    favourite = favourite_of(market)
    assert favourite is not None
    assert (favourite.is_yes, favourite.bid, favourite.spread) == (False, 9_500, 100)
    assert why_not(market, RULES, START_US) is None


def test_held_markets_are_always_watched_and_the_rest_by_liquidity() -> None:
    rules = MarketFilter(markets_max=2)
    held = listing("KXFED-1", status=MarketStatus.INACTIVE)
    thin = listing("KXFED-2")
    deep = listing("KXFED-3", yes_bid_size=Quantity(900_000))
    chosen = select([held, thin, deep], rules, frozenset({held.market.ticker}), START_US)
    assert [one.market.ticker for one in chosen.watched] == ["KXFED-1", "KXFED-3"]
    assert chosen.funnel() == (("more liquid markets fill the watch list", 1),)


def test_a_series_that_is_not_chosen_is_left_out() -> None:
    rules = MarketFilter(series=frozenset({SeriesTicker("KXCPI")}))
    assert why_not(listing().market, rules, START_US) == "series is not chosen"


def test_settings_that_contradict_themselves_are_refused() -> None:
    with pytest.raises(ValueError, match="favourite_bid_min_e4"):
        MarketFilter(favourite_bid_min_e4=9_900)
    with pytest.raises(ValueError, match="closes_after_us"):
        MarketFilter(closes_after_us=HOUR_US, closes_within_us=MINUTE_US)
    with pytest.raises(ValueError, match="markets_max"):
        MarketFilter(markets_max=0)
