"""The exchange's own time: real, accelerated, or standing still until it is advanced."""

from bot.kit.clock import Clock


class ExchangeClock:
    """A ``Clock`` that runs ``speed`` times as fast as the host's, from ``start_us`` on.

    With ``speed`` 0 only :meth:`advance` moves it, which makes a history
    repeatable. A client that shall live in the same time is given this clock.
    """

    def __init__(self, host: Clock, *, start_us: int | None, speed: int) -> None:
        self._host = host
        self._speed = speed
        self._origin_us = host.monotonic_us()
        self.start_us = host.now_us() if start_us is None else start_us
        self._added_us = 0

    def now_us(self) -> int:
        """See :meth:`Clock.now_us`."""
        return self.start_us + self.monotonic_us()

    def monotonic_us(self) -> int:
        """See :meth:`Clock.monotonic_us`: time since the exchange started."""
        return self._added_us + (self._host.monotonic_us() - self._origin_us) * self._speed

    def boottime_us(self) -> int:
        """See :meth:`Clock.boottime_us`: this exchange is never suspended."""
        return self.monotonic_us()

    def advance(self, by_us: int) -> None:
        """Jump forward, whatever the speed."""
        if by_us < 0:
            raise ValueError("an exchange's clock does not run backwards")
        self._added_us += by_us
