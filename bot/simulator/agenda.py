"""Acts planned for a moment of the exchange's time: the end of a pause, the next fault."""

import heapq
from collections.abc import Callable


class Agenda:
    """What shall happen when. Acts of the same moment run in the order they were planned."""

    def __init__(self) -> None:
        self._planned: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0

    def add(self, at_us: int, act: Callable[[], None]) -> None:
        """Plan an act."""
        self._count += 1
        heapq.heappush(self._planned, (at_us, self._count, act))

    def run(self, now_us: int) -> None:
        """Do what is due; an act may plan further ones."""
        while self._planned and self._planned[0][0] <= now_us:
            _, _, act = heapq.heappop(self._planned)
            act()
