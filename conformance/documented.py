"""Judge: every success and every frame is what OpenAPI and AsyncAPI say it is.

A life of an exchange is acted out so that each served path succeeds at least
once and each channel speaks; a served path that never succeeded is a finding.
"""

import re
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.domain.ids import MarketTicker
from bot.domain.money import Money
from bot.kit.times import SECOND_US
from bot.simulator.catalog import DECI_GRID
from bot.simulator.server import ROUTES, SimulatedExchange
from bot.simulator.settings import RateLimits, SimulatorSettings
from conformance.clients import Answer, Listener, Witness, another_user, first_user
from conformance.specs import RestSpec, StreamSpec, load
from conformance.verdicts import Verdict, judged

START_US = 1_790_000_000 * SECOND_US
_ORDERS = "/portfolio/events/orders"
_CLOSED = re.compile("/portfolio/orders(/batched|/{order_id}(/amend|/decrease)?)?$")
_SUCCESS = range(200, 300)
_DAY_S = 86_400
_CHANNELS = (
    "orderbook_delta", "ticker", "trade", "fill", "user_orders", "market_positions",
)  # fmt: skip
_BROAD = ("market_lifecycle_v2", "order_group_updates")


@dataclass(slots=True)
class Traffic:
    """Everything that passed."""

    answers: list[Answer] = field(default_factory=list)
    frames: list[dict[str, Any]] = field(default_factory=list)

    def keep(self, answer: Answer) -> Any:
        """Note an answer and hand on its body."""
        self.answers.append(answer)
        return answer.body


class Visitor:
    """A user whose every answer is kept, and who knows the markets."""

    def __init__(self, witness: Witness, traffic: Traffic) -> None:
        self._witness = witness
        self._traffic = traffic
        self._orders = 0

    async def get(self, path: str) -> Any:
        """Read something."""
        return self._traffic.keep(await self._witness.call("GET", path))

    async def send(self, method: str, path: str, body: object = None) -> Any:
        """Change something."""
        return self._traffic.keep(await self._witness.call(method, path, body))

    def order(self, ticker: str, **changes: object) -> dict[str, object]:
        """An order's body: by default one contract bid at a cent, resting."""
        self._orders += 1
        return {
            "ticker": ticker,
            "client_order_id": f"judge-{id(self)}-{self._orders}",
            "side": "bid",
            "count": "1.00",
            "price": "0.0100",
            "time_in_force": "good_till_canceled",
            "self_trade_prevention_type": "taker_at_cross",
        } | changes


async def judge_documents(specs: Path, *, is_short: bool) -> list[Verdict]:
    """Act, then compare. Raises ``Unavailable`` without the documents."""
    rest = RestSpec(load(specs, "openapi.yaml"))
    stream = StreamSpec(load(specs, "asyncapi.yaml"))
    traffic = await act(markets_read=15 if is_short else 100)
    return [_judge_rest(rest, traffic), _judge_stream(stream, traffic)]


def _judge_rest(spec: RestSpec, traffic: Traffic) -> Verdict:
    successes = [answer for answer in traffic.answers if answer.status in _SUCCESS]
    findings = [
        finding
        for one in successes
        for finding in spec.findings(one.method, one.path, one.status, one.body)
    ]
    seen = {(one.method, spec.template(one.method, one.path)) for one in successes}
    findings += [f"{method} {path}: never succeeded" for method, path in served(spec) - seen]
    checked = f"{len(successes)} answers of {len(seen)} operations"
    return judged("OpenAPI 3.34.0", checked, findings)


def served(spec: RestSpec) -> set[tuple[str, str | None]]:
    """The simulator's operations as the document names them; the closed V1 writes are not in it."""
    return {
        (route.method, spec.template(route.method, re.sub(r"\{[^}]+\}", "x", route.path)))
        for route in ROUTES
        if route.method == "GET" or not _CLOSED.match(route.path)
    }


def _judge_stream(spec: StreamSpec, traffic: Traffic) -> Verdict:
    findings = [finding for frame in traffic.frames for finding in spec.findings(frame)]
    wanted = {
        "subscribed", "unsubscribed", "ok", "error", "orderbook_snapshot", "orderbook_delta",
        "ticker", "trade", "fill", "user_order", "market_position", "market_lifecycle_v2",
        "event_lifecycle", "order_group_updates",
    }  # fmt: skip
    seen = {frame["type"] for frame in traffic.frames}
    findings += [f"no frame of type {kind} was sent" for kind in wanted - seen]
    checked = f"{len(traffic.frames)} frames of {len(seen)} types"
    return judged("AsyncAPI 2.0.0", checked, findings)


async def act(*, markets_read: int) -> Traffic:
    """A life of an exchange, from the first listing to the archive."""
    traffic = Traffic()
    settings = SimulatorSettings(
        speed=0,
        start_us=START_US,
        limits=RateLimits(is_on=False),
        historical_after_us=_DAY_S * SECOND_US,
    )
    async with AsyncExitStack() as stack:
        sim = await stack.enter_async_context(SimulatedExchange(settings))
        mine = await stack.enter_async_context(first_user(sim))
        other = await stack.enter_async_context(another_user(sim, "other-user"))
        account = sim.exchange.open_account("other-user")
        sim.exchange.deposit(account, Money(1_000_000_000))
        visitor = Visitor(mine, traffic)
        ticker, event, series = await _read_market_data(visitor, markets_read)
        listener = await mine.listen()
        await _subscribe(listener, ticker)
        await _trade(visitor, Visitor(other, traffic), ticker)
        await _read_portfolio(visitor, ticker, event)
        await _converse(listener, ticker)
        await _live_and_settle(sim, visitor, ticker)
        await listener.read()
        await _read_market_data(visitor, markets_read)
        await _read_portfolio(visitor, ticker, event)
        await _age(sim, visitor, ticker, series)
        await listener.read()
        traffic.frames += listener.frames
        await listener.close()
    return traffic


async def _read_market_data(visitor: Visitor, most: int) -> tuple[str, str, str]:
    """Every public read; returns a market with both sides, its event and its series."""
    for path in ("/exchange/status", "/exchange/schedule", "/exchange/user_data_timestamp",
                 "/account/endpoint_costs", "/account/limits", "/api_keys", "/series/fee_changes",
                 "/events/fee_changes", "/events/multivariate?limit=10",
                 "/series?include_volume=true", "/events?with_nested_markets=true&limit=200",
                 "/events?status=open&limit=5", "/historical/cutoff", "/markets/trades?limit=1000",
                 "/markets?limit=1000", "/markets?status=settled"):  # fmt: skip
        await visitor.get(path)
    found = (await visitor.get("/markets?status=open&limit=1000"))["markets"]
    for market in found[:most]:
        await _read_market(visitor, market)
    await visitor.get(
        "/markets/orderbooks?" + "&".join(f"tickers={m['ticker']}" for m in found[:9])
    )
    busy = next(market for market in found if _is_two_sided(market))
    series = busy["ticker"].partition("-")[0]
    return busy["ticker"], busy["event_ticker"], series


def _is_two_sided(market: dict[str, Any]) -> bool:
    bid, ask = str(market["yes_bid_dollars"]), str(market["yes_ask_dollars"])
    return bool(market["exchange_index"] == 0) and bid > "0.2000" and ask < "0.8000"


async def _read_market(visitor: Visitor, market: dict[str, Any]) -> None:
    ticker, event = market["ticker"], market["event_ticker"]
    series = ticker.partition("-")[0]
    now_s = START_US // SECOND_US
    span = f"start_ts={now_s - _DAY_S}&end_ts={now_s + _DAY_S}&period_interval=60"
    latest = "&include_latest_before_start=true"
    await visitor.get(f"/markets/{ticker}")
    await visitor.get(f"/markets/{ticker}/orderbook?depth=5")
    await visitor.get(f"/markets/trades?ticker={ticker}&limit=5")
    await visitor.get(f"/series/{series}")
    await visitor.get(f"/series/{series}/markets/{ticker}/candlesticks?{span}{latest}")
    await visitor.get(f"/series/{series}/events/{event}/candlesticks?{span}")
    await visitor.get(f"/markets/candlesticks?market_tickers={ticker}&{span}")
    await visitor.get(f"/events/{event}")
    await visitor.get(f"/events/{event}?with_nested_markets=true")
    await visitor.get(f"/events/{event}/metadata")


async def _subscribe(listener: Listener, ticker: str) -> None:
    params = {"market_tickers": [ticker]}
    await listener.command("subscribe", {"channels": [*_CHANNELS], **params})
    await listener.command("subscribe", {"channels": [*_BROAD]})
    await listener.command(
        "subscribe", {"channels": ["ticker"], "send_initial_snapshot": True, **params}
    )
    await listener.command("list_subscriptions")


async def _trade(visitor: Visitor, other: Visitor, ticker: str) -> None:
    """Every write, with what may come back: rested, filled, partly filled, refused."""
    group = await visitor.send("POST", "/portfolio/order_groups/create", {"contracts_limit": 500})
    group_id = group["order_group_id"]
    resting = [
        await visitor.send("POST", _ORDERS, visitor.order(ticker, count="5.00", **more))
        for more in (
            {"order_group_id": group_id},
            {"expiration_time": START_US // SECOND_US + 3_600},
            {"price": "0.0200", "post_only": True, "cancel_order_on_pause": True},
        )
    ]
    taker = {"price": "0.9900", "time_in_force": "immediate_or_cancel"}
    await visitor.send("POST", _ORDERS, visitor.order(ticker, count="3.00", **taker))
    await other.send("POST", _ORDERS, other.order(ticker, count="2.00", **taker))
    made = visitor.order(ticker, side="ask", price="0.9800", count="2.00")
    await visitor.send("POST", _ORDERS, made)
    await _change(visitor, ticker, resting)
    await _batch(visitor, ticker)
    one = f"/portfolio/order_groups/{group_id}"
    await visitor.get(one)
    await visitor.send("PUT", f"{one}/limit", {"contracts_limit_fp": "20.00"})
    await visitor.send("PUT", f"{one}/trigger")
    await visitor.send("PUT", f"{one}/reset")
    await visitor.get("/portfolio/order_groups")
    await visitor.send("DELETE", one)
    await visitor.send("POST", "/portfolio/subaccounts", {})
    move = {"from_subaccount": 0, "to_subaccount": 1, "amount_cents": 500}
    await visitor.send(
        "POST",
        "/portfolio/subaccounts/transfer",
        move | {"client_transfer_id": "0b7c1b43-1c2d-4a57-9c11-6f6de2b8c001"},
    )


async def _change(visitor: Visitor, ticker: str, resting: list[dict[str, Any]]) -> None:
    first, second, third = (f"{_ORDERS}/{order['order_id']}" for order in resting)
    await visitor.get(f"/portfolio/orders/{resting[0]['order_id']}")
    await visitor.get(f"/portfolio/orders/{resting[0]['order_id']}/queue_position")
    amended = {"ticker": ticker, "side": "bid", "price": "0.0300", "count": "6.00"}
    await visitor.send("POST", f"{first}/amend", amended)
    await visitor.send("POST", f"{second}/decrease", {"reduce_by": "1.00"})
    await visitor.send("POST", f"{third}/decrease", {"reduce_to": "2.00"})
    await visitor.send("DELETE", f"{third}?market_ticker={ticker}")
    await visitor.get("/portfolio/orders/queue_positions?market_tickers=" + ticker)


async def _batch(visitor: Visitor, ticker: str) -> None:
    wrong = visitor.order(ticker, price="0.0150")
    batch = {"orders": [visitor.order(ticker), visitor.order(ticker), wrong]}
    made = (await visitor.send("POST", f"{_ORDERS}/batched", batch))["orders"]
    ids = [{"order_id": made[0]["order_id"]}, {"order_id": "not-an-order"}]
    await visitor.send("DELETE", f"{_ORDERS}/batched", {"orders": ids})
    await visitor.send("POST", _ORDERS, visitor.order(ticker))
    await visitor.send("DELETE", _ORDERS)
    await visitor.send("POST", _ORDERS, visitor.order(ticker))


async def _read_portfolio(visitor: Visitor, ticker: str, event: str) -> None:
    for path in ("/portfolio/balance", "/portfolio/balance?exchange_index=0",
                 "/portfolio/positions", f"/portfolio/positions?event_ticker={event}",
                 "/portfolio/positions?settlement_status=all", "/portfolio/settlements",
                 "/portfolio/orders", "/portfolio/orders?status=resting",
                 f"/portfolio/orders?ticker={ticker}&limit=1", "/portfolio/fills",
                 f"/portfolio/fills?ticker={ticker}&limit=1",
                 "/portfolio/summary/total_resting_order_value",
                 "/portfolio/subaccounts/balances", "/historical/fills", "/historical/orders",
                 "/historical/positions", "/historical/markets",
                 "/historical/trades"):  # fmt: skip
        await visitor.get(path)


async def _converse(listener: Listener, ticker: str) -> None:
    """Every command, and every refusal that a command can meet."""
    for action in ("get_snapshot", "delete_markets", "add_markets"):
        change = {"sid": 1, "market_tickers": [ticker], "action": action}
        await listener.command("update_subscription", change)
    await listener.command("subscribe", {"channels": ["nonsense"]})
    await listener.command("subscribe", {"channels": ["orderbook_delta"]})
    await listener.command("subscribe", {})
    await listener.command("subscribe")
    await listener.command("update_subscription", {"sid": 99, "action": "add_markets"})
    await listener.command("unsubscribe", {})
    await listener.command("nonsense")
    both = {"channels": ["orderbook_delta"], "market_tickers": [ticker], "use_yes_price": True}
    await listener.command("subscribe", both)
    await listener.command("unsubscribe", {"sids": [3]})


async def _live_and_settle(sim: SimulatedExchange, visitor: Visitor, ticker: str) -> None:
    """A market's whole life, then half an hour of everybody's."""
    exchange, known = sim.exchange, MarketTicker(ticker)
    now_us = exchange.now_us
    operations = exchange.venue.operations
    exchange.apply(operations.set_grid(known, DECI_GRID, now_us()))
    exchange.apply(operations.deactivate(known, now_us()))
    exchange.apply(operations.activate(known, now_us()))
    exchange.apply(operations.move_close(known, now_us() + 60 * SECOND_US, now_us()))
    await visitor.get(f"/markets/{ticker}")
    await sim.advance(seconds=3_600)
    await visitor.get(f"/markets/{ticker}")


async def _age(sim: SimulatedExchange, visitor: Visitor, ticker: str, series: str) -> None:
    """Let it all become history."""
    await sim.advance(seconds=90 * 3_600)
    now_s = sim.exchange.now_us() // SECOND_US
    old = (await visitor.get("/historical/markets?limit=5"))["markets"]
    span = f"start_ts={now_s - 5 * _DAY_S}&end_ts={now_s}&period_interval=60"
    for name in {ticker, *(market["ticker"] for market in old)}:
        await visitor.get(f"/historical/markets/{name}")
        await visitor.get(f"/historical/markets/{name}/candlesticks?{span}")
    await visitor.get(f"/historical/markets?series_ticker={series}")
    for path in ("/historical/fills", "/historical/orders", "/historical/positions",
                 "/historical/trades?limit=50", "/portfolio/settlements"):  # fmt: skip
        await visitor.get(path)


def refusals(traffic: Traffic) -> Iterator[Answer]:
    """What was not a success, for whoever looks why a path never succeeded."""
    return (answer for answer in traffic.answers if answer.status not in _SUCCESS)
