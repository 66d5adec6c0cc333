"""The operator's calls of a simulated exchange: faults, time, money, markets, keys.

Served to loopback only and unsigned. Nothing here exists at the real venue.
"""

from typing import Any

import msgspec

from bot.domain.ids import MarketTicker, OrderGroupId
from bot.domain.money import Money, Price, parse_money, parse_price
from bot.kit.times import SECOND_US
from bot.simulator.calls import Body, Call, Handler, Reply, Route, decode_object, ok
from bot.simulator.errors import nested, not_found, refused
from bot.simulator.exchange import Exchange
from bot.simulator.faults import ExchangeFault, FaultRule
from bot.simulator.limits import Bucket
from bot.venue.markets import MarketResult, MarketView
from bot.venue.results import Outcome, Refusal

PREFIX = "/admin"
_MILLI_US = 1_000


def arm_faults(exchange: Exchange, call: Call) -> Reply:
    """Arm one rule or a list of them."""
    try:
        rules = msgspec.json.decode(call.body, type=FaultRule | list[FaultRule])
    except msgspec.DecodeError as error:
        raise nested(400, "invalid_parameters", details=str(error)) from error
    chosen = rules if isinstance(rules, list) else [rules]
    return ok({"ids": [apply_rule(exchange, rule) for rule in chosen]}, 201)


def apply_rule(exchange: Exchange, rule: FaultRule) -> int:
    """Arm a rule of the wire, or do at once what concerns the exchange. 0 names no rule."""
    match rule.kind:
        case ExchangeFault.TRADING_PAUSE:
            pause(exchange, duration_ms=rule.duration_ms, is_exchange=False)
        case ExchangeFault.EXCHANGE_PAUSE:
            pause(exchange, duration_ms=rule.duration_ms, is_exchange=True)
        case ExchangeFault.GROUP_TRIGGER:
            trigger_groups(exchange, rule.order_group_id)
        case ExchangeFault.CLOCK_SKEW:
            exchange.skew_ms = rule.offset_ms
        case _:
            return exchange.faults.arm(rule)
    return 0


def pause(exchange: Exchange, *, duration_ms: int, is_exchange: bool) -> None:
    """Stop trading or the exchange; it goes on by itself after a duration above 0."""
    set_active(exchange, is_active=False, is_exchange=is_exchange)
    if duration_ms:
        end_us = exchange.now_us() + duration_ms * _MILLI_US
        exchange.agenda.add(
            end_us, lambda: set_active(exchange, is_active=True, is_exchange=is_exchange)
        )


def set_active(exchange: Exchange, *, is_active: bool, is_exchange: bool) -> None:
    """Switch trading or the exchange."""
    operations, now_us = exchange.venue.operations, exchange.now_us()
    switch = operations.set_exchange_active if is_exchange else operations.set_trading_active
    exchange.apply(switch(now_us, is_active=is_active))


def trigger_groups(exchange: Exchange, group_id: str) -> None:
    """Trigger one group, or every group of every user."""
    for account in exchange.accounts.every():
        for group in list(exchange.venue.reads.groups(account)):
            if group_id in {"", group.order_group_id}:
                exchange.apply(
                    exchange.venue.trigger_group(
                        account, OrderGroupId(group.order_group_id), exchange.now_us()
                    )
                )


def list_faults(exchange: Exchange, call: Call) -> Reply:
    """The armed rules."""
    del call
    return ok({"faults": exchange.faults.listing()})


def disarm_faults(exchange: Exchange, call: Call) -> Reply:
    """Disarm the rule named by ``id``, or all."""
    text = call.query.get("id", "")
    exchange.faults.disarm(int(text) if text.isdigit() else None)
    return ok({"faults": exchange.faults.listing()})


def resume(exchange: Exchange, call: Call) -> Reply:
    """End every pause."""
    del call
    set_active(exchange, is_active=True, is_exchange=True)
    set_active(exchange, is_active=True, is_exchange=False)
    return ok({})


def advance(exchange: Exchange, call: Call) -> Reply:
    """Move the exchange's clock forward by ``ms`` and let everything due happen."""
    milliseconds = Body("Advance", decode_object(call.body)).integer("ms") or 0
    if milliseconds < 0:
        raise nested(400, "invalid_parameters", details="ms must not be negative")
    exchange.clock.advance(milliseconds * _MILLI_US)
    exchange.catch_up()
    return ok(_state(exchange))


def state(exchange: Exchange, call: Call) -> Reply:
    """Time, markets, and whether anything is armed."""
    del call
    return ok(_state(exchange))


def _state(exchange: Exchange) -> dict[str, Any]:
    by_status: dict[str, int] = {}
    for ticker in exchange.catalog.markets:
        view = exchange.venue.reads.market(ticker)
        if view is not None:
            by_status[view.status] = by_status.get(view.status, 0) + 1
    return {
        "now_us": exchange.now_us(),
        "markets": by_status,
        "faults": len(exchange.faults.listing()),
        "recorded": list(exchange.recorded),
    }


def deposit(exchange: Exchange, call: Call) -> Reply:
    """Give a user money: ``user_id``, ``amount`` in dollars, ``exchange_index``, ``subaccount``."""
    body = Body("Deposit", decode_object(call.body))
    account = exchange.open_account(body.text("user_id"), body.integer("subaccount") or 0)
    amount = Money(parse_money(body.text("amount")))
    refusal = exchange.deposit(account, amount, body.integer("exchange_index") or 0)
    if refusal is not None:
        raise refused(refusal)
    return ok({})


def register_key(exchange: Exchange, call: Call) -> Reply:
    """Accept a public key: ``key_id``, ``public_key`` (PEM), ``user_id``."""
    body = Body("RegisterKey", decode_object(call.body))
    user_id = body.text("user_id")
    try:
        exchange.keys.register(body.text("key_id"), body.text("public_key").encode(), user_id)
    except ValueError as error:
        raise nested(400, "invalid_parameters", details="public_key is not a PEM key") from error
    exchange.open_account(user_id)
    return ok({"user_id": user_id}, 201)


def act_on_market(exchange: Exchange, call: Call) -> Reply:
    """One act of a market's life.

    ``activate``, ``deactivate``, ``close``, ``move_close`` (``close_ts``),
    ``determine`` (``result``, ``value``).
    """
    ticker = MarketTicker(call.params["ticker"])
    body = Body("MarketAct", decode_object(call.body or b"{}"))
    result = exchange.apply(_market_act(exchange, ticker, call.params["act"], body))
    if isinstance(result, Refusal):
        raise refused(result)
    return ok({"status": str(result.status)})


def _market_act(
    exchange: Exchange, ticker: MarketTicker, act: str, body: Body
) -> Outcome[MarketView]:
    operations, now_us = exchange.venue.operations, exchange.now_us()
    match act:
        case "activate":
            return operations.activate(ticker, now_us)
        case "deactivate":
            return operations.deactivate(ticker, now_us)
        case "close":
            return operations.move_close(ticker, now_us, now_us)
        case "move_close":
            close_us = (body.integer("close_ts") or 0) * SECOND_US
            return operations.move_close(ticker, close_us, now_us)
        case "determine":
            result = MarketResult(body.one_of("result", MarketResult))
            return operations.determine(ticker, result, now_us, value=_value(body))
        case _:
            raise not_found()


def _value(body: Body) -> Price | None:
    text = body.optional_text("value")
    return parse_price(text) if text else None


def _route(method: str, path: str, handler: Handler) -> Route:
    return Route(method, f"{PREFIX}{path}", handler, bucket=Bucket.NONE)


ROUTES = (
    _route("GET", "/faults", list_faults),
    _route("POST", "/faults", arm_faults),
    _route("DELETE", "/faults", disarm_faults),
    _route("POST", "/resume", resume),
    _route("POST", "/advance", advance),
    _route("GET", "/state", state),
    _route("POST", "/deposits", deposit),
    _route("POST", "/keys", register_key),
    _route("POST", "/markets/{ticker}/{act}", act_on_market),
)
