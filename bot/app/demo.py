"""``python -m bot demo``: the whole bot at work with nothing to set up.

Three real processes: the simulated exchange, the bot through its deployment
front door, and this one, which watches them over HTTP as any operator would.
What was collected stays in ``var/demo`` for the next run.
"""

import asyncio
import contextlib
import shutil
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import click
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bot.app.demo_view import DemoView
from bot.app.settings import process_environment
from bot.app.simulate import key_id_of, write_private
from bot.domain.errors import ConfigurationFault
from bot.kit.clock import SystemClock

HOME = Path("var/demo")
_ROOT = Path(__file__).resolve().parents[2]
_START_S = 60.0
_STOP_S = 30.0
_POLL_S = 0.5
_PACE_S = 0.4
"""Livelier than the simulator's own default, so that a minute shows something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What the command line gave."""

    seconds: float | None
    recording: Path | None
    speed: int
    seed: int
    port: int
    fresh: bool


class DemoFailed(Exception):
    """A process of the demo did not do its part; the text says which and where its log is."""


def run_demo(options: DemoOptions) -> int:
    """Run until Ctrl-C (0), or until the time is up: then 0 if markets were collected, else 1."""
    if options.fresh:
        shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True, exist_ok=True)
    try:
        return asyncio.run(_Demo(options).run())
    except DemoFailed as failure:
        click.echo(str(failure), err=True)
        return 1


class _Demo:
    def __init__(self, options: DemoOptions) -> None:
        self._options = options
        self._exchange_port = _free_port(0)
        self._page_port = _free_port(options.port)
        if options.port not in {0, self._page_port}:
            click.echo(f"Port {options.port} is taken; the page is on {self._page_port}.")
        self._last: dict[str, Any] = {}
        self._began_us = SystemClock().now_us()

    async def run(self) -> int:
        options = self._options
        stop = asyncio.Event()
        for one in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(one, stop.set)
        async with contextlib.AsyncExitStack() as stack:
            http = await stack.enter_async_context(aiohttp.ClientSession())
            await stack.enter_async_context(self._process("exchange", self._exchange_command()))
            await self._until_answers(
                http, self._exchange_url("/exchange/status"), "exchange", stop
            )
            bot = await stack.enter_async_context(
                self._process("bot", [sys.executable, str(_ROOT / "railway_startup.py")])
            )
            if not stop.is_set():
                await self._until_answers(http, f"{self._page}/health", "bot", stop)
            view = DemoView(self._page, seconds=options.seconds, paths=HOME)
            with view:
                await self._watch(http, bot, view, stop)
        view.summary(self._last)
        return 0 if stop.is_set() or self._is_success() else 1

    @property
    def _page(self) -> str:
        return f"http://127.0.0.1:{self._page_port}"

    def _exchange_url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._exchange_port}/trade-api/v2{path}"

    def _is_success(self) -> bool:
        collect = self._last.get("collect") or {}
        return bool(collect.get("last_success_at_utc")) and bool(collect.get("scanned"))

    def _exchange_command(self) -> list[str]:
        options = self._options
        key = HOME / "exchange-key.pem"
        if not key.exists():
            write_private(key, _new_key())
        command = [sys.executable, "-m", "bot", "simulate"]
        command += ["--port", str(self._exchange_port), "--key", str(key)]
        command += ["--seed", str(options.seed), "--speed", str(options.speed)]
        command += ["--pace", str(_PACE_S)]
        if options.recording:
            command += ["--recording", str(options.recording)]
        return command

    def _bot_environment(self) -> dict[str, str]:
        home = HOME.resolve()
        # A recording shows what happened, not what a strategy would choose.
        series = '["KXBTC15M", "KXNBAGAME"]' if self._options.recording else "[]"
        return {
            "BOT_MODE": "trade",
            "BOT_ACCOUNT__NAME": "demo",
            "BOT_TRADING__STARTS_UNHALTED": "true",
            "BOT_COLLECT__SERIES": series,
            "BOT_TRADING__ALWAYS_WATCH": series,
            "BOT_COLLECT__REPORTS_DIR": str(home / "reports"),
            "BOT_COLLECT__STATUS_FILE": str(home / "status.json"),
            "BOT_BACKUP__DIR": str(home / "backups"),
            "BOT_LOCK_FILE": str(home / "bot.lock"),
            "BOT_DEPLOYMENT__DURABLE_DISK": "true",
            "DATABASE_URL": f"sqlite:///{home / 'kalshi.sqlite'}",
            "KALSHI_API_KEY_ID": key_id_of(HOME / "exchange-key.pem"),
            "KALSHI_PRIVATE_KEY_PATH": str(home / "exchange-key.pem"),
            "KALSHI_REST_URL": f"http://127.0.0.1:{self._exchange_port}",
            "KALSHI_WS_URL": f"ws://127.0.0.1:{self._exchange_port}",
            "BOT_EXCHANGE__REQUESTS_PER_SECOND": "100",
            "PORT": str(self._page_port),
            "LOG_FORMAT": "text",
        }

    @contextlib.asynccontextmanager
    async def _process(self, name: str, command: list[str]):  # type: ignore[no-untyped-def]  # noqa: ANN202
        # Its own session: Ctrl-C is ours to pass on, in the right order.
        environment = process_environment() | (self._bot_environment() if name == "bot" else {})
        with (HOME / f"{name}.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *command, stdout=log, stderr=log, env=environment, start_new_session=True
            )
            try:
                yield process
            finally:
                await _stop(process)

    async def _until_answers(
        self, http: aiohttp.ClientSession, url: str, name: str, stop: asyncio.Event
    ) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _START_S
        while loop.time() < deadline and not stop.is_set():
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with http.get(url, timeout=aiohttp.ClientTimeout(total=2)) as answer:
                    if answer.ok:
                        return
            await asyncio.sleep(0.1)
        if not stop.is_set():
            raise DemoFailed(f"the {name} did not start; its log: {HOME / f'{name}.log'}")

    async def _watch(
        self,
        http: aiohttp.ClientSession,
        bot: asyncio.subprocess.Process,
        view: DemoView,
        stop: asyncio.Event,
    ) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        chat_after = 0
        while not stop.is_set():
            left = (
                None
                if self._options.seconds is None
                else began + self._options.seconds - loop.time()
            )
            if left is not None and left <= 0:
                return
            if bot.returncode is not None:
                raise DemoFailed(
                    f"the bot ended early ({bot.returncode}); its log: {HOME / 'bot.log'}"
                )
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                self._last = await _get(http, f"{self._page}/status") or self._last
                messages = await _get(http, f"{self._page}/chat?after={chat_after}") or []
                chat_after = max([chat_after, *(int(one["id"]) for one in messages)])
                # An earlier run's messages are still in the chat, but they are not news.
                news = [one for one in messages if one["at_us"] >= self._began_us]
                view.show(self._last, news, loop.time() - began)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_POLL_S):
                    await stop.wait()


async def _get(http: aiohttp.ClientSession, url: str) -> Any:
    async with http.get(url, timeout=aiohttp.ClientTimeout(total=5)) as answer:
        return await answer.json() if answer.ok else None


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(_STOP_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _free_port(wanted: int) -> int:
    """The wanted port if it is free, else any free one."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found: int = probe.getsockname()[1]
            return found
    raise ConfigurationFault(["no free port on 127.0.0.1"])


def _new_key() -> str:
    return (
        Ed25519PrivateKey.generate()
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )
