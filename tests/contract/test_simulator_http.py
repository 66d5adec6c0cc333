"""The simulated exchange over real sockets: what a client of the real one would meet."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from bot.simulator.keys import make_key_pair
from bot.simulator.server import SimulatedExchange
from bot.simulator.settings import KeyType, RateLimits, SimulatorSettings
from tests.support.exchange import order_body
from tests.support.simulator import ROOT, SOCKET, Client, Socket, sign

pytestmark = pytest.mark.looptime(False)

NO_LIMITS = RateLimits(is_on=False)
ORDERS = "/portfolio/events/orders"


@pytest.fixture(params=[KeyType.ED25519])
async def client(request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    settings = SimulatorSettings(speed=0, limits=NO_LIMITS, key_type=request.param)
    async with SimulatedExchange(settings) as sim, Client(sim) as made:
        yield made


async def near_market(client: Client) -> dict[str, Any]:
    """An active market of shard 0 with both sides quoted in the middle."""
    _, body = await client.call("GET", "/markets?status=open&limit=1000")
    return next(
        market
        for market in body["markets"]
        if market["exchange_index"] == 0
        and float(market["yes_bid_dollars"]) > 0.2
        and float(market["yes_ask_dollars"]) < 0.8
        and float(market["yes_ask_size_fp"]) >= 100
        and float(market["yes_ask_dollars"]) - float(market["yes_bid_dollars"]) > 0.005
    )


# Signatures


@pytest.mark.parametrize("client", list(KeyType), indirect=True)
async def test_a_signed_read_is_answered(client: Client) -> None:
    status, body = await client.call("GET", "/portfolio/balance")
    assert status == 200
    assert body["balance"] == 1_500_000
    assert body["balance_dollars"] == "15000.0000"
    assert body["balance_breakdown"][0] == {"exchange_index": 0, "balance": "10000.0000"}


@pytest.mark.parametrize("missing", ["KEY", "TIMESTAMP", "SIGNATURE"])
async def test_a_missing_header_is_named_first(client: Client, missing: str) -> None:
    headers = client.headers("GET", f"{ROOT}/portfolio/balance", skew_ms=-300_000)
    del headers[f"KALSHI-ACCESS-{missing}"]
    status, body = await client.call("GET", "/portfolio/balance", headers=headers)
    assert status == 401
    assert body == {
        "error": {
            "code": "signature_is_missing_from_headers",
            "message": "signature is missing from headers",
        }
    }


@pytest.mark.parametrize(
    ("skew_ms", "status"),
    [
        (0, 200),
        (-5_000, 200),
        (5_000, 200),
        (-10_000, 200),
        (10_000, 200),
        (30_000, 200),
        (-30_000, 401),
        (60_000, 401),
        (-300_000, 401),
        (300_000, 401),
    ],
)
async def test_the_clock_window_is_the_measured_one(
    client: Client, skew_ms: int, status: int
) -> None:
    headers = client.headers("GET", f"{ROOT}/portfolio/balance", skew_ms=skew_ms)
    got, body = await client.call("GET", "/portfolio/balance", headers=headers)
    assert got == status
    if status == 401:
        expected = {"code": "header_timestamp_expired", "message": "header timestamp expired"}
        assert body == {"error": expected}


async def test_the_timestamp_is_checked_before_the_key(client: Client) -> None:
    headers = client.headers("GET", f"{ROOT}/portfolio/balance", skew_ms=-300_000)
    headers["KALSHI-ACCESS-KEY"] = "00000000-0000-0000-0000-000000000000"
    _, body = await client.call("GET", "/portfolio/balance", headers=headers)
    assert body["error"]["code"] == "header_timestamp_expired"


async def test_an_unknown_key_and_a_bad_signature_differ_in_details(client: Client) -> None:
    headers = client.headers("GET", f"{ROOT}/portfolio/balance")
    unknown = headers | {"KALSHI-ACCESS-KEY": "00000000-0000-0000-0000-000000000000"}
    _, body = await client.call("GET", "/portfolio/balance", headers=unknown)
    assert body == {
        "error": {
            "code": "authentication_error",
            "message": "authentication_error",
            "details": "NOT_FOUND",
        }
    }
    forged = headers | {"KALSHI-ACCESS-SIGNATURE": base64.b64encode(b"x" * 256).decode()}
    status, body = await client.call("GET", "/portfolio/balance", headers=forged)
    assert (status, body["error"]["details"]) == (401, "INCORRECT_API_KEY_SIGNATURE")


@pytest.mark.parametrize("client", list(KeyType), indirect=True)
async def test_a_signature_over_the_query_is_wrong(client: Client) -> None:
    headers = client.headers("GET", f"{ROOT}/portfolio/orders?limit=1")
    status, body = await client.call("GET", "/portfolio/orders?limit=1", headers=headers)
    assert (status, body["error"]["details"]) == (401, "INCORRECT_API_KEY_SIGNATURE")


async def test_a_registered_key_signs_for_its_own_user(client: Client) -> None:
    pair = make_key_pair("33333333-3333-4333-8333-333333333333", KeyType.RSA)
    await client.admin(
        "POST",
        "/keys",
        {"key_id": pair.key_id, "public_key": pair.public_pem.decode(), "user_id": "second"},
    )
    path = f"{ROOT}/portfolio/balance"
    stamp = client.headers("GET", path)["KALSHI-ACCESS-TIMESTAMP"]
    headers = {
        "KALSHI-ACCESS-KEY": pair.key_id,
        "KALSHI-ACCESS-TIMESTAMP": stamp,
        "KALSHI-ACCESS-SIGNATURE": sign(pair.private_pem, f"{stamp}GET{path}"),
    }
    status, body = await client.call("GET", "/portfolio/balance", headers=headers)
    assert (status, body["balance"]) == (200, 0)


async def test_public_reads_need_no_signature(client: Client) -> None:
    status, body = await client.call("GET", "/exchange/status", headers={})
    assert (status, body["trading_active"]) == (200, True)


# Errors as recorded


async def test_numbers_for_strings_are_refused_as_the_decoder_does(client: Client) -> None:
    status, body = await client.call("POST", ORDERS, order_body(count=1, price=0.01))
    assert status == 400
    assert body == {
        "code": "bad_request",
        "message": "bad request",
        "details": "json: cannot unmarshal number into Go struct field "
        "CreateOrderV2Request.count of type string",
    }


async def test_a_limit_above_the_most_is_a_validation_error(client: Client) -> None:
    status, body = await client.call("GET", "/markets?limit=1001")
    assert status == 400
    assert body == {
        "msg": "Parameter validation failed for GetMarkets: Key: 'GetMarketsParams.Limit' "
        "Error:Field validation for 'Limit' failed on the 'lte' tag"
    }


async def test_orders_fail_with_the_recorded_codes(client: Client) -> None:
    ticker = (await near_market(client))["ticker"]

    async def create(**changes: Any) -> tuple[int, Any]:
        return await client.call("POST", ORDERS, order_body(ticker=ticker, **changes))

    resting = {"client_order_id": "same", "price": "0.0100"}
    assert (await create(**resting))[0] == 201
    assert await create(**resting) == (
        409,
        {"error": {"code": "order_already_exists", "message": "order already exists"}},
    )
    assert await create(price="0.0150") == (
        400,
        {"error": {"code": "invalid_price", "message": "invalid price"}},
    )
    assert await create(count="99999.00", price="0.0500", client_order_id="big", side="ask") == (
        400,
        {"error": {"code": "insufficient_balance", "message": "insufficient balance"}},
    )
    assert await create(price="0.9900", post_only=True) == (
        400,
        {
            "error": {
                "code": "invalid_order",
                "message": "invalid order",
                "details": "post only cross",
            }
        },
    )
    killed = await create(price="0.0100", time_in_force="fill_or_kill", client_order_id="fok")
    assert killed[0] == 409
    assert killed[1]["error"]["code"] == "fill_or_kill_insufficient_resting_volume"
    assert (await create(price="0.0100", client_order_id="fok"))[0] == 409
    assert (await create(price="0.12345"))[1]["error"]["details"] == (
        "invalid price: invalid dollar precision: -5"
    )
    status, body = await client.call("POST", ORDERS, order_body(ticker="KXNONE"))
    assert (status, body["error"]["code"]) == (404, "market_not_found")


async def test_canceled_executed_and_unknown_orders_give_one_404(client: Client) -> None:
    market = await near_market(client)
    create = order_body(ticker=market["ticker"], price="0.0100")
    _, made = await client.call("POST", ORDERS, create)
    first, body = await client.call("DELETE", f"{ORDERS}/{made['order_id']}")
    assert first == 200
    assert set(body) == {"order_id", "reduced_by", "ts_ms"}
    assert body["reduced_by"] == "1.00"
    missing = {"error": {"code": "not_found", "message": "not found"}}
    assert await client.call("DELETE", f"{ORDERS}/{made['order_id']}") == (404, missing)
    unknown = "00000000-0000-0000-0000-000000000000"
    assert await client.call("DELETE", f"{ORDERS}/{unknown}") == (404, missing)
    taken = order_body(ticker=market["ticker"], price="0.9900", time_in_force="immediate_or_cancel")
    _, filled = await client.call("POST", ORDERS, taken)
    assert filled["fill_count"] == "1.00"
    assert filled["average_fill_price"] == market["yes_ask_dollars"]
    assert await client.call("DELETE", f"{ORDERS}/{filled['order_id']}") == (404, missing)


async def test_the_old_order_endpoints_are_gone(client: Client) -> None:
    status, body = await client.call("POST", "/portfolio/orders", {})
    assert (status, body["error"]["code"]) == (410, "deprecated_v1_order_endpoint")


async def test_an_unknown_path_is_a_404(client: Client) -> None:
    assert (await client.call("GET", "/no/such/thing"))[0] == 404


async def test_a_garbage_cursor_starts_over_and_a_good_one_goes_on(client: Client) -> None:
    _, first = await client.call("GET", "/markets?limit=5")
    _, again = await client.call("GET", "/markets?limit=5&cursor=garbage-cursor-fixture")
    assert [m["ticker"] for m in again["markets"]] == [m["ticker"] for m in first["markets"]]
    seen: list[str] = []
    cursor = ""
    while True:
        _, body = await client.call("GET", f"/markets?limit=200&cursor={cursor}")
        seen += [market["ticker"] for market in body["markets"]]
        cursor = body["cursor"]
        if not cursor:
            break
    assert len(seen) == len(set(seen)) > 400


# Limits


async def test_an_empty_bucket_answers_429_and_refills() -> None:
    settings = SimulatorSettings(speed=0, world="empty", limits=RateLimits())
    async with SimulatedExchange(settings) as sim, Client(sim) as client:
        answers = [await client.call("GET", "/portfolio/balance") for _ in range(2)]
        assert [status for status, _ in answers] == [200, 429]
        assert answers[1][1] == {
            "error": {"code": "too_many_requests", "message": "too many requests"}
        }
        await asyncio.sleep(1.1)
        assert (await client.call("GET", "/portfolio/balance"))[0] == 200


# WebSocket


async def test_an_unsigned_handshake_is_refused_with_its_own_body(client: Client) -> None:
    async with client.session.get(client.sim.ws_url.replace("ws:", "http:")) as response:
        assert response.status == 401
        assert await response.json() == {"code": "token_authentication_failure"}
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await client.session.ws_connect(
            client.sim.ws_url, headers=client.headers("GET", SOCKET, skew_ms=-300_000)
        )


async def test_a_subscription_starts_with_its_reply_then_the_snapshot(client: Client) -> None:
    ticker = (await near_market(client))["ticker"]
    socket = await client.socket()
    await socket.subscribe(["orderbook_delta", "trade"], [ticker])
    raw = await socket.text()
    assert raw.endswith("\n")
    assert json.loads(raw) == {
        "type": "subscribed", "id": 1, "msg": {"channel": "orderbook_delta", "sid": 1},
    }  # fmt: skip
    second, snapshot = await socket.frames(2)
    assert second["msg"] == {"channel": "trade", "sid": 2}
    assert (snapshot["type"], snapshot["sid"], snapshot["seq"]) == ("orderbook_snapshot", 1, 1)
    _, rest = await client.call("GET", f"/markets/{ticker}/orderbook")
    assert snapshot["msg"]["yes_dollars_fp"] == rest["orderbook_fp"]["yes_dollars"]
    assert snapshot["msg"]["no_dollars_fp"] == rest["orderbook_fp"]["no_dollars"]


async def test_an_own_trade_reaches_every_channel_with_its_sequence_rules(client: Client) -> None:
    market = await near_market(client)
    ticker = market["ticker"]
    socket = await client.socket()
    channels = ["orderbook_delta", "trade", "ticker", "fill", "user_orders", "market_positions"]
    await socket.subscribe(channels, [ticker])
    await socket.frames(7)
    body = order_body(
        ticker=ticker, price="0.9900", time_in_force="immediate_or_cancel", client_order_id="mine"
    )
    _, made = await client.call("POST", ORDERS, body)
    by_type = {frame["type"]: frame for frame in await socket.frames(6)}
    assert set(by_type) == {
        "orderbook_delta", "trade", "ticker", "fill", "user_order", "market_position",
    }  # fmt: skip
    assert by_type["orderbook_delta"]["seq"] == 2
    assert by_type["orderbook_delta"]["msg"]["delta_fp"] == "-1.00"
    assert "client_order_id" not in by_type["orderbook_delta"]["msg"]
    assert by_type["trade"]["seq"] == 1
    for unsequenced in ("ticker", "fill", "user_order", "market_position"):
        assert "seq" not in by_type[unsequenced]
    fill = by_type["fill"]["msg"]
    assert (fill["order_id"], fill["client_order_id"]) == (made["order_id"], "mine")
    assert fill["trade_id"] == by_type["trade"]["msg"]["trade_id"]
    _, fills = await client.call("GET", "/portfolio/fills")
    assert fills["fills"][0]["trade_id"] == fill["trade_id"]
    assert by_type["user_order"]["msg"]["status"] == "executed"
    assert by_type["market_position"]["msg"]["position_fp"] == "1.00"


async def test_an_own_resting_order_is_named_in_its_delta(client: Client) -> None:
    ticker = (await near_market(client))["ticker"]
    socket = await client.socket()
    await socket.subscribe(["orderbook_delta"], [ticker])
    await socket.frames(2)
    body = order_body(ticker=ticker, price="0.0100", client_order_id="named")
    await client.call("POST", ORDERS, body)
    delta = await socket.frame()
    assert delta["msg"]["client_order_id"] == "named"
    assert (delta["msg"]["side"], delta["msg"]["price_dollars"]) == ("yes", "0.0100")


async def test_the_server_pings_with_its_body() -> None:
    settings = SimulatorSettings(speed=0, world="empty", ping_ms=50)
    async with SimulatedExchange(settings) as sim, Client(sim) as client:
        socket = await client.socket()
        message = await socket.raw.receive(timeout=5)
        assert (message.type, message.data) == (aiohttp.WSMsgType.PING, b"heartbeat")


async def test_a_reader_that_never_pongs_is_dropped() -> None:
    settings = SimulatorSettings(speed=0, world="empty", ping_ms=50, pong_timeout_ms=100)
    async with SimulatedExchange(settings) as sim, Client(sim) as client:
        socket = await client.socket()
        async with asyncio.timeout(5):
            while (await socket.raw.receive()).type not in {
                aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR, aiohttp.WSMsgType.CLOSE,
            }:  # fmt: skip
                pass
        assert socket.raw.closed


# Faults


async def test_a_lost_answer_leaves_the_order_live(client: Client) -> None:
    ticker = (await near_market(client))["ticker"]
    rule = {"kind": "lost_answer", "method": "POST", "path": f"{ROOT}{ORDERS}", "delay_ms": 10}
    await client.admin("POST", "/faults", rule)
    body = order_body(ticker=ticker, price="0.0100", client_order_id="lost")
    with pytest.raises(aiohttp.ClientError):
        await client.call("POST", ORDERS, body)
    _, orders = await client.call("GET", f"/portfolio/orders?ticker={ticker}")
    assert [order["client_order_id"] for order in orders["orders"]] == ["lost"]
    assert (await client.call("POST", ORDERS, body))[0] == 409


async def test_a_reset_leaves_no_order(client: Client) -> None:
    ticker = (await near_market(client))["ticker"]
    await client.admin("POST", "/faults", {"kind": "reset", "method": "POST"})
    with pytest.raises(aiohttp.ClientError):
        await client.call("POST", ORDERS, order_body(ticker=ticker, price="0.0100"))
    _, orders = await client.call("GET", "/portfolio/orders")
    assert orders["orders"] == []


@pytest.mark.parametrize(("kind", "status"), [("429", 429), ("500", 500), ("503", 503)])
async def test_an_armed_status_is_answered_as_often_as_told(
    client: Client, kind: str, status: int
) -> None:
    await client.admin("POST", "/faults", {"kind": kind, "path": f"{ROOT}/markets", "count": 2})
    answers = [(await client.call("GET", "/markets?limit=1"))[0] for _ in range(3)]
    assert answers == [status, status, 200]
    assert (await client.call("GET", "/exchange/status"))[0] == 200


async def subscribed(client: Client, ticker: str) -> Socket:
    socket = await client.socket()
    await socket.subscribe(["orderbook_delta"], [ticker])
    await socket.frames(2)
    return socket


async def rest_orders(client: Client, ticker: str, count: int) -> None:
    for _ in range(count):
        await client.call("POST", ORDERS, order_body(ticker=ticker, price="0.0100"))


async def test_a_dropped_frame_leaves_a_gap_that_a_snapshot_repairs(client: Client) -> None:
    ticker = (await near_market(client))["ticker"]
    socket = await subscribed(client, ticker)
    await client.admin("POST", "/faults", {"kind": "drop_frame", "channel": "orderbook_delta"})
    await rest_orders(client, ticker, 2)
    assert (await socket.frame())["seq"] == 3
    await socket.command(
        id=9,
        cmd="update_subscription",
        params={"sid": 1, "market_tickers": [ticker], "action": "get_snapshot"},
    )
    snapshot = await socket.frame()
    assert (snapshot["id"], snapshot["seq"]) == (9, 4)
    level = snapshot["msg"]["yes_dollars_fp"][0]
    assert level[0] == "0.0100"
    assert float(level[1]) >= 2


async def test_a_duplicate_frame_repeats_its_number(client: Client) -> None:
    ticker = (await near_market(client))["ticker"]
    socket = await subscribed(client, ticker)
    await client.admin("POST", "/faults", {"kind": "duplicate_frame"})
    await rest_orders(client, ticker, 1)
    assert [frame["seq"] for frame in await socket.frames(2)] == [2, 2]


@pytest.mark.parametrize(("kind", "code"), [("error_25", 25), ("error_10", 10)])
async def test_a_terminal_error_ends_the_subscription_and_not_the_socket(
    client: Client, kind: str, code: int
) -> None:
    ticker = (await near_market(client))["ticker"]
    socket = await subscribed(client, ticker)
    await client.admin("POST", "/faults", {"kind": kind})
    await rest_orders(client, ticker, 1)
    error = await socket.frame()
    assert (error["type"], error["sid"], error["msg"]["code"]) == ("error", 1, code)
    await socket.subscribe(["orderbook_delta"], [ticker])
    assert (await socket.frame())["msg"]["sid"] == 2


async def test_a_disconnect_breaks_the_connection(client: Client) -> None:
    ticker = (await near_market(client))["ticker"]
    socket = await subscribed(client, ticker)
    await client.admin("POST", "/faults", {"kind": "disconnect"})
    await rest_orders(client, ticker, 1)
    with pytest.raises(ConnectionResetError):
        await socket.frame()


async def test_a_silent_feed_says_nothing_and_shows_a_gap_later(client: Client) -> None:
    ticker = (await near_market(client))["ticker"]
    socket = await subscribed(client, ticker)
    await client.admin("POST", "/faults", {"kind": "silent", "duration_ms": 1_000})
    await rest_orders(client, ticker, 1)
    await asyncio.sleep(1.2)
    await rest_orders(client, ticker, 1)
    assert (await socket.frame())["seq"] == 3


async def test_a_trading_pause_takes_no_orders_but_cancels(client: Client) -> None:
    ticker = (await near_market(client))["ticker"]
    _, made = await client.call("POST", ORDERS, order_body(ticker=ticker, price="0.0100"))
    await client.admin("POST", "/faults", {"kind": "trading_pause"})
    status, body = await client.call("POST", ORDERS, order_body(ticker=ticker, price="0.0100"))
    assert (status, body["error"]["code"]) == (409, "trading_is_paused")
    assert (await client.call("GET", "/exchange/status"))[1]["trading_active"] is False
    assert (await client.call("DELETE", f"{ORDERS}/{made['order_id']}"))[0] == 200
    await client.admin("POST", "/resume")
    assert (await client.call("GET", "/exchange/status"))[1]["trading_active"] is True


async def test_an_exchange_pause_ends_by_itself(client: Client) -> None:
    await client.admin("POST", "/faults", {"kind": "exchange_pause", "duration_ms": 5_000})
    assert (await client.call("GET", "/exchange/status"))[1]["exchange_active"] is False
    await client.sim.advance(seconds=6)
    assert (await client.call("GET", "/exchange/status"))[1]["exchange_active"] is True


async def test_a_group_can_be_triggered_from_outside(client: Client) -> None:
    ticker = (await near_market(client))["ticker"]
    _, group = await client.call("POST", "/portfolio/order_groups/create", {"contracts_limit": 50})
    socket = await client.socket()
    await socket.subscribe(["order_group_updates"])
    await socket.frame()
    body = order_body(ticker=ticker, price="0.0100", order_group_id=group["order_group_id"])
    assert (await client.call("POST", ORDERS, body))[0] == 201
    await client.admin("POST", "/faults", {"kind": "group_trigger"})
    update = await socket.until("order_group_updates")
    assert (update["seq"], update["msg"]["event_type"]) == (1, "triggered")
    _, orders = await client.call("GET", "/portfolio/orders?status=resting")
    assert orders["orders"] == []
    assert (await client.call("POST", ORDERS, body))[0] == 400


async def test_markets_close_and_settle_while_it_runs(client: Client) -> None:
    socket = await client.socket()
    await socket.subscribe(["market_lifecycle_v2"])
    await socket.frame()
    await client.sim.advance(seconds=30 * 60)
    determined = await socket.until("market_lifecycle_v2")
    seen = {determined["msg"]["event_type"]}
    while "settled" not in seen:
        seen.add((await socket.until("market_lifecycle_v2"))["msg"]["event_type"])
    assert {"determined", "settled"} <= seen
    _, body = await client.call("GET", "/markets?status=settled")
    assert {market["result"] for market in body["markets"]} <= {"yes", "no"}
    assert len(body["markets"]) > 5


async def test_a_near_expiry_favourite_can_be_found(client: Client) -> None:
    """Bid of 90 to 98 cents, one or two cents wide, $500 deep, thousands traded, hours to go."""
    _, body = await client.call("GET", "/markets?status=open&limit=1000")
    found = [
        market
        for market in body["markets"]
        if 0.90 <= float(market["yes_bid_dollars"]) <= 0.98
        and float(market["yes_ask_dollars"]) - float(market["yes_bid_dollars"]) <= 0.0201
        and float(market["yes_bid_dollars"]) * float(market["yes_bid_size_fp"]) >= 500
        and float(market["volume_24h_fp"]) >= 11_000
    ]
    assert len(found) >= 10
