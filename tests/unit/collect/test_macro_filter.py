"""Exact names only, and buckets without a rounding."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.collect.macro_filter import MACRO_SERIES, OTHER, classify, probability_bucket
from bot.domain.ids import SeriesTicker
from bot.domain.money import Price


@pytest.mark.parametrize(
    ("series", "event_type", "group"),
    [
        ("KXFED", "fed_rate", "fomc"),
        ("FED", "fed_rate", "fomc"),
        ("KXFEDDECISION", "fed_decision", "fomc"),
        ("FEDDECISION", "fed_decision", "fomc"),
        ("KXFEDHIKE", "fed_path", "fomc"),
        ("KXRATECUTCOUNT", "fed_path", "fomc"),
        ("KXCPI", "cpi_mom", "cpi"),
        ("CPI", "cpi_mom", "cpi"),
        ("KXCPIYOY", "cpi_yoy", "cpi"),
        ("KXCPICORE", "cpi_core_mom", "cpi"),
        ("KXCPICOREYOY", "cpi_core_yoy", "cpi"),
        ("KXECONSTATCPIYOY", "cpi_yoy_partition", "cpi"),
        ("KXPAYROLLS", "nfp", "employment"),
        ("PAYROLLS", "nfp", "employment"),
        ("PROLLS", "nfp", "employment"),
        ("KXU3", "unemployment", "employment"),
        ("U3", "unemployment", "employment"),
        ("KXUNEMPLOYMENT", "unemployment", "employment"),
        ("KXJOBLESSCLAIMS", "claims", "claims"),
        ("JOBLESS", "claims", "claims"),
        ("KXGDP", "gdp", "gdp"),
    ],
)
def test_current_and_legacy_names_are_one_release(series, event_type, group) -> None:
    found = classify(SeriesTicker(series))
    assert (found.event_type, found.release_group) == (event_type, group)


@pytest.mark.parametrize(
    "series",
    ["KXFEDCHAIR", "KXCPINDEX", "KXUSGASCPI", "KXTOBACCPI", "KXSHELTERCPI", "KXUE-AUS", "KX", ""],
)
def test_a_name_that_only_begins_or_ends_like_a_release_is_other(series) -> None:
    assert classify(SeriesTicker(series)) is OTHER


def test_a_market_without_a_series_is_other() -> None:
    assert classify(None) is OTHER


@given(st.sampled_from(MACRO_SERIES), st.text("ABCXYZ-0123456789", min_size=1, max_size=4))
def test_no_prefix_of_a_longer_name_is_ever_taken(series, tail) -> None:
    longer = SeriesTicker(series + tail)
    assert classify(longer) is OTHER or longer in MACRO_SERIES


def test_the_default_series_are_all_macro_and_listed_once() -> None:
    assert OTHER not in {classify(series) for series in MACRO_SERIES}
    assert len(set(MACRO_SERIES)) == len(MACRO_SERIES)


@pytest.mark.parametrize(
    ("bid", "ask", "bucket"),
    [
        (0, 0, "0.00-0.05"),
        (400, 599, "0.00-0.05"),
        (400, 600, "0.05-0.15"),
        (1_500, 1_500, "0.15-0.35"),
        (4_700, 5_200, "0.35-0.65"),
        (9_499, 9_501, "0.95-1.00"),
        (10_000, 10_000, "0.95-1.00"),
    ],
)
def test_a_bucket_holds_its_lower_edge(bid, ask, bucket) -> None:
    assert probability_bucket(Price(bid), Price(ask)) == bucket


@pytest.mark.parametrize(("bid", "ask"), [(None, 5_000), (5_000, None), (None, None)])
def test_a_one_sided_book_has_no_bucket(bid, ask) -> None:
    assert probability_bucket(bid, ask) is None


PRICES = st.integers(0, 10_000).map(Price)


@given(PRICES, PRICES)
def test_the_bucket_named_is_the_one_that_holds_the_mid(bid, ask) -> None:
    name = probability_bucket(bid, ask)
    assert name is not None
    low, high = map(Decimal, name.split("-"))
    mid = Decimal(bid + ask) / 20_000
    assert low <= mid < high or mid == high == 1
