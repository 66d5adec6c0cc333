"""For how long nobody leads, and when that is told: once, and its end once. Pure."""

from dataclasses import dataclass

from bot.kit.times import SECOND_US


@dataclass(frozen=True, slots=True, kw_only=True)
class UnledNews:
    """What a person should know. ``leader`` is empty while nobody leads."""

    leader: str
    seconds: int


class UnledSpell:
    """Fed with each look. What could not be told is news again at the next one."""

    def __init__(self, limit_us: int) -> None:
        """``limit_us``: so long nobody may lead before it is told."""
        if limit_us <= 0:
            raise ValueError("limit_us: must be positive")
        self._limit_us = limit_us
        self._since_us: int | None = None
        self._ended_us: int | None = None
        self._is_told = False

    def see(self, leader: str, now_us: int) -> UnledNews | None:
        """One look: who leads, empty for nobody; what has to be told, if anything."""
        if leader:
            return self._led(leader, now_us)
        # Led for a moment, and its end not told: one spell, as the person knows it.
        self._ended_us = None
        if self._since_us is None:
            self._since_us = now_us
        silent_us = now_us - self._since_us
        if self._is_told or silent_us < self._limit_us:
            return None
        return UnledNews(leader="", seconds=silent_us // SECOND_US)

    def told(self, news: UnledNews) -> None:
        """It reached somebody."""
        self._is_told = not news.leader
        if news.leader:
            self._since_us = self._ended_us = None

    def _led(self, leader: str, now_us: int) -> UnledNews | None:
        if self._since_us is None or not self._is_told:
            self._since_us = None
            return None
        if self._ended_us is None:
            self._ended_us = now_us
        return UnledNews(leader=leader, seconds=(self._ended_us - self._since_us) // SECOND_US)
