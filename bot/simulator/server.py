"""The HTTP server around an exchange, and the handle that tests, demos and the command hold.

Each REST call passes, in order: armed faults, the signature, the token bucket,
the handler. The world moves by a pump between requests and before every one.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from email.utils import formatdate
from http import HTTPStatus
from random import Random, SystemRandom
from types import TracebackType
from typing import Self

import msgspec
from aiohttp import web

from bot.domain.errors import ConfigurationFault
from bot.domain.ids import OrderId
from bot.domain.money import Money
from bot.kit.clock import Clock, SystemClock
from bot.simulator import (
    admin,
    candle_reads,
    event_reads,
    group_writes,
    historical_reads,
    market_reads,
    order_writes,
    portfolio_reads,
)
from bot.simulator.calls import Call, Reply, Route
from bot.simulator.errors import WireError, nested, too_many_requests
from bot.simulator.exchange import Exchange
from bot.simulator.faults import CallFault, FaultRule, in_order, load_script
from bot.simulator.frames import encode
from bot.simulator.races import fill_resting
from bot.simulator.settings import SimulatorSettings
from bot.simulator.sockets import PATH as SOCKET_PATH
from bot.simulator.sockets import serve_socket
from bot.simulator.worlds import open_world

API = "/trade-api/v2"
_JSON = "application/json"
_MILLI = 1_000
_LOOPBACK = frozenset({"127.0.0.1", "::1"})
_BODY_MAX = 4 * 1024 * 1024
_LOST_ANSWER_S = 30.0
FIRST_USER = str(uuid.uuid5(uuid.NAMESPACE_URL, "simulated-user"))

ROUTES: tuple[Route, ...] = (
    *candle_reads.ROUTES,
    *market_reads.ROUTES,
    *event_reads.ROUTES,
    *historical_reads.ROUTES,
    *portfolio_reads.ROUTES,
    *order_writes.ROUTES,
    *group_writes.ROUTES,
)


def build_app(exchange: Exchange) -> web.Application:
    """The routes of the venue and of the operator."""
    app = web.Application(client_max_size=_BODY_MAX)
    for route in ROUTES:
        app.router.add_route(route.method, f"{API}{route.path}", _serve(exchange, route))
    for route in admin.ROUTES:
        app.router.add_route(route.method, route.path, _serve(exchange, route))

    async def socket(request: web.Request) -> web.StreamResponse:
        return await serve_socket(exchange, request)

    async def missing(request: web.Request) -> web.Response:
        del request
        return web.Response(text="404 page not found\n", status=404)

    app.router.add_get(SOCKET_PATH, socket)
    app.router.add_route("*", "/{rest:.*}", missing)
    return app


def _serve(exchange: Exchange, route: Route) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handler(request: web.Request) -> web.Response:
        is_admin = route.path.startswith(admin.PREFIX)
        if is_admin and request.remote not in _LOOPBACK:
            return web.Response(text="404 page not found\n", status=404)
        body = await request.read()
        fault = None if is_admin else exchange.faults.on_call(request.method, request.path)
        if fault is not None:
            early = await _before(exchange, request, fault)
            if early is not None:
                return early
        response = _answer(exchange, route, request, body)
        if fault is not None:
            await _after(exchange, request, response, fault)
        if exchange.skew_ms and not is_admin:
            shown_s = exchange.host.now_us() // 1_000_000 + exchange.skew_ms // _MILLI
            response.headers["Date"] = formatdate(shown_s, usegmt=True)
        return response

    return handler


async def _before(
    exchange: Exchange, request: web.Request, fault: FaultRule
) -> web.Response | None:
    """Act out a fault that comes before the work; an answer here replaces it."""
    match fault.kind:
        case CallFault.LATENCY:
            await asyncio.sleep(exchange.faults.delay_s(fault))
        case CallFault.CANCEL_RACE:
            fill_resting(exchange, OrderId(request.match_info.get("order_id", "")), parts=1)
        case CallFault.NO_ANSWER | CallFault.RESET:
            if fault.kind == CallFault.NO_ANSWER:
                await asyncio.sleep(exchange.faults.delay_s(fault) or _LOST_ANSWER_S)
            _break(request)
            return web.Response(status=500)
        case _:
            error = _status_of(exchange, fault)
            return None if error is None else _failure(error)
    return None


def _status_of(exchange: Exchange, fault: FaultRule) -> WireError | None:
    match fault.kind:
        case CallFault.TOO_MANY:
            return too_many_requests(flat=exchange.settings.limits.flat_body)
        case CallFault.SERVER_ERROR:
            return nested(500, "internal_server_error")
        case CallFault.UNAVAILABLE:
            return nested(503, "service_unavailable")
        case _:
            return None


async def _after(
    exchange: Exchange, request: web.Request, response: web.Response, fault: FaultRule
) -> None:
    """Act out a fault that comes after the work."""
    if fault.kind == CallFault.LOST_ANSWER:
        await asyncio.sleep(exchange.faults.delay_s(fault) or _LOST_ANSWER_S)
        _break(request)
    elif fault.kind == CallFault.PARTIAL_FILL and response.status == HTTPStatus.CREATED:
        assert isinstance(response.body, bytes)
        made = msgspec.json.decode(response.body)
        fill_resting(exchange, OrderId(str(made.get("order_id", ""))), parts=2)


def _break(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _answer(exchange: Exchange, route: Route, request: web.Request, body: bytes) -> web.Response:
    try:
        reply = answer(exchange, route, _call(exchange, route, request, body))
    except WireError as error:
        return _failure(error)
    if reply.body is None:
        return web.Response(status=reply.status)
    return web.Response(status=reply.status, body=reply.body, content_type=_JSON)


def _call(exchange: Exchange, route: Route, request: web.Request, body: bytes) -> Call:
    identity = None
    if route.is_signed:
        # The path as the client sent it: escapes are part of what was signed.
        path = request.raw_path.partition("?")[0]
        identity = exchange.identify(request.headers, request.method, path)
    return Call(
        method=request.method,
        path=request.path,
        params=request.match_info,
        query=request.query,
        body=body,
        identity=identity,
    )


def answer(exchange: Exchange, route: Route, call: Call) -> Reply:
    """Charge and handle one call whose signature is good.

    Raises:
        WireError: every answer that is not a success.
    """
    user = call.identity.user_id if call.identity else "public"
    tokens, shard = route.cost(exchange, call)
    now_us = exchange.host.monotonic_us()
    if not exchange.limiter.allows(user, route.bucket, tokens, now_us, shard=shard):
        raise too_many_requests(flat=exchange.settings.limits.flat_body)
    exchange.catch_up()
    return route.handler(exchange, call)


def _failure(error: WireError) -> web.Response:
    return web.Response(status=error.status, body=encode(error.body), content_type=_JSON)


class SimulatedExchange:
    """A running simulated exchange.

    Use it as an async context manager. ``keys`` is the first user's API key,
    ``exchange`` what the server serves, ``venue`` the model underneath.
    """

    def __init__(self, settings: SimulatorSettings, *, clock: Clock | None = None) -> None:
        self.settings = settings
        self._host = clock or SystemClock()
        # A stepped history must repeat; one that meets a database must never repeat an id.
        ids = Random(settings.seed) if settings.speed == 0 else SystemRandom()  # noqa: S311
        self.exchange = Exchange(settings, self._host, ids)
        self.venue = self.exchange.venue
        self.keys = self.exchange.new_key(FIRST_USER)
        self.user_id = FIRST_USER
        self._open = AsyncExitStack()
        self.port = 0

    @property
    def base_url(self) -> str:
        """The REST root, ``/trade-api/v2`` included."""
        return f"http://{self.settings.host}:{self.port}{API}"

    @property
    def admin_url(self) -> str:
        """The root of the operator's calls."""
        return f"http://{self.settings.host}:{self.port}{admin.PREFIX}"

    @property
    def ws_url(self) -> str:
        """The WebSocket."""
        return f"ws://{self.settings.host}:{self.port}{SOCKET_PATH}"

    @property
    def clock(self) -> Clock:
        """The exchange's clock, for a client that shall live in its time."""
        return self.exchange.clock

    async def __aenter__(self) -> Self:
        """Fund the first account, build the world, listen.

        Raises:
            ConfigurationFault: the port is taken or may not be used, or a file is not usable.
        """
        self._fund()
        self.exchange.world = open_world(self.exchange)
        self.exchange.catch_up()
        self._script()
        async with AsyncExitStack() as stack:
            runner = web.AppRunner(
                build_app(self.exchange),
                access_log=None,
                shutdown_timeout=1.0,
                handle_signals=False,
            )
            stack.push_async_callback(runner.cleanup)
            await runner.setup()
            await self._listen(runner)
            self.port = runner.addresses[0][1]
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            pump = tasks.create_task(self._run_pump(), name="simulator-pump")
            stack.callback(pump.cancel)
            self._open = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the world, then close every connection."""
        await self._open.__aexit__(kind, error, trace)

    async def advance(self, *, seconds: int = 0, ms: int = 0) -> None:
        """Move the exchange's clock and let everything due happen; then let readers read."""
        self.exchange.clock.advance(seconds * 1_000_000 + ms * _MILLI)
        self.exchange.catch_up()
        await asyncio.sleep(0)

    async def _listen(self, runner: web.AppRunner) -> None:
        host, port = self.settings.host, self.settings.port
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            fault = (
                f"cannot listen on {host}:{port} ({error.strerror or error}); set another --port"
            )
            raise ConfigurationFault([fault]) from None

    async def _run_pump(self) -> None:
        while True:
            await asyncio.sleep(self.settings.tick_ms / _MILLI)
            self.exchange.catch_up()

    def _fund(self) -> None:
        account = self.exchange.open_account(FIRST_USER)
        for shard, amount in sorted(self.settings.cash.items()):
            if amount:
                self.exchange.deposit(account, Money(amount), shard)

    def _script(self) -> None:
        if self.settings.faults is None:
            return
        for rule in in_order(load_script(self.settings.faults)):
            at_us = self.exchange.clock.start_us + rule.at_ms * _MILLI
            self.exchange.agenda.add(at_us, _arming(self.exchange, rule))


def _arming(exchange: Exchange, rule: FaultRule) -> Callable[[], None]:
    def arm() -> None:
        admin.apply_rule(exchange, rule)

    return arm
