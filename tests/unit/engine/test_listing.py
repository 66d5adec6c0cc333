"""Which markets there are, with the terms that their series and events state."""

from dataclasses import replace

import pytest

from bot.domain.errors import ExchangeUnavailable, InvalidMessage, RequestRefused
from bot.domain.market import FeeTerms
from bot.engine.listing import read_listings, read_markets
from bot.ports.exchange import EventTerms
from tests.fakes.exchange import FREE, FakeExchange
from tests.fakes.listing import listed, page


def exchange_with(**pages: object) -> FakeExchange:
    exchange = FakeExchange()
    for series, found in pages.items():
        for cursor, one in found.items():
            exchange.pages[series, cursor] = one
    return exchange


async def test_every_page_is_read_and_carries_the_terms_of_series_and_event() -> None:
    exchange = exchange_with(
        KXCPI={"": page(listed("KXCPI-A-1"), cursor="2"), "2": page(listed("KXCPI-B-1"))}
    )
    own = FeeTerms(fee_type="flat", multiplier_e6=5)
    exchange.terms["KXCPI"] = [
        EventTerms(event_ticker="KXCPI-A", is_exclusive=True, fees=own),
        EventTerms(event_ticker="KXCPI-B", is_exclusive=True, fees=None),
    ]
    first, second = await read_listings(exchange, ["KXCPI"])
    assert (first.fees, first.is_exclusive, first.release_group) == (own, True, "cpi")
    assert (second.fees, second.market.ticker) == (FREE, "KXCPI-B-1")


async def test_a_series_of_no_release_stands_for_itself() -> None:
    exchange = exchange_with(KXBTC={"": page(listed("KXBTC-A-1"))})
    (found,) = await read_listings(exchange, ["KXBTC"])
    assert (found.release_group, found.is_exclusive) == ("", False)


async def test_a_cursor_that_comes_back_ends_the_reading_without_doubles() -> None:
    exchange = exchange_with(
        KXCPI={"": page(listed("K-1"), cursor="2"), "2": page(listed("K-1"), cursor="2")}
    )
    assert [one.market.ticker for one in await read_listings(exchange, ["KXCPI"])] == ["K-1"]
    assert len(exchange.named("market_page")) == 2


@pytest.mark.parametrize("fault", [ExchangeUnavailable("down"), InvalidMessage("odd")])
async def test_one_series_that_cannot_be_read_hides_no_other(fault: Exception) -> None:
    exchange = exchange_with(A={"": page(listed("A-1"))}, B={"": page(listed("B-1"))})
    exchange.faults["fee_terms"] = [fault]
    assert [one.market.ticker for one in await read_listings(exchange, ["A", "B"])] == ["B-1"]


async def test_if_no_series_can_be_read_that_is_a_fault_and_no_empty_market() -> None:
    exchange = FakeExchange()
    exchange.faults["fee_terms"] = [ExchangeUnavailable("down"), ExchangeUnavailable("down")]
    with pytest.raises(ExchangeUnavailable, match="no series"):
        await read_listings(exchange, ["A", "B"])


async def test_a_series_the_venue_does_not_list_is_an_answer() -> None:
    exchange = FakeExchange()
    exchange.faults["fee_terms"] = [RequestRefused(404, "not_found", "")]
    assert await read_listings(exchange, ["GONE"]) == []


async def test_single_markets_are_read_whatever_their_status_with_the_usual_fees() -> None:
    exchange = exchange_with()
    exchange.pages[None, ""] = page(listed("A-1"), listed("B-1"))
    found = await read_markets(exchange, ["A-1", "B-1"])
    assert [one.market.ticker for one in found] == ["A-1", "B-1"]
    assert {replace(one.fees) for one in found} == {
        FeeTerms(fee_type="quadratic", multiplier_e6=1_000_000)
    }
    assert await read_markets(exchange, []) == []
    assert len(exchange.named("market_page")) == 1
