"""When the next message may leave: Telegram's flood limits, kept before they are hit. Pure."""

from collections import OrderedDict
from dataclasses import dataclass

_CHATS_REMEMBERED_MAX = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaps:
    """Shortest times between two messages, in microseconds."""

    private_us: int
    group_us: int
    all_us: int


class Pace:
    """Books a time for each message; the caller waits until then."""

    def __init__(self, gaps: Gaps) -> None:
        self._gaps = gaps
        self._free_us: OrderedDict[str, int] = OrderedDict()
        self._all_free_us = 0

    def wait_us(self, chat: str, now_us: int) -> int:
        """How long until it is this chat's turn, in microseconds; nothing is booked."""
        return max(0, self._free_us.get(chat, 0) - now_us)

    def rest(self, chat: str, until_us: int) -> None:
        """Nothing goes to ``chat`` before then: it was told to keep still."""
        self._free_us[chat] = max(until_us, self._free_us.get(chat, 0))
        self._free_us.move_to_end(chat)

    def book(self, chat: str, now_us: int) -> int:
        """How long to wait before sending to ``chat``, in microseconds."""
        at_us = max(now_us, self._free_us.get(chat, 0), self._all_free_us)
        # Groups and channels have negative ids, or names.
        is_private = chat.isdigit()
        gap_us = self._gaps.private_us if is_private else self._gaps.group_us
        self._free_us[chat] = at_us + gap_us
        self._free_us.move_to_end(chat)
        while len(self._free_us) > _CHATS_REMEMBERED_MAX:
            self._free_us.popitem(last=False)
        self._all_free_us = at_us + self._gaps.all_us
        return at_us - now_us
