"""A loopback exchange that does nothing but stamp: frames out, orders in.

Hand-written protocols on raw sockets, so that its own work is a small and equal
part of every round. It speaks just enough of the venue's WebSocket and REST for
the real client to believe it.
"""

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import Any, cast

from typing_extensions import override

MARKETS = tuple(f"KXBENCH-26DEC-{number}" for number in range(40))
CALM_BID, TRIGGER_BID, ASK = "0.9500", "0.9600", "0.9800"
_SIZE = "5000.00"
TRIGGER_BYTES = f'"price_dollars":"{TRIGGER_BID}","delta_fp":"{_SIZE}"'.encode()
"""What nothing but a trigger holds."""
_PING, _PING_EVERY_S = b"\x89\x00", 4.0
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_ORDER_PATH = b"/trade-api/v2/portfolio/events/orders"
_ANSWERS: dict[str, object] = {
    "/exchange/status": {"exchange_active": True, "trading_active": True},
    "/account/limits": {},
    "/historical/cutoff": {
        "market_settled_ts": "2020-01-01T00:00:00Z",
        "orders_updated_ts": "2020-01-01T00:00:00Z",
        "trades_created_ts": "2020-01-01T00:00:00Z",
    },
    "/portfolio/balance": {
        "balance": 100_000_000_00,
        "portfolio_value": 0,
        "balance_dollars": "100000000.000000",
    },
    "/portfolio/positions": {"market_positions": [], "cursor": ""},
    "/portfolio/orders": {"orders": [], "cursor": ""},
    "/portfolio/fills": {"fills": [], "cursor": ""},
    "/portfolio/settlements": {"settlements": [], "cursor": ""},
    "/historical/orders": {"orders": [], "cursor": ""},
    "/historical/fills": {"fills": [], "cursor": ""},
    "/portfolio/order_groups": {"order_groups": []},
    "/portfolio/order_groups/create": {"order_group_id": "group-1"},
}


@dataclass
class Contestant:
    """One client: its socket to send to, and the moment its order arrived."""

    name: str
    markets: tuple[str, ...] = MARKETS
    send: Callable[[bytes], None] | None = None
    book_sid: int = 0
    orders_sid: int = 0
    book_seq: int = 0
    book_clock: int = 0
    is_subscribed: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Future[tuple[int, bytes]] | None = None
    orders: int = 0

    def frame(self, kind: str, sid: int, payload: dict[str, object]) -> bytes:
        """A message of a sequenced channel."""
        self.book_seq += 1
        message = {"type": kind, "sid": sid, "seq": self.book_seq, "msg": payload}
        return text_frame(json.dumps(message, separators=(",", ":")).encode())

    def delta(self, market: str, price: str, change: str) -> bytes:
        """A change of one bid level, with every field that the real exchange sends."""
        self.book_clock += 1
        payload: dict[str, object] = {
            "market_ticker": market,
            "market_id": "7d1f3c52-31c8-4a1f-9a52-2f6a1b9a1f01",
            "clock": self.book_clock,
            "price_dollars": price,
            "delta_fp": change,
            "side": "yes",
            "ts": "2026-10-01T12:00:00.000000Z",
            "ts_ms": 1_790_856_000_000,
        }
        return self.frame("orderbook_delta", self.book_sid, payload)

    def burst(self, market: str, count: int) -> bytes:
        """So many changes of other markets' best bid, or of this one where it knows no other."""
        others = [one for one in self.markets if one != market] or [market]
        return b"".join(
            self.delta(others[number % len(others)], CALM_BID, "1.00") for number in range(count)
        )


class ExchangeServer:
    """Listens on one port for every contestant; the request path names it."""

    def __init__(self) -> None:
        self.contestants: dict[str, Contestant] = {}
        self.port = 0

    def add(self, name: str, markets: tuple[str, ...] = MARKETS) -> Contestant:
        """Expect a client of that name, which watches these markets."""
        self.contestants[name] = Contestant(name, markets)
        return self.contestants[name]

    async def listen(self) -> asyncio.Server:
        """Listen on a free port of the loopback."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        loop.call_later(_PING_EVERY_S, self._ping, loop)
        return server

    def _ping(self, loop: asyncio.AbstractEventLoop) -> None:
        """As the venue does: a client that hears nothing at all connects anew."""
        for contestant in self.contestants.values():
            if contestant.send is not None:
                contestant.send(_PING)
        loop.call_later(_PING_EVERY_S, self._ping, loop)


class _Connection(asyncio.Protocol):
    """HTTP until it is upgraded, WebSocket from then on."""

    def __init__(self, server: ExchangeServer) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._client: Contestant | None = None
        self._sids = 0

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # The fast loop's transports are no subclasses of the library's.
        self._transport = cast("asyncio.Transport", transport)

    @override
    def data_received(self, data: bytes) -> None:
        now_ns = perf_counter_ns()
        self._buffer += data
        if self._client is None:
            while self._request(now_ns):
                pass
        else:
            for text in self._texts():
                self._command(json.loads(text))

    def _request(self, now_ns: int) -> bool:
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return False
        headers = head.lower()
        length = int(_header(headers, b"content-length") or 0)
        if len(rest) < length:
            return False
        body, self._buffer = rest[:length], rest[length:]
        method, target = head.split(b" ", 2)[:2]
        if b"upgrade: websocket" in headers:
            self._upgrade(target, head)
            return False
        self._answer(method, target, body, headers, now_ns)
        return True

    def _answer(
        self, method: bytes, target: bytes, body: bytes, headers: bytes, now_ns: int
    ) -> None:
        path = target.partition(b"?")[0]
        if method == b"POST" and path == _ORDER_PATH:
            client = self._server.contestants[_header(headers, b"kalshi-access-key").decode()]
            client.orders += 1
            self._reply(_accepted(client, body))
            if client.arrived is not None and not client.arrived.done():
                client.arrived.set_result((now_ns, body))
            return
        answer = _ANSWERS.get(path.decode().removeprefix("/trade-api/v2"))
        self._reply(json.dumps(answer).encode(), 404 if answer is None else 200)

    def _reply(self, body: bytes, status: int = 200) -> None:
        assert self._transport is not None
        self._transport.write(
            b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
            % (status, len(body), body)
        )

    def _upgrade(self, target: bytes, head: bytes) -> None:
        assert self._transport is not None
        key = _header(head, b"Sec-WebSocket-Key") or _header(head, b"sec-websocket-key")
        name = _header(head.lower(), b"kalshi-access-key").decode()
        self._client = self._server.contestants[name]
        accept = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: %b\r\n\r\n" % accept
        )
        self._client.send = self._transport.write

    def _texts(self) -> list[bytes]:
        """The text frames of a client that are complete."""
        texts = []
        while (frame := _read_frame(self._buffer)) is not None:
            opcode, payload, size = frame
            self._buffer = self._buffer[size:]
            if opcode == 1:
                texts.append(payload)
        return texts

    def _command(self, command: dict[str, Any]) -> None:
        client, params = self._client, command.get("params", {})
        assert client is not None
        assert client.send is not None
        if command["cmd"] != "subscribe":
            return
        self._sids += 1
        (channel,) = params["channels"]
        reply = {
            "id": command["id"],
            "type": "subscribed",
            "msg": {"channel": channel, "sid": self._sids},
        }
        client.send(text_frame(json.dumps(reply).encode()))
        if channel == "orderbook_delta":
            client.book_sid, client.book_seq = self._sids, 0
            for market in params["market_tickers"]:
                book = {
                    "market_ticker": market,
                    "market_id": "7d1f3c52-31c8-4a1f-9a52-2f6a1b9a1f01",
                    "clock": client.book_clock,
                    "yes_dollars_fp": [[CALM_BID, _SIZE]],
                    "no_dollars_fp": [[ASK, _SIZE]],
                }
                client.send(client.frame("orderbook_snapshot", self._sids, book))
            client.is_subscribed.set()
        elif channel == "user_orders":
            client.orders_sid = self._sids


def canceled(client: Contestant, order: bytes) -> bytes:
    """The venue cancels an order that was just taken: the market is free for the next round."""
    wire = json.loads(order)
    message = {
        "type": "user_order",
        "sid": client.orders_sid,
        "msg": {
            "order_id": f"v{client.orders}",
            "ticker": wire["ticker"],
            "status": "canceled",
            "yes_price_dollars": wire["price"],
            "initial_count_fp": wire["count"],
            "fill_count_fp": "0.00",
            "remaining_count_fp": "0.00",
            "client_order_id": wire["client_order_id"],
            "book_side": wire["side"],
        },
    }
    return text_frame(json.dumps(message).encode())


def text_frame(payload: bytes) -> bytes:
    """One unmasked text frame."""
    size = len(payload)
    if size < 126:  # noqa: PLR2004 - RFC 6455
        return bytes((0x81, size)) + payload
    return bytes((0x81, 126)) + size.to_bytes(2, "big") + payload


def _accepted(client: Contestant, body: bytes) -> bytes:
    wire = json.loads(body)
    return json.dumps(
        {
            "order_id": f"v{client.orders}",
            "client_order_id": wire["client_order_id"],
            "fill_count": "0.00",
            "remaining_count": wire["count"],
            "ts_ms": 1_790_000_000_000,
        }
    ).encode()


def _header(head: bytes, name: bytes) -> bytes:
    _, found, rest = head.partition(b"\r\n" + name + b": ")
    return rest.partition(b"\r\n")[0].strip() if found else b""


def _read_frame(buffer: bytes) -> tuple[int, bytes, int] | None:
    """Opcode, unmasked payload and size of the first frame, if it is whole."""
    if len(buffer) < 2:  # noqa: PLR2004 - RFC 6455
        return None
    opcode, size, at = buffer[0] & 0x0F, buffer[1] & 0x7F, 2
    if size == 126:  # noqa: PLR2004 - RFC 6455
        size, at = int.from_bytes(buffer[2:4], "big"), 4
    elif size == 127:  # noqa: PLR2004 - RFC 6455
        size, at = int.from_bytes(buffer[2:10], "big"), 10
    if len(buffer) < at + 4 + size:
        return None
    mask = buffer[at : at + 4]
    payload = bytes(
        one ^ mask[number % 4] for number, one in enumerate(buffer[at + 4 : at + 4 + size])
    )
    return opcode, payload, at + 4 + size
