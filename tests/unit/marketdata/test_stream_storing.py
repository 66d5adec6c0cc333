"""Storing through outages, refusals and ends, on virtual time; and the thread around it."""

import asyncio
import logging
from random import Random

import pytest

from bot.domain.errors import StorageUnavailable
from bot.kit.clock import SystemClock
from bot.kit.times import SECOND_US
from bot.marketdata.backpressure import Drop
from bot.marketdata.stream_batches import stored_mark
from bot.marketdata.stream_keeper import StreamKeeper
from bot.marketdata.stream_queue import StreamQueue
from bot.marketdata.stream_storing import Orders, StoringSettings, StreamStoring
from bot.marketdata.stream_tap import StreamTap
from bot.marketdata.stream_writer import StreamWriter
from bot.ports.exchange import FeedAlive
from bot.ports.stream import GapEnd, GapReason
from tests.fakes.clock import ManualClock
from tests.fakes.stream import T0, MemoryStreamStore, tick

STREAM = "s 0/1"


class Stand:
    def __init__(self, store=None, size_max: int = 1_000) -> None:
        self.queue = StreamQueue(STREAM, size_max, 10)
        self.store = store or MemoryStreamStore()
        self.orders = Orders()
        self.queue.wake = self.orders.news.set
        self.clock = ManualClock(T0 + 100 * SECOND_US)
        self.storing = StreamStoring(
            self.queue,
            self.store,
            StoringSettings(batch=10, drops_repeats=False),
            self.orders,
            self.clock,
            Random(1),
        )

    def put(self, count: int, from_us: int = T0) -> None:
        for number in range(count):
            self.queue.put(tick(at_us=from_us + number * 1_000), from_us + number)

    async def __aenter__(self):
        self._task = asyncio.get_running_loop().create_task(self.storing.run())
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_) -> None:
        self.orders.is_stopping = True
        self.orders.news.set()
        async with asyncio.timeout(60):
            await self._task


async def test_what_waits_is_stored_after_the_flush_time_or_at_once_when_it_is_a_batch() -> None:
    async with Stand() as stand:
        stand.put(9)
        await asyncio.sleep(0.9)
        assert stand.store.sizes == []
        await asyncio.sleep(0.2)
        assert stand.store.sizes == [9]
        stand.put(25, T0 + SECOND_US)
        await asyncio.sleep(0.01)
        assert stand.store.sizes == [9, 10, 10, 5]
    assert stand.storing.counts.ticks_new == 34


async def test_the_end_stores_what_waits_and_leaves_the_mark() -> None:
    async with Stand() as stand:
        stand.put(3)
        stand.queue.put(FeedAlive(received_us=T0 + 7 * SECOND_US), T0)
    assert len(stand.store.stored_ticks) == 3
    assert stand.store.rows[stored_mark(STREAM)] == str(T0 + 7 * SECOND_US)
    assert stand.store.rows["last_ws_tick_ts"] == "2026-11-18T11:06:40.022000Z"
    assert stand.store.rows["ws_heartbeat"] == "2026-11-18T11:08:20.000000Z"


async def test_the_next_process_finds_the_time_between() -> None:
    async with Stand() as first:
        first.put(2)
    async with Stand(first.store) as second:
        second.put(1, T0 + 60 * SECOND_US)
    [gap] = first.store.stored_gaps.values()
    assert (gap.reason, gap.ended) == (GapReason.RESTART, GapEnd.RESUMED)
    assert gap.from_us == T0 + 1_000 + 20_000
    assert gap.to_us == T0 + 60 * SECOND_US + 20_000


async def test_what_was_in_memory_at_a_sudden_end_is_in_that_gap() -> None:
    async with Stand() as first:
        first.put(2)
        await asyncio.sleep(2)
        first.put(5, T0 + SECOND_US)
        first.orders.is_abandoned = True
    assert len(first.store.stored_ticks) == 2
    async with Stand(first.store) as second:
        second.put(1, T0 + 60 * SECOND_US)
    [gap] = first.store.stored_gaps.values()
    lost = [T0 + SECOND_US + number * 1_000 + 20_000 for number in range(5)]
    assert all(gap.from_us <= at_us <= gap.to_us for at_us in lost)


async def test_an_outage_is_waited_out_and_nothing_is_lost_that_had_room() -> None:
    async with Stand() as stand:
        stand.store.is_down = True
        stand.put(30)
        await asyncio.sleep(30)
        assert stand.queue.is_database_away
        stand.store.is_down = False
        await asyncio.sleep(10)
        assert len(stand.store.stored_ticks) == 30
        assert not stand.queue.is_database_away
    assert stand.storing.counts.failures > 2


async def test_what_an_outage_had_no_room_for_is_a_gap_of_the_database() -> None:
    async with Stand(size_max=20) as stand:
        stand.store.is_down = True
        stand.put(10)
        await asyncio.sleep(1)
        stand.put(30, T0 + SECOND_US)
        stand.store.is_down = False
        await asyncio.sleep(10)
        stand.put(1, T0 + 20 * SECOND_US)
    [gap] = stand.store.stored_gaps.values()
    assert (gap.reason, gap.lost) == (GapReason.DATABASE, stand.queue.lost)
    assert len(stand.store.stored_ticks) + gap.lost == 41
    assert gap.to_us == T0 + 20 * SECOND_US


async def test_an_end_in_an_outage_comes_when_it_is_given_up() -> None:
    async with Stand() as stand:
        await asyncio.sleep(0.1)
        stand.store.is_down = True
        stand.put(10)
        await asyncio.sleep(1)
        stand.orders.is_abandoned = True
    assert stand.store.stored_ticks == {}


class Busy(MemoryStreamStore):
    """Takes no rows for a while, but would take a mark."""

    is_busy = False

    async def append(self, batch, *, may_repeat: bool) -> int:
        if self.is_busy:
            raise StorageUnavailable("database is locked")
        return await super().append(batch, may_repeat=may_repeat)


async def test_the_mark_does_not_pass_what_was_given_up() -> None:
    async with Stand(Busy()) as first:
        first.put(2)
        await asyncio.sleep(2)
        first.store.is_busy = True
        first.put(5, T0 + 10 * SECOND_US)
        await asyncio.sleep(2)
        first.clock.advance(2 * SECOND_US)
        first.orders.is_abandoned = True
    first.store.is_busy = False
    assert len(first.store.stored_ticks) == 2
    assert first.store.rows[stored_mark(STREAM)] == str(T0 + 1_000 + 20_000)
    async with Stand(first.store) as second:
        second.put(1, T0 + 60 * SECOND_US)
    [gap] = first.store.stored_gaps.values()
    assert gap.from_us < T0 + 10 * SECOND_US + 20_000 < gap.to_us


class Refusing(MemoryStreamStore):
    """Takes no tick of one market, whatever is done."""

    async def append(self, batch, *, may_repeat: bool) -> int:
        if any(one.ticker == "KXBAD" for one in batch.ticks):
            raise ValueError("no such thing")
        return await super().append(batch, may_repeat=may_repeat)


async def test_a_batch_that_is_refused_is_said_and_the_next_ones_are_stored(caplog) -> None:
    caplog.set_level(logging.WARNING)
    async with Stand(Refusing()) as stand:
        stand.put(9)
        stand.queue.put(tick("KXBAD"), T0)
        stand.put(10, T0 + SECOND_US)
    [gap] = stand.store.stored_gaps.values()
    assert (gap.reason, gap.lost, gap.detail) == (GapReason.DATABASE, 10, "refused: ValueError")
    assert len(stand.store.stored_ticks) == 10
    assert "metric=ws.tick_drop" in caplog.text


class Odd(MemoryStreamStore):
    """Has a bug that shows once."""

    bugs = 1

    async def prepare(self, batch, *, in_hurry: bool) -> None:
        if self.bugs:
            self.bugs -= 1
            raise RuntimeError("a bug")


def writer_of(queue: StreamQueue, store) -> StreamWriter:
    settings = StoringSettings(batch=10, flush_us=20_000, drops_repeats=False)
    return StreamWriter(queue, lambda: store, settings, SystemClock(), Random(1))


@pytest.mark.looptime(False)
async def test_the_thread_stores_and_ends() -> None:
    queue, store = StreamQueue(STREAM, 1_000, 10), MemoryStreamStore()
    writer = writer_of(queue, store)
    keeper = StreamKeeper(queue, StreamTap(queue), writer, Drop(), SystemClock())
    running = asyncio.get_running_loop().create_task(keeper.run())
    for number in range(95):
        queue.put(tick(at_us=T0 + number * 1_000), T0)
        await asyncio.sleep(0.001)
    await keeper.drain()
    assert not writer.is_running
    assert len(store.stored_ticks) == 95
    running.cancel()
    await asyncio.wait({running})
    assert not queue.put(tick(), T0)


@pytest.mark.looptime(False)
async def test_a_bug_in_the_thread_is_seen_and_tried_again(caplog) -> None:
    queue, store = StreamQueue(STREAM, 1_000, 10), Odd()
    writer = writer_of(queue, store)
    writer.start()
    queue.put(tick(), T0)
    async with asyncio.timeout(10):
        while "stream writer failed" not in caplog.text:  # noqa: ASYNC110 - a log is a value
            await asyncio.sleep(0.02)
        queue.put(tick("KXB"), T0)
        while not store.stored_ticks:  # noqa: ASYNC110 - so is the fake
            await asyncio.sleep(0.02)
    writer.stop()
    assert writer.join(5)
    assert [one.ticker for one in store.stored_ticks.values()] == ["KXB"]


class Unmade:
    """Cannot be made at first, and cannot be closed."""

    def __init__(self, store) -> None:
        self.tries = 0
        self._store = store

    def __call__(self):
        self.tries += 1
        if self.tries == 1:
            raise RuntimeError("no store")
        return Unclosed() if self.tries == 2 else self._store


class Unclosed(Odd):
    async def close(self) -> None:
        raise RuntimeError("not closed")


@pytest.mark.looptime(False)
async def test_a_store_that_cannot_be_made_or_closed_does_not_end_the_thread() -> None:
    queue, store = StreamQueue(STREAM, 1_000, 10), MemoryStreamStore()
    settings = StoringSettings(batch=10, flush_us=20_000, drops_repeats=False)
    writer = StreamWriter(queue, Unmade(store), settings, SystemClock(), Random(1))
    writer.start()
    queue.put(tick(), T0)
    await asyncio.sleep(2.5)
    queue.put(tick("KXB"), T0)
    await asyncio.sleep(0.3)
    writer.stop()
    assert writer.join(5)
    assert store.stored_ticks
    assert writer.counts.failures == 2


@pytest.mark.looptime(False)
async def test_a_thread_that_died_is_said(caplog) -> None:
    caplog.set_level(logging.ERROR)

    def no_loop():
        raise OSError("too many open files")

    queue, settings = StreamQueue(STREAM, 1_000, 10), StoringSettings()
    writer = StreamWriter(queue, MemoryStreamStore, settings, SystemClock(), Random(1), no_loop)
    keeper = StreamKeeper(queue, StreamTap(queue), writer, Drop(), SystemClock())
    told: list[str] = []
    keeper.on_death = told.append
    running = asyncio.get_running_loop().create_task(keeper.run())
    await asyncio.sleep(2.3)
    assert not running.done()
    running.cancel()
    await asyncio.wait({running})
    said = [one for one in caplog.records if "stream writer has died" in one.getMessage()]
    assert len(said) == len(told) == 1


@pytest.mark.looptime(False)
async def test_a_cancelled_keeper_leaves_no_thread() -> None:
    queue, store = StreamQueue(STREAM, 1_000, 10), MemoryStreamStore()
    store.is_down = True
    writer = writer_of(queue, store)
    keeper = StreamKeeper(queue, StreamTap(queue), writer, Drop(), SystemClock())
    running = asyncio.get_running_loop().create_task(keeper.run())
    await asyncio.sleep(0.1)
    running.cancel()
    await asyncio.wait({running})
    assert not writer.is_running


@pytest.mark.looptime(False)
async def test_shed_records_are_a_metric(caplog) -> None:
    caplog.set_level(logging.WARNING)
    queue = StreamQueue(STREAM, 10, 10)
    store = MemoryStreamStore()
    store.is_down = True
    keeper = StreamKeeper(queue, StreamTap(queue), writer_of(queue, store), Drop(), SystemClock())
    running = asyncio.get_running_loop().create_task(keeper.run())
    await asyncio.sleep(0.05)
    for number in range(60):
        queue.put(tick(at_us=T0 + number * 1_000), T0)
    await asyncio.sleep(1.2)
    running.cancel()
    await asyncio.wait({running})
    [line] = [one for one in caplog.records if one.getMessage() == "metric=ws.tick_drop"]
    assert line.lost == queue.lost > 0
