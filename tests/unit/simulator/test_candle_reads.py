"""The candlestick endpoints."""

from bot.kit.times import DAY_US, MINUTE_US
from tests.support.exchange import START_US, TICKER, stand

NOW_S = START_US // 1_000_000
SPAN = f"start_ts={NOW_S - 60}&end_ts={NOW_S + 600}&period_interval=1"
ONE = f"/series/KXTEST/markets/{TICKER}/candlesticks"


def test_one_market_and_several_have_the_same_candles() -> None:
    made = stand()
    made.order(price="0.5500", count="2.00")
    one = made.call("GET", f"{ONE}?{SPAN}").body
    assert one["ticker"] == TICKER
    assert one["candlesticks"][-1]["volume_fp"] == "2.00"
    batch = made.call("GET", f"/markets/candlesticks?market_tickers={TICKER},KXNONE&{SPAN}").body
    assert batch["markets"] == [{"market_ticker": TICKER, "candlesticks": one["candlesticks"]}]
    event = made.call("GET", f"/series/KXTEST/events/KXTEST-26NOV/candlesticks?{SPAN}").body
    assert event["market_candlesticks"] == [one["candlesticks"]]


def test_an_archived_market_has_its_candles_in_the_archive_alone() -> None:
    made = stand(historical_after_us=DAY_US)
    made.order(price="0.5500", count="2.00")
    archive = f"/historical/markets/{TICKER}/candlesticks?{SPAN}"
    batch = f"/markets/candlesticks?market_tickers={TICKER}&{SPAN}"
    assert made.call("GET", archive).status == 404
    assert len(made.call("GET", batch).body["markets"]) == 1
    made.call("POST", f"/admin/markets/{TICKER}/determine", {"result": "yes"})
    made.advance(MINUTE_US)
    made.advance(2 * DAY_US)
    assert made.call("GET", f"{ONE}?{SPAN}").status == 404
    assert made.call("GET", batch).body["markets"] == []
    old = made.call("GET", archive).body
    assert "2.00" in {candle["volume"] for candle in old["candlesticks"]}
    event = made.call("GET", f"/series/KXTEST/events/KXTEST-26NOV/candlesticks?{SPAN}").body
    assert event["market_tickers"] == [TICKER]


def test_the_candle_before_the_span_can_be_asked_for() -> None:
    made = stand()
    later = f"start_ts={NOW_S + 300}&end_ts={NOW_S + 600}&period_interval=1"
    assert made.call("GET", f"{ONE}?{later}").body["candlesticks"] == []
    with_latest = made.call("GET", f"{ONE}?{later}&include_latest_before_start=true").body
    assert len(with_latest["candlesticks"]) == 1


def test_too_long_a_span_is_refused_in_the_venues_words() -> None:
    span = f"start_ts={NOW_S}&end_ts={NOW_S + 11_400 * 60}&period_interval=1"
    answer = stand().call("GET", f"{ONE}?{span}")
    assert answer.body == {
        "details": "requested time range with candlesticks: 11400.000000, max candlesticks: 5000"
    }


def test_a_bad_span_is_refused() -> None:
    made = stand()
    assert made.call("GET", ONE).status == 400
    assert made.call("GET", f"{ONE}?start_ts=5&end_ts=9&period_interval=7").status == 400
    assert made.call("GET", f"{ONE}?start_ts=9&end_ts=5&period_interval=1").status == 400
    assert made.call("GET", f"/markets/candlesticks?{SPAN}").status == 400
    missing = f"/series/KXTEST/events/KXNONE/candlesticks?{SPAN}"
    assert made.call("GET", missing).status == 404
