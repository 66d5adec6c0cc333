"""HTTP to Kalshi: paced, signed, timed out, counted. Reads are tried again, writes never.

Reads go through aiohttp, writes over connections of our own (``write_lines``), so that a
read never makes an order wait for a connection and an order pays for nothing it does not need.

It raises our classes only and parses no body but an error's. From a write,
``ExchangeUnavailable`` says that nothing was sent; anything less certain is
``OutcomeUnknown``.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from random import Random
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import aiohttp
from yarl import URL

from bot.adapters.kalshi.budget import Cost, Lane, Priority, RequestBudget
from bot.adapters.kalshi.settings import RestSettings
from bot.adapters.kalshi.signing import Headers, PreSigned, Signer
from bot.adapters.kalshi.wire.http_answer import Answer
from bot.adapters.kalshi.wire.refusals import (
    Refusal,
    order_fault,
    read_fault,
    read_refusal,
    request_fault,
)
from bot.adapters.kalshi.wire.requests import EMPTY_BODY, Params
from bot.adapters.kalshi.write_lines import WriteLines
from bot.domain.errors import (
    BotError,
    CredentialsRefused,
    ExchangeUnavailable,
    OutcomeUnknown,
    RateLimited,
)
from bot.kit.backoff import Backoff
from bot.kit.clock import Clock
from bot.kit.metrics import Metric, emit
from bot.kit.times import SECOND_US

logger = logging.getLogger(__name__)

CREATE_ORDER_PATH = "/portfolio/events/orders"
Held = TypeVar("Held", aiohttp.ClientSession, WriteLines)
_USER_AGENT = {"User-Agent": "kalshi-bot"}
_WITH_BODY = frozenset({"POST", "PUT"})
_KEEPALIVE_S = 20.0
_DNS_CACHE_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, as far as it does not depend on the moment."""

    method: str
    path: str
    """Behind ``/trade-api/v2``, percent-encoded."""
    params: Params = ()
    body: bytes | None = None
    cost: Cost = field(default_factory=lambda: Cost(lane=Lane.READ))
    priority: Priority = Priority.MARKET
    is_signed: bool = True
    accepts: frozenset[int] = frozenset({200, 201, 204})


_CREATE = Call(
    method="POST",
    path=CREATE_ORDER_PATH,
    cost=Cost(lane=Lane.WRITE),
    priority=Priority.ORDER,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer whose status the call accepts."""

    status: int
    body: bytes
    server_us: int | None
    """The venue's clock by the ``Date`` header, to the second."""


@dataclass(slots=True)
class CallCounter:
    """How the calls went, since the start by class and since the last ``take`` in sum.

    ``failed`` are the ones that speak against the exchange or our key: timeouts,
    connections, 5xx, 401. Refusals and our own haste (429) are calls like others.
    """

    totals: Counter[str] = field(default_factory=Counter)
    _calls: int = 0
    _failed: int = 0

    def add(self, kind: str, *, is_failure: bool) -> None:
        """Count a call of class ``kind``: ``ok``, ``timeout``, ``connection``, ``http_503`` ..."""
        self.totals[kind] += 1
        self._calls += 1
        self._failed += is_failure

    def take(self) -> tuple[int, int]:
        """Calls and failures since the last time this was asked."""
        taken = (self._calls, self._failed)
        self._calls = self._failed = 0
        return taken


class RestClient:
    """Use inside ``async with client.open()``."""

    def __init__(
        self,
        base_url: str,
        settings: RestSettings,
        *,
        signer: Signer | None,
        clock: Clock,
        random: Random,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._base_path = urlsplit(self._base_url).path
        self._settings = settings
        self._signer = signer
        self._clock = clock
        self._random = random
        self._reads: aiohttp.ClientSession | None = None
        self._writes: WriteLines | None = None
        host = urlsplit(self._base_url).netloc.rpartition("@")[2]
        self._fixed_head = (
            f" HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {_USER_AGENT['User-Agent']}\r\n"
            "Accept: application/json\r\n"
        )
        self._create_head = (
            f"POST {self._base_path}{CREATE_ORDER_PATH}{self._fixed_head}"
            "Content-Type: application/json\r\n"
        ).encode("ascii")
        self.budget = RequestBudget(clock, settings.requests_per_second)
        self.counter = CallCounter()
        self._signature_used = asyncio.Event()
        self._presigned = (
            None
            if signer is None
            else PreSigned(signer, "POST", self._base_path + CREATE_ORDER_PATH)
        )

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Hold the connection pools; leaving closes them."""
        connections = self._settings.connections
        async with _pool(connections) as reads:
            self._reads = reads
            self._writes = lines = WriteLines(self._base_url, connections)
            try:
                yield
            finally:
                lines.close()
                self._reads = self._writes = None

    async def warm(self) -> None:
        """See that a write finds a connection.

        Raises:
            ExchangeUnavailable: none can be made now.
        """
        lines = self._open(self._writes)
        if not self._settings.is_read_only:
            await lines.warm(self._settings.write_timeout_s)

    def refresh_signatures(self) -> int:
        """Renew the headers kept ready for creates; returns how many were signed."""
        return 0 if self._presigned is None else self._presigned.refresh(self._now_ms())

    async def replace_signatures(self) -> None:
        """Once one was used, make another: one a turn, so that nothing waits for several."""
        self._signature_used.clear()
        await self._signature_used.wait()
        if self._presigned is None:
            return
        while self._presigned.add_one(self._now_ms()):  # noqa: ASYNC110 - a turn for the others
            await asyncio.sleep(0)

    @property
    def signed_inline(self) -> int:
        """Creates that had to wait for their signature."""
        return 0 if self._presigned is None else self._presigned.signed_inline

    async def read(self, call: Call) -> Reply:
        """Ask until there is an answer, the tries are used up, or the deadline has come.

        Raises:
            ExchangeUnavailable: no usable answer in time (``RateLimited`` where that was why).
            CredentialsRefused: the key is not accepted, or there is none.
            RequestRefused: the venue refused the request as it is.
        """
        settings = self._settings
        waits = Backoff(settings.backoff_base_s, settings.backoff_cap_s).waits(self._random)
        last: ExchangeUnavailable = ExchangeUnavailable("no time for a first try")
        try:
            async with asyncio.timeout(settings.read_deadline_s):
                for number in range(1, settings.tries + 1):
                    try:
                        return await self._read_once(call)
                    except ExchangeUnavailable as error:
                        last = error
                    if number < settings.tries:
                        await self._wait(call, number, last, next(waits))
        except TimeoutError:
            pass
        logger.warning("api error: read given up", extra=_facts(call) | {"reason": str(last)})
        raise last

    def create_order(self, body: bytes) -> Coroutine[Any, Any, Reply]:
        """``write_order`` for a create, which is all that a reaction waits for."""
        lines = self._writes
        may_write = self._presigned is not None and not self._settings.is_read_only
        is_ready = may_write and lines is not None and lines.is_ready()
        if lines is None or not is_ready or not self.budget.take_now(_CREATE.cost):
            return self._write(replace(_CREATE, body=body), order_fault)
        request = self._create_request(self._signature(_CREATE), body)
        asked = lines.ask(lines.take(), request, self._write_deadline())
        return self._reply(_CREATE, order_fault, asked)

    def write_order(self, call: Call) -> Coroutine[Any, Any, Reply]:
        """Send one order or cancel, once: now, where pace and connection allow it at once.

        Await what came of it.

        Raises:
            OrderRejected, OutcomeUnknown, CredentialsRefused: as the port says.
            ExchangeUnavailable: it was not sent.
        """
        lines = self._writes
        may_write = self._signer is not None and not self._settings.is_read_only
        is_ready = may_write and lines is not None and lines.is_ready()
        if lines is None or not is_ready or not self.budget.take_now(call.cost):
            return self._write(call, order_fault)
        asked = lines.ask(lines.take(), self._request(call), self._write_deadline())
        return self._reply(call, order_fault, asked)

    async def write(self, call: Call) -> Reply:
        """Send one write that is no order, once. A refusal is ``RequestRefused``."""
        return await self._write(call, request_fault)

    # --- one exchange -----------------------------------------------------------------------

    async def _read_once(self, call: Call) -> Reply:
        await self.budget.take(call.cost, call.priority)
        try:
            async with asyncio.timeout(self._settings.request_timeout_s):
                reply = await self._send(self._open(self._reads), call)
        except TimeoutError as error:
            self.counter.add("timeout", is_failure=True)
            raise ExchangeUnavailable(f"no answer to {call.method} {call.path}") from error
        except aiohttp.ClientError as error:
            self.counter.add("connection", is_failure=True)
            raise ExchangeUnavailable(f"{type(error).__name__}: {error}") from error
        return self._judged(call, reply, read_fault)

    async def _write(self, call: Call, fault: Callable[[Refusal], BotError]) -> Reply:
        if self._settings.is_read_only:
            raise ExchangeUnavailable(f"read only: no {call.method} {call.path} was sent")
        lines, deadline_s = self._open(self._writes), self._write_deadline()
        if self._signer is None and call.is_signed:
            raise self._unsigned(call)
        try:
            async with asyncio.timeout_at(deadline_s):
                await self.budget.take(call.cost, call.priority)
        except TimeoutError as error:
            raise RateLimited(f"not sent: no request left for {call.path} in time") from error
        try:
            line = await lines.line(deadline_s)
        except ExchangeUnavailable:
            self.counter.add("connection", is_failure=True)
            raise
        asked = lines.ask(line, self._request(call), deadline_s)
        return await self._reply(call, fault, asked)

    async def _reply(
        self,
        call: Call,
        fault: Callable[[Refusal], BotError],
        asked: Coroutine[Any, Any, Answer],
    ) -> Reply:
        try:
            answer = await asked
        except OutcomeUnknown:
            self.counter.add("connection", is_failure=True)
            raise
        except TimeoutError as error:
            self.counter.add("timeout", is_failure=True)
            raise OutcomeUnknown(f"no answer to {call.method} {call.path} in time") from error
        headers = answer.headers
        server_us = _server_us(headers.get("date"), headers.get("age"))
        reply = Reply(status=answer.status, body=answer.body, server_us=server_us)
        return self._judged(call, reply, fault)

    def _write_deadline(self) -> float:
        return asyncio.get_running_loop().time() + self._settings.write_timeout_s

    def _request(self, call: Call) -> bytes:
        """The bytes of a write. No part holds a line break: paths are encoded, keys checked."""
        query = f"?{urlencode(call.params)}" if call.params else ""
        body = _body(call)
        signed = self._signature(call) if call.is_signed else {}
        lines = "".join([f"{name}: {value}\r\n" for name, value in signed.items()])
        if body is not None:
            lines += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        target = f"{call.method} {self._base_path}{call.path}{query}"
        return f"{target}{self._fixed_head}{lines}\r\n".encode("ascii") + (body or b"")

    def _create_request(self, signed: Headers, body: bytes) -> bytes:
        """The bytes of a create: most of them are always the same."""
        lines = "".join([f"{name}: {value}\r\n" for name, value in signed.items()])
        return b"%b%bContent-Length: %d\r\n\r\n%b" % (
            self._create_head,
            lines.encode("ascii"),
            len(body),
            body,
        )

    async def _send(self, pool: aiohttp.ClientSession, call: Call) -> Reply:
        headers = dict(self._signature(call)) if call.is_signed else {}
        url = URL(self._base_url + call.path, encoded=True)
        async with pool.request(
            call.method,
            url.with_query(call.params) if call.params else url,
            headers=headers,
            allow_redirects=False,
        ) as response:
            body = await response.read()
            return Reply(
                status=response.status,
                body=body,
                server_us=_server_us(response.headers.get("Date"), response.headers.get("Age")),
            )

    def _signature(self, call: Call) -> Headers:
        if self._signer is None:
            raise self._unsigned(call)
        now_ms = self._now_ms()
        if self._presigned is not None and (call.method, call.path) == ("POST", CREATE_ORDER_PATH):
            self._signature_used.set()
            return self._presigned.take(now_ms)
        return self._signer.headers(now_ms, call.method, self._base_path + call.path)

    def _unsigned(self, call: Call) -> CredentialsRefused:
        return CredentialsRefused(f"{call.method} {call.path} needs an API key; none is set")

    def _judged(self, call: Call, reply: Reply, fault: Callable[[Refusal], BotError]) -> Reply:
        is_failure = reply.status >= 500 or reply.status in (401, 408)  # noqa: PLR2004 - HTTP's own
        kind = "ok" if reply.status < 300 else f"http_{reply.status}"  # noqa: PLR2004 - HTTP's own
        self.counter.add(kind, is_failure=is_failure)
        if reply.status in call.accepts:
            return reply
        raise fault(read_refusal(reply.status, reply.body))

    def _open(self, held: Held | None) -> Held:
        if held is None:
            raise ExchangeUnavailable("the client is not open")
        return held

    def _now_ms(self) -> int:
        return self._clock.now_us() // 1_000

    async def _wait(self, call: Call, number: int, error: BotError, wait_s: float) -> None:
        emit(
            Metric.KALSHI_RETRY,
            method=call.method,
            path=call.path,
            attempt=number,
            backoff_s=wait_s,
            reason=f"api error: {error}",
        )
        await asyncio.sleep(wait_s)


def _pool(connections: int) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(
        limit=connections, keepalive_timeout=_KEEPALIVE_S, ttl_dns_cache=_DNS_CACHE_S
    )
    # Deadlines are ours: the library's own would race with them.
    pool = aiohttp.ClientSession(
        connector=connector, timeout=aiohttp.ClientTimeout(total=None), headers=_USER_AGENT
    )
    # aiohttp sends a GET a second time when the connection drops. A read is tried again by
    # us, within its pace and its count.
    pool._retry_connection = False  # noqa: SLF001 - it has no public switch
    return pool


def _body(call: Call) -> bytes | None:
    return call.body or (EMPTY_BODY if call.method in _WITH_BODY else None)


def _server_us(date: str | None, age: str | None) -> int | None:
    """The time of the answer; one from a cache says how old it is."""
    if not date:
        return None
    try:
        return int(parsedate_to_datetime(date).timestamp()) * SECOND_US + int(age or 0) * SECOND_US
    except (ValueError, OverflowError):
        return None


def _facts(call: Call) -> dict[str, object]:
    return {"method": call.method, "path": call.path}
