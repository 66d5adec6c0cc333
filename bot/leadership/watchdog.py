"""A thread that ends the process when the event loop can no longer give up the lead itself.

A blocked or frozen loop cannot renew, cannot demote and cannot cancel anything;
the thread needs none of it. It does not log: a lock held by the blocked thread
would block it as well. What a thread cannot survive either - a stopped process,
a library that holds the interpreter - the supervisor ends, which is told the same deadline.
"""

import os
import threading
from collections.abc import Callable

from bot.kit.clock import Clock

EXIT_WATCHDOG = 70
_LAST_WORDS = b"watchdog: the lead was neither renewed nor given up in time; ending the process\n"


def end_process() -> None:
    """Exit at once, past every handler and every blocked thread."""
    os.write(2, _LAST_WORDS)
    os._exit(EXIT_WATCHDOG)


class Watchdog:
    """Ends the process at a deadline unless it is moved or disarmed."""

    def __init__(
        self,
        clock: Clock,
        end: Callable[[], None] = end_process,
        check_every_s: float = 0.25,
        told: Callable[[int | None], None] = lambda _: None,
    ) -> None:
        """``told`` hears every deadline, and ``None`` when there is none; it must not block."""
        self._clock = clock
        self._end = end
        self._check_every_s = check_every_s
        self._told = told
        self._deadline_us: int | None = None
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to watch. A second call does nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
            self._thread.start()

    def arm(self, deadline_us: int) -> None:
        """End the process at this monotonic time."""
        self._deadline_us = deadline_us
        self._told(deadline_us)

    def disarm(self) -> None:
        """The lead is given up; nothing to guard."""
        self._deadline_us = None
        self._told(None)

    def close(self) -> None:
        """Stop watching, for an orderly exit."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self) -> None:
        while not self._closing.wait(self._check_every_s):
            deadline_us = self._deadline_us
            if deadline_us is not None and self._clock.monotonic_us() > deadline_us:
                self._end()
                return
