"""The V2 order writes, and the 410 of the closed V1 ones.

A market that is replayed from a recording takes no orders: nobody there could
trade with them.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

from bot.domain.errors import InvalidAmount
from bot.domain.ids import ClientOrderId, MarketTicker, OrderGroupId, OrderId
from bot.domain.money import Price, Quantity, parse_price, parse_quantity
from bot.domain.orders import BookSide, SelfTradePrevention, TimeInForce
from bot.kit.times import SECOND_US
from bot.simulator.bodies import Json, cancel_body, decrease_body, receipt_body
from bot.simulator.calls import (
    DEFAULT,
    Body,
    Call,
    Cost,
    Handler,
    Query,
    Reply,
    Route,
    account_of,
    decode_object,
    ok,
    queried_account,
)
from bot.simulator.errors import WireError, nested, refused, refused_item
from bot.simulator.exchange import Exchange
from bot.simulator.limits import DEFAULT_COST, Bucket
from bot.venue.accounts import AccountId
from bot.venue.orders import AmendRequest, OrderReceipt, OrderRequest
from bot.venue.results import Refusal

_CANCEL_COST = 2
_PRICE_PLACES = 4
_COUNT_PLACES = 2
_NO_COUNT = "0.00"


# Reading requests


def _price(body: Body, name: str = "price") -> Price:
    text = body.text(name)
    _check_precision(text, _PRICE_PLACES, "invalid price: invalid dollar precision")
    try:
        return parse_price(text)
    except InvalidAmount as error:
        raise nested(400, "invalid_order", details=f"invalid price: {text}") from error


def read_count(body: Body, name: str) -> Quantity:
    """A contract count. Raises ``invalid_order`` for what is not one."""
    text = body.text(name)
    _check_precision(text, _COUNT_PLACES, f"invalid {name}: invalid count precision")
    try:
        return parse_quantity(text)
    except InvalidAmount as error:
        raise nested(400, "invalid_order", details=f"invalid {name}: {text}") from error


def _check_precision(text: str, places: int, complaint: str) -> None:
    decimals = len(text.partition(".")[2])
    if decimals > places:
        raise nested(400, "invalid_order", details=f"{complaint}: -{decimals}")


def _shard(body: Body) -> int | None:
    shard = body.integer("exchange_index")
    return None if shard is None or shard < 0 else shard


def _expiry(body: Body) -> int | None:
    seconds = body.integer("expiration_time")
    return None if seconds is None else seconds * SECOND_US


def _order_request(exchange: Exchange, body: Body) -> OrderRequest:
    ticker = MarketTicker(body.text("ticker"))
    if ticker in exchange.recorded:
        raise nested(
            403,
            "read_only_recording",
            details="this market replays a recording: there is nobody to trade with",
        )
    client_order_id = body.optional_text("client_order_id") or None
    group = body.optional_text("order_group_id") or None
    expires_us = _expiry(body)
    return OrderRequest(
        ticker=ticker,
        side=BookSide(body.one_of("side", BookSide)),
        quantity=read_count(body, "count"),
        price=_price(body),
        time_in_force=TimeInForce(body.one_of("time_in_force", TimeInForce)),
        self_trade_prevention=SelfTradePrevention(
            body.one_of("self_trade_prevention_type", SelfTradePrevention)
        ),
        client_order_id=ClientOrderId(client_order_id) if client_order_id else None,
        post_only=body.flag("post_only"),
        reduce_only=body.flag("reduce_only"),
        cancel_on_pause=body.flag("cancel_order_on_pause"),
        expires_us=expires_us or None,
        order_group_id=OrderGroupId(group) if group else None,
        exchange_index=_shard(body),
    )


# Create


def create(exchange: Exchange, call: Call) -> Reply:
    """Create one order."""
    body = Body("CreateOrderV2Request", decode_object(call.body))
    account = account_of(exchange, call, body.integer("subaccount"))
    request = _order_request(exchange, body)
    result = exchange.apply(exchange.venue.create_order(account, request, exchange.now_us()))
    if isinstance(result, Refusal):
        raise refused(result)
    return ok(receipt_body(result), 201)


def create_batch(exchange: Exchange, call: Call) -> Reply:
    """Create several orders; each item succeeds or fails alone."""
    items = Body("BatchCreateOrdersV2Request", decode_object(call.body)).objects("orders")
    # All are read before the first acts: a value of the wrong type refuses the whole body.
    wanted = [_read_item(exchange, call, item) for item in items]
    return ok({"orders": [_create_item(exchange, one) for one in wanted]}, 201)


_Item: TypeAlias = tuple[Json, AccountId | None, OrderRequest | None]
"""What an answer repeats, and either who wants what or, inside the former, the error."""


def _read_item(exchange: Exchange, call: Call, item: Mapping[str, Any]) -> _Item:
    body = Body("CreateOrderV2Request", item)
    client_order_id = body.optional_text("client_order_id")
    named: Json = {} if client_order_id is None else {"client_order_id": client_order_id}
    try:
        account = account_of(exchange, call, body.integer("subaccount"))
        return named, account, _order_request(exchange, body)
    except WireError as error:
        return {**named, "error": _item_error(error)}, None, None


def _create_item(exchange: Exchange, item: _Item) -> Json:
    named, account, request = item
    if account is None or request is None:
        return named
    result = exchange.apply(exchange.venue.create_order(account, request, exchange.now_us()))
    if isinstance(result, Refusal):
        return {**named, "error": refused_item(result)}
    return receipt_body(result)


def _item_error(error: WireError) -> Json:
    """An item's refusal. A value of the wrong type is none: the whole body cannot be decoded."""
    if "error" not in error.body:
        raise error
    refusal: Json = error.body["error"]
    return refusal


# Cancel


def cancel(exchange: Exchange, call: Call) -> Reply:
    """Cancel one order. Without shard or ticker only shard 0 is searched, as at the venue."""
    query = Query("CancelOrderV2", call.query)
    account = queried_account(exchange, call, query)
    shard = query.integer("exchange_index", least=-1)
    order_id = OrderId(call.params["order_id"])
    where = _cancel_shard(exchange, shard, query.text("market_ticker"))
    outcome = exchange.venue.cancel_order(
        account, order_id, exchange.now_us(), exchange_index=where
    )
    result = exchange.apply(outcome)
    if isinstance(result, Refusal):
        raise refused(result)
    return ok(cancel_body(result))


def _cancel_shard(exchange: Exchange, shard: int | None, ticker: str) -> int:
    if shard is not None and shard >= 0:
        return shard
    view = exchange.venue.reads.market(MarketTicker(ticker)) if ticker else None
    return view.exchange_index if view else 0


def cancel_batch(exchange: Exchange, call: Call) -> Reply:
    """Cancel several orders; each item succeeds or fails alone."""
    items = Body("BatchCancelOrdersV2Request", decode_object(call.body)).objects("orders")
    wanted = [_read_cancel(exchange, call, item) for item in items]
    return ok({"orders": [_cancel_item(exchange, one) for one in wanted]})


_Cancel: TypeAlias = tuple[OrderId, AccountId | None, int, Json]
"""Which order, whose, on which shard, and the error where it cannot be tried."""


def _read_cancel(exchange: Exchange, call: Call, item: Mapping[str, Any]) -> _Cancel:
    body = Body("BatchCancelOrdersV2RequestOrder", item)
    order_id = OrderId(body.text("order_id"))
    ticker = body.optional_text("market_ticker") or ""
    where = _cancel_shard(exchange, body.integer("exchange_index"), ticker)
    try:
        return order_id, account_of(exchange, call, body.integer("subaccount")), where, {}
    except WireError as error:
        return order_id, None, where, _item_error(error)


def _cancel_item(exchange: Exchange, item: _Cancel) -> Json:
    order_id, account, where, error = item
    now_us = exchange.now_us()
    failed: Json = {"order_id": order_id, "reduced_by": _NO_COUNT, "ts_ms": now_us // 1_000}
    if account is None:
        return {**failed, "error": error}
    outcome = exchange.venue.cancel_order(account, order_id, now_us, exchange_index=where)
    result = exchange.apply(outcome)
    if isinstance(result, Refusal):
        return {**failed, "error": refused_item(result)}
    return cancel_body(result)


def cancel_all(exchange: Exchange, call: Call) -> Reply:
    """Cancel every resting order of the account, on all shards."""
    account = queried_account(exchange, call, Query("CancelAllOrders", call.query))
    result = exchange.apply(exchange.venue.cancel_all(account, exchange.now_us()))
    if isinstance(result, Refusal):
        raise refused(result)
    return Reply(204, None)


# Change


def amend(exchange: Exchange, call: Call) -> Reply:
    """Change price, size or expiry of a resting order."""
    account = queried_account(exchange, call, Query("AmendOrderV2", call.query))
    body = Body("AmendOrderV2Request", decode_object(call.body))
    old, new = body.optional_text("client_order_id"), body.optional_text("updated_client_order_id")
    request = AmendRequest(
        ticker=MarketTicker(body.text("ticker")),
        side=BookSide(body.one_of("side", BookSide)),
        price=_price(body),
        quantity=read_count(body, "count"),
        client_order_id=ClientOrderId(old) if old else None,
        updated_client_order_id=ClientOrderId(new) if new else None,
        expires_us=_expiry(body),
        exchange_index=_shard(body),
    )
    order_id = OrderId(call.params["order_id"])
    outcome = exchange.venue.amend_order(account, order_id, request, exchange.now_us())
    result: OrderReceipt | Refusal = exchange.apply(outcome)
    if isinstance(result, Refusal):
        raise refused(result)
    return ok(receipt_body(result))


def decrease(exchange: Exchange, call: Call) -> Reply:
    """Shrink a resting order; it keeps its place in the queue."""
    account = queried_account(exchange, call, Query("DecreaseOrderV2", call.query))
    body = Body("DecreaseOrderV2Request", decode_object(call.body))
    has_by, has_to = (body.optional_text(name) is not None for name in ("reduce_by", "reduce_to"))
    ticker = body.optional_text("market_ticker") or ""
    outcome = exchange.venue.decrease_order(
        account,
        OrderId(call.params["order_id"]),
        exchange.now_us(),
        reduce_by=read_count(body, "reduce_by") if has_by else None,
        reduce_to=read_count(body, "reduce_to") if has_to else None,
        exchange_index=_cancel_shard(exchange, body.integer("exchange_index"), ticker),
    )
    result = exchange.apply(outcome)
    if isinstance(result, Refusal):
        raise refused(result)
    return ok(decrease_body(result))


def closed(exchange: Exchange, call: Call) -> Reply:
    """The V1 writes are gone."""
    del exchange, call
    raise nested(
        410, "deprecated_v1_order_endpoint", "deprecated v1 order endpoint",
        "use /portfolio/events/orders",
    )  # fmt: skip


# Costs: a single call that names a shard above 0 draws on that shard's own bucket.


def _single(tokens: int) -> Cost:
    def cost(exchange: Exchange, call: Call) -> tuple[int, int]:
        del exchange
        return tokens, max(0, _named_shard(call))

    return cost


def _named_shard(call: Call) -> int:
    text = call.query.get("exchange_index", "")
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        shard = decode_object(call.body).get("exchange_index") if call.body else 0
    except WireError:
        return 0
    return shard if isinstance(shard, int) else 0


def _per_item(tokens: int) -> Cost:
    def cost(exchange: Exchange, call: Call) -> tuple[int, int]:
        del exchange
        try:
            items = decode_object(call.body).get("orders")
        except WireError:
            items = None
        return tokens * max(1, len(items) if isinstance(items, list) else 1), 0

    return cost


def _write(method: str, path: str, handler: Handler, cost: Cost = DEFAULT) -> Route:
    return Route(method, path, handler, is_signed=True, bucket=Bucket.WRITE, cost=cost)


_BASE = "/portfolio/events/orders"
_V1 = "/portfolio/orders"

ROUTES = (
    _write("POST", _BASE, create, _single(DEFAULT_COST)),
    _write("DELETE", _BASE, cancel_all, _per_item(_CANCEL_COST)),
    _write("POST", f"{_BASE}/batched", create_batch, _per_item(DEFAULT_COST)),
    _write("DELETE", f"{_BASE}/batched", cancel_batch, _per_item(_CANCEL_COST)),
    _write("DELETE", f"{_BASE}/{{order_id}}", cancel, _single(_CANCEL_COST)),
    _write("POST", f"{_BASE}/{{order_id}}/amend", amend, _single(DEFAULT_COST)),
    _write("POST", f"{_BASE}/{{order_id}}/decrease", decrease, _single(DEFAULT_COST)),
    _write("POST", _V1, closed),
    _write("POST", f"{_V1}/batched", closed),
    _write("DELETE", f"{_V1}/batched", closed),
    _write("DELETE", f"{_V1}/{{order_id}}", closed),
    _write("POST", f"{_V1}/{{order_id}}/amend", closed),
    _write("POST", f"{_V1}/{{order_id}}/decrease", closed),
)
