"""The official client, ``kalshi-python-async``, trades; only the base address is changed.

Usage: ``python official_trades.py STAGE``, a JSON file with ``base_url``,
``key_id``, ``private_pem`` and a quoted ``ticker``. Prints one line of JSON for
each step. The official client has no WebSocket.
"""

import asyncio
import json
import sys
import uuid
from importlib.metadata import version
from pathlib import Path

import kalshi_python_async as kalshi
from kalshi_python_async.auth import KalshiAuth


def _step(name: str, *, ok: bool, detail: object = "") -> None:
    sys.stdout.write(json.dumps({"step": name, "ok": ok, "detail": str(detail)}) + "\n")


def _order(ticker: str, **changes: object) -> dict[str, object]:
    return {
        "ticker": ticker,
        "client_order_id": str(uuid.uuid4()),  # noqa: TID251 - no id factory here
        "side": "bid",
        "count": "5.00",
        "price": "0.0100",
        "time_in_force": "good_till_canceled",
        "self_trade_prevention_type": "taker_at_cross",
    } | changes


async def main(stage: dict[str, str]) -> None:
    """Read, place, amend, decrease, cancel, fill, group."""
    client = kalshi.ApiClient(kalshi.Configuration(host=stage["base_url"]))
    # Its own set_kalshi_auth raises NameError in 3.34.0: the class is not imported there.
    client.kalshi_auth = KalshiAuth(stage["key_id"], stage["private_pem"])
    ticker = stage["ticker"]
    try:
        await _reads(client, ticker)
        await _writes(kalshi.OrdersApi(client), ticker)
        await _batches(kalshi.OrdersApi(client), ticker)
        await _results(client, ticker)
        await _groups(kalshi.OrderGroupsApi(client))
    finally:
        await client.close()


async def _reads(client: kalshi.ApiClient, ticker: str) -> None:
    _step("version", ok=True, detail=version("kalshi-python-async"))
    status = await kalshi.ExchangeApi(client).get_exchange_status()
    _step("exchange status", ok=status.trading_active is True)
    markets = await kalshi.MarketApi(client).get_markets(status="open", limit=1000)
    _step(
        "markets", ok=ticker in {one.ticker for one in markets.markets}, detail=len(markets.markets)
    )
    book = await kalshi.MarketApi(client).get_market_orderbook(ticker=ticker)
    _step("orderbook", ok=bool(book.orderbook_fp.yes_dollars and book.orderbook_fp.no_dollars))
    events = await kalshi.EventsApi(client).get_events(with_nested_markets=True, limit=5)
    _step("events", ok=all(event.markets for event in events.events), detail=len(events.events))
    balance = await kalshi.PortfolioApi(client).get_balance()
    _step("balance", ok=balance.balance > 0, detail=balance.balance)


async def _writes(orders: kalshi.OrdersApi, ticker: str) -> None:
    made = await orders.create_order_v2(**_order(ticker))
    _step("place", ok=made.remaining_count == "5.00" and made.fill_count == "0.00")
    read = await orders.get_order(order_id=made.order_id)
    _step("get order", ok=str(read.order.status.value) == "resting", detail=read.order.status)
    amended = await orders.amend_order_v2(
        order_id=made.order_id, ticker=ticker, side="bid", price="0.0200", count="7.00"
    )
    _step("amend", ok=amended.order_id == made.order_id and amended.remaining_count == "7.00")
    less = await orders.decrease_order_v2(order_id=made.order_id, reduce_by="3.00")
    _step("decrease", ok=less.remaining_count == "4.00")
    gone = await orders.cancel_order_v2(order_id=made.order_id)
    _step("cancel", ok=gone.reduced_by == "4.00")
    taker = {"price": "0.9900", "count": "1.00", "time_in_force": "immediate_or_cancel"}
    filled = await orders.create_order_v2(**_order(ticker, **taker))
    _step("fill", ok=filled.fill_count == "1.00", detail=filled.average_fill_price)
    try:
        await orders.create_order_v2(**_order(ticker, price="0.0155"))
    except kalshi.exceptions.BadRequestException as error:
        _step("refusal", ok="invalid_price" in str(error.body))
    else:
        _step("refusal", ok=False)
    try:
        await orders.cancel_order_v2(order_id=made.order_id)
    except kalshi.exceptions.NotFoundException:
        _step("cancel twice", ok=True)
    else:
        _step("cancel twice", ok=False)


async def _batches(orders: kalshi.OrdersApi, ticker: str) -> None:
    made = await orders.batch_create_orders_v2(orders=[_order(ticker), _order(ticker)])
    ids = [{"order_id": one.order_id} for one in made.orders]
    gone = await orders.batch_cancel_orders_v2(orders=ids)
    _step("batch", ok=[one.reduced_by for one in gone.orders] == ["5.00", "5.00"])
    await orders.create_order_v2(**_order(ticker))
    await orders.cancel_all_orders()
    left = await orders.get_orders(status="resting")
    _step("cancel all", ok=not left.orders, detail=len(left.orders))


async def _results(client: kalshi.ApiClient, ticker: str) -> None:
    portfolio = kalshi.PortfolioApi(client)
    fills = await portfolio.get_fills(ticker=ticker)
    _step("fills", ok=len(fills.fills) == 1 and fills.fills[0].count_fp == "1.00")
    positions = await portfolio.get_positions(ticker=ticker)
    _step("positions", ok=positions.market_positions[0].position_fp == "1.00")


async def _groups(groups: kalshi.OrderGroupsApi) -> None:
    made = await groups.create_order_group(contracts_limit=10)
    await groups.trigger_order_group(order_group_id=made.order_group_id)
    read = await groups.get_order_group(order_group_id=made.order_group_id)
    _step("order group", ok=read.is_auto_cancel_enabled is False, detail=read.contracts_limit_fp)


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text())))
