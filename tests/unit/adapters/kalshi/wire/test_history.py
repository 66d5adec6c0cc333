"""The past is read exactly, item by item, in both tiers' spellings."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.kalshi.wire import history
from bot.adapters.kalshi.wire.requests import candle_params, record_params, trade_params
from bot.domain.errors import InvalidMessage
from bot.domain.ids import MarketTicker, SeriesTicker
from bot.domain.orders import BookSide
from bot.ports.history_reads import CandleQuery, RecordQuery, TradeQuery
from bot.ports.market_history import Span
from tests.fakes.recordings import recordings

T = MarketTicker("KXFED-26DEC-T4")
FED = SeriesTicker("KXFED")


def market(**changes: Any) -> dict[str, Any]:
    body = {
        "ticker": T,
        "event_ticker": "KXFED-26DEC",
        "market_type": "binary",
        "status": "active",
        "title": "Above 4 %?",
        "open_time": "2026-11-01T00:00:00Z",
        "close_time": "2026-12-10T19:00:00Z",
        "latest_expiration_time": "2026-12-20T19:00:00Z",
        "created_time": "2026-10-31T00:00:00Z",
        "updated_time": "2026-11-02T00:00:00.5Z",
        "settlement_timer_seconds": 60,
        "can_close_early": True,
        "yes_bid_dollars": "0.4700",
        "yes_ask_dollars": "1.0000",
        "last_price_dollars": "0.0000",
        "volume_fp": "3.00",
        "volume_24h_fp": "0.00",
        "open_interest_fp": "2.00",
        "price_ranges": [{"start": "0.0000", "end": "1.0000", "step": "0.0100"}],
        "strike_type": "greater",
        "floor_strike": 4.25,
        "rules_primary": "If …",
        "custom_strike": {"a": "b"},
        "a_field_of_tomorrow": [1],
        "result": "",
        "expiration_value": "",
    }
    return body | changes


def event(**changes: Any) -> dict[str, Any]:
    body = {
        "event_ticker": "KXFED-26DEC",
        "series_ticker": "KXFED",
        "title": "Fed",
        "sub_title": "",
        "collateral_return_type": "MECNET",
        "mutually_exclusive": True,
        "strike_period": "hour",
        "fee_multiplier_override": 0.5,
        "last_updated_ts": "2026-11-02T00:00:00Z",
        "markets": [market()],
    }
    return body | changes


def candle(**changes: Any) -> dict[str, Any]:
    quote = {f"{part}_dollars": "0.4000" for part in ("open", "high", "low", "close")}
    body = {
        "end_period_ts": 1_790_462_280,
        "yes_bid": quote,
        "yes_ask": quote | {"high_dollars": "1.0000"},
        "price": {"previous_dollars": "0.4100"},
        "volume_fp": "0.00",
        "open_interest_fp": "425751.35",
    }
    return body | changes


def trade(**changes: Any) -> dict[str, Any]:
    body = {
        "trade_id": "0723a045",
        "ticker": T,
        "count_fp": "8.94",
        "yes_price_dollars": "0.7700",
        "no_price_dollars": "0.2300",
        "taker_outcome_side": "no",
        "taker_book_side": "ask",
        "taker_side": "no",
        "is_block_trade": False,
        "created_time": "2026-09-26T22:52:42.728645Z",
    }
    return body | changes


def encoded(body: object) -> bytes:
    return json.dumps(body).encode()


def test_an_event_is_read_with_its_markets() -> None:
    page = history.read_event_page(encoded({"events": [event()], "cursor": "x"}))
    [one], [listed] = page.events, page.markets
    assert (one.series_ticker, one.is_exclusive, one.strike_period) == (FED, True, "hour")
    assert (one.fee_type_override, one.fee_multiplier_override_e6) == (None, 500_000)
    assert (listed.series_ticker, listed.floor_strike, listed.cap_strike) == (FED, "4.25", None)
    assert (listed.yes_bid, listed.yes_ask, listed.last_price) == (4_700, None, None)
    assert json.loads(listed.details_json) == {
        "rules_primary": "If …",
        "custom_strike": {"a": "b"},
        "a_field_of_tomorrow": [1],
    }
    assert page.cursor == "x"


def test_one_unreadable_market_or_event_costs_no_other() -> None:
    markets = [market(), market(ticker="BAD", close_time="soon"), market(ticker="KXFED-26DEC-T5")]
    events = [event(markets=markets), event(event_ticker=""), {"no": "event"}, 7]
    page = history.read_event_page(encoded({"events": events, "cursor": ""}))
    assert len(page.events) == 1
    assert [each.ticker for each in page.markets] == [T, "KXFED-26DEC-T5", T]
    names = [each.name for each in page.quarantined]
    assert sorted(names) == ["BAD", "events", "events", "events"]


def test_the_result_of_a_settled_market_is_read() -> None:
    settled = market(
        status="finalized",
        result="scalar",
        settlement_value_dollars="0.3000",
        settlement_ts="2026-12-10T20:00:00Z",
        expiration_value="4.25",
    )
    page = history.read_record_page(encoded({"markets": [settled], "cursor": ""}), FED)
    [one] = page.markets
    assert (one.result, one.settlement_value) == ("scalar", 3_000)
    assert one.settled_us == 1_796_932_800_000_000
    assert json.loads(one.details_json)["expiration_value"] == "4.25"


def test_candles_of_both_tiers_are_alike() -> None:
    traded = {f"{part}_dollars": "0.4200" for part in ("open", "high", "low", "close")}
    traded |= {"mean_dollars": "0.420055", "previous_dollars": "0.4100"}
    live = candle(price=traded, volume_fp="5.00")
    body = {"markets": [{"market_ticker": T, "candlesticks": [candle(), live]}]}
    page = history.read_candle_batch(encoded(body), 1)
    plain, full = page.candles
    assert (plain.price, plain.mean, plain.previous, plain.volume) == (None, None, 4_100, 0)
    assert plain.ask == Span(4_000, 10_000, 4_000, 4_000)
    assert (full.price, full.mean) == (Span(4_200, 4_200, 4_200, 4_200), 4_200)
    assert full.end_us == 1_790_462_280_000_000
    assert page.known == {T}
    old = {
        "end_period_ts": 1_790_462_280,
        "yes_bid": dict.fromkeys(("open", "high", "low", "close"), "0.4000"),
        "yes_ask": {"open": "0.4000", "high": "1.0000", "low": "0.4000", "close": "0.4000"},
        "price": dict.fromkeys(("open", "high", "low", "close", "mean")) | {"previous": "0.4100"},
        "volume": "0.00",
        "open_interest": "425751.35",
    }
    archived = history.read_candles(encoded({"ticker": T, "candlesticks": [old]}), T, 1)
    assert archived.candles == (plain,)


def test_an_unreadable_candle_is_set_aside() -> None:
    body = {"ticker": T, "candlesticks": [candle(volume_fp=None), candle(yes_bid={}), candle()]}
    page = history.read_candles(encoded(body), T, 60)
    assert (len(page.candles), len(page.quarantined)) == (1, 2)


def test_trades_are_read_with_the_side_that_crossed() -> None:
    older = trade(trade_id="b", taker_side="yes", taker_book_side=None, taker_outcome_side=None)
    rows = [trade(), older, trade(trade_id=""), trade(yes_price_dollars="1.2")]
    page = history.read_trade_page(encoded({"trades": rows, "cursor": ""}), 9)
    first, second = page.trades
    assert (first.price, first.quantity, first.taker_side) == (7_700, 894, BookSide.ASK)
    assert (first.executed_us, first.received_us) == (1_790_463_162_728_645, 9)
    assert second.taker_side is BookSide.BID
    assert len(page.quarantined) == 2


def test_the_border_between_the_tiers_is_read() -> None:
    body = {
        "market_settled_ts": "2026-07-28T00:00:00Z",
        "trades_created_ts": "2026-07-29T00:00:00Z",
        "orders_updated_ts": "2026-09-12T00:00:00Z",
    }
    cutoff = history.read_history_cutoff(encoded(body))
    assert cutoff.trades_us - cutoff.markets_us == 86_400_000_000


READERS = [
    history.read_event_page,
    lambda body: history.read_record_page(body, FED),
    lambda body: history.read_candle_batch(body, 1),
    lambda body: history.read_candles(body, T, 1),
    lambda body: history.read_trade_page(body, 1),
    history.read_history_cutoff,
]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b'{"events":null,"markets":null}'])
def test_an_answer_without_its_list_is_no_empty_list(read, body: bytes) -> None:
    with pytest.raises(InvalidMessage):
        read(body)


json_like = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.sampled_from(["market", "event", "candle", "trade"]), st.data())
def test_whatever_a_field_holds_the_reader_answers_or_sets_aside(kind: str, data) -> None:
    make = {"market": market, "event": event, "candle": candle, "trade": trade}[kind]
    name = data.draw(st.sampled_from(sorted(make())))
    body = make(**{name: data.draw(json_like)})
    if kind == "market":
        page = history.read_record_page(encoded({"markets": [body]}), FED)
        assert len(page.markets) + len(page.quarantined) == 1
    elif kind == "event":
        page = history.read_event_page(encoded({"events": [body]}))
        assert len(page.events) + len(page.quarantined) >= 1
    elif kind == "candle":
        found = history.read_candles(encoded({"candlesticks": [body]}), T, 1)
        assert len(found.candles) + len(found.quarantined) == 1
    else:
        trades = history.read_trade_page(encoded({"trades": [body]}), 1)
        assert len(trades.trades) + len(trades.quarantined) == 1


def test_queries_are_written_as_the_venue_wants_them() -> None:
    span = CandleQuery(
        tickers=(T, MarketTicker("B")), start_us=1_000_001, end_us=61_900_000, period_minutes=1
    )
    assert candle_params(span) == (
        ("market_tickers", f"{T},B"),
        ("start_ts", "1"),
        ("end_ts", "61"),
        ("period_interval", "1"),
    )
    old = CandleQuery(
        tickers=(T,), start_us=0, end_us=60_000_000, period_minutes=1, is_archived=True
    )
    assert candle_params(old)[0] == ("start_ts", "0")
    # Outwards, so that no trade of a second is missed.
    query = TradeQuery(ticker=T, min_us=1_999_999, max_us=2_000_001)
    assert dict(trade_params(query, "c")) == {
        "limit": "1000",
        "cursor": "c",
        "ticker": T,
        "min_ts": "1",
        "max_ts": "3",
    }
    archived = RecordQuery(series_ticker=FED, tickers=(T,), is_archived=True)
    assert dict(record_params(archived, "")) == {"limit": "1000", "tickers": T}


# --- recorded answers ---------------------------------------------------------------------


def recorded(name: str) -> Any:
    return json.loads((recordings("rest_2026-08") / name).read_text())


def test_recorded_candles_are_read_whole() -> None:
    markets = recorded("candlesticks_mlb.json")["markets"]
    count = 0
    for ticker, body in markets.items():
        page = history.read_candles(encoded(body), MarketTicker(ticker), body["period_interval"])
        assert page.quarantined == ()
        assert len(page.candles) == len(body["candlesticks"])
        count += len(page.candles)
        for read, wire in zip(page.candles, body["candlesticks"], strict=True):
            assert f"{read.bid.close / 10_000:.4f}" == wire["yes_bid"]["close_dollars"]
            assert f"{read.volume / 100:.2f}" == wire["volume_fp"]
    assert count == 48


def test_a_recorded_game_is_read_from_market_to_minute() -> None:
    body = recorded("candlesticks_pregame_mlb.json")
    record = history.read_record(encoded(body["market"]), SeriesTicker(body["series_ticker"]))
    assert (record.result, record.status) == ("no", "finalized")
    answer = body["candlesticks_response"]
    page = history.read_candles(encoded(answer), record.ticker, 1)
    assert len(page.candles) == len(answer["candlesticks"])
    assert page.quarantined == ()


def test_recorded_events_are_read_with_every_market() -> None:
    props = recorded("events_mlb_props_nested.json")["events_by_series"]
    listings = [
        recorded("events_sports_nested.json"),
        recorded("events_nfl_preseason.json")["events"],
        *props.values(),
    ]
    for events in listings:
        page = history.read_event_page(encoded({"events": events, "cursor": ""}))
        assert page.quarantined == ()
        assert len(page.events) == len(events)
        assert len(page.markets) == sum(len(each["markets"]) for each in events) > 0


def test_recorded_settled_markets_are_read_with_their_results() -> None:
    body = recorded("markets_settled.json")
    rows = body["markets"]
    rows = rows if isinstance(rows, list) else list(rows.values())
    page = history.read_record_page(encoded({"markets": rows, "cursor": ""}), FED)
    assert page.quarantined == ()
    assert len(page.markets) == len(rows) > 30
    for read, wire in zip(page.markets, rows, strict=True):
        assert read.result == wire["result"]
