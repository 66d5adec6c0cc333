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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import click

from bot.app.demo_parts import DemoParts
from bot.app.demo_view import DemoView
from bot.app.settings import process_environment
from bot.domain.errors import ConfigurationFault
from bot.kit.clock import SystemClock

HOME = Path("var/demo")
_START_S = 60.0
_STOP_S = 30.0
_POLL_S = 0.5


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
        self._parts = DemoParts(
            home=HOME,
            exchange_port=free_port(0),
            page_port=free_port(options.port),
            seed=options.seed,
            speed=options.speed,
            recording=options.recording,
        )
        page_port = self._parts.page_port
        if options.port not in {0, page_port}:
            click.echo(f"Port {options.port} is taken; the page is on {page_port}.")
        self._last: dict[str, Any] = {}
        self._began_us = SystemClock().now_us()

    async def run(self) -> int:
        options, parts = self._options, self._parts
        stop = asyncio.Event()
        for one in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(one, stop.set)
        async with contextlib.AsyncExitStack() as stack:
            http = await stack.enter_async_context(aiohttp.ClientSession())
            await stack.enter_async_context(self._process("exchange", parts.exchange_command()))
            await self._until_answers(
                http, f"{parts.exchange}/trade-api/v2/exchange/status", "exchange", stop
            )
            bot = await stack.enter_async_context(self._process("bot", parts.bot_command()))
            if not stop.is_set():
                await self._until_answers(http, f"{self._parts.page}/health", "bot", stop)
            view = DemoView(self._parts.page, seconds=options.seconds, paths=HOME)
            with view:
                await self._watch(http, bot, view, stop)
        view.summary(self._last)
        return 0 if stop.is_set() or self._is_success() else 1

    def _is_success(self) -> bool:
        collect = self._last.get("collect") or {}
        return bool(collect.get("last_success_at_utc")) and bool(collect.get("scanned"))

    @contextlib.asynccontextmanager
    async def _process(self, name: str, command: list[str]):  # type: ignore[no-untyped-def]  # noqa: ANN202
        # Its own session: Ctrl-C is ours to pass on, in the right order.
        environment = process_environment() | (
            self._parts.bot_environment() if name == "bot" else {}
        )
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
                self._last = await _get(http, f"{self._parts.page}/status") or self._last
                messages = await _get(http, f"{self._parts.page}/chat?after={chat_after}") or []
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


def free_port(wanted: int) -> int:
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
