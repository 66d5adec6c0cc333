"""The processes of a soak, and the ways to reach them: page, administration, signed reads."""

import asyncio
import base64
import contextlib
import json
import signal
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import aiohttp
import psutil
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bot.app.demo import free_port
from bot.app.demo_parts import DemoParts
from bot.app.settings import process_environment
from bot.app.simulate import key_id_of
from bot.kit.clock import SystemClock
from bot.kit.times import HOUR_US, MINUTE_US
from bot.ops.pulse import OPTION

ROOT = "/trade-api/v2"
PACE_S = 0.25
"""The busiest markets move so often on average."""
_START_S = 240.0
_STOP_S = 30.0
_LIMIT = aiohttp.ClientTimeout(total=30)
_PAGES_MAX = 1_000
_STARTED_AGAIN = (70, 75)
"""Exit codes after which a platform starts the bot anew: its watchdog, a lead it could not keep."""
# The demo's settings, but orders go out over the wire: faults of calls are faults of orders.
# It wants nearly everything and gives up soon, so that minutes hold the orders of days.
_TRADING = {
    "BOT_TRADING__LIVE": "true",
    "BOT_TRADING__STRATEGIES": json.dumps(
        {
            "near_expiry": {
                "bid_min_e4": 2_000,
                "bias_e6": 60_000,
                "spread_max_e4": 400,
                "closes_after_us": 11 * MINUTE_US,
                "closes_within_us": 12 * HOUR_US,
                "stop_below_e4": 300,
            }
        }
    ),
    "BOT_TRADING__ALWAYS_WATCH": '["KXFED", "KXCPI", "KXPAYROLLS", "KXGDP"]',
    "BOT_TRADING__MAX_CONCURRENT": "60",
    "BOT_TRADING__MAX_OPEN_ORDERS": "200",
    "BOT_TRADING__MAX_ENTRIES_PER_MINUTE": "1000",
    "BOT_TRADING__MAX_HOURS_TO_CLOSE": "12",
    "BOT_TRADING__ORDER_COST_MAX": "20",
    "BOT_TRADING__CONSECUTIVE_LOSSES": "1000",
    "BOT_EXCHANGE__REQUESTS_PER_SECOND": "200",
}


def _has_pulse(process: psutil.Process) -> bool:
    return any(word.startswith(OPTION) for word in process.cmdline())


class PlantFailed(Exception):
    """A process did not do its part; the text says which and where its log is."""


class Plant:
    """One simulated exchange and one supervised bot, in a directory of their own."""

    def __init__(self, home: Path, seed: int, pace_s: float, http: aiohttp.ClientSession) -> None:
        self.home = home
        self.parts = DemoParts(
            home=home,
            exchange_port=free_port(0),
            page_port=free_port(0),
            seed=seed,
            pace_s=pace_s,
        )
        self.kills = 0
        self.restarts = 0
        """Starts after the bot had ended as a platform knows it: on a machine that starves it."""
        self._http = http
        self._processes: dict[str, asyncio.subprocess.Process] = {}

    @classmethod
    @asynccontextmanager
    async def open(cls, home: Path, seed: int, pace_s: float = PACE_S) -> AsyncIterator[Self]:
        """Both processes run inside the block, and none after it."""
        async with aiohttp.ClientSession(timeout=_LIMIT) as http:
            plant = cls(home, seed, pace_s, http)
            try:
                await plant._start("exchange", plant.parts.exchange_command(), {})
                await plant._until("exchange", plant._exchange_answers)
                await plant._start_bot()
                await plant._until("bot", plant.leads)
                yield plant
            finally:
                for name in ("bot", "exchange"):
                    await plant._stop(name)

    async def _start(self, name: str, command: Sequence[str], more: Mapping[str, str]) -> None:
        with (self.home / f"{name}.log").open("ab") as log:
            self._processes[name] = await asyncio.create_subprocess_exec(
                *command,
                stdout=log,
                stderr=log,
                env=process_environment() | more,
                start_new_session=True,  # Ctrl-C is ours to pass on, in the right order
            )

    async def _start_bot(self) -> None:
        environment = dict(self.parts.bot_environment()) | _TRADING
        await self._start("bot", self.parts.bot_command(), environment)

    async def revive(self) -> None:
        """Do what the platform does: start a bot anew that ended with a failure of its place."""
        if self._processes["bot"].returncode in _STARTED_AGAIN:
            self.restarts += 1
            await self._start_bot()

    async def _until(self, name: str, look: Callable[[], Awaitable[bool]]) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_START_S):
                while not self.ended():
                    if await look():
                        return
                    await asyncio.sleep(0.1)
        raise PlantFailed(f"the {name} did not start; its log: {self.home / f'{name}.log'}")

    async def _exchange_answers(self) -> bool:
        return await self.get(f"{self.parts.exchange}{ROOT}/exchange/status") is not None

    async def leads(self) -> bool:
        """Whether the bot trades."""
        status = await self.page("/status")
        return bool(status) and status["banner"]["role"] == "leading"

    async def _stop(self, name: str) -> None:
        process = self._processes.get(name)
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    # --- processes --------------------------------------------------------------------------

    def ended(self) -> str:
        """Which process is gone that nobody starts again; empty for none."""
        gone = [
            name
            for name, one in self._processes.items()
            if one.returncode is not None
            and not (name == "bot" and one.returncode in _STARTED_AGAIN)
        ]
        return ", ".join(f"{name} ended with {self._processes[name].returncode}" for name in gone)

    def worker(self) -> psutil.Process | None:
        """The bot itself, the supervisor's child; ``None`` between two lives."""
        with contextlib.suppress(psutil.NoSuchProcess):
            supervisor = psutil.Process(self._processes["bot"].pid)
            # The undertaker of a dead bot is a child as well, without a pulse to report to.
            children = [one for one in supervisor.children() if _has_pulse(one)]
            return children[0] if children else None
        return None

    def kill_bot(self) -> bool:
        """``kill -9`` of the bot; its supervisor starts the next one."""
        worker = self.worker()
        if worker is None:
            return False
        with contextlib.suppress(psutil.NoSuchProcess):
            worker.kill()
            self.kills += 1
            return True
        return False

    def memory_mb(self) -> dict[str, tuple[int, float]]:
        """Process id and resident memory in MB of bot and exchange, of those that run."""
        found: dict[str, tuple[int, float]] = {}
        with contextlib.suppress(psutil.NoSuchProcess):
            pid = self._processes["exchange"].pid
            found["exchange"] = (pid, psutil.Process(pid).memory_info().rss / 1e6)
            worker = self.worker()
            if worker is not None:
                found["bot"] = (worker.pid, worker.memory_info().rss / 1e6)
        return found

    # --- calls ------------------------------------------------------------------------------

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> Any:
        """JSON, or ``None`` where nobody answers well."""
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, json.JSONDecodeError):
            async with self._http.get(url, headers=headers) as answer:
                return await answer.json() if answer.ok else None
        return None

    async def page(self, path: str) -> Any:
        """What the bot's page answers; ``None`` while it is away."""
        return await self.get(f"{self.parts.page}{path}")

    async def say(self, text: str = "", button: str | None = None) -> bool:
        """Type a line into the page's chat, or press a button there; whether it was taken."""
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            body = {"text": text, "button": button}
            async with self._http.post(f"{self.parts.page}/chat", json=body) as answer:
                return answer.ok
        return False

    async def admin(self, method: str, path: str, body: object = None) -> bool:
        """An act on the exchange by its owner; whether it was done."""
        url = f"{self.parts.exchange}/admin{path}"
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with self._http.request(method, url, json=body) as answer:
                return answer.ok
        return False

    async def read(self, path: str, query: str = "") -> Any:
        """One signed read, with a signature of our own making.

        Raises:
            PlantFailed: the exchange does not answer it.
        """
        stamp = str(SystemClock().now_us() // 1_000)
        key = serialization.load_pem_private_key(self.parts.key.read_bytes(), None)
        assert isinstance(key, Ed25519PrivateKey)
        signature = key.sign(f"{stamp}GET{ROOT}{path}".encode())
        headers = {
            "KALSHI-ACCESS-KEY": key_id_of(self.parts.key),
            "KALSHI-ACCESS-TIMESTAMP": stamp,
            "KALSHI-ACCESS-SIGNATURE": base64.b64encode(signature).decode(),
        }
        found = await self.get(f"{self.parts.exchange}{ROOT}{path}{query}", headers)
        if found is None:
            raise PlantFailed(f"the exchange does not answer {path}")
        return found

    async def read_all(self, path: str, name: str) -> list[dict[str, Any]]:
        """Every page of a list."""
        found: list[dict[str, Any]] = []
        cursor = ""
        for _ in range(_PAGES_MAX):
            answer = await self.read(path, f"?limit=200&cursor={cursor}")
            found += answer[name]
            cursor = answer.get("cursor") or ""
            if not cursor:
                return found
        raise PlantFailed(f"{path} has no end")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the bot's database holds."""
        path = self.home.resolve() / "kalshi.sqlite"
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            return database.execute(query).fetchall()
