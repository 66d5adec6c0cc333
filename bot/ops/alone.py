"""For how long a supervisor's bots have neither led nor lived long enough to look themselves."""

from bot.kit.times import SECOND_US

OPTION = "--nobody-leads"
"""Has the bot's own command line look once, and tell if nobody leads."""
_AFTER_US = 60 * SECOND_US
_AGAIN_US = 30 * SECOND_US
_GROWN_US = 90 * SECOND_US
"""A bot that has lived so long watches for itself."""


class Alone:
    """Monotonic times in, and when to look."""

    def __init__(self, now_us: int, after_us: int = _AFTER_US) -> None:
        self._after_us = after_us
        self._since_us = now_us
        self._born_us: int | None = None
        self._asked_us: int | None = None
        self._is_told = False

    def see(self, now_us: int, *, born_us: int, leads: bool) -> None:
        """A bot lives."""
        self._born_us = born_us
        if leads or now_us - born_us >= max(_GROWN_US, self._after_us):
            self._since_us, self._asked_us, self._is_told = now_us, None, False

    def gone(self) -> None:
        """It does not live any more."""
        self._born_us = None

    def due(self, now_us: int) -> int | None:
        """Since how many seconds, if it is time to look; asked again only after a while."""
        alone_us = now_us - self._since_us
        if self._is_told or alone_us < self._after_us:
            return None
        if self._born_us is not None and now_us - self._born_us >= self._after_us // 2:
            return None  # it will soon have waited long enough itself
        if self._asked_us is not None and now_us - self._asked_us < min(_AGAIN_US, self._after_us):
            return None
        self._asked_us = now_us
        return alone_us // SECOND_US

    def told(self) -> None:
        """Somebody was reached: nothing more until a bot leads again."""
        self._is_told = True
