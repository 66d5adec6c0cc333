"""The signed reads: limits, balance, positions, orders, fills, settlements, queue positions."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bot.domain.ids import OrderId
from bot.domain.market import MarketStatus
from bot.domain.orders import OrderStatus
from bot.simulator.bodies import (
    Json,
    balance_body,
    event_position_bodies,
    fill_body,
    four_places,
    order_body,
    position_body,
    settlement_body,
)
from bot.simulator.calls import (
    Call,
    Query,
    Reply,
    Route,
    account_of,
    flat_cost,
    ok,
    page,
    queried_account,
)
from bot.simulator.errors import details_only, failed_validation, nested, not_found
from bot.simulator.exchange import Exchange
from bot.simulator.limits import ENDPOINT_COSTS, Bucket
from bot.venue.accounts import AccountId
from bot.venue.orders import OrderView
from bot.venue.positions import PositionView

_TICKERS_MAX = 100
_ORDER_STATUSES = {
    "resting": OrderStatus.RESTING,
    "canceled": OrderStatus.CANCELED,
    "executed": OrderStatus.EXECUTED,
}
_COUNT_FILTERS: dict[str, Callable[[PositionView], bool]] = {
    "position": lambda position: position.quantity != 0,
    "total_traded": lambda position: position.traded != 0,
}
_SETTLEMENT_STATUSES: dict[str, frozenset[bool]] = {
    "": frozenset({False}),
    "unsettled": frozenset({False}),
    "settled": frozenset({True}),
    "all": frozenset({False, True}),
}


@dataclass(frozen=True, slots=True)
class _Scope:
    """What nearly every portfolio list can be narrowed to."""

    tickers: frozenset[str]
    events: frozenset[str]
    min_us: int | None
    max_us: int | None
    shard: int | None

    @classmethod
    def of(cls, query: Query) -> "_Scope":
        """Read the common parameters."""
        return cls(
            tickers=frozenset(query.names("ticker", _TICKERS_MAX)),
            events=frozenset(query.names("event_ticker", _TICKERS_MAX)),
            min_us=query.seconds("min_ts"),
            max_us=query.seconds("max_ts"),
            shard=query.integer("exchange_index", least=0),
        )

    def takes(self, ticker: str, event: str, shard: int, at_us: int) -> bool:
        """Whether a row is wanted."""
        return (
            (not self.tickers or ticker in self.tickers)
            and (not self.events or event in self.events)
            and (self.shard is None or self.shard in {-1, shard})
            and (self.min_us is None or at_us >= self.min_us)
            and (self.max_us is None or at_us <= self.max_us)
        )


def _newest_first(at_us: int, name: str) -> tuple[int, str]:
    return -at_us, name


def _subaccount(exchange: Exchange, account: AccountId) -> int:
    owner = exchange.accounts.owner(account)
    return owner.subaccount if owner else 0


# Account


def account_limits(exchange: Exchange, call: Call) -> Reply:
    """The caller's token buckets."""
    del call
    limits = exchange.settings.limits
    return ok(
        {
            "usage_tier": limits.tier,
            "read": {
                "refill_rate": limits.read_rate,
                "bucket_capacity": limits.read_capacity,
            },
            "write": {
                "refill_rate": limits.write_rate,
                "bucket_capacity": limits.write_capacity,
            },
            "grants": [],
        }
    )


def api_keys(exchange: Exchange, call: Call) -> Reply:
    """The caller's key, and until when their location is attested."""
    assert call.identity is not None  # a signed route
    until_us = exchange.settings.attested_until_us
    key = {"api_key_id": call.identity.key_id, "name": "simulated", "scopes": ["read", "write"]}
    until_s = None if until_us is None else until_us // 1_000_000
    return ok({"api_keys": [key], "api_key_region_expiration_ts": until_s})


def balance(exchange: Exchange, call: Call) -> Reply:
    """Cash and the value of positions."""
    query = Query("GetBalance", call.query)
    account = queried_account(exchange, call, query)
    shard = query.integer("exchange_index", least=-1)
    view = exchange.venue.reads.balance(account, None if shard == -1 else shard)
    if view is None:
        raise not_found()
    shows = exchange.settings.venue.balance_shows_reservation
    return ok(balance_body(view, exchange.now_us(), shows_reservation=shows))


# Positions and settlements


def positions(exchange: Exchange, call: Call) -> Reply:
    """Positions per market and, summed, per event."""
    query = Query("GetPositions", call.query)
    account, scope = queried_account(exchange, call, query), _Scope.of(query)
    settled = _SETTLEMENT_STATUSES.get(query.text("settlement_status"))
    if settled is None:
        raise failed_validation(query.operation, "SettlementStatus", "oneof")
    counts = query.names("count_filter")
    if not set(counts) <= set(_COUNT_FILTERS):
        raise details_only("invalid count filter")
    chosen = [
        position
        for position in exchange.portfolio(account).positions.values()
        if _is_settled(exchange, position) in settled
        and scope.takes(
            position.ticker, position.event_ticker, position.exchange_index, position.updated_us
        )
        and all(_COUNT_FILTERS[name](position) for name in counts)
    ]
    found, cursor = page(chosen, lambda p: (0, p.ticker), query.text("cursor"), query.limit())
    return ok(
        {
            "market_positions": [position_body(position) for position in found],
            "event_positions": event_position_bodies(list(found)),
            "cursor": cursor,
        }
    )


def _is_settled(exchange: Exchange, position: PositionView) -> bool:
    """A position that was flat when its market settled got no payout, but is settled too."""
    view = exchange.market(position.ticker)
    return position.is_settled or (view is not None and view.status is MarketStatus.FINALIZED)


def settlements(exchange: Exchange, call: Call) -> Reply:
    """Payouts, newest first."""
    query = Query("GetSettlements", call.query)
    account, scope = queried_account(exchange, call, query), _Scope.of(query)
    chosen = [
        row
        for row in exchange.portfolio(account).settlements
        if scope.takes(row.ticker, row.event_ticker, row.exchange_index, row.settled_us)
    ]
    found, cursor = page(
        chosen,
        lambda row: _newest_first(row.settled_us, row.ticker),
        query.text("cursor"),
        query.limit(),
    )
    return ok({"settlements": [settlement_body(row) for row in found], "cursor": cursor})


# Orders and fills


def orders(exchange: Exchange, call: Call) -> Reply:
    """Orders, newest first."""
    query = Query("GetOrders", call.query)
    account, scope = queried_account(exchange, call, query), _Scope.of(query)
    status = query.text("status")
    if status and status not in _ORDER_STATUSES:
        raise details_only("invalid status filter")
    chosen = [
        order
        for order in exchange.portfolio(account).orders.values()
        if (not status or order.status is _ORDER_STATUSES[status])
        and scope.takes(order.ticker, order.event_ticker, order.exchange_index, order.created_us)
    ]
    found, cursor = page(
        chosen,
        lambda order: _newest_first(order.created_us, order.order_id),
        query.text("cursor"),
        query.limit(),
    )
    number = _subaccount(exchange, account)
    bodies = [order_body(order, call.user_id, number) for order in found]
    return ok({"orders": bodies, "cursor": cursor})


def one_order(exchange: Exchange, call: Call) -> Reply:
    """One order; 404 also while the read model does not know it yet."""
    account, order = _find(exchange, call)
    return ok({"order": order_body(order, call.user_id, _subaccount(exchange, account))})


def _find(exchange: Exchange, call: Call) -> tuple[AccountId, OrderView]:
    order_id = OrderId(call.params["order_id"])
    for _, account in exchange.accounts.of_user(call.user_id):
        order = exchange.portfolio(account).orders.get(order_id)
        if order is not None:
            return account, order
    raise not_found()


def queue_position(exchange: Exchange, call: Call) -> Reply:
    """Contracts ahead of one resting order."""
    account, order = _find(exchange, call)
    ahead = exchange.venue.reads.queue_position(account, order.order_id)
    if ahead is None:
        raise not_found()
    return ok({"queue_position_fp": _count(ahead)})


def queue_positions(exchange: Exchange, call: Call) -> Reply:
    """Contracts ahead of the resting orders of some markets or an event."""
    query = Query("GetOrderQueuePositions", call.query)
    tickers, event = set(query.names("market_tickers")), query.text("event_ticker")
    if not tickers and not event:
        raise nested(
            400, "missing_parameters", details="market_tickers or event_ticker is required"
        )
    account = queried_account(exchange, call, query)
    return ok({"queue_positions": list(_queue(exchange, account, tickers, event))})


def _queue(exchange: Exchange, account: AccountId, tickers: set[str], event: str) -> Iterable[Json]:
    reads = exchange.venue.reads
    for order in reads.orders(account, status=OrderStatus.RESTING):
        ahead = reads.queue_position(account, order.order_id)
        if ahead is not None and (order.ticker in tickers or order.event_ticker == event):
            yield {
                "order_id": order.order_id,
                "market_ticker": order.ticker,
                "queue_position_fp": _count(ahead),
            }


def _count(quantity: int) -> str:
    whole, rest = divmod(quantity, 100)
    return f"{whole}.{rest:02d}"


def fills(exchange: Exchange, call: Call) -> Reply:
    """Matches, newest first."""
    query = Query("GetFills", call.query)
    account, scope = queried_account(exchange, call, query), _Scope.of(query)
    order_id = query.text("order_id")
    chosen = [
        row
        for row in exchange.portfolio(account).fills
        if order_id in {"", row.fill.order_id}
        and scope.takes(row.fill.ticker, "", row.exchange_index, row.fill.executed_us)
    ]
    found, cursor = page(
        chosen,
        lambda row: _newest_first(row.fill.executed_us, f"{row.fill.fill_id}{row.fill.order_id}"),
        query.text("cursor"),
        query.limit(),
    )
    number = _subaccount(exchange, account)
    bodies = [fill_body(row.fill, row.exchange_index, number) for row in found]
    return ok({"fills": bodies, "cursor": cursor})


def historical_empty(name: str) -> Callable[[Exchange, Call], Reply]:
    """A historical portfolio list: an account that is younger than the cutoff has none."""

    def handler(exchange: Exchange, call: Call) -> Reply:
        query = Query("GetHistorical", call.query)
        queried_account(exchange, call, query)
        query.limit()
        query.seconds("min_ts")
        query.seconds("max_ts")
        rows: Json = {name: [], "cursor": ""}
        if name == "market_positions":
            rows["event_positions"] = []
        return ok(rows)

    return handler


def resting_value(exchange: Exchange, call: Call) -> Reply:
    """What the resting orders would cost at worst, in cents."""
    view = exchange.venue.reads.balance(account_of(exchange, call, 0))
    if view is None:
        raise not_found()
    reserved = sum(shard.reserved for shard in view.shards)
    rows = [
        {"exchange_index": shard.exchange_index, "balance": four_places(shard.reserved)}
        for shard in view.shards
    ]
    return ok(
        {"total_resting_order_value": reserved // 10_000, "resting_order_value_breakdown": rows}
    )


_CHEAP = flat_cost(ENDPOINT_COSTS["GET", "/trade-api/v2/portfolio/orders/:order_id"])

ROUTES = (
    Route("GET", "/account/limits", account_limits, is_signed=True),
    Route("GET", "/api_keys", api_keys, is_signed=True),
    Route(
        "GET", "/portfolio/balance", balance,
        is_signed=True, bucket=Bucket.BALANCE, cost=flat_cost(1),
    ),
    Route("GET", "/portfolio/positions", positions, is_signed=True),
    Route("GET", "/portfolio/settlements", settlements, is_signed=True),
    Route("GET", "/portfolio/orders", orders, is_signed=True),
    Route("GET", "/portfolio/orders/queue_positions", queue_positions, is_signed=True),
    Route("GET", "/portfolio/orders/{order_id}", one_order, is_signed=True, cost=_CHEAP),
    Route("GET", "/portfolio/orders/{order_id}/queue_position", queue_position, is_signed=True),
    Route("GET", "/portfolio/fills", fills, is_signed=True),
    Route("GET", "/portfolio/summary/total_resting_order_value", resting_value, is_signed=True),
    Route("GET", "/historical/fills", historical_empty("fills"), is_signed=True),
    Route("GET", "/historical/orders", historical_empty("orders"), is_signed=True),
    Route("GET", "/historical/positions", historical_empty("market_positions"), is_signed=True),
)  # fmt: skip
