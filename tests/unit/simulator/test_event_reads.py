"""Series and events."""

from bot.kit.times import HOUR_US
from tests.support.exchange import START_US, TICKER, Stand, list_market, stand

NOW_S = START_US // 1_000_000


def three_markets() -> Stand:
    made = stand()
    list_market(made, "KXOTHER-26DEC-A", closes_us=START_US + 2 * HOUR_US)
    list_market(made, "KXMVEX-26DEC-A", closes_us=START_US + 3 * HOUR_US)
    return made


def test_events_nest_their_markets_or_set_them_beside() -> None:
    made = stand()
    beside = made.call("GET", "/events/KXTEST-26NOV").body
    assert [market["ticker"] for market in beside["markets"]] == [TICKER]
    assert "markets" not in beside["event"]
    inside = made.call("GET", "/events/KXTEST-26NOV?with_nested_markets=true").body
    assert [market["ticker"] for market in inside["event"]["markets"]] == [TICKER]
    assert made.call("GET", "/events/KXTEST-26NOV?exclude_markets=true").body["markets"] == []
    both = made.call("GET", "/events/KXTEST-26NOV?exclude_markets=true&with_nested_markets=true")
    assert both.status == 400
    assert made.call("GET", "/events/KXNONE").status == 404
    assert made.call("GET", "/events/KXTEST-26NOV/metadata").body["market_details"]


def test_events_and_series_are_filtered() -> None:
    made = three_markets()

    def events(query: str) -> list[str]:
        rows = made.call("GET", f"/events?{query}").body["events"]
        return sorted(row["event_ticker"] for row in rows)

    assert events("series_ticker=KXTEST") == ["KXTEST-26NOV"]
    assert len(events("status=open")) == 3
    assert events("status=settled") == []
    assert events(f"min_close_ts={NOW_S + 9_000}") == ["KXMVEX-26DEC"]
    assert made.call("GET", "/events?status=paused").status == 400
    assert made.call("GET", "/events?limit=201").status == 400
    assert len(made.call("GET", "/series?category=Economics&tags=Macro").body["series"]) == 3
    assert made.call("GET", "/series?category=Sports").body["series"] == []
    series = made.call("GET", "/series/KXTEST?include_volume=true").body["series"]
    assert (series["fee_type"], series["fee_multiplier"]) == ("quadratic", 1.0)
    assert series["volume_fp"] == "0.00"
    assert made.call("GET", "/series/KXNONE").status == 404


def test_nothing_is_announced_that_never_happens() -> None:
    made = stand()
    assert made.call("GET", "/series/fee_changes").body == {"series_fee_change_arr": []}
    assert made.call("GET", "/events/fee_changes").body["event_fee_changes"] == []
    assert made.call("GET", "/events/multivariate").body["events"] == []
    assert made.call("GET", "/events/KXNONE/metadata").status == 404


def test_archived_markets_are_not_nested_any_more() -> None:
    made = stand(historical_after_us=24 * HOUR_US)
    made.call("POST", f"/admin/markets/{TICKER}/determine", {"result": "yes"})
    made.advance(HOUR_US)
    made.advance(48 * HOUR_US)
    [event] = made.call("GET", "/events?with_nested_markets=true&series_ticker=KXTEST").body[
        "events"
    ]
    assert event["markets"] == []
