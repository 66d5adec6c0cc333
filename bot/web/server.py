"""The HTTP server: ``/health``, ``/status``, ``/healthz`` and the operator's page.

``/health`` answers 200 as long as the process works, standby included: a
platform that waits for it must not wait for the lead. ``/healthz`` is strict
about stale work. The rest is for this machine's browser, or behind a token.
"""

import asyncio
import html
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Protocol, TypeAlias

from aiohttp import web

from bot.domain.errors import BotError, ConfigurationFault
from bot.web.access import SESSION_COOKIE, Access

logger = logging.getLogger(__name__)

Json: TypeAlias = Mapping[str, object]
_TEXT_MAX = 1_000
_SIGN_IN_PAUSE_S = 1.0


CHAT_FILES = {".png": "image/png", ".csv": "text/csv"}
"""What the chat shows or offers, by the end of its name. Backups are left where they lie."""


@dataclass(frozen=True, slots=True)
class ChatFile:
    """A file of the chat."""

    name: str
    content_type: str
    content: bytes = field(repr=False)


class WebBackend(Protocol):
    """What the pages show and do."""

    def health(self) -> Json:
        """Liveness facts. Never waits, never fails."""
        ...

    async def status(self) -> Json:
        """Everything an operator wants to see, ready for JSON."""
        ...

    def books(self) -> Json:
        """The order books as this process keeps them, by market. Never waits, never fails."""
        ...

    async def staleness(self) -> tuple[bool, Json]:
        """Whether all periodic work is fresh, and each check."""
        ...

    async def chat(self, after: int) -> Sequence[Json]:
        """Messages of the page's chat with an id above ``after``, oldest first."""
        ...

    async def picture(self, message_id: int) -> ChatFile | None:
        """The picture or table that a message of the chat came with, if it is still there."""
        ...

    async def say(self, text: str, button: str | None, message_id: int | None = None) -> None:
        """A command typed into the chat, or a button of one of its messages pressed."""
        ...


class WebServer:
    """A service: listens from ``start`` on, so that a taken port is found before anything else."""

    name = "web"

    def __init__(self, host: str, port: int, token: str | None) -> None:
        self._host = host
        self._port = port
        self._access = Access(token)
        self._backend: WebBackend | None = None
        self._runner: web.AppRunner | None = None

    @property
    def address(self) -> str:
        """Where the page is, once started."""
        return f"http://{self._host}:{self._port}"

    def serve(self, backend: WebBackend) -> None:
        """Answer from this backend from now on; until then only ``/health`` has an answer."""
        self._backend = backend

    async def start(self) -> None:
        """Bind the port.

        Raises:
            ConfigurationFault: the port is taken or may not be used.
        """
        app = web.Application(client_max_size=64 * 1024)
        app.add_routes(
            [
                web.get("/health", self._health),
                web.get("/healthz", self._healthz),
                web.get("/status", self._status),
                web.get("/books", self._books),
                web.get("/chat", self._chat),
                web.get("/chat/file", self._chat_file),
                web.post("/chat", self._say),
                web.post("/sign-in", self._sign_in),
                web.get("/", self._page),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise ConfigurationFault([_port_fault(self._host, self._port, error)]) from None
        if self._port == 0:
            self._port = self._runner.addresses[0][1]
        logger.info("page open", extra={"address": self.address})

    async def run(self) -> None:
        """Serve until cancelled."""
        await asyncio.Event().wait()

    async def drain(self) -> None:
        """Nothing to finish: requests are short."""

    async def stop(self) -> None:
        """Close the port."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _health(self, request: web.Request) -> web.Response:
        facts = self._backend.health() if self._backend else {"status": "starting"}
        if "text/html" in request.headers.get("Accept", ""):
            return web.Response(text=_cards(facts), content_type="text/html")
        return web.json_response(dict(facts))

    async def _healthz(self, request: web.Request) -> web.Response:
        if self._backend is None:
            return web.json_response({"ok": False, "status": "starting"}, status=503)
        try:
            is_fresh, checks = await self._backend.staleness()
        except BotError as error:
            is_fresh, checks = False, {"error": str(error)}
        body = {"ok": is_fresh, "checks": checks}
        return web.json_response(body, status=200 if is_fresh else 503)

    async def _status(self, request: web.Request) -> web.Response:
        backend = self._allowed(request)
        try:
            return web.json_response(dict(await backend.status()))
        except BotError as error:
            return web.json_response({"error": str(error)}, status=503)

    async def _books(self, request: web.Request) -> web.Response:
        return web.json_response(dict(self._allowed(request).books()))

    async def _chat(self, request: web.Request) -> web.Response:
        backend = self._allowed(request)
        try:
            after = int(request.query.get("after", "0"))
        except ValueError:
            return web.json_response({"error": "after must be a number"}, status=400)
        try:
            return web.json_response([dict(one) for one in await backend.chat(after)])
        except BotError as error:
            return web.json_response({"error": str(error)}, status=503)

    async def _chat_file(self, request: web.Request) -> web.Response:
        backend = self._allowed(request)
        number = request.query.get("id", "")
        try:
            found = await backend.picture(int(number)) if number.isdecimal() else None
        except BotError as error:
            return web.json_response({"error": str(error)}, status=503)
        if found is None:
            return web.json_response({"error": "no such file"}, status=404)
        return web.Response(
            body=found.content,
            content_type=found.content_type,
            headers={
                "Content-Disposition": f'inline; filename="{found.name}"',
                "X-Content-Type-Options": "nosniff",
                "Cache-Control": "private, max-age=3600",
            },
        )

    async def _say(self, request: web.Request) -> web.Response:
        backend = self._allowed(request)
        if not self._access.allows_acting(request):
            return web.json_response({"error": "send application/json"}, status=415)
        try:
            body = await request.json()
        except ValueError:
            return web.json_response({"error": "not JSON"}, status=400)
        text, button, message_id = _typed(body)
        if not text and not button:
            return web.json_response({"error": 'send {"text": "/status"}'}, status=400)
        try:
            await backend.say(text, button, message_id)
        except BotError as error:
            return web.json_response({"error": str(error)}, status=503)
        return web.json_response({"taken": True}, status=202)

    async def _sign_in(self, request: web.Request) -> web.Response:
        form = await request.post()
        if not self._access.is_token(str(form.get("token", ""))):
            await asyncio.sleep(_SIGN_IN_PAUSE_S)
            return web.Response(status=401, text=_sign_in_page(), content_type="text/html")
        answer = web.Response(status=303, headers={"Location": "/"})
        answer.set_cookie(
            SESSION_COOKIE,
            self._access.session,
            httponly=True,
            samesite="Strict",
            secure=request.secure or request.headers.get("X-Forwarded-Proto") == "https",
        )
        return answer

    async def _page(self, request: web.Request) -> web.Response:
        if not self._access.allows(request):
            return web.Response(status=401, text=_sign_in_page(), content_type="text/html")
        page = resources.files("bot.web").joinpath("page.html").read_text(encoding="utf-8")
        return web.Response(text=page, content_type="text/html", headers=_PAGE_HEADERS)

    def _allowed(self, request: web.Request) -> WebBackend:
        if not self._access.allows(request):
            raise web.HTTPUnauthorized(
                text='{"error": "sign in, or send Authorization: Bearer <token>"}',
                content_type="application/json",
            )
        if self._backend is None:
            raise web.HTTPServiceUnavailable(
                text='{"error": "starting"}', content_type="application/json"
            )
        return self._backend


_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; connect-src 'self'; img-src 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def _typed(body: object) -> tuple[str, str | None, int | None]:
    """Text, button, and the message that holds the button."""
    if not isinstance(body, dict):
        return "", None, None
    text, button, message = body.get("text", ""), body.get("button"), body.get("message")
    return (
        text.strip()[:_TEXT_MAX] if isinstance(text, str) else "",
        button[:64] if isinstance(button, str) else None,
        message if type(message) is int else None,
    )


def _port_fault(host: str, port: int, error: OSError) -> str:
    return (
        f"cannot listen on {host}:{port} ({error.strerror or error}); "
        f"find who does with `lsof -i :{port}`, or set another PORT"
    )


def _cards(facts: Json) -> str:
    cards = "".join(
        f"<div><b>{html.escape(name.replace('_', ' '))}</b>"
        f"<span>{html.escape('-' if value is None else str(value))}</span></div>"
        for name, value in facts.items()
    )
    return (
        "<!doctype html><meta charset=utf-8><title>Health</title><style>"
        "body{font:15px system-ui;margin:2rem;display:flex;flex-wrap:wrap;gap:1rem}"
        "div{border:1px solid #8886;border-radius:8px;padding:1rem 1.4rem;min-width:9rem}"
        "b{display:block;font-weight:500;color:#777;margin-bottom:.3rem}"
        "span{font-size:1.2rem}</style>" + cards
    )


def _sign_in_page() -> str:
    return (
        "<!doctype html><meta charset=utf-8><title>Sign in</title>"
        "<style>body{font:15px system-ui;margin:4rem auto;width:20rem}"
        "input,button{font:inherit;padding:.5rem;width:100%;box-sizing:border-box;margin:.3rem 0}"
        "</style><form method=post action=/sign-in><p>This page is behind its token "
        "(WEB_PORTAL_PASSWORD).</p><input type=password name=token autofocus "
        "aria-label=Token><button>Sign in</button></form>"
    )
