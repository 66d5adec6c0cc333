"""The public endpoints."""

import pytest

from bot.domain.orders import BookSide
from bot.kit.times import HOUR_US, MINUTE_US
from tests.support.exchange import START_US, TICKER, Stand, list_market, stand

NOW_S = START_US // 1_000_000


def tickers(made: Stand, query: str) -> list[str]:
    answer = made.call("GET", f"/markets?{query}")
    assert answer.status == 200, answer.body
    return [market["ticker"] for market in answer.body["markets"]]


def three_markets() -> Stand:
    made = stand()
    list_market(made, "KXOTHER-26DEC-A", closes_us=START_US + 2 * HOUR_US)
    list_market(made, "KXMVEX-26DEC-A", closes_us=START_US + 3 * HOUR_US)
    return made


def test_a_market_shows_its_quotes_in_dollars() -> None:
    market = stand().call("GET", f"/markets/{TICKER}").body["market"]
    assert market["yes_bid_dollars"] == "0.4500"
    assert market["yes_ask_dollars"] == "0.5500"
    assert market["no_bid_dollars"] == "0.4500"
    assert market["yes_bid_size_fp"] == "100.00"
    assert market["last_price_dollars"] == "0.0000"
    assert (market["status"], market["result"]) == ("active", "")
    assert market["price_ranges"] == [{"start": "0.0000", "end": "1.0000", "step": "0.0100"}]


def test_an_empty_side_reads_zero_and_one() -> None:
    made = stand()
    list_market(made, "KXOTHER-26DEC-A")
    market = made.call("GET", "/markets/KXOTHER-26DEC-A").body["market"]
    assert (market["yes_bid_dollars"], market["yes_ask_dollars"]) == ("0.0000", "1.0000")
    assert (market["no_bid_dollars"], market["no_ask_dollars"]) == ("0.0000", "1.0000")


def test_markets_are_filtered() -> None:
    made = three_markets()
    assert len(tickers(made, "")) == 3
    assert tickers(made, "series_ticker=KXTEST") == [TICKER]
    assert tickers(made, "event_ticker=KXOTHER-26DEC") == ["KXOTHER-26DEC-A"]
    assert tickers(made, f"tickers={TICKER},KXNONE") == [TICKER]
    assert tickers(made, "mve_filter=only") == ["KXMVEX-26DEC-A"]
    assert len(tickers(made, "mve_filter=exclude")) == 2
    assert tickers(made, f"min_close_ts={NOW_S + 9_000}") == ["KXMVEX-26DEC-A"]
    assert tickers(made, f"max_close_ts={NOW_S + 3_600}") == [TICKER]
    assert tickers(made, "status=settled") == []


@pytest.mark.parametrize(
    "query",
    [
        "min_close_ts=1&min_settled_ts=1",
        "status=open&min_close_ts=1",
        "status=open&max_settled_ts=1",
        "status=closed&min_created_ts=1",
        "min_updated_ts=1&event_ticker=E",
        "status=mars",
    ],
)
def test_filters_that_do_not_go_together_are_refused(query: str) -> None:
    answer = stand().call("GET", f"/markets?{query}")
    assert (answer.status, list(answer.body)) == (400, ["details"])


def test_a_market_goes_through_the_filter_words_of_its_life() -> None:
    made = stand()
    made.call("POST", f"/admin/markets/{TICKER}/deactivate", {})
    assert tickers(made, "status=paused") == [TICKER]
    made.call("POST", f"/admin/markets/{TICKER}/close", {})
    assert tickers(made, "status=closed") == [TICKER]
    made.call("POST", f"/admin/markets/{TICKER}/determine", {"result": "no"})
    assert tickers(made, "status=closed") == [TICKER]
    made.advance(MINUTE_US)
    assert tickers(made, "status=settled") == [TICKER]
    assert tickers(made, f"min_settled_ts={NOW_S}") == [TICKER]


def test_books_have_ascending_bids_of_both_legs() -> None:
    made = stand()
    made.house(BookSide.BID, 4_400, 7)
    made.house(BookSide.ASK, 6_000, 3)
    book = made.call("GET", f"/markets/{TICKER}/orderbook").body["orderbook_fp"]
    assert book["yes_dollars"] == [["0.4400", "7.00"], ["0.4500", "100.00"]]
    assert book["no_dollars"] == [["0.4000", "3.00"], ["0.4500", "100.00"]]
    best = made.call("GET", f"/markets/{TICKER}/orderbook?depth=1").body["orderbook_fp"]
    assert best["yes_dollars"] == [["0.4500", "100.00"]]
    assert made.call("GET", "/markets/KXNONE/orderbook").status == 404


def test_several_books_take_a_repeated_parameter_and_no_commas() -> None:
    made = three_markets()
    both = made.call("GET", f"/markets/orderbooks?tickers={TICKER}&tickers=KXOTHER-26DEC-A")
    assert [row["ticker"] for row in both.body["orderbooks"]] == [TICKER, "KXOTHER-26DEC-A"]
    comma = made.call("GET", f"/markets/orderbooks?tickers={TICKER},KXOTHER-26DEC-A")
    assert comma.body["orderbooks"] == []
    assert made.call("GET", "/markets/orderbooks").status == 400


def test_trades_are_public_and_newest_first() -> None:
    made = stand()
    made.order(price="0.5500", count="2.00")
    made.advance(1_000_000)
    made.order(price="0.4500", side="ask", count="3.00")
    rows = made.call("GET", f"/markets/trades?ticker={TICKER}").body["trades"]
    assert [row["count_fp"] for row in rows] == ["3.00", "2.00"]
    assert [row["taker_outcome_side"] for row in rows] == ["no", "yes"]
    later = made.call("GET", f"/markets/trades?min_ts={NOW_S + 1}").body["trades"]
    assert [row["count_fp"] for row in later] == ["3.00"]
    assert made.call("GET", "/markets/trades?ticker=KXNONE").body["trades"] == []
    assert made.call("GET", "/markets/trades?is_block_trade=true").body["trades"] == []


def test_a_listing_may_be_older_than_the_book() -> None:
    made = stand(listing_lag_us=15_000_000)
    first = made.call("GET", f"/markets/{TICKER}").body["market"]["yes_bid_dollars"]
    made.house(BookSide.BID, 4_600, 1)
    assert made.call("GET", f"/markets/{TICKER}").body["market"]["yes_bid_dollars"] == first
    made.advance(15_000_000)
    assert made.call("GET", f"/markets/{TICKER}").body["market"]["yes_bid_dollars"] == "0.4600"


def test_the_exchange_tells_its_hours_and_its_shards() -> None:
    made = stand()
    status = made.call("GET", "/exchange/status").body
    assert [shard["exchange_index"] for shard in status["exchange_index_statuses"]] == [0, 1, 2, 3]
    hours = made.call("GET", "/exchange/schedule").body["schedule"]["standard_hours"][0]
    assert len(hours["thursday"]) == 2
    assert hours["friday"] == [{"open_time": "00:00", "close_time": "00:00"}]
    assert made.call("GET", "/account/endpoint_costs").body["default_cost"] == 10
