"""Keeping the garbage collector away from what lives long.

A full collection looks at every object there is: with thousands of books and the
libraries of a bot that is tens of milliseconds in which nothing is decided. So
the full collection does not come by itself while trading; what has survived is
taken out of its sight every few seconds (``gc.freeze``), which costs nothing.
Reference counts still free everything that is in no cycle; garbage in cycles
that has been taken out of sight waits for ``look_at_all``.
"""

import gc

_YOUNG, _MIDDLE = 700, 4
"""So many new objects, and so many collections of them: each stays under a millisecond."""
_NEVER = 1_000_000
"""Collections of the middle generation before a full one: more than there ever are."""


class CalmMemory:
    """The collector's ways while somebody trades. Ends as it began."""

    def __init__(self) -> None:
        self._before = gc.get_threshold()

    def begin(self) -> None:
        """Collect everything once, then never by itself."""
        gc.set_threshold(_YOUNG, _MIDDLE, _NEVER)
        self.look_at_all()

    def keep(self) -> None:
        """Collect the young, take what survived out of sight. Under a millisecond."""
        gc.collect(1)
        gc.freeze()

    def look_at_all(self) -> None:
        """A full collection, with its pause."""
        gc.unfreeze()
        gc.collect()
        gc.freeze()

    def end(self) -> None:
        """Collect by itself again."""
        gc.unfreeze()
        gc.set_threshold(*self._before)
