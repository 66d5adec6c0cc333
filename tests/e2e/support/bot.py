"""The bot's own programs as real processes, in a directory of their own.

Every process is judged when its test ends: no trace and no secret in anything
it said, whatever happened to it.
"""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import psutil
from sqlalchemy import text

from bot.adapters.storage.database import Database
from bot.simulator.server import SimulatedExchange
from tests.fakes.telegram_server import TOKEN, FakeTelegram

ROOT = Path(__file__).parents[3]
ADMIN, STRANGER = 11, 666
SCOPE = "paper:main:0"
LEASE_S = 6.0
SLACK_S = 40.0
"""What a busy machine may add to starting a process and waiting for it."""

# The leadership tests' timings: the inequalities hold, everything is faster.
SHORT_LEASE = {
    "LEASE_S": "6",
    "RENEW_S": "0.8",
    "RETRY_S": "0.2",
    "POLL_S": "0.3",
    "DATABASE_TIMEOUT_S": "0.8",
    "GATE_S": "3.2",
    "ORDER_TIMEOUT_S": "0.8",
    "STOP_S": "4.0",
    "WATCHDOG_S": "4.8",
    "DRAIN_S": "4.0",
    "SETTLE_S": "2.0",
}


async def eventually(
    is_true: Callable[[], object], story: Callable[[], str], limit_s: float = SLACK_S
) -> None:
    """Wait until something is true; ``story`` explains when it never is."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limit_s
    while not is_true():
        assert loop.time() < deadline, story()
        await asyncio.sleep(0.05)


@dataclass(frozen=True)
class Ended:
    """What a program left behind."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err


class Program:
    """One running process and everything it said."""

    def __init__(self, words: list[str], home: Path, environment: Mapping[str, str], nth: int):
        self._out, self._err = home / f"{nth}.out", home / f"{nth}.err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, *words], cwd=home, env=dict(environment), stdout=out, stderr=err
            )

    @property
    def out(self) -> str:
        return self._out.read_text(errors="replace")

    @property
    def err(self) -> str:
        return self._err.read_text(errors="replace")

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def story(self) -> str:
        return f"exit {self.process.poll()}\n{self.out[-6000:]}\n{self.err[-3000:]}"

    def log(self, message: str | None = None) -> list[dict[str, Any]]:
        """Its log lines, or those of one message; it must log as JSON."""
        found = []
        for line in self.out.splitlines():
            if line.startswith("{") and line.endswith("}"):
                entry = json.loads(line)
                if message is None or entry["message"] == message:
                    found.append(entry)
        return found

    def roles(self) -> list[str]:
        return [entry["role"] for entry in self.log("role changed")]

    async def reach(self, role: str, times: int = 1, limit_s: float = SLACK_S) -> None:
        await eventually(
            lambda: self.roles().count(role) >= times or not self.is_running, self.story, limit_s
        )
        assert self.roles().count(role) >= times, self.story()

    async def until_said(self, message: str, times: int = 1, limit_s: float = SLACK_S) -> None:
        await eventually(
            lambda: self.out.count(message) + self.err.count(message) >= times,
            self.story,
            limit_s,
        )

    async def ended(self, limit_s: float = SLACK_S) -> Ended:
        await eventually(lambda: not self.is_running, self.story, limit_s)
        return Ended(self.process.wait(), self.out, self.err)

    async def told(self, number: signal.Signals, limit_s: float = SLACK_S) -> Ended:
        self.process.send_signal(number)
        return await self.ended(limit_s)

    def children(self) -> list[psutil.Process]:
        """Those it started: of a supervisor, the bot."""
        return psutil.Process(self.process.pid).children()

    async def page(self, path: str) -> Any:
        """What its own HTTP server answers."""
        await self.until_said("page open")
        address = self.log("page open")[0]["address"]
        async with aiohttp.ClientSession() as http, http.get(f"{address}{path}") as answer:
            return await answer.json()

    async def say(self, line: str) -> None:
        """Type a command on its page."""
        address = self.log("page open")[0]["address"]
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{address}/chat", json={"text": line}) as answer,
        ):
            assert answer.status < 300, await answer.text()


class Home:
    """A directory where bots run on one database."""

    def __init__(
        self,
        root: Path,
        database: str,
        exchange: SimulatedExchange,
        telegram: FakeTelegram | None = None,
    ) -> None:
        self.root = root
        self.database = database
        self.exchange = exchange
        self.programs: list[Program] = []
        key = root / "key.pem"
        key.write_bytes(exchange.keys.private_pem)
        self.settings = {
            "DATABASE_URL": database,
            "BOT_LOCK_FILE": str(root / "bot.lock"),
            "KALSHI_REST_URL": f"http://127.0.0.1:{exchange.port}",
            "KALSHI_WS_URL": f"ws://127.0.0.1:{exchange.port}",
            "KALSHI_API_KEY_ID": exchange.keys.key_id,
            "KALSHI_PRIVATE_KEY_PATH": str(key),
            "BOT_EXCHANGE__REQUESTS_PER_SECOND": "200",
            "BOT_EXCHANGE__RETRIES": "2",
            "BOT_COLLECT__SERIES": '["KXFED"]',
            "PORT": "0",
            "BOT_WEB__HOST": "127.0.0.1",
            "LOG_FORMAT": "json",
        }
        self.settings |= {f"BOT_LEADERSHIP__{name}": value for name, value in SHORT_LEASE.items()}
        if telegram is not None:
            self.settings |= {
                "TELEGRAM_BOT_TOKEN": TOKEN,
                "TELEGRAM_ADMIN_IDS": str(ADMIN),
                "TELEGRAM_API_URL": telegram.url,
            }

    def take_time(self) -> None:
        """The real timings, for tests that wait for no lease to end: a busy machine kills nobody."""
        hasty = {f"BOT_LEADERSHIP__{name}" for name in SHORT_LEASE}
        self.settings = {key: one for key, one in self.settings.items() if key not in hasty}

    def environment(self, **changes: str | None) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}  # noqa: TID251 - a child's environment
        merged = inherited | {"PYTHONPATH": str(ROOT)} | self.settings | changes
        return {name: value for name, value in merged.items() if value is not None}

    def start(self, *words: str, **changes: str | None) -> Program:
        """Start a program; a change to ``None`` leaves the variable out."""
        environment = self.environment(**changes)
        program = Program(list(words), self.root, environment, len(self.programs))
        self.programs.append(program)
        return program

    def bot(self, *words: str, **changes: str | None) -> Program:
        """Start the bot by its deployment front door, as one process that can be killed."""
        return self.start(str(ROOT / "railway_startup.py"), "--unsupervised", *words, **changes)

    def supervised(self, *words: str, **changes: str | None) -> Program:
        """The same as it is deployed: the supervisor, and the bot as its child."""
        return self.start(str(ROOT / "railway_startup.py"), *words, **changes)

    async def command(self, *words: str, **changes: str | None) -> Ended:
        """Run ``python -m bot ...`` to its end."""
        return await self.start("-m", "bot", *words, **changes).ended()

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        database = await Database.open(self.database)
        try:
            async with database.read() as connection:
                return [tuple(row) for row in (await connection.execute(text(query))).all()]
        finally:
            await database.close()

    async def execute(self, statement: str) -> None:
        database = await Database.open(self.database)
        try:
            async with database.begin() as connection:
                await connection.execute(text(statement))
        finally:
            await database.close()

    async def until_rows(
        self, query: str, holds: Callable[[list[tuple[Any, ...]]], object], limit_s: float = SLACK_S
    ) -> list[tuple[Any, ...]]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + limit_s
        while True:
            found = await self.rows(query)
            if holds(found):
                return found
            assert loop.time() < deadline, f"{found}\n{self.story()}"
            await asyncio.sleep(0.1)

    def story(self) -> str:
        return "\n\n".join(program.story() for program in self.programs)

    def end(self) -> None:
        for program in self.programs:
            if program.is_running:
                # Together: a bot whose supervisor is gone would end in its own time.
                children = psutil.Process(program.process.pid).children(recursive=True)
                program.process.kill()
                program.process.wait()
                for child in children:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        child.kill()

    def judge(self) -> None:
        """Nobody showed a trace or a secret."""
        key = (self.root / "key.pem").read_text()
        secrets = [TOKEN, *(line for line in key.splitlines() if len(line) > 40)]
        for program in self.programs:
            said = program.out + program.err
            assert "Traceback" not in said, program.story()
            assert '"trace"' not in said, program.story()
            for secret in secrets:
                assert secret not in said, program.story()


@asynccontextmanager
async def home_of(
    root: Path,
    database: str,
    exchange: SimulatedExchange,
    telegram: FakeTelegram | None = None,
) -> AsyncIterator[Home]:
    """A home whose processes end, and are judged, when the block does."""
    home = Home(root, database, exchange, telegram)
    try:
        yield home
    finally:
        home.end()
    home.judge()
