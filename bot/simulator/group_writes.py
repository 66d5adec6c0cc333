"""Order groups and subaccounts: the fence against runaway fills, and separate pockets."""

from collections.abc import Callable

from bot.domain.ids import OrderGroupId
from bot.domain.money import Money, Quantity, format_quantity
from bot.kit.times import SECOND_US
from bot.simulator.accounts import SUBACCOUNT_MAX
from bot.simulator.bodies import Json, four_places
from bot.simulator.calls import (
    Body,
    Call,
    Handler,
    Query,
    Reply,
    Route,
    account_of,
    decode_object,
    ok,
    queried_account,
)
from bot.simulator.errors import nested, refused
from bot.simulator.exchange import Exchange
from bot.simulator.limits import Bucket
from bot.simulator.order_writes import read_count
from bot.venue.accounts import AccountId
from bot.venue.groups import GroupView
from bot.venue.results import Outcome, Refusal
from bot.venue.venue import Venue

_CENTS_TO_MONEY = 10_000
_ONE_CONTRACT = 100


def _limit(body: Body) -> Quantity:
    whole = body.integer("contracts_limit")
    fixed = body.optional_text("contracts_limit_fp")
    if (whole is None) == (fixed is None):
        raise nested(
            400, "missing_parameters", details="exactly one of contracts_limit, contracts_limit_fp"
        )
    if whole is not None:
        return Quantity(whole * _ONE_CONTRACT)
    return read_count(body, "contracts_limit_fp")


def create_group(exchange: Exchange, call: Call) -> Reply:
    """Make a group on one shard."""
    body = Body("CreateOrderGroupRequest", decode_object(call.body))
    number = body.integer("subaccount") or 0
    account, limit = account_of(exchange, call, number), _limit(body)
    outcome = exchange.venue.create_group(
        account,
        limit,
        exchange.now_us(),
        exchange_index=max(0, body.integer("exchange_index") or 0),
    )
    group = exchange.apply(outcome)
    if isinstance(group, Refusal):
        raise refused(group)
    return ok(
        {
            "order_group_id": group.order_group_id,
            "subaccount": number,
            "exchange_index": group.exchange_index,
        },
        201,
    )


def groups(exchange: Exchange, call: Call) -> Reply:
    """Every group of the account."""
    account = queried_account(exchange, call, Query("GetOrderGroups", call.query))
    found = [
        {
            "id": group.order_group_id,
            "contracts_limit_fp": format_quantity(group.limit),
            "is_auto_cancel_enabled": not group.is_triggered,
            "exchange_index": group.exchange_index,
        }
        for group in exchange.venue.reads.groups(account)
    ]
    return ok({"order_groups": found})


def one_group(exchange: Exchange, call: Call) -> Reply:
    """One group and its resting orders."""
    account = queried_account(exchange, call, Query("GetOrderGroup", call.query))
    group = exchange.venue.reads.group(account, OrderGroupId(call.params["order_group_id"]))
    if group is None:
        raise nested(404, "not_found")
    return ok(
        {
            "is_auto_cancel_enabled": not group.is_triggered,
            "contracts_limit_fp": format_quantity(group.limit),
            "orders": list(group.orders),
            "exchange_index": group.exchange_index,
        }
    )


_Act = Callable[[Venue, AccountId, OrderGroupId, int], Outcome[GroupView]]


def _acting(operation: str, act: _Act) -> Handler:
    def handler(exchange: Exchange, call: Call) -> Reply:
        account = queried_account(exchange, call, Query(operation, call.query))
        group = OrderGroupId(call.params["order_group_id"])
        result = exchange.apply(act(exchange.venue, account, group, exchange.now_us()))
        if isinstance(result, Refusal):
            raise refused(result)
        return ok({})

    return handler


delete_group = _acting("DeleteOrderGroup", Venue.delete_group)
reset_group = _acting("ResetOrderGroup", Venue.reset_group)
trigger_group = _acting("TriggerOrderGroup", Venue.trigger_group)


def limit_group(exchange: Exchange, call: Call) -> Reply:
    """Set another limit; one below the volume of the window triggers the group."""
    account = queried_account(exchange, call, Query("UpdateOrderGroupLimit", call.query))
    limit = _limit(Body("UpdateOrderGroupLimitRequest", decode_object(call.body)))
    group = OrderGroupId(call.params["order_group_id"])
    result = exchange.apply(exchange.venue.limit_group(account, group, limit, exchange.now_us()))
    if isinstance(result, Refusal):
        raise refused(result)
    return ok({})


# Subaccounts


def create_subaccount(exchange: Exchange, call: Call) -> Reply:
    """Open the user's next subaccount, empty."""
    Body("CreateSubaccountRequest", decode_object(call.body)).integer("exchange_index")
    number = max((n for n, _ in exchange.accounts.of_user(call.user_id)), default=0) + 1
    if number > SUBACCOUNT_MAX:
        raise nested(400, "invalid_parameters", details="too many subaccounts")
    exchange.open_account(call.user_id, number)
    return ok({"subaccount_number": number}, 201)


def subaccount_balances(exchange: Exchange, call: Call) -> Reply:
    """The cash of every subaccount."""
    rows: list[Json] = []
    for number, account in exchange.accounts.of_user(call.user_id):
        view = exchange.venue.reads.balance(account)
        if view is not None:
            rows.append(
                {
                    "subaccount_number": number,
                    "balance": four_places(view.available),
                    "updated_ts": exchange.now_us() // SECOND_US,
                    "exchange_index": 0,
                }
            )
    return ok({"subaccount_balances": rows})


def transfer(exchange: Exchange, call: Call) -> Reply:
    """Move cash between two subaccounts of the user."""
    body = Body("ApplySubaccountTransferRequest", decode_object(call.body))
    body.text("client_transfer_id")
    source = account_of(exchange, call, body.integer("from_subaccount"))
    destination = account_of(exchange, call, body.integer("to_subaccount"))
    amount = Money((body.integer("amount_cents") or 0) * _CENTS_TO_MONEY)
    shard = max(0, body.integer("exchange_index") or 0)
    if amount <= 0 or source == destination:
        raise nested(400, "invalid_parameters", details="amount_cents must be positive")
    refusal = exchange.deposit(source, Money(-amount), shard)
    if refusal is not None:
        raise refused(refusal)
    exchange.deposit(destination, amount, shard)
    return ok({})


_GROUPS = "/portfolio/order_groups"
_ONE = f"{_GROUPS}/{{order_group_id}}"
_SUBACCOUNTS = "/portfolio/subaccounts"


def _write(method: str, path: str, handler: Handler) -> Route:
    return Route(method, path, handler, is_signed=True, bucket=Bucket.WRITE)


ROUTES = (
    Route("GET", _GROUPS, groups, is_signed=True),
    _write("POST", f"{_GROUPS}/create", create_group),
    Route("GET", _ONE, one_group, is_signed=True),
    _write("DELETE", _ONE, delete_group),
    _write("PUT", f"{_ONE}/reset", reset_group),
    _write("PUT", f"{_ONE}/trigger", trigger_group),
    _write("PUT", f"{_ONE}/limit", limit_group),
    _write("POST", _SUBACCOUNTS, create_subaccount),
    _write("POST", f"{_SUBACCOUNTS}/transfer", transfer),
    Route("GET", f"{_SUBACCOUNTS}/balances", subaccount_balances, is_signed=True),
)
