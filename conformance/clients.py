"""Plain HTTP and WebSocket access to a running simulated exchange, for the judges' own eyes."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import aiohttp

from bot.adapters.kalshi.signing import Headers, Signer, load_signer
from bot.kit.clock import SystemClock
from bot.simulator.exchange import Exchange
from bot.simulator.keys import make_key_pair
from bot.simulator.server import API, SimulatedExchange
from bot.simulator.settings import KeyType
from bot.simulator.sockets import PATH as SOCKET_PATH

_QUIET_S = 0.25


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; ``body`` is decoded JSON, text where it is none, ``None`` where empty."""

    method: str
    path: str
    status: int
    body: Any


class Witness:
    """One user of the exchange. Use it as an async context manager."""

    def __init__(self, sim: SimulatedExchange, signer: Signer) -> None:
        self._sim = sim
        self._signer = signer
        self._session = aiohttp.ClientSession()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exit_: object) -> None:
        await self._session.close()

    def headers(self, method: str, path: str, *, skew_ms: int = 0) -> Headers:
        """A signature for a path from the host root."""
        return self._signer.headers(SystemClock().now_us() // 1_000 + skew_ms, method, path)

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Call a path below ``/trade-api/v2``, signed unless ``headers`` are given."""
        signed = self.headers(method, API + path) if headers is None else headers
        url = self._sim.base_url + path
        async with self._session.request(method, url, headers=signed, json=body) as response:
            text = await response.text()
        found: Any = None
        if text:
            found = json.loads(text) if text.lstrip().startswith(("{", "[")) else text
        return Answer(method, path.partition("?")[0], response.status, found)

    async def listen(self) -> "Listener":
        """A signed WebSocket whose frames are kept."""
        headers = self.headers("GET", SOCKET_PATH)
        socket = await self._session.ws_connect(
            self._sim.ws_url, headers=headers, max_msg_size=2**26
        )
        return Listener(socket)


class Listener:
    """A WebSocket that remembers every frame."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._last_id = 0
        self.texts: list[str] = []

    async def command(self, verb: str, params: Mapping[str, object] | None = None) -> None:
        """Send a command under the next id, and read what it brings."""
        self._last_id += 1
        command: dict[str, object] = {"id": self._last_id, "cmd": verb}
        if params is not None:
            command["params"] = params
        await self._socket.send_str(json.dumps(command))
        await self.read()

    async def read(self) -> None:
        """Take frames until the exchange has been quiet for a moment."""
        while True:
            try:
                async with asyncio.timeout(_QUIET_S):
                    message = await self._socket.receive()
            except TimeoutError:
                return
            if message.type is not aiohttp.WSMsgType.TEXT:
                return
            self.texts.append(message.data)

    @property
    def frames(self) -> list[dict[str, Any]]:
        """Everything so far, decoded."""
        return [json.loads(text) for text in self.texts]

    async def close(self) -> None:
        """Leave."""
        await self._socket.close()


def first_user(sim: SimulatedExchange) -> Witness:
    """The funded user that every simulated exchange begins with."""
    return Witness(sim, load_signer(sim.keys.key_id, sim.keys.private_pem.decode()))


def another_user(sim: SimulatedExchange, user_id: str) -> Witness:
    """A second user, without money."""
    exchange: Exchange = sim.exchange
    pair = make_key_pair(exchange.new_id(), KeyType.ED25519)
    exchange.keys.register(pair.key_id, pair.public_pem, user_id)
    exchange.open_account(user_id)
    return Witness(sim, load_signer(pair.key_id, pair.private_pem.decode()))
