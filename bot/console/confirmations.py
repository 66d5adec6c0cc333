"""The second step of a dangerous command: a question that one person may answer, once, soon.

Questions live in memory on purpose: a fail-over forgets them, and whatever was
asked under an earlier epoch has to be asked again.
"""

from dataclasses import dataclass
from random import Random

from bot.domain.ids import Epoch
from bot.kit.times import MINUTE_US

_OPEN_QUESTIONS_MAX = 100
_NONCE_BITS = 96


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What was asked, of whom, and about which state."""

    line: str
    """The command as it will be run."""
    user_id: int
    chat_id: int
    epoch: Epoch
    asked_us: int
    fingerprint: str
    """The state that the question showed; a changed state voids the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Void:
    """An answer that does not count, and why."""

    why: str


class Confirmations:
    """Open questions by nonce. Single use."""

    def __init__(self, random: Random, lifetime_us: int = MINUTE_US) -> None:
        self.random = random
        self._lifetime_us = lifetime_us
        self._open: dict[str, Question] = {}

    def ask(self, question: Question) -> str:
        """Remember a question and return its nonce."""
        self._forget_old(question.asked_us)
        nonce = f"{self.random.getrandbits(_NONCE_BITS):024x}"
        self._open[nonce] = question
        return nonce

    def question(self, nonce: str) -> Question | None:
        """An open question, which stays open."""
        return self._open.get(nonce)

    def take(
        self, nonce: str, *, user_id: int, chat_id: int, epoch: Epoch, now_us: int
    ) -> Question | Void:
        """Use up a question. Someone else's press leaves it open for the one who was asked."""
        question = self._open.get(nonce)
        if question is None:
            return Void(
                why="this question was answered before, has expired, or was asked before a "
                "restart or fail-over"
            )
        if (question.user_id, question.chat_id) != (user_id, chat_id):
            return Void(why="only the person who was asked may answer")
        del self._open[nonce]
        if question.epoch != epoch:
            return Void(why="this question was asked before a fail-over")
        if now_us - question.asked_us > self._lifetime_us:
            return Void(why="this question has expired")
        return question

    def _forget_old(self, now_us: int) -> None:
        expired = [
            nonce
            for nonce, question in self._open.items()
            if now_us - question.asked_us > self._lifetime_us
        ]
        for nonce in expired:
            del self._open[nonce]
        while len(self._open) >= _OPEN_QUESTIONS_MAX:
            del self._open[next(iter(self._open))]
