"""A stand-in for the Bot API on a real socket, with the real one's rules about polling.

People type and press buttons through methods, and faults are switched on the same
way. ``tests/contract/test_telegram_stand_in.py`` has it judged by the vendor's
library and by the Bot API's own description. Where its rules come from:

- ``offset`` confirms what lies before it, a negative one forgets all but the last,
  1 to 100 updates a poll: https://core.telegram.org/bots/api#getupdates
- ``ok``, ``error_code``, ``description``, ``retry_after`` in the body of a 429, HTML:
  https://core.telegram.org/bots/api#making-requests, ``#responseparameters``,
  ``#html-style``
- a waiting poll evicts the older one with 409, at once or 3 s later if one was just
  evicted, and a webhook refuses every poll: ``abort_long_poll`` and
  ``fail_query_conflict`` of the official server,
  https://github.com/tdlib/telegram-bot-api/blob/master/telegram-bot-api/Client.cpp
- how often a bot may speak: https://telegra.ph/Hitting-limits-bot-FAQ
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, Self

from aiohttp import web
from typing_extensions import override

from tests.fakes.telegram_flood import Flood

TOKEN = "123456789:AAFakeTokenForTests_0123456789abcdefgh"
BOT = {"id": 123456789, "is_bot": True, "first_name": "Kalshi", "username": "kalshi_test_bot"}
_TEXT_MAX, _CAPTION_MAX, _FILE_MAX, _PICTURE_MAX = 4096, 1024, 50_000_000, 10_000_000
_TAGS = {"b", "strong", "i", "em", "u", "s", "code", "pre", "a", "blockquote", "tg-spoiler"}
_DATE = 1_795_245_300


class Refused(Exception):
    """An answer with ``ok: false``."""

    def __init__(self, status: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameters = parameters


@dataclass
class Said:
    """A message of the bot, as its chat shows it."""

    message_id: int
    chat_id: int
    text: str
    """Without markup."""
    buttons: list[dict[str, str]] = field(default_factory=list)
    document: bytes | None = None
    document_name: str | None = None
    topic: int | None = None
    is_picture: bool = False

    def button(self, label: str) -> str:
        return next(one["callback_data"] for one in self.buttons if one["text"] == label)


@dataclass(frozen=True)
class Request:
    method: str
    params: dict[str, str]
    files: dict[str, str]
    answer: Any


class _Plain(HTMLParser):
    """Checks Telegram's HTML and keeps the text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self._open: list[str] = []

    @override
    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in _TAGS:
            raise Refused(400, f'Bad Request: can\'t parse entities: Unsupported start tag "{tag}"')
        self._open.append(tag)

    @override
    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            raise Refused(400, "Bad Request: can't parse entities: Unexpected end tag")

    @override
    def handle_data(self, data: str) -> None:
        self.text += data

    def finish(self) -> str:
        self.close()
        if self._open:
            raise Refused(400, "Bad Request: can't parse entities: Can't find end tag")
        return self.text


def shown_text(markup: str) -> str:
    """What a chat shows of Telegram's HTML; raises ``Refused`` where Telegram would refuse it."""
    parser = _Plain()
    parser.feed(markup)
    return parser.finish()


class FakeTelegram:
    """One bot's world. Use as an async context manager."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.said: dict[int, list[Said]] = defaultdict(list)
        self.requests: list[Request] = []
        self.commands: dict[str, list[str]] = {}
        self.confirmed = 0
        self.conflicts = 0
        self.polls = 0
        # Faults
        self.is_down = False
        self.resets_left = 0
        self.is_token_revoked = False
        self.slow_s = 0.0
        self.blocked: set[int] = set()
        self.flood: Flood | None = None
        self.refusals: dict[str, list[Refused]] = defaultdict(list)
        self.lose_answers: dict[str, int] = defaultdict(int)
        self.webhook = ""
        self.redeliver_confirmed = False
        self.date = _DATE
        self.conflict_pause_s = 3.0
        self._last_conflict_s = float("-inf")
        self._updates: list[dict[str, Any]] = []
        self._next_update = 1_000
        self._next_message = 1
        self._poll: asyncio.Event | None = None
        self._changed = asyncio.Event()
        self._heard = asyncio.Event()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def is_polled(self) -> bool:
        """Whether a long poll is open."""
        return self._poll is not None

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=60_000_000)
        app.router.add_post("/bot{token}/{method}", self._serve)
        self._runner = web.AppRunner(
            app, shutdown_timeout=0.1, handler_cancellation=True, access_log=None
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._poll is not None:
            self._poll.set()
        assert self._runner is not None
        await self._runner.cleanup()

    # --- people -------------------------------------------------------------------------

    def type(self, user: int, text: str, *, chat: int | None = None, **fields: Any) -> int:
        """A person sends a text; returns the update's id."""
        chat_id = user if chat is None else chat
        kind = "private" if chat_id > 0 else "supergroup"
        where = {"id": chat_id, "type": kind}
        where |= {"first_name": "Ada"} if chat_id > 0 else {"title": "Desk"}
        message: dict[str, Any] = {
            "message_id": self._message_id(),
            "from": {"id": user, "is_bot": False, "first_name": "Ada"},
            "chat": where,
            "date": self.date,
            "text": text,
        }
        if text.startswith("/"):
            word = text.split(maxsplit=1)[0]
            message["entities"] = [{"type": "bot_command", "offset": 0, "length": len(word)}]
        return self.deliver({"message": message | fields})

    def press(self, user: int, said: Said, label: str) -> int:
        """A person presses a button."""
        return self.press_data(user, said, said.button(label))

    def press_data(self, user: int, said: Said, data: str) -> int:
        query = {
            "id": str(self._next_update),
            "from": {"id": user, "is_bot": False, "first_name": "Ada"},
            "chat_instance": "1",
            "data": data,
            "message": self._shown(said),
        }
        return self.deliver({"callback_query": query})

    def deliver(self, content: dict[str, Any]) -> int:
        update_id = self._next_update
        self._next_update += 1
        self._updates.append({"update_id": update_id, **content})
        self._changed.set()
        return update_id

    def texts(self, chat: int) -> list[str]:
        return [one.text for one in self.said[chat]]

    async def until(self, holds: Callable[[], object], within_s: float = 10.0) -> None:
        """Wait until something is true; looks again whenever the bot called."""
        async with asyncio.timeout(within_s):
            while not holds():
                self._heard.clear()
                try:
                    async with asyncio.timeout(0.05):
                        await self._heard.wait()
                except TimeoutError:
                    continue

    async def answer(self, chat: int, count: int, within_s: float = 10.0) -> Said:
        """The ``count``-th message of a chat, once it is there."""
        await self.until(lambda: len(self.said[chat]) >= count, within_s)
        return self.said[chat][count - 1]

    # --- the API ------------------------------------------------------------------------

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        if self.slow_s:
            await asyncio.sleep(self.slow_s)
        if self.is_down or self.resets_left > 0:
            self.resets_left = max(0, self.resets_left - 1)
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        params, files = await _read(request)
        is_known = request.match_info["token"] == TOKEN and not self.is_token_revoked
        try:
            answer = await self._handle(method if is_known else "", params, files)
        except Refused as refusal:
            self._heard.set()
            return web.json_response(_refusal(refusal), status=refusal.status)
        names = {name: file[0] for name, file in files.items()}
        self.requests.append(Request(method, params, names, answer))
        self._heard.set()
        if self.lose_answers[method] > 0:
            self.lose_answers[method] -= 1
            assert request.transport is not None
            request.transport.abort()
        return web.json_response({"ok": True, "result": answer})

    async def _handle(
        self, method: str, params: dict[str, str], files: dict[str, tuple[str, bytes]]
    ) -> Any:
        if not method:
            raise Refused(401, "Unauthorized")
        if self.refusals[method]:
            raise self.refusals[method].pop(0)
        if method == "getUpdates":
            return await self._get_updates(params)
        if self.flood is not None and method.startswith("send"):
            retry_after_s = self.flood.refuses(int(params["chat_id"]))
            if retry_after_s:
                raise Refused(
                    429,
                    f"Too Many Requests: retry after {retry_after_s}",
                    retry_after=retry_after_s,
                )
        if method in {"sendDocument", "sendPhoto"}:
            return self._send_file(method, params, files)
        answers: dict[str, Callable[[], Any]] = {
            "getMe": lambda: BOT,
            "sendMessage": lambda: self._send(params, params.get("text", ""), _TEXT_MAX),
            "editMessageText": lambda: self._edit(params, self._text(params, params["text"])),
            "editMessageReplyMarkup": lambda: self._edit(params, None),
            "answerCallbackQuery": lambda: True,
            "setChatMenuButton": lambda: True,
            "setMyCommands": lambda: self._set(method, params),
            "deleteMyCommands": lambda: self._set(method, params),
            "setWebhook": lambda: self._set_webhook(params),
            "deleteWebhook": lambda: self._set_webhook({}),
            "getWebhookInfo": self._webhook_info,
        }
        if method not in answers:
            raise Refused(404, "Not Found: method not found")
        return answers[method]()

    def _set_webhook(self, params: dict[str, str]) -> bool:
        self.webhook = params.get("url", "")
        return True

    def _webhook_info(self) -> dict[str, Any]:
        return {
            "url": self.webhook,
            "has_custom_certificate": False,
            "pending_update_count": len(self._updates),
        }

    async def _get_updates(self, params: dict[str, str]) -> list[dict[str, Any]]:
        if self.webhook:
            raise Refused(
                409,
                "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook",
            )
        self.polls += 1
        self._confirm(int(params.get("offset", "0")))
        if float(params.get("timeout", "0")) == 0:
            return self._found(params)
        if self._poll is not None:
            self._poll.set()
        mine = self._poll = asyncio.Event()
        try:
            async with asyncio.timeout(float(params.get("timeout", "0"))):
                while not self._found(params) and not mine.is_set():
                    self._changed.clear()
                    await self._wait_any(mine)
        except TimeoutError:
            pass
        finally:
            if self._poll is mine:
                self._poll = None
        if mine.is_set():
            await self._pause_between_conflicts()
            raise Refused(
                409,
                "Conflict: terminated by other getUpdates request; "
                "make sure that only one bot instance is running",
            )
        return self._found(params)

    async def _pause_between_conflicts(self) -> None:
        """At once, or 3 s later when one was just sent: what keeps two pollers from spinning."""
        self.conflicts += 1
        now_s = asyncio.get_running_loop().time()
        is_repeat = now_s - self._last_conflict_s < self.conflict_pause_s
        self._last_conflict_s = now_s
        if is_repeat:
            await asyncio.sleep(self.conflict_pause_s)

    async def _wait_any(self, mine: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            waits = [group.create_task(event.wait()) for event in (mine, self._changed)]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()

    def _confirm(self, offset: int) -> None:
        if offset < 0:
            last = [one["update_id"] for one in self._updates[offset:]]
            offset = last[0] if last else self._next_update
        self.confirmed = max(self.confirmed, offset - 1)
        if not self.redeliver_confirmed:
            self._updates = [one for one in self._updates if one["update_id"] >= offset]

    def _found(self, params: dict[str, str]) -> list[dict[str, Any]]:
        allowed = json.loads(params.get("allowed_updates", "[]"))
        kinds = [one for one in self._updates if not allowed or set(one) & set(allowed)]
        return kinds[: min(max(int(params.get("limit", "100")), 1), 100)]

    def _send(self, params: dict[str, str], text: str, limit: int) -> dict[str, Any]:
        chat_id = int(params["chat_id"])
        if chat_id in self.blocked:
            raise Refused(403, "Forbidden: bot was blocked by the user")
        shown = self._text(params, text)
        if len(shown.encode("utf-16-le")) // 2 > limit:
            raise Refused(400, "Bad Request: message is too long")
        if not shown.strip() and limit == _TEXT_MAX:
            raise Refused(400, "Bad Request: message text is empty")
        said = Said(self._message_id(), chat_id, shown, _buttons(params))
        said.topic = int(params["message_thread_id"]) if "message_thread_id" in params else None
        self.said[chat_id].append(said)
        return self._shown(said)

    def _send_file(
        self, method: str, params: dict[str, str], files: dict[str, tuple[str, bytes]]
    ) -> dict[str, Any]:
        kind = method.removeprefix("send").lower()
        value = params.get(kind, "")
        name, content = files[value.removeprefix("attach://")] if value else files[kind]
        if len(content) > (_FILE_MAX if kind == "document" else _PICTURE_MAX):
            raise Refused(413, "Request Entity Too Large")
        answer = self._send(params, params.get("caption", ""), _CAPTION_MAX)
        said = self.said[int(params["chat_id"])][-1]
        said.document, said.document_name = content, name
        said.is_picture = kind == "photo"
        file = {"file_id": "f1", "file_unique_id": "u1", "file_size": len(content)}
        del answer["text"]
        if kind == "photo":
            return answer | {"photo": [file | {"width": 1, "height": 1}]}
        return answer | {"document": file | {"file_name": name}}

    def _edit(self, params: dict[str, str], text: str | None) -> dict[str, Any]:
        chat_id, message_id = int(params["chat_id"]), int(params["message_id"])
        found = [one for one in self.said[chat_id] if one.message_id == message_id]
        if not found:
            raise Refused(400, "Bad Request: message to edit not found")
        said, buttons = found[0], _buttons(params)
        if text is not None and said.document is not None:
            raise Refused(400, "Bad Request: there is no text in the message to edit")
        if (text is None or text == said.text) and buttons == said.buttons:
            raise Refused(400, "Bad Request: message is not modified")
        said.text = said.text if text is None else text
        said.buttons = buttons
        return self._shown(said)

    def _set(self, method: str, params: dict[str, str]) -> bool:
        scope = params.get("scope", "default")
        if method == "setMyCommands":
            self.commands[scope] = [one["command"] for one in json.loads(params["commands"])]
        elif method == "deleteMyCommands":
            self.commands.pop(scope, None)
        return True

    def _text(self, params: dict[str, str], text: str) -> str:
        if params.get("parse_mode") != "HTML":
            return text
        return shown_text(text)

    def _shown(self, said: Said) -> dict[str, Any]:
        kind = "private" if said.chat_id > 0 else "supergroup"
        shown: dict[str, Any] = {
            "message_id": said.message_id,
            "date": self.date,
            "from": BOT,
            "chat": {"id": said.chat_id, "type": kind},
            "text": said.text,
        }
        if said.buttons:
            shown["reply_markup"] = {"inline_keyboard": [[one] for one in said.buttons]}
        return shown

    def _message_id(self) -> int:
        self._next_message += 1
        return self._next_message


def _buttons(params: dict[str, str]) -> list[dict[str, str]]:
    markup = json.loads(params.get("reply_markup", "{}"))
    found = [one for row in markup.get("inline_keyboard", []) for one in row]
    for one in found:
        if not 1 <= len(one["callback_data"].encode()) <= 64:
            raise Refused(400, "Bad Request: BUTTON_DATA_INVALID")
    return found


async def _read(request: web.Request) -> tuple[dict[str, str], dict[str, tuple[str, bytes]]]:
    params: dict[str, str] = {}
    files: dict[str, tuple[str, bytes]] = {}
    for name, value in (await request.post()).items():
        if isinstance(value, web.FileField):
            files[name] = (value.filename, value.file.read())
        else:
            params[name] = str(value)
    return params, files


def _refusal(refusal: Refused) -> dict[str, Any]:
    body: dict[str, Any] = {
        "ok": False,
        "error_code": refusal.status,
        "description": refusal.description,
    }
    if refusal.parameters:
        body["parameters"] = refusal.parameters
    return body
