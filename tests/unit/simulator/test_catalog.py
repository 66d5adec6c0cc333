"""Descriptions of series, events and markets."""

import pytest

from bot.domain.ids import EventTicker, MarketTicker, SeriesTicker
from bot.domain.market import CENT_GRID
from bot.domain.money import Price
from bot.simulator.catalog import TAPERED_GRID, Catalog, Event, MarketInfo, grid_name
from tests.support.exchange import TICKER, stand


def test_markets_are_found_by_event_and_by_uuid() -> None:
    catalog = stand().exchange.catalog
    info = catalog.markets[TICKER]
    assert [m.ticker for m in catalog.markets_of(info.event_ticker)] == [TICKER]
    assert catalog.ticker_of_id(info.market_id) == TICKER
    assert catalog.ticker_of_id("nothing") is None


def test_an_unknown_parent_is_refused() -> None:
    catalog = Catalog()
    event = Event(
        ticker=EventTicker("E"), series_ticker=SeriesTicker("S"), title="", sub_title="",
        is_exclusive=False, strike_us=0, created_us=0,
    )  # fmt: skip
    with pytest.raises(ValueError, match="unknown series"):
        catalog.add_event(event)
    info = MarketInfo(
        ticker=MarketTicker("M"), event_ticker=EventTicker("E"), series_ticker=SeriesTicker("S"),
        title="", yes_sub_title="", no_sub_title="", rules_primary="", created_us=0,
        expected_expiration_us=0, latest_expiration_us=0,
    )  # fmt: skip
    with pytest.raises(ValueError, match="unknown event"):
        catalog.add_market(info)


def test_grids_carry_the_venues_labels() -> None:
    assert grid_name(CENT_GRID) == "linear_cent"
    assert grid_name(TAPERED_GRID) == "tapered_deci_cent"
    assert TAPERED_GRID.accepts(Price(9_990))
    assert not TAPERED_GRID.accepts(Price(5_010))
