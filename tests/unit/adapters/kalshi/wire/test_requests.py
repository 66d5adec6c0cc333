"""What leaves us: strings for numbers, seconds for times, nothing that was not meant."""

import json

import msgspec
import pytest

from bot.adapters.kalshi.wire.requests import (
    account_params,
    create_group_body,
    create_order_body,
    market_params,
)
from bot.domain.ids import (
    BracketId,
    ClientOrderId,
    Epoch,
    MarketTicker,
    OrderGroupId,
    SeriesTicker,
    SignalId,
    StrategyId,
)
from bot.domain.money import Price, Quantity
from bot.domain.orders import BookSide, OrderIntent, Purpose, TimeInForce
from bot.ports.exchange import MarketQuery

ENTRY = OrderIntent(
    client_order_id=ClientOrderId("c1"),
    epoch=Epoch(7),
    strategy_id=StrategyId("s"),
    signal_id=SignalId("g"),
    bracket_id=BracketId("b"),
    purpose=Purpose.ENTRY,
    ticker=MarketTicker("KXFOO-1"),
    exchange_index=2,
    side=BookSide.ASK,
    price=Price(560),
    quantity=Quantity(1001),
    time_in_force=TimeInForce.GOOD_TILL_CANCELED,
    post_only=True,
    reduce_only=False,
    expires_us=1_795_245_300_999_999,
    decided_us=1,
)


def test_an_entry_names_everything_it_means() -> None:
    body = json.loads(create_order_body(ENTRY, OrderGroupId("g1"), 3))
    assert body == {
        "ticker": "KXFOO-1",
        "client_order_id": "c1",
        "side": "ask",
        "count": "10.01",
        "price": "0.0560",
        "time_in_force": "good_till_canceled",
        "self_trade_prevention_type": "taker_at_cross",
        "exchange_index": 2,
        "post_only": True,
        "cancel_order_on_pause": True,
        "expiration_time": 1_795_245_300,
        "order_group_id": "g1",
        "subaccount": 3,
    }


def test_an_immediate_exit_carries_no_group_no_expiry_and_no_pause_wish() -> None:
    intent = msgspec.structs.replace(
        ENTRY,
        purpose=Purpose.STOP_LOSS,
        time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
        post_only=False,
        reduce_only=True,
        expires_us=None,
        exchange_index=0,
    )
    body = json.loads(create_order_body(intent, None, 0))
    assert body["reduce_only"] is True
    assert body["exchange_index"] == 0
    assert not body.keys() & {
        "order_group_id",
        "expiration_time",
        "post_only",
        "subaccount",
        "cancel_order_on_pause",
    }


def test_a_resting_take_profit_stays_through_a_pause() -> None:
    body = json.loads(
        create_order_body(msgspec.structs.replace(ENTRY, purpose=Purpose.TAKE_PROFIT), None, 0)
    )
    assert "cancel_order_on_pause" not in body


def test_a_group_states_its_limit_in_contracts() -> None:
    assert json.loads(create_group_body(Quantity(12_345), 1, 0)) == {
        "contracts_limit_fp": "123.45",
        "exchange_index": 1,
    }


@pytest.mark.parametrize(
    "query, expected",
    [
        (MarketQuery(), {"limit": "100", "status": "open", "mve_filter": "exclude"}),
        (
            MarketQuery(
                status=None,
                series_ticker=SeriesTicker("KXCPI"),
                tickers=(MarketTicker("A"), MarketTicker("B")),
                min_close_us=1_500_000,
                max_close_us=1_500_000,
                excludes_combos=False,
            ),
            {
                "limit": "100",
                "series_ticker": "KXCPI",
                "tickers": "A,B",
                "min_close_ts": "1",
                "max_close_ts": "2",
            },
        ),
        (
            MarketQuery(status=None, min_updated_us=0),
            {"limit": "100", "min_updated_ts": "0", "mve_filter": "exclude"},
        ),
    ],
)
def test_a_query_becomes_the_venues_filters(query: MarketQuery, expected: dict[str, str]) -> None:
    assert dict(market_params(query, "", 100)) == expected


def test_account_filters_always_name_the_subaccount() -> None:
    params = account_params(subaccount=0, since_us=1_999_999, extra=(("status", None), ("x", "y")))
    assert dict(params) == {"subaccount": "0", "min_ts": "1", "x": "y"}
