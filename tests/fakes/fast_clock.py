"""A clock for simulated time over real sockets and processes."""

from bot.kit.clock import SystemClock


class FastClock:
    """The machine's clock from a moment on, so many times as fast: the same in every process."""

    def __init__(self, since_us: int, speed: float) -> None:
        self._since_us = since_us
        self._speed = speed
        self._clock = SystemClock()

    def now_us(self) -> int:
        passed_us = self._clock.now_us() - self._since_us
        return self._since_us + round(passed_us * self._speed)

    def monotonic_us(self) -> int:
        return self.now_us()

    def boottime_us(self) -> int:
        return self.now_us()
