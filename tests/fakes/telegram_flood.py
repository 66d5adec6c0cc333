"""Telegram's flood limits, by a clock that may run faster.

"Avoid sending more than one message per second" in one chat (short bursts pass at first),
"not more than 20 messages per minute" in a group, "about 30 messages per second" in all
(core.telegram.org/bots/faq, "My bot is hitting limits").
"""

import math
from collections import defaultdict, deque

from bot.kit.clock import SystemClock

_CLOCK = SystemClock()

_BURST = 3
_GROUP_PER_MINUTE = 20
_ALL_PER_SECOND = 30


class Flood:
    """Counts what is sent, and says how long to keep still."""

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed
        self.refused = 0
        self.too_early = 0
        """Sent to a chat before the time was over that it had been told to wait."""
        self._start_us = _CLOCK.monotonic_us()
        self._credit: dict[int, tuple[float, float]] = {}
        self._sent: dict[int, deque[float]] = defaultdict(deque)
        self._all: deque[float] = deque()
        self._still_until: dict[int, float] = {}

    def refuses(self, chat: int) -> int:
        """Whole seconds to wait; 0 lets it pass."""
        now_s = (_CLOCK.monotonic_us() - self._start_us) / 1_000_000 * self.speed
        if now_s < self._still_until.get(chat, 0.0):
            self.too_early += 1
        wait_s = max(
            self._of_chat(chat, now_s),
            _of_window(self._all, now_s, 1.0, _ALL_PER_SECOND),
            _of_window(self._sent[chat], now_s, 60.0, _GROUP_PER_MINUTE) if chat < 0 else 0.0,
        )
        if wait_s > 0:
            self.refused += 1
            told_s = math.ceil(wait_s)
            self._still_until[chat] = now_s + told_s
            return told_s
        credit, _ = self._credit[chat]
        self._credit[chat] = (credit - 1, now_s)
        self._sent[chat].append(now_s)
        self._all.append(now_s)
        return 0

    def _of_chat(self, chat: int, now_s: float) -> float:
        credit, at_s = self._credit.get(chat, (float(_BURST), now_s))
        credit = min(float(_BURST), credit + now_s - at_s)
        self._credit[chat] = (credit, now_s)
        return max(0.0, 1.0 - credit)


def _of_window(sent: deque[float], now_s: float, span_s: float, most: int) -> float:
    while sent and sent[0] <= now_s - span_s:
        sent.popleft()
    return sent[0] + span_s - now_s if len(sent) >= most else 0.0
