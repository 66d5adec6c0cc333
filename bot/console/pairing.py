"""One-time codes that let a person in: their form, their digest, and how often one may guess.

A code is twelve characters of an alphabet without look-alikes: 60 bits, so that guessing is
hopeless within its ten minutes, whatever the limit. It works in a private chat only.
"""

import hashlib
import re
from collections import OrderedDict, deque
from random import Random

from bot.console.arguments import read_line
from bot.kit.times import MINUTE_US

CODE_VALID_US = 10 * MINUTE_US
GUESSES_MAX = 5
GUESSES_WITHIN_US = 10 * MINUTE_US
_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_LENGTH, _GROUP = 12, 4
_GUESSERS_REMEMBERED_MAX = 1_000
_SHAPE = re.compile(r"[A-Za-z0-9]{4}-?[A-Za-z0-9]{4}-?[A-Za-z0-9]{4}")
_WORDS = frozenset({"pair", "start"})


def new_code(random: Random) -> str:
    """``ABCD-EFGH-JKLM``. ``random`` must be the system's own."""
    text = "".join(random.choice(_ALPHABET) for _ in range(_LENGTH))
    return "-".join(text[at : at + _GROUP] for at in range(0, _LENGTH, _GROUP))


def digest_of(code: str) -> str:
    """What is stored. Typed in small letters or without dashes it is the same code."""
    return hashlib.sha256(f"pair:{code.replace('-', '').upper()}".encode()).hexdigest()


def code_in(text: str) -> str | None:
    """The code in ``/pair CODE``, or in the ``/start CODE`` that a link types."""
    typed = read_line(text)
    if typed is None or not typed.has_slash or typed.word not in _WORDS:
        return None
    return typed.rest if _SHAPE.fullmatch(typed.rest) else None


def link_of(code: str, bot_name: str | None) -> str | None:
    """What to tap instead of typing."""
    return f"https://t.me/{bot_name}?start={code}" if bot_name else None


class Guesses:
    """How many codes one person may try. The memory of it ends with the leadership."""

    def __init__(self) -> None:
        self._tried_us: OrderedDict[int, deque[int]] = OrderedDict()

    def allows(self, user_id: int, now_us: int) -> bool:
        """Count one more try; false when it is one too many, and then it is not looked at."""
        tried = self._tried_us.setdefault(user_id, deque(maxlen=GUESSES_MAX))
        self._tried_us.move_to_end(user_id)
        while len(self._tried_us) > _GUESSERS_REMEMBERED_MAX:
            self._tried_us.popitem(last=False)
        if len(tried) == GUESSES_MAX and now_us - tried[0] < GUESSES_WITHIN_US:
            return False
        tried.append(now_us)
        return True
