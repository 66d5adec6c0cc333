"""A real HTTP server on an ephemeral port whose answers a test writes beforehand."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from aiohttp import web


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


Answer: TypeAlias = web.Response | Callable[[web.Request], Awaitable[web.StreamResponse]]


def answer(body: bytes | str = b"{}", status: int = 200, **headers: str) -> web.Response:
    """A JSON answer."""
    data = body.encode() if isinstance(body, str) else body
    return web.Response(body=data, status=status, content_type="application/json", headers=headers)


async def hang(_: web.Request) -> web.StreamResponse:
    """Never answer (until the server stops)."""
    await asyncio.Event().wait()
    raise AssertionError


async def drop(request: web.Request) -> web.StreamResponse:
    """Close the connection without a word."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


@dataclass(slots=True)
class ScriptedServer:
    """Gives the next answer of the script; the last one again when the script is used up."""

    base_url: str = ""
    script: list[Answer] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)

    def answers(self, *answers: Answer) -> None:
        self.script = list(answers)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(
            Seen(
                method=request.method,
                path=request.path,
                query=dict(request.query),
                headers=dict(request.headers),
                body=await request.read(),
            )
        )
        given = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(given, web.Response):
            return web.Response(body=given.body, status=given.status, headers=given.headers)
        return await given(request)


@asynccontextmanager
async def scripted_server() -> AsyncIterator[ScriptedServer]:
    """Serve on loopback."""
    server = ScriptedServer()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.05)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        server.base_url = f"http://127.0.0.1:{port}/trade-api/v2"
        yield server
    finally:
        await runner.cleanup()
