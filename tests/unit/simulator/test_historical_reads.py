"""The historical tier."""

import pytest

from bot.kit.times import DAY_US, MINUTE_US
from tests.support.exchange import TICKER, stand


def test_old_settled_markets_move_to_the_historical_tier() -> None:
    made = stand(historical_after_us=DAY_US)
    made.call("POST", f"/admin/markets/{TICKER}/determine", {"result": "yes"})
    made.advance(MINUTE_US)
    assert made.call("GET", "/historical/markets").body["markets"] == []
    made.advance(2 * DAY_US)
    assert made.call("GET", f"/markets/{TICKER}").status == 404
    assert made.call("GET", "/markets").body["markets"] == []
    found = made.call("GET", "/historical/markets?series_ticker=KXTEST").body["markets"]
    assert [market["ticker"] for market in found] == [TICKER]
    assert made.call("GET", f"/historical/markets/{TICKER}").status == 200


def test_live_and_historical_trades_are_apart() -> None:
    made = stand(historical_after_us=DAY_US)
    made.order(price="0.5500", count="2.00")
    assert made.call("GET", "/historical/trades").body["trades"] == []
    made.advance(2 * DAY_US)
    assert made.call("GET", "/markets/trades").body["trades"] == []
    assert len(made.call("GET", "/historical/trades").body["trades"]) == 1
    assert made.call("GET", "/historical/cutoff").body["market_settled_ts"].endswith("Z")
    assert made.call("GET", f"/historical/markets/{TICKER}").status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/historical/orders?limit=1001",
        "/historical/fills?min_ts=soon",
        "/historical/positions?max_ts=9223372036854775808",
        "/historical/markets?mve_filter=nonsense",
    ],
)
def test_parameters_of_empty_lists_are_checked_too(path: str) -> None:
    assert stand().call("GET", path).status == 400
