"""What waits to be stored: filled on the event loop, emptied by the writer's thread.

Bounded. Once full it sheds everything new until half of it is free again, so that one
time of too much is one gap and not thousands. What tells of gaps is always taken: there
is little of it, and it is what makes a loss known.
"""

from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from bot.domain.quotes import PublicTrade, TickerUpdate
from bot.ports.exchange import FeedAlive, FeedDown, FeedUp, MarketLifecycle
from bot.ports.stream import BookChange, BookStart, GapEnd, GapReason, StreamGap

Data: TypeAlias = TickerUpdate | PublicTrade | MarketLifecycle | BookStart | BookChange
Record: TypeAlias = Data | FeedAlive | FeedUp | FeedDown | StreamGap


class StreamQueue:
    """One end belongs to the loop (``put``, ``tell``), the other to the writer (``take``)."""

    def __init__(self, stream: str, size_max: int, batch: int) -> None:
        """``batch`` records are enough to wake the writer."""
        if not 1 <= batch <= size_max:
            raise ValueError("the stream's queue must hold at least one batch")
        self.stream = stream
        self.size_max = size_max
        self.hard_max = size_max
        """Above ``size_max`` where the socket is held: what was read already still has room."""
        self.wake: Callable[[], None] = _nobody
        self.on_full: Callable[[], None] = _nobody
        """Called on the loop when ``size_max`` is reached."""
        self.gap_end = GapEnd.RESUMED
        """What ends a time of shedding."""
        self.is_database_away = False
        """Told by the writer: why it does not empty the queue."""
        self.lost = 0
        """Records shed, ever."""
        self._is_closed = False
        self._batch = batch
        self._items: deque[Record] = deque()
        self._gap: StreamGap | None = None
        self._gap_lost = 0

    def __len__(self) -> int:
        return len(self._items)

    @property
    def is_shedding(self) -> bool:
        """Whether what comes now is lost."""
        return self._gap is not None

    @property
    def fill(self) -> float:
        """How full it is; above 1 where the socket is held and was not read in time."""
        return len(self._items) / self.size_max

    def put(self, record: Data | FeedAlive, received_us: int) -> bool:
        """Take a record, or lose it: ``False``."""
        items = self._items
        size = len(items)
        if size >= self.hard_max or self._gap is not None:
            if self._is_closed:
                return False
            if self._gap is None or size > self.size_max // 2:
                self._shed(received_us)
                return False
            self._end_shedding(received_us)
        items.append(record)
        if size + 1 == self._batch:
            self.wake()
        if size + 1 == self.size_max:
            self.on_full()
        return True

    def tell(self, record: FeedUp | FeedDown | StreamGap) -> None:
        """Take a record that must not be lost.

        Only where the database is away for so long that these alone would fill the memory,
        gaps of single markets are: the one of the whole stream, open meanwhile, covers them.
        """
        if self._is_closed:
            return
        is_of_market = isinstance(record, StreamGap) and record.ticker is not None
        if is_of_market and self._gap is not None and len(self._items) >= self.told_max:
            return
        self._items.append(record)

    @property
    def told_max(self) -> int:
        """How many records wait at most while it sheds, but for the few of the whole stream."""
        return self.hard_max + self.size_max

    def close(self) -> None:
        """Take nothing more: what comes now is in the gap that the next process finds."""
        if self._gap is not None:
            self._end_shedding(self._gap.from_us)
        self._is_closed = True
        self.hard_max = 0

    def lose(self) -> None:
        """Count a record that could not even be tried: what it belongs to has a hole already."""
        self.lost += 1
        if self._gap is not None:
            self._gap_lost += 1

    def take(self, most: int) -> list[Record]:
        """The oldest records. Called by the writer alone."""
        items = self._items
        return [items.popleft() for _ in range(min(most, len(items)))]

    def _shed(self, received_us: int) -> None:
        self.lost += 1
        self._gap_lost += 1
        if self._gap is None:
            reason = GapReason.DATABASE if self.is_database_away else GapReason.BACKPRESSURE
            self._gap = StreamGap(
                stream=self.stream, reason=reason, from_us=received_us, detail="queue full"
            )
            self.tell(self._gap)

    def _end_shedding(self, received_us: int) -> None:
        gap, lost = self._gap, self._gap_lost
        assert gap is not None
        self._gap, self._gap_lost = None, 0
        self.tell(
            StreamGap(
                stream=gap.stream,
                reason=gap.reason,
                from_us=gap.from_us,
                to_us=received_us,
                lost=lost,
                ended=self.gap_end,
                detail=gap.detail,
            )
        )


def _nobody() -> None:
    """Nobody listens yet."""
