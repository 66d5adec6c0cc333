"""WebSocket bodies."""

import json
from dataclasses import replace

from bot.domain.ids import ClientOrderId, MarketTicker
from bot.domain.money import Price, Quantity
from bot.domain.orders import BookSide
from bot.domain.quotes import BookLevel, BookSnapshot
from bot.simulator import frames
from bot.simulator.catalog import TAPERED_GRID
from bot.venue.accounts import AccountId
from bot.venue.events import BookChanged, MarketChanged
from bot.venue.markets import MarketChange, MarketResult
from tests.support.exchange import START_US, TICKER, stand

BOOK = BookSnapshot(
    ticker=MarketTicker(TICKER),
    bids=(BookLevel(Price(4_700), Quantity(300)),),
    asks=(BookLevel(Price(5_200), Quantity(200)),),
    received_us=0,
    clock=9,
)
DELTA = BookChanged(
    ticker=MarketTicker(TICKER), side=BookSide.ASK, price=Price(5_200), change=Quantity(-100),
    clock=10, account=AccountId("a"), client_order_id=ClientOrderId("mine"), at_us=START_US,
)  # fmt: skip


def test_the_no_side_has_two_price_views() -> None:
    info = stand().exchange.catalog.markets[TICKER]
    leg = json.loads(frames.snapshot_msg(info, BOOK, use_yes_price=False))
    assert leg["no_dollars_fp"] == [["0.4800", "2.00"]]
    assert leg["clock"] == 9
    yes = json.loads(frames.snapshot_msg(info, BOOK, use_yes_price=True))
    assert yes["no_dollars_fp"] == [["0.5200", "2.00"]]
    assert yes["yes_dollars_fp"] == leg["yes_dollars_fp"] == [["0.4700", "3.00"]]
    assert (
        json.loads(frames.delta_msg(info, DELTA, None, use_yes_price=False))["price_dollars"]
        == "0.4800"
    )
    assert (
        json.loads(frames.delta_msg(info, DELTA, None, use_yes_price=True))["price_dollars"]
        == "0.5200"
    )


def test_an_empty_side_has_no_key() -> None:
    info = stand().exchange.catalog.markets[TICKER]
    empty = json.loads(frames.snapshot_msg(info, replace(BOOK, bids=()), use_yes_price=False))
    assert "yes_dollars_fp" not in empty


def test_only_the_owner_learns_whose_order_moved() -> None:
    info = stand().exchange.catalog.markets[TICKER]
    foreign = json.loads(frames.delta_msg(info, DELTA, None, use_yes_price=False))
    assert not {"client_order_id", "subaccount"} & set(foreign)
    own = json.loads(frames.delta_msg(info, DELTA, 0, use_yes_price=False))
    assert (own["client_order_id"], own["subaccount"]) == ("mine", 0)


def test_a_life_is_told_but_for_what_the_venue_keeps_silent() -> None:
    made = stand()
    info, view = made.exchange.catalog.markets[TICKER], made.exchange.market(TICKER)
    assert view is not None

    def told(change: MarketChange, **changes: object) -> dict[str, object] | None:
        event = MarketChanged(
            change=change,
            market=replace(view, **changes),
            at_us=START_US,  # type: ignore[type-var]
        )
        body = frames.lifecycle_msg(info, event)
        return None if body is None else dict(json.loads(body))

    for silent in (MarketChange.OPENED, MarketChange.CLOSED, MarketChange.DISPUTED):
        assert told(silent) is None
    created = told(MarketChange.CREATED)
    assert created is not None
    assert created["event_type"] == "created"
    assert created["close_ts"] == view.close_us // 1_000_000
    determined = told(
        MarketChange.DETERMINED, result=MarketResult.YES, settlement_value=Price(10_000)
    )
    assert determined is not None
    assert (determined["result"], determined["settlement_value"]) == ("yes", "1.0000")
    grid = told(MarketChange.GRID_UPDATED, grid=TAPERED_GRID)
    assert grid is not None
    assert grid["price_level_structure"] == "tapered_deci_cent"


def test_a_ticker_counts_what_was_traded_before_the_simulation() -> None:
    made = stand()
    info, view = made.exchange.catalog.markets[TICKER], made.exchange.market(TICKER)
    assert view is not None
    prior = replace(info, prior_volume=Quantity(50_000), prior_open_interest=Quantity(20_000))
    body = json.loads(frames.ticker_msg(prior, view, START_US))
    assert (body["volume_fp"], body["dollar_volume"]) == ("500.00", 250)
    assert (body["yes_bid_dollars"], body["yes_ask_dollars"]) == ("0.4500", "0.5500")
    assert body["ts_ms"] == START_US // 1_000
