"""A clock that stands still until it is told otherwise."""


class ManualClock:
    """``advance`` moves every kind of time, ``step`` the wall clock alone.

    ``suspend`` moves all but the monotonic one, as a sleeping machine does.
    """

    def __init__(self, now_us: int = 1_795_245_300_000_000, monotonic_us: int = 0) -> None:
        self._now_us = now_us
        self._monotonic_us = monotonic_us
        self._suspended_us = 0

    def now_us(self) -> int:
        return self._now_us

    def monotonic_us(self) -> int:
        return self._monotonic_us

    def boottime_us(self) -> int:
        return self._monotonic_us + self._suspended_us

    def advance(self, microseconds: int) -> None:
        self._now_us += microseconds
        self._monotonic_us += microseconds

    def step(self, microseconds: int) -> None:
        self._now_us += microseconds

    def suspend(self, microseconds: int) -> None:
        self._now_us += microseconds
        self._suspended_us += microseconds
