"""A client of the simulated exchange's sockets: signs, calls, listens."""

import base64
import json
from typing import Any, Self

import aiohttp
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bot.kit.clock import SystemClock
from bot.simulator.server import SimulatedExchange

ROOT = "/trade-api/v2"
SOCKET = "/trade-api/ws/v2"


def sign(pem: bytes, message: str) -> str:
    """A signature as the venue's clients make it."""
    key = serialization.load_pem_private_key(pem, password=None)
    if isinstance(key, Ed25519PrivateKey):
        raw = key.sign(message.encode())
    else:
        pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
        raw = key.sign(message.encode(), pss, hashes.SHA256())  # type: ignore[union-attr, call-arg]
    return base64.b64encode(raw).decode()


class Client:
    """Calls a simulated exchange as its first user."""

    def __init__(self, sim: SimulatedExchange) -> None:
        self.sim = sim
        self.session = aiohttp.ClientSession()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *args: object) -> None:
        await self.session.close()

    def headers(self, method: str, path: str, *, skew_ms: int = 0) -> dict[str, str]:
        """The three headers of a signed request."""
        stamp = str(SystemClock().now_us() // 1_000 + skew_ms)
        return {
            "KALSHI-ACCESS-KEY": self.sim.keys.key_id,
            "KALSHI-ACCESS-TIMESTAMP": stamp,
            "KALSHI-ACCESS-SIGNATURE": sign(self.sim.keys.private_pem, f"{stamp}{method}{path}"),
        }

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, Any]:
        """A signed call below ``/trade-api/v2``; the body is decoded where there is one."""
        full = f"{ROOT}{path}"
        signed = self.headers(method, full.partition("?")[0]) if headers is None else headers
        url = self.sim.base_url.removesuffix(ROOT) + full
        async with self.session.request(method, url, headers=signed, json=body) as response:
            text = await response.text()
            return response.status, json.loads(text) if text.startswith(("{", "[")) else text

    async def admin(self, method: str, path: str, body: Any = None) -> Any:
        """An operator's call."""
        async with self.session.request(method, self.sim.admin_url + path, json=body) as response:
            assert response.status < 300, await response.text()
            return await response.json()

    async def socket(self) -> "Socket":
        """A signed WebSocket."""
        headers = self.headers("GET", SOCKET)
        return Socket(
            await self.session.ws_connect(self.sim.ws_url, headers=headers, autoping=False)
        )


class Socket:
    """One WebSocket whose frames are read one by one."""

    def __init__(self, raw: aiohttp.ClientWebSocketResponse) -> None:
        self.raw = raw

    async def command(self, **command: Any) -> None:
        """Send a command."""
        await self.raw.send_str(json.dumps(command))

    async def subscribe(
        self, channels: list[str], tickers: list[str] | None = None, **params: Any
    ) -> None:
        """Subscribe with command id 1."""
        wanted: dict[str, Any] = {"channels": channels, **params}
        if tickers is not None:
            wanted["market_tickers"] = tickers
        await self.command(id=1, cmd="subscribe", params=wanted)

    async def text(self) -> str:
        """The next text frame as it came."""
        while True:
            message = await self.raw.receive(timeout=5)
            if message.type is aiohttp.WSMsgType.TEXT:
                return str(message.data)
            if message.type is aiohttp.WSMsgType.PING:
                await self.raw.pong(message.data)
            elif message.type is not aiohttp.WSMsgType.PONG:
                raise ConnectionResetError(f"closed: {message.type}")

    async def frame(self) -> dict[str, Any]:
        """The next text frame, decoded."""
        return dict(json.loads(await self.text()))

    async def frames(self, count: int) -> list[dict[str, Any]]:
        """The next frames."""
        return [await self.frame() for _ in range(count)]

    async def until(self, kind: str) -> dict[str, Any]:
        """The next frame of a type; others are passed over."""
        while True:
            frame = await self.frame()
            if frame["type"] == kind:
                return frame
