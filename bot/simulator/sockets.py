"""The WebSocket endpoint: signed handshake, heartbeat, and a bounded queue per reader."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from aiohttp import WSMessage, WSMsgType, web

from bot.simulator.errors import WireError
from bot.simulator.exchange import Exchange
from bot.simulator.keys import Identity
from bot.simulator.session import Session
from bot.simulator.subscriptions import Outlet

PATH = "/trade-api/ws/v2"
_HEARTBEAT = b"heartbeat"
_MILLI = 1_000


@dataclass(slots=True, eq=False)
class _Outbox:
    """Frames on their way to one reader. While silent, data frames are lost."""

    capacity: int
    frames: deque[bytes] = field(default_factory=deque)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    silent_until_us: int = 0
    is_aborted: bool = False
    is_frozen: bool = False

    def put(self, frame: bytes) -> bool:
        """Queue a frame; false where the reader owes too many."""
        if self.is_frozen:
            return True
        if len(self.frames) >= self.capacity:
            return False
        self.frames.append(frame)
        self.ready.set()
        return True

    def put_always(self, frame: bytes) -> None:
        """Queue a frame whatever is owed."""
        if self.is_frozen:
            return
        self.frames.append(frame)
        self.ready.set()

    def freeze(self) -> None:
        """Send nothing ever again, what is queued included."""
        self.is_frozen = True
        self.frames.clear()

    def abort(self) -> None:
        """Ask the writer to break the connection."""
        self.is_aborted = True
        self.ready.set()


async def serve_socket(exchange: Exchange, request: web.Request) -> web.StreamResponse:
    """Serve one connection until either side ends it."""
    try:
        identity = exchange.identify(request.headers, "GET", request.path)
    except WireError as error:
        code = error.body.get("error", {}).get("code", "")
        if code == "signature_is_missing_from_headers":
            return web.json_response({"code": "token_authentication_failure"}, status=401)
        return web.json_response(error.body, status=error.status)
    socket = web.WebSocketResponse(autoping=False, max_msg_size=4 * 1024 * 1024)
    await socket.prepare(request)
    await _Connection(exchange, socket, request, identity).run()
    return socket


class _Connection:
    """The three tasks of a connection: reading, writing, pinging."""

    def __init__(
        self,
        exchange: Exchange,
        socket: web.WebSocketResponse,
        request: web.Request,
        identity: Identity,
    ) -> None:
        self._exchange = exchange
        self._socket = socket
        self._request = request
        settings = exchange.settings
        self._outbox = _Outbox(settings.socket_buffer_frames)
        self._heard_us = exchange.host.monotonic_us()
        outlet = Outlet(
            user_id=identity.user_id,
            send=self._send,
            send_always=self._outbox.put_always,
            silence=self._silence,
            disconnect=self._outbox.abort,
            freeze=self._outbox.freeze,
        )
        self._session = Session(
            exchange, exchange.hub, outlet, markets_max=settings.subscription_markets_max
        )

    async def run(self) -> None:
        """Serve until the reader leaves, the connection breaks, or a pong stays out."""
        tasks = (self._write(), self._ping())
        try:
            async with asyncio.TaskGroup() as group:
                running = [group.create_task(task) for task in tasks]
                await self._read()
                for task in running:
                    task.cancel()
        except* ConnectionError:
            pass  # the reader is gone; there is nobody to tell
        finally:
            self._session.close()

    async def _read(self) -> None:
        async for message in self._socket:
            self._heard_us = self._exchange.host.monotonic_us()
            await self._take(message)

    async def _take(self, message: WSMessage) -> None:
        if self._outbox.is_frozen:
            return
        match message.type:
            case WSMsgType.PING:
                await self._socket.pong(message.data)
            case WSMsgType.TEXT | WSMsgType.BINARY:
                self._exchange.catch_up()
                self._session.receive(message.data)
            case _:
                return

    async def _write(self) -> None:
        outbox = self._outbox
        while True:
            await outbox.ready.wait()
            outbox.ready.clear()
            if outbox.is_aborted:
                self._break()
                return
            while outbox.frames and not outbox.is_aborted:
                frame = outbox.frames.popleft()
                await self._socket.send_str(frame.decode())

    async def _ping(self) -> None:
        settings = self._exchange.settings
        while True:
            await asyncio.sleep(settings.ping_ms / _MILLI)
            if self._outbox.is_frozen:
                continue
            silent_us = self._exchange.host.monotonic_us() - self._heard_us
            if silent_us > settings.pong_timeout_ms * _MILLI:
                self._break()
                return
            if not self._is_silent():
                await self._socket.ping(_HEARTBEAT)

    def _send(self, frame: bytes) -> bool:
        # A silent feed loses what it would have sent, as a stalled path does.
        return True if self._is_silent() else self._outbox.put(frame)

    def _silence(self) -> None:
        length_us = self._exchange.faults.silence_ms() * _MILLI
        self._outbox.silent_until_us = self._exchange.host.monotonic_us() + length_us

    def _is_silent(self) -> bool:
        return self._exchange.host.monotonic_us() < self._outbox.silent_until_us

    def _break(self) -> None:
        if self._request.transport is not None:
            self._request.transport.abort()
