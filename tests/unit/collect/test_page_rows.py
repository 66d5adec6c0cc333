"""A page gives rows for what can be read, and reasons for the rest."""

from dataclasses import replace

import pytest

from bot.collect.page_rows import rows_of
from bot.domain.ids import SeriesTicker
from bot.domain.market import MarketStatus, PriceBand, PriceGrid
from bot.domain.money import Price
from bot.ports.exchange import ListedMarket
from tests.fakes.listing import listed, page, unreadable

FED = SeriesTicker("KXFED")
HOUR = "2026-11-21T07:00:00Z"
AT_US = 1_795_244_400_000_000


def changed(one: ListedMarket, **changes: object) -> ListedMarket:
    return replace(one, market=replace(one.market, **changes))


@pytest.mark.parametrize(
    ("bid", "ask", "why"),
    [
        (4_750, 5_200, "bid 0.4750 is off the market's price grid"),
        (4_700, 5_210, "ask 0.5210 is off the market's price grid"),
    ],
)
def test_a_quote_off_the_grid_sets_its_market_aside(bid: int, ask: int, why: str) -> None:
    bad = listed("A-2", bid=bid, ask=ask)
    rows = rows_of(page(listed("A-1"), bad, listed("A-3")), FED, HOUR, AT_US)
    assert [one.market_id for one in rows.snapshots] == ["A-1", "A-3"]
    [kept] = rows.quarantined
    assert (kept.name, kept.reason, kept.raw, kept.at_us) == ("A-2", why, bad.raw, AT_US)


def test_a_quote_outside_every_band_sets_its_market_aside() -> None:
    grid = PriceGrid((PriceBand(Price(0), Price(4_000), Price(100)),))
    rows = rows_of(page(changed(listed("A-1"), grid=grid)), FED, HOUR, AT_US)
    assert [one.name for one in rows.quarantined] == ["A-1"]


def test_an_empty_side_is_on_every_grid() -> None:
    rows = rows_of(page(listed("A-1", bid=None, ask=None)), FED, HOUR, AT_US)
    assert [one.probability_bucket for one in rows.snapshots] == [None]


def test_what_the_adapter_could_not_read_is_kept_as_received() -> None:
    rows = rows_of(page(unreadable("A-1")), FED, HOUR, AT_US)
    assert [(one.name, one.reason) for one in rows.quarantined] == [("A-1", "no close_time")]


def test_a_scan_of_the_exchange_stores_only_what_is_open() -> None:
    closed = changed(listed("A-2"), status=MarketStatus.CLOSED)
    rows = rows_of(page(listed("A-1"), closed), None, HOUR, AT_US)
    assert [(one.market_id, one.series_ticker) for one in rows.snapshots] == [("A-1", None)]
    assert [one.macro_event_type for one in rows.snapshots] == ["other"]


def test_the_calibration_fields_come_from_series_and_quotes_never_from_the_ticker() -> None:
    misleading = listed("KXCPI-26DEC-T0.3", bid=9_000, ask=9_600)
    [one] = rows_of(page(misleading), FED, HOUR, AT_US).snapshots
    assert one.macro_event_type == "fed_rate"
    assert one.event_ticker == "KXCPI-26DEC"
    assert one.probability_bucket == "0.85-0.95"
