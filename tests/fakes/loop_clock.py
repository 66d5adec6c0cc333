"""The event loop's own time as a clock, so that virtual time moves everything together."""

import asyncio

_BASE_US = 1_795_245_300_000_000


class LoopClock:
    """Monotonic time is the loop's; wall time runs beside it and can be moved by ``step_us``.

    ``suspended_us`` is how long the machine slept so far.
    """

    def __init__(self) -> None:
        self.step_us = 0
        self.suspended_us = 0

    def now_us(self) -> int:
        return _BASE_US + self.step_us + self.boottime_us()

    def boottime_us(self) -> int:
        return self.monotonic_us() + self.suspended_us

    def monotonic_us(self) -> int:
        return round(asyncio.get_running_loop().time() * 1_000_000)
