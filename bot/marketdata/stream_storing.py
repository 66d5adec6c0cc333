"""Storing what waits in the queue: batch after batch, until told to stop.

Nothing that happens here reaches whoever fills the queue: a database that is away lets
it fill, and then it sheds; a batch that is refused is given up and is a gap. What is in
memory when the process dies is the gap that the next process finds by the mark.
"""

import asyncio
import logging
from dataclasses import dataclass, field
from random import Random

from bot.domain.errors import StorageUnavailable
from bot.kit.backoff import Backoff
from bot.kit.clock import Clock
from bot.kit.metrics import Metric, emit
from bot.kit.threads import give_way
from bot.kit.times import SECOND_US, format_rfc3339, seconds
from bot.marketdata.stream_batches import OPEN_GAPS_US, BatchMaker, stored_mark
from bot.marketdata.stream_queue import Record, StreamQueue
from bot.ports.stream import REFUSED, GapEnd, GapReason, StreamBatch, StreamGap, StreamStore

logger = logging.getLogger(__name__)

HEARTBEAT = "ws_heartbeat"
_RETRY = Backoff(base_s=0.2, cap_s=5.0)
_MARKS_US = SECOND_US
_PIECE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class StoringSettings:
    """How often is written, and what is left out."""

    batch: int = 1_000
    flush_us: int = SECOND_US
    """What waits no longer than this is written with others; a full batch at once."""
    heartbeat_us: int = 60 * SECOND_US
    drops_repeats: bool = True

    def __post_init__(self) -> None:
        if self.batch < 1 or min(self.flush_us, self.heartbeat_us) <= 0:
            raise ValueError("batch, flush_us and heartbeat_us must be above 0")


@dataclass(slots=True)
class StoringCounts:
    """Since the start. Written by who stores, read by anybody."""

    records: int = 0
    ticks_new: int = 0
    batches: int = 0
    failures: int = 0


@dataclass(slots=True)
class Orders:
    """What the one who stores is told by others; ``news`` belongs to its loop."""

    news: asyncio.Event = field(default_factory=asyncio.Event)
    is_stopping: bool = False
    """End once nothing waits any more."""
    is_abandoned: bool = False
    """End now."""

    def is_done(self, queue: StreamQueue) -> bool:
        """Whether nothing is left to do."""
        return self.is_abandoned or (self.is_stopping and not len(queue))

    async def rest(self, duration_us: int) -> None:
        """Until something is new, or so long."""
        try:
            async with asyncio.timeout(seconds(duration_us)):
                await self.news.wait()
        except TimeoutError:
            pass
        self.news.clear()


class StreamStoring:
    """One store from its opening to a fault or the end."""

    def __init__(
        self,
        queue: StreamQueue,
        store: StreamStore,
        settings: StoringSettings,
        orders: Orders,
        clock: Clock,
        random: Random,
    ) -> None:
        self.counts = StoringCounts()
        self._queue = queue
        self._store = store
        self._settings = settings
        self._orders = orders
        self._clock = clock
        self._random = random
        self._written: dict[str, str] = {}
        self._marked_us = self._beat_us = 0

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        return self._orders.is_done(self._queue)

    async def run(self) -> None:
        """Store until there is nothing left to do.

        Raises:
            Exception: a bug; what was taken from the queue is lost, and the mark says so.
        """
        maker = await self._begin()
        if maker is None:
            return
        while not self.is_done:
            if len(self._queue) < self._settings.batch and not self._orders.is_stopping:
                await self._orders.rest(self._settings.flush_us)
            await self._empty(maker)
        if not self._orders.is_abandoned:
            await self._mark(maker, is_last=True)

    async def close(self) -> None:
        """Let go of the store, whatever state it is in."""
        try:
            await self._store.close()
        except Exception as fault:  # noqa: BLE001 - whatever it is, the next store may still work
            reason = f"{type(fault).__name__}: {fault}"
            logger.warning("stream store not closed", extra={"reason": reason})

    # --- beginning --------------------------------------------------------------------------

    async def _begin(self) -> BatchMaker | None:
        """Where the process before this one stopped; ``None`` if there is no time to ask."""
        for wait_s in _RETRY.waits(self._random):
            try:
                return await self._resume()
            except StorageUnavailable as fault:
                self._note_away(fault)
            if self._orders.is_stopping:
                break
            await self._orders.rest(round(wait_s * SECOND_US))
        return None

    async def _resume(self) -> BatchMaker:
        stream = self._queue.stream
        mark = stored_mark(stream)
        stored = (await self._store.marks([mark])).get(mark)
        gaps = await self._store.open_gaps(stream, self._clock.now_us() - OPEN_GAPS_US)
        return BatchMaker(
            stream,
            stored_us=None if stored is None else int(stored),
            open_gaps=gaps,
            drops_repeats=self._settings.drops_repeats,
        )

    # --- batches ----------------------------------------------------------------------------

    async def _empty(self, maker: BatchMaker) -> None:
        """Everything that waits now. A batch is made while the one before it is being stored."""
        size = self._settings.batch
        taken = size
        async with asyncio.TaskGroup() as group:
            storing: asyncio.Task[None] | None = None
            while taken == size and not self._orders.is_abandoned:
                records = self._queue.take(size)
                taken = len(records)
                batch = _made(maker, records)
                await self._store.prepare(batch, in_hurry=len(self._queue) >= size)
                if storing is not None:
                    await storing
                storing = group.create_task(self._store_one(maker, batch), name="store batch")
                await asyncio.sleep(0)  # let it begin
                self.counts.records += taken
        if not self._orders.is_abandoned:  # else a batch may have been given up: not past it
            await self._mark(maker)

    async def _store_one(self, maker: BatchMaker, batch: StreamBatch) -> None:
        if not len(batch):
            return
        may_repeat = maker.may_repeat
        for wait_s in _RETRY.waits(self._random):
            try:
                new = await self._store.append(batch, may_repeat=may_repeat)
            except StorageUnavailable as fault:
                self._note_away(fault)
            except Exception as fault:  # noqa: BLE001 - one batch must not stop all that follow
                await self._give_up(batch, fault)
                return
            else:
                self._note_stored(new)
                maker.stored(batch, new)
                return
            if self._orders.is_abandoned:
                return
            may_repeat = True  # the answer may be all that was lost
            await self._orders.rest(round(wait_s * SECOND_US))

    async def _give_up(self, batch: StreamBatch, fault: Exception) -> None:
        """The database will never take it: what is lost is said."""
        self.counts.failures += 1
        lost = len(batch) - len(batch.gaps)
        logger.error("stream batch refused", exc_info=fault, extra={"records": lost})
        emit(Metric.WS_TICK_DROP, level=logging.WARNING, lost=lost, reason="refused")
        first_us, last_us = _span(batch, self._clock.now_us())
        gap = StreamGap(
            stream=self._queue.stream,
            reason=GapReason.DATABASE,
            from_us=first_us,
            to_us=last_us,
            lost=lost,
            ended=GapEnd.RESUMED,
            detail=f"{REFUSED}: {type(fault).__name__}",
        )
        await self._store.append(StreamBatch(gaps=[gap, *batch.gaps]), may_repeat=True)

    # --- marks ------------------------------------------------------------------------------

    async def _mark(self, maker: BatchMaker, *, is_last: bool = False) -> None:
        """At most once a second, so that small batches do not wait for two answers each."""
        now_us = self._clock.now_us()
        if not is_last and 0 <= now_us - self._marked_us < _MARKS_US:
            return
        marks = self._due_marks(maker, now_us)
        if not marks:
            return
        try:
            await self._store.put_marks(marks, now_us)
        except StorageUnavailable as fault:
            self._note_away(fault)
            return
        self._marked_us = now_us
        if HEARTBEAT in marks:
            self._beat_us = now_us
        self._written |= marks

    def _due_marks(self, maker: BatchMaker, now_us: int) -> dict[str, str]:
        """Those that moved. The heart beats only while something is heard."""
        marks = maker.marks()
        moved = {name: text for name, text in marks.items() if self._written.get(name) != text}
        if moved and not 0 <= now_us - self._beat_us < self._settings.heartbeat_us:
            moved[HEARTBEAT] = format_rfc3339(now_us)
        return moved

    def _note_stored(self, new: int) -> None:
        self._queue.is_database_away = False
        self.counts.batches += 1
        self.counts.ticks_new += new

    def _note_away(self, fault: StorageUnavailable) -> None:
        self.counts.failures += 1
        if not self._queue.is_database_away:
            self._queue.is_database_away = True
            logger.warning("stream store away", extra={"reason": str(fault)})


def _made(maker: BatchMaker, records: list[Record]) -> StreamBatch:
    """Piece by piece, so that other threads have their turn in between."""
    batch = maker.make(records[:_PIECE])
    for start in range(_PIECE, len(records), _PIECE):
        give_way()
        maker.extend(batch, records[start : start + _PIECE])
    return batch


def _span(batch: StreamBatch, now_us: int) -> tuple[int, int]:
    stamps = [one.received_us for one in batch.ticks]
    stamps += [one.received_us for one in batch.changes]
    stamps += [one.received_us for one in batch.trades]
    stamps += [one.snapshot_us for one in batch.starts]
    return min(stamps, default=now_us), max(stamps, default=now_us)
