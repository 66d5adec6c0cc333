"""What the HTTP server answers, and to whom."""

import socket
from collections.abc import AsyncIterator, Mapping, Sequence

import aiohttp
import pytest

from bot.domain.errors import ConfigurationFault, StorageUnavailable
from bot.web.server import ChatFile, WebServer

pytestmark = pytest.mark.looptime(False)

TOKEN = "a-long-portal-token"
JSON = {"Content-Type": "application/json"}


class Backend:
    """Scripted answers, and what was said."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str | None]] = []
        self.pressed: list[int | None] = []
        self.files: dict[int, ChatFile] = {}
        self.is_fresh = True
        self.is_down = False

    def health(self) -> Mapping[str, object]:
        return {"status": "healthy", "role": "<leading>"}

    async def status(self) -> Mapping[str, object]:
        if self.is_down:
            raise StorageUnavailable("the database does not answer")
        return {"open_positions": 2}

    def books(self) -> Mapping[str, object]:
        return {"T": {"is_trusted": True, "bids": [["0.9400", "2.00"]], "asks": []}}

    async def staleness(self) -> tuple[bool, Mapping[str, object]]:
        return self.is_fresh, {"collect": "ok" if self.is_fresh else "stale"}

    async def chat(self, after: int) -> Sequence[Mapping[str, object]]:
        return [{"id": after + 1, "text": "hello"}]

    async def picture(self, message_id: int) -> ChatFile | None:
        return self.files.get(message_id)

    async def say(self, text: str, button: str | None, message_id: int | None = None) -> None:
        self.said.append((text, button))
        self.pressed.append(message_id)


async def open_server(token: str | None, backend: Backend | None) -> WebServer:
    server = WebServer("127.0.0.1", 0, token)
    await server.start()
    if backend is not None:
        server.serve(backend)
    return server


@pytest.fixture
def backend() -> Backend:
    return Backend()


@pytest.fixture
async def local(backend: Backend) -> AsyncIterator[str]:
    server = await open_server(None, backend)
    yield server.address
    await server.stop()


@pytest.fixture
async def guarded(backend: Backend) -> AsyncIterator[str]:
    server = await open_server(TOKEN, backend)
    yield server.address
    await server.stop()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session


async def test_health_is_json_for_machines_and_cards_for_people(
    local: str, http: aiohttp.ClientSession
) -> None:
    async with http.get(f"{local}/health") as answer:
        assert (answer.status, await answer.json()) == (
            200,
            {"status": "healthy", "role": "<leading>"},
        )
    async with http.get(f"{local}/health", headers={"Accept": "text/html"}) as answer:
        page = await answer.text()
    assert "&lt;leading&gt;" in page
    assert "<leading>" not in page


async def test_health_answers_before_there_is_anything_behind_it(
    http: aiohttp.ClientSession,
) -> None:
    server = await open_server(None, None)
    async with http.get(f"{server.address}/health") as answer:
        assert (answer.status, await answer.json()) == (200, {"status": "starting"})
    async with http.get(f"{server.address}/healthz") as answer:
        assert answer.status == 503
    async with http.get(f"{server.address}/status") as answer:
        assert answer.status == 503
    await server.stop()


async def test_the_books_are_for_who_may_see_the_page(
    local: str, guarded: str, http: aiohttp.ClientSession
) -> None:
    async with http.get(f"{local}/books") as answer:
        assert (await answer.json())["T"]["bids"] == [["0.9400", "2.00"]]
    async with http.get(f"{guarded}/books") as answer:
        assert answer.status == 401


async def test_healthz_is_strict(local: str, http: aiohttp.ClientSession, backend: Backend) -> None:
    async with http.get(f"{local}/healthz") as answer:
        assert answer.status == 200
    backend.is_fresh = False
    async with http.get(f"{local}/healthz") as answer:
        assert (answer.status, await answer.json()) == (
            503,
            {"ok": False, "checks": {"collect": "stale"}},
        )


async def test_a_fault_behind_the_status_is_told_as_one(
    local: str, http: aiohttp.ClientSession, backend: Backend
) -> None:
    backend.is_down = True
    async with http.get(f"{local}/status") as answer:
        assert answer.status == 503
        assert await answer.json() == {"error": "the database does not answer"}


async def test_a_command_is_taken(
    local: str, http: aiohttp.ClientSession, backend: Backend
) -> None:
    async with http.post(f"{local}/chat", json={"text": " /status "}) as answer:
        assert answer.status == 202
    async with http.post(f"{local}/chat", json={"button": "yes:abc"}) as answer:
        assert answer.status == 202
    assert backend.said == [("/status", None), ("", "yes:abc")]


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", JSON, 400),
        (b"[]", JSON, 400),
        (b'{"text": 5}', JSON, 400),
        (b'{"text": "/halt"}', {"Content-Type": "text/plain"}, 415),
        (b"text=/halt", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ],
)
async def test_a_command_another_page_could_send_is_refused(
    local: str,
    http: aiohttp.ClientSession,
    backend: Backend,
    body: bytes,
    headers: dict[str, str],
    status: int,
) -> None:
    async with http.post(f"{local}/chat", data=body, headers=headers) as answer:
        assert answer.status == status
    assert backend.said == []


async def test_a_foreign_host_name_is_refused_on_loopback(
    local: str, http: aiohttp.ClientSession, backend: Backend
) -> None:
    headers = {"Host": "evil.example:8080"}
    async with http.get(f"{local}/status", headers=headers) as answer:
        assert answer.status == 401
    async with http.post(f"{local}/chat", json={"text": "/halt"}, headers=headers) as answer:
        assert answer.status == 401
    assert backend.said == []


async def test_a_chat_cursor_must_be_a_number(local: str, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{local}/chat?after=x") as answer:
        assert answer.status == 400
    async with http.get(f"{local}/chat?after=4") as answer:
        assert await answer.json() == [{"id": 5, "text": "hello"}]


@pytest.mark.parametrize("path", ["/", "/status", "/chat"])
async def test_with_a_token_nothing_opens_without_it(
    guarded: str, http: aiohttp.ClientSession, path: str
) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Cookie": "bot_session=wrong"}):
        async with http.get(f"{guarded}{path}", headers=headers) as answer:
            assert answer.status == 401
    async with http.get(f"{guarded}{path}", headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
        assert answer.status == 200


async def test_signing_in_gives_a_session_that_does_not_hold_the_token(
    guarded: str, http: aiohttp.ClientSession
) -> None:
    async with http.post(f"{guarded}/sign-in", data={"token": "wrong"}) as answer:
        assert answer.status == 401
    async with http.post(f"{guarded}/sign-in", data={"token": TOKEN}) as answer:
        assert answer.status == 200
        assert "Kalshi bot" in await answer.text()
    assert all(TOKEN not in cookie.value for cookie in http.cookie_jar)
    async with http.get(f"{guarded}/status") as answer:
        assert answer.status == 200


async def test_health_needs_no_token(guarded: str, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{guarded}/health") as answer:
        assert answer.status == 200


async def test_a_taken_port_is_named_with_its_fix() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(ConfigurationFault) as caught:
            await WebServer("127.0.0.1", port, None).start()
    assert f"127.0.0.1:{port}" in caught.value.faults[0]
    assert "lsof -i" in caught.value.faults[0]


async def test_a_file_of_the_chat_is_for_who_may_see_the_page(
    local: str, guarded: str, backend: Backend, http: aiohttp.ClientSession
) -> None:
    backend.files[7] = ChatFile("pnl.png", "image/png", b"png")
    async with http.get(f"{local}/chat/file?id=7") as answer:
        assert (answer.status, answer.content_type, await answer.read()) == (
            200,
            "image/png",
            b"png",
        )
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    for unknown in ("8", "", "x", "-7", "7.0"):
        async with http.get(f"{local}/chat/file?id={unknown}") as answer:
            assert answer.status == 404, unknown
    async with http.get(f"{guarded}/chat/file?id=7") as answer:
        assert answer.status == 401


async def test_a_press_says_which_message_held_the_button(
    local: str, backend: Backend, http: aiohttp.ClientSession
) -> None:
    for message in (12, None, "12", True):
        body = {"button": "again:/status", "message": message}
        async with http.post(f"{local}/chat", json=body) as answer:
            assert answer.status == 202
    assert backend.pressed == [12, None, None, None]
