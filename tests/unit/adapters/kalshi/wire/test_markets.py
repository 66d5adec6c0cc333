"""Listings, books, status and fee terms, by hand and from recordings."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.kalshi.wire import markets
from bot.domain.errors import InvalidMessage
from bot.domain.ids import MarketTicker, SeriesTicker
from bot.domain.market import MarketStatus
from tests.fakes.recordings import recordings

MARKET: dict[str, object] = {
    "ticker": "KXFOO-26NOV30-T1",
    "event_ticker": "KXFOO-26NOV30",
    "status": "active",
    "exchange_index": 2,
    "open_time": "2026-11-01T00:00:00Z",
    "close_time": "2026-11-30T15:00:00Z",
    "price_ranges": [
        {"start": "0.0000", "end": "0.1000", "step": "0.0010"},
        {"start": "0.1000", "end": "1.0000", "step": "0.0100"},
    ],
    "yes_bid_dollars": "0.4700",
    "yes_ask_dollars": "1.0000",
    "yes_bid_size_fp": "3.00",
    "yes_ask_size_fp": "0.00",
    "last_price_dollars": "0.0000",
    "volume_fp": "33896.25",
    "volume_24h_fp": "1.00",
    "open_interest_fp": "2.00",
    "title": "Foo",
    "strike_type": "brand_new_kind",
    "floor_strike": 79625.14,
    "result": "",
    "a_field_of_next_year": {"x": [1]},
}


def page(*rows: object, cursor: str = "") -> bytes:
    return json.dumps({"markets": list(rows), "cursor": cursor}).encode()


def test_a_market_is_read_on_the_yes_leg() -> None:
    listed = markets.read_market_page(page(MARKET), SeriesTicker("KXFOO")).markets[0]
    market = listed.market
    assert market.series_ticker == "KXFOO"
    assert market.status is MarketStatus.ACTIVE
    assert (market.yes_bid, market.yes_ask) == (4700, None)
    assert market.last_price is None
    assert market.volume == 3_389_625
    assert market.floor_strike == "79625.14"
    assert market.strike_type == "brand_new_kind"
    assert market.settlement_value is None
    assert market.grid.accepts(market.grid.bands[0].step)
    assert json.loads(listed.raw) == MARKET


@pytest.mark.parametrize(
    "change",
    [
        {"status": "settled_twice"},
        {"yes_bid_dollars": 0.47},
        {"yes_bid_dollars": "0.47001"},
        {"volume_fp": "-1.00"},
        {"price_ranges": []},
        {"price_ranges": [{"start": "0.5", "end": "0.4", "step": "0.01"}]},
        {"close_time": "tomorrow"},
        {"floor_strike": [1]},
        {"event_ticker": None},
    ],
)
def test_a_bad_market_is_set_aside_and_the_others_stay(change: dict[str, object]) -> None:
    found = markets.read_market_page(page(MARKET, MARKET | change, 7, cursor="abc"), None)
    assert [one.market.ticker for one in found.markets] == [MARKET["ticker"]]
    assert [one.name for one in found.quarantined] == [MARKET["ticker"], "?"]
    assert all(one.reason for one in found.quarantined)
    assert found.cursor == "abc"


def test_a_field_nobody_documented_is_named_and_no_fault() -> None:
    plain = {name: value for name, value in MARKET.items() if name != "a_field_of_next_year"}
    odd = plain | {"moon_phase": {"full": True}}
    found = markets.read_market_page(page(plain, odd, odd, cursor=""), None, 7)
    assert len(found.markets) == 3
    assert found.quarantined == ()
    assert found.unknown_fields == ("moon_phase", "moon_phase")
    assert found.server_us == 7
    assert json.loads(found.markets[1].raw) == odd


@pytest.mark.parametrize(
    "body", [b"{}", b'{"error":{"code":"x"}}', b"[]", b'{"markets":{}}', b'{"markets":[}']
)
def test_a_page_without_its_list_is_no_empty_page(body: bytes) -> None:
    with pytest.raises(InvalidMessage):
        markets.read_market_page(body, None)


def test_a_rest_book_prices_no_on_its_own_leg() -> None:
    body = b"""{"orderbook_fp":{"yes_dollars":[["0.4600","10.00"],["0.4700","3.00"]],
        "no_dollars":[["0.4700","1.00"],["0.4800","3.00"]]}}"""
    book = markets.read_order_book(body, MarketTicker("A"), 5)
    assert [(level.price, level.quantity) for level in book.bids] == [(4700, 300), (4600, 1000)]
    assert [(level.price, level.quantity) for level in book.asks] == [(5200, 300), (5300, 100)]


def test_a_crossed_book_is_refused() -> None:
    body = b'{"orderbook_fp":{"yes_dollars":[["0.5200","1.00"]],"no_dollars":[["0.4800","1.00"]]}}'
    with pytest.raises(InvalidMessage, match="crossed"):
        markets.read_order_book(body, MarketTicker("A"), 5)


def test_empty_sides_may_be_missing_lists() -> None:
    body = b'{"orderbook_fp":{"yes_dollars":null,"no_dollars":[]}}'
    book = markets.read_order_book(body, MarketTicker("A"), 5)
    assert (book.bids, book.asks) == ((), ())


@pytest.mark.parametrize("text, millionths", [("1", 1_000_000), ("0.5", 500_000), ("0", 0)])
def test_fee_terms_are_exact_and_their_type_open(text: str, millionths: int) -> None:
    body = f'{{"series":{{"fee_type":"fees_of_2027","fee_multiplier":{text}}}}}'
    terms = markets.read_fee_terms(body.encode())
    assert (terms.fee_type, terms.multiplier_e6) == ("fees_of_2027", millionths)


def test_a_status_carries_the_servers_time() -> None:
    body = b"""{"exchange_active":true,"trading_active":false,
        "exchange_estimated_resume_time":"2026-11-26T10:00:00Z"}"""
    status = markets.read_status(body, 7)
    assert (status.is_exchange_active, status.is_trading_active) == (True, False)
    assert status.resume_us == 1_795_687_200_000_000
    assert status.server_us == 7


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for read in (
        lambda: markets.read_market_page(body, None),
        lambda: markets.read_market(body),
        lambda: markets.read_order_book(body, MarketTicker("A"), 0),
        lambda: markets.read_fee_terms(body),
        lambda: markets.read_status(body, None),
    ):
        with pytest.raises(InvalidMessage):
            read()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@given(st.sampled_from(sorted(MARKET)), json_values)
def test_a_market_with_one_field_replaced_is_read_or_set_aside(name: str, value: object) -> None:
    body = msgspec.json.encode({"markets": [MARKET | {name: value}], "cursor": ""})
    found = markets.read_market_page(body, None)
    assert len(found.markets) + len(found.quarantined) == 1


def _market_objects(value: object) -> Iterator[dict[str, object]]:
    if isinstance(value, dict):
        if "ticker" in value and "price_ranges" in value and "yes_bid_dollars" in value:
            yield value
        for inner in value.values():
            yield from _market_objects(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _market_objects(inner)


def _read_all(path: Path) -> int:
    count = 0
    for row in _market_objects(json.loads(path.read_text())):
        listed = markets.read_listed(msgspec.json.encode(row), None)
        assert listed.market.ticker == row["ticker"]
        count += 1
    return count


def test_every_recorded_market_is_read() -> None:
    counts = [
        _read_all(path)
        for folder in ("rest_2026-08", "wire_samples_2026-06")
        for path in sorted(recordings(folder).glob("*.json"))
    ]
    assert sum(counts) > 300


def test_recorded_fee_terms_grids_books_and_status_are_read() -> None:
    folder = recordings("rest_2026-08")
    series = json.loads((folder / "series_fee_fields.json").read_text())["payloads"]
    terms = {
        name: markets.read_fee_terms(json.dumps(body).encode()) for name, body in series.items()
    }
    assert {one.multiplier_e6 for one in terms.values()} <= {500_000, 1_000_000}
    single = json.loads((folder / "market_single.json").read_text())["orderbook"]
    book = markets.read_order_book(json.dumps(single).encode(), MarketTicker("A"), 0)
    assert book.bids[0].price < book.asks[0].price
    samples = recordings("wire_samples_2026-06")
    assert markets.read_status((samples / "exchange__status.json").read_bytes(), None)
    assert markets.read_order_book(
        (samples / "orderbook__base.json").read_bytes(), MarketTicker("A"), 0
    )
