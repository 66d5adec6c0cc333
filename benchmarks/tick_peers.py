"""The same decision made with other people's clients, in an interpreter of their own.

Usage: ``python tick_peers.py sdk|official PORT DIRECTORY``. ``kalshi-sdk`` is used as its
documentation says: ``orderbook()`` and ``orders.create_v2``. The official client has no
WebSocket, so it gets ``websockets`` and ``json``. Neither stores anything. Stands alone:
the bot is not installed where this runs.
"""

import asyncio
import json
import sys
import uuid
from decimal import Decimal
from pathlib import Path

MARKET, TRIGGER = "KXBENCH-26DEC-0", "0.9600"
QUEUE_MAX = 100_000
"""The third-party client's own limit ends its stream at the 101st frame of a burst."""


def order() -> dict[str, object]:
    """The order that the bot would send, or nearly."""
    return {
        "ticker": MARKET,
        "client_order_id": str(uuid.uuid4()),  # noqa: TID251 - no id factory here
        "side": "bid",
        "count": "100.00",
        "price": TRIGGER,
        "time_in_force": "good_till_canceled",
        "self_trade_prevention_type": "taker_at_cross",
        "post_only": True,
    }


async def third_party(port: int, pem: str) -> None:
    """``kalshi-sdk``: books and models are its own."""
    from kalshi import AsyncKalshiClient, KalshiAuth, KalshiConfig  # noqa: PLC0415 - one of two
    from kalshi.models.orders import CreateOrderV2Request  # noqa: PLC0415 - one of two
    from kalshi.ws import KalshiWebSocket  # noqa: PLC0415 - one of two

    config = KalshiConfig(
        base_url=f"http://127.0.0.1:{port}/trade-api/v2",
        ws_base_url=f"ws://127.0.0.1:{port}/trade-api/ws/v2",
    )
    auth = KalshiAuth.from_pem("sdk", pem)
    async with (
        AsyncKalshiClient(auth=auth, config=config) as client,
        KalshiWebSocket(auth=auth, config=config).connect() as session,
    ):
        was_there = False
        async for book in await session.orderbook(MARKET, maxsize=QUEUE_MAX):
            is_there = max(level.price for level in book.yes) == Decimal(TRIGGER)
            if is_there and not was_there:
                await client.orders.create_v2(request=CreateOrderV2Request(**order()))
            was_there = is_there


async def official(port: int, pem: str) -> None:
    """``kalshi-python-async`` sends, ``websockets`` and ``json`` listen."""
    import kalshi_python_async as kalshi  # noqa: PLC0415 - one of two
    from kalshi_python_async.auth import KalshiAuth  # noqa: PLC0415 - one of two
    from websockets.asyncio.client import connect  # noqa: PLC0415 - one of two

    auth = KalshiAuth("official", pem)
    configuration = kalshi.Configuration(host=f"http://127.0.0.1:{port}/trade-api/v2")
    client = kalshi.ApiClient(configuration)
    # Its own set_kalshi_auth raises NameError in 3.34.0: the class is not imported there.
    client.kalshi_auth = auth
    orders = kalshi.OrdersApi(client)
    path = "/trade-api/ws/v2"
    headers = auth.create_auth_headers("GET", path)
    params = {"channels": ["orderbook_delta"], "market_tickers": [MARKET]}
    bids: dict[Decimal, Decimal] = {}
    was_there = False
    async with connect(f"ws://127.0.0.1:{port}{path}", additional_headers=headers) as socket:
        await socket.send(json.dumps({"id": 1, "cmd": "subscribe", "params": params}))
        async for text in socket:
            take(json.loads(text), bids)
            is_there = bool(bids) and max(bids) == Decimal(TRIGGER)
            if is_there and not was_there:
                await orders.create_order_v2(**order())
            was_there = is_there


def take(message: dict[str, object], bids: dict[Decimal, Decimal]) -> None:
    """Keep the bids of the one market."""
    told = message["msg"]
    assert isinstance(told, dict)
    if message["type"] == "orderbook_snapshot":
        bids.update({Decimal(price): Decimal(size) for price, size in told["yes_dollars_fp"]})
    elif message["type"] == "orderbook_delta" and told["side"] == "yes":
        price = Decimal(told["price_dollars"])
        left = bids.get(price, Decimal(0)) + Decimal(told["delta_fp"])
        bids[price] = left
        if left <= 0:
            del bids[price]


if __name__ == "__main__":
    work = {"sdk": third_party, "official": official}[sys.argv[1]]
    asyncio.run(work(int(sys.argv[2]), (Path(sys.argv[3]) / "key.pem").read_text()))
