"""People in a chat: what they type and press, and what the bot's chats received."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from tests.e2e.programs.cockpit import ADMIN, GROUP, TRADERS
from tests.fakes.telegram_server import FakeTelegram, Request, Said

STRANGER = 666
PLACES = (*((user, user) for user in (ADMIN, *TRADERS)), (ADMIN, GROUP), (TRADERS[0], GROUP))
"""Who speaks where."""
ACTS = {
    "/cancel all": "cancel",
    "/reconcile": "reconcile",
    "/halt fire": "halt",
    "/stop": "halt",
}
"""Acts at once, with the name of the effect."""
ASKS = {"/unhalt": "unhalt", "/close all": "close", "/acknowledge KXFED-26DEC-T4.25": "acknowledge"}
READS = ("/status", "/pnl", "/positions", "/breakers", "/help", "/nonsense", "/why", "/whoami")
_NUMBER = re.compile(r"#(\d+) \| ")
_YES, _NO = "yes:", "no:"
_DOUBLE_PRESS, _PRESS = 0.15, 0.4


@dataclass(frozen=True)
class Sent:
    """One thing a person did, by the update that told it."""

    update_id: int
    user: int
    chat: int
    effect: str | None
    """What must have happened exactly once; ``None`` where nothing may happen at once."""
    is_urgent: bool = False
    nonce: str | None = None
    """The question that was answered."""
    is_yes: bool = False


@dataclass
class People:
    """They talk at random; the same seed says the same as far as the bot answers the same."""

    server: FakeTelegram
    random: Random
    sent: dict[int, Sent] = field(default_factory=dict)
    strangers: int = 0
    _pressed: set[int] = field(default_factory=set)

    def act(self) -> None:
        """Do one thing."""
        questions = list(self._questions())
        if questions and self.random.random() < _PRESS:
            self._answer(*self.random.choice(questions))
            return
        if self.random.random() < 0.02:  # noqa: PLR2004 - now and then
            self.strangers += 1
            self.server.type(STRANGER, self.random.choice([*ACTS, *ASKS]))
        self._type()

    def _type(self) -> None:
        user, chat = self.random.choice(PLACES)
        kind = self.random.choice(("act", "act", "ask", "read"))
        if kind == "act":
            line = self.random.choice(tuple(ACTS))
            effect: str | None = ACTS[line]
        else:
            line = self.random.choice(tuple(ASKS) if kind == "ask" else READS)
            effect = None
        update_id = self.server.type(user, line, chat=chat)
        is_urgent = effect in {"halt", "cancel"}
        self.sent[update_id] = Sent(update_id, user, chat, effect, is_urgent)

    def _questions(self) -> Iterator[tuple[Said, int]]:
        """Questions nobody has answered yet, with who was asked."""
        for chat, messages in self.server.said.items():
            # Mostly fresh ones: an old question has outlived its process.
            for said in messages[-3:]:
                if said.buttons and said.message_id not in self._pressed:
                    yield said, chat

    def _answer(self, said: Said, chat: int) -> None:
        self._pressed.add(said.message_id)
        button = self.random.choice(said.buttons)
        # In a group nobody knows who was asked: the wrong one presses now and then.
        user = chat if chat > 0 else self.random.choice((ADMIN, TRADERS[0]))
        times = 2 if self.random.random() < _DOUBLE_PRESS else 1
        for _ in range(times):
            self._press(user, said, button["callback_data"])

    def _press(self, user: int, said: Said, data: str) -> None:
        update_id = self.server.press_data(user, said, data)
        is_yes = data.startswith(_YES)
        nonce = data.partition(":")[2] if data.startswith((_YES, _NO)) else None
        self.sent[update_id] = Sent(update_id, user, said.chat_id, None, nonce=nonce, is_yes=is_yes)


def deliveries(requests: list[Request]) -> dict[int, list[int]]:
    """The numbers that each chat was told, in order, repetitions included."""
    told: dict[int, list[int]] = defaultdict(list)
    for request in requests:
        words = request.params.get("text") or request.params.get("caption") or ""
        if request.method in {"sendMessage", "editMessageText", "sendDocument", "sendPhoto"}:
            found = _NUMBER.search(words)
            if found:
                told[int(request.params["chat_id"])].append(int(found[1]))
    return told


def questions_asked(requests: list[Request]) -> dict[str, int]:
    """The number of the command that asked, by the nonce of its question."""
    asked: dict[str, int] = {}
    for request in requests:
        markup = json.loads(request.params.get("reply_markup", "{}"))
        found = _NUMBER.search(request.params.get("text", ""))
        for button in (one for row in markup.get("inline_keyboard", []) for one in row):
            if found and button.get("callback_data", "").startswith(_YES):
                asked[button["callback_data"].removeprefix(_YES)] = int(found[1])
    return asked
