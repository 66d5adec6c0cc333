"""The third-party ``kalshi-sdk`` trades and listens; only the addresses are changed.

Usage: ``python sdk_trades.py STAGE``, a JSON file with ``base_url``, ``ws_url``,
``key_id``, ``private_pem`` and a quoted ``ticker``. Prints one line of JSON for
each step.
"""

import asyncio
import json
import sys
import uuid
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path

from kalshi import AsyncKalshiClient, KalshiAuth, KalshiConfig
from kalshi.errors import KalshiError
from kalshi.models.orders import (
    AmendOrderV2Request,
    BatchCreateOrdersV2Request,
    CreateOrderV2Request,
    DecreaseOrderV2Request,
)
from kalshi.ws import KalshiWebSocket

_WAIT_S = 5


def _step(name: str, *, ok: bool, detail: object = "") -> None:
    sys.stdout.write(json.dumps({"step": name, "ok": bool(ok), "detail": str(detail)}) + "\n")


def _order(ticker: str, **changes: object) -> CreateOrderV2Request:
    fields = {
        "ticker": ticker,
        "client_order_id": str(uuid.uuid4()),  # noqa: TID251 - no id factory here
        "side": "bid",
        "count": "5.00",
        "price": "0.0100",
        "time_in_force": "good_till_canceled",
        "self_trade_prevention_type": "taker_at_cross",
    }
    return CreateOrderV2Request(**(fields | changes))


async def main(stage: dict[str, str]) -> None:
    """Listen first, then trade, so that every channel has something to say."""
    _step("version", ok=True, detail=version("kalshi-sdk"))
    config = KalshiConfig(base_url=stage["base_url"], ws_base_url=stage["ws_url"])
    auth = KalshiAuth.from_pem(stage["key_id"], stage["private_pem"])
    ticker = stage["ticker"]
    async with AsyncKalshiClient(auth=auth, config=config) as client:
        socket = KalshiWebSocket(auth=auth, config=config)
        async with socket.connect() as session:
            streams = {
                "ticker": await session.subscribe_ticker(tickers=[ticker]),
                "orderbook": await session.subscribe_orderbook_delta(tickers=[ticker]),
                "trade": await session.subscribe_trade(tickers=[ticker]),
                "fill": await session.subscribe_fill(),
                "user_order": await session.subscribe_user_orders(),
                "market_position": await session.subscribe_market_positions(),
                "order_group_updates": await session.subscribe_order_group(),
            }
            await _trade(client, ticker)
            for name, stream in streams.items():
                await _listen(name, stream)


async def _listen(name: str, stream: object) -> None:
    try:
        async with asyncio.timeout(_WAIT_S):
            message = await anext(aiter(stream))
    except TimeoutError:
        _step(f"stream {name}", ok=False, detail="nothing came")
    else:
        _step(f"stream {name}", ok=True, detail=message.type)


async def _trade(client: AsyncKalshiClient, ticker: str) -> None:
    orders = client.orders
    made = await orders.create_v2(request=_order(ticker))
    _step("place", ok=made.remaining_count == Decimal(5))
    read = await orders.get(made.order_id)
    _step("get order", ok=read.status == "resting", detail=read.status)
    change = AmendOrderV2Request(ticker=ticker, side="bid", price="0.0200", count="7.00")
    amended = await orders.amend_v2(made.order_id, request=change)
    _step("amend", ok=amended.remaining_count == Decimal(7))
    less = await orders.decrease_v2(made.order_id, request=DecreaseOrderV2Request(reduce_by="3.00"))
    _step("decrease", ok=less.remaining_count == Decimal(4))
    gone = await orders.cancel_v2(made.order_id, market_ticker=ticker)
    _step("cancel", ok=gone.reduced_by == Decimal(4))
    taker = _order(ticker, price="0.9900", count="1.00", time_in_force="immediate_or_cancel")
    filled = await orders.create_v2(request=taker)
    _step("fill", ok=filled.fill_count == Decimal(1), detail=filled.average_fill_price)
    batch = BatchCreateOrdersV2Request(orders=[_order(ticker), _order(ticker)])
    both = await orders.batch_create_v2(request=batch)
    _step("batch", ok=all(one.order_id for one in both.orders))
    await orders.cancel_all_v2()
    left = await orders.list(status="resting")
    _step("cancel all", ok=not list(left))
    try:
        await orders.create_v2(request=_order(ticker, price="0.0155"))
    except KalshiError as error:
        _step("refusal", ok="price" in str(error), detail=error)
    else:
        _step("refusal", ok=False)
    await _rest(client, ticker)


async def _rest(client: AsyncKalshiClient, ticker: str) -> None:
    group = await client.order_groups.create(contracts_limit=10)
    await client.order_groups.trigger(group.order_group_id)
    _step("order group", ok=bool(group.order_group_id))
    market = await client.markets.get(ticker)
    _step("market", ok=market.ticker == ticker, detail=market.status)
    balance = await client.portfolio.balance()
    _step("balance", ok=balance.balance > 0, detail=balance.balance)
    positions = await client.portfolio.positions(ticker=ticker)
    held = positions.market_positions
    _step("positions", ok=len(held) == 1 and held[0].position == Decimal(1), detail=held)


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text())))
