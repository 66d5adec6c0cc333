"""A bounded queue: what finds no room is one counted gap."""

import pytest

from bot.domain.ids import MarketTicker
from bot.marketdata.stream_queue import StreamQueue
from bot.ports.exchange import FeedUp
from bot.ports.stream import GapEnd, GapReason, StreamGap
from tests.fakes.stream import T0, gap, tick


def put(queue: StreamQueue, count: int, from_us: int = T0) -> list[bool]:
    return [queue.put(tick(at_us=from_us + n), from_us + n) for n in range(count)]


def test_what_is_put_is_taken_in_order() -> None:
    queue = StreamQueue("s", 10, 2)
    queue.tell(FeedUp(received_us=T0))
    put(queue, 3)
    assert queue.take(2) == [FeedUp(received_us=T0), tick(at_us=T0)]
    assert len(queue) == 2
    assert len(queue.take(99)) == 2
    assert queue.take(1) == []


def test_the_writer_is_woken_once_a_batch_waits() -> None:
    queue, woken = StreamQueue("s", 10, 3), []
    queue.wake = lambda: woken.append(len(queue))
    put(queue, 5)
    assert woken == [3]
    queue.take(5)
    put(queue, 3)
    assert woken == [3, 3]


def test_one_time_of_too_much_is_one_gap_with_its_count() -> None:
    queue = StreamQueue("s", 4, 1)
    assert put(queue, 7) == [True] * 4 + [False] * 3
    assert queue.is_shedding
    opened = queue.take(99)[-1]
    assert opened == StreamGap(
        stream="s", reason=GapReason.BACKPRESSURE, from_us=T0 + 4, detail="queue full"
    )
    assert put(queue, 1, T0 + 100) == [True]
    [ended, _] = queue.take(99)
    assert (ended.from_us, ended.to_us, ended.lost) == (T0 + 4, T0 + 100, 3)
    assert (ended.ended, queue.lost, queue.is_shedding) == (GapEnd.RESUMED, 3, False)


def test_it_sheds_until_half_is_free() -> None:
    queue = StreamQueue("s", 8, 1)
    put(queue, 9)
    queue.take(3)
    assert put(queue, 1) == [False]
    queue.take(2)
    assert put(queue, 1) == [True]


def test_a_database_that_is_away_is_the_reason_it_is_full() -> None:
    queue = StreamQueue("s", 1, 1)
    queue.is_database_away = True
    put(queue, 2)
    assert queue.take(9)[-1].reason is GapReason.DATABASE


def test_what_tells_of_losses_always_finds_room() -> None:
    queue = StreamQueue("s", 1, 1)
    put(queue, 1)
    queue.tell(gap())
    assert queue.take(9)[-1] == gap()


def test_a_closed_queue_takes_nothing_and_says_nothing_of_it() -> None:
    queue = StreamQueue("s", 2, 1)
    put(queue, 3)
    queue.close()
    assert put(queue, 2) == [False, False]
    queue.tell(gap())
    told = queue.take(9)
    assert [type(one).__name__ for one in told] == ["TickerUpdate"] * 2 + ["StreamGap"] * 2
    assert (told[-1].to_us, told[-1].lost, queue.lost) == (T0 + 2, 1, 1)


def test_it_must_hold_a_batch() -> None:
    with pytest.raises(ValueError, match="at least one batch"):
        StreamQueue("s", 10, 11)


def test_what_tells_of_single_markets_does_not_fill_the_memory_while_nothing_is_stored() -> None:
    queue = StreamQueue("s", 4, 1)
    put(queue, 5)
    for number in range(100):
        queue.tell(gap(T0 + number, ticker=MarketTicker("KXA")))
    assert len(queue) == queue.told_max == 8
    queue.tell(gap(T0 + 200))
    queue.take(8)
    assert put(queue, 1, T0 + 300) == [True]
    queue.tell(gap(T0 + 300, ticker=MarketTicker("KXA")))
    of_stream, ended, _, of_market = queue.take(9)
    assert (of_stream, ended.from_us, ended.to_us) == (gap(T0 + 200), T0 + 4, T0 + 300)
    assert of_market.ticker == "KXA"
