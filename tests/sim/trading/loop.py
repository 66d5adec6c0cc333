"""An event loop on which waiting costs nothing: time jumps to whatever is due next."""

import asyncio
import selectors
from typing import Any

from bot.kit.times import SECOND_US
from tests.support.trading import START_US


class VirtualLoop(asyncio.SelectorEventLoop):
    """Deterministic: the same coroutines give the same history."""

    def __init__(self) -> None:
        self.elapsed_s = 0.0
        super().__init__(_Jump(self))

    def time(self) -> float:
        return self.elapsed_s


class _Jump(selectors.SelectSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        assert timeout is not None, "nothing is left that could ever happen"
        self._loop.elapsed_s += timeout
        return []


class VirtualClock:
    """All three clocks agree with the loop."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def now_us(self) -> int:
        return START_US + self.monotonic_us()

    def monotonic_us(self) -> int:
        return round(self._loop.elapsed_s * SECOND_US)

    def boottime_us(self) -> int:
        return self.monotonic_us()
