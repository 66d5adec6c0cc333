"""Records become batches: repeats left out, gaps opened and ended, marks moved."""

from dataclasses import replace

from msgspec import structs

from bot.domain.ids import MarketTicker
from bot.domain.money import Price, Quantity
from bot.kit.times import DAY_US, SECOND_US
from bot.marketdata.stream_batches import CATCH_UP_US, KNOWN_MAX, BatchMaker, stored_mark
from bot.ports.exchange import FeedAlive, FeedDown, FeedUp
from bot.ports.stream import GapEnd, GapReason, StreamGap
from tests.fakes.stream import T0, change, gap, lifecycle, start, tick, trade

A = MarketTicker("KXA")
STREAM = "s 0/1"


def test_each_kind_goes_to_its_place() -> None:
    batch = BatchMaker(STREAM).make([tick(), trade(), start(), change(), lifecycle(), gap()])
    assert batch.ticks == [tick()]
    assert batch.trades == [trade()]
    assert batch.starts == [start()]
    assert batch.changes == [change()]
    assert batch.lifecycle == [lifecycle()]
    assert batch.gaps == [gap()]
    assert len(batch) == 6


def later(us: int, **changes):
    return structs.replace(tick(), exchange_us=T0 + us, received_us=T0 + us + 20_000, **changes)


def test_what_a_market_says_again_within_a_second_is_left_out() -> None:
    maker = BatchMaker(STREAM)
    told = [
        tick(),
        later(10),
        tick("KXB"),
        later(500_000),
        later(600_000, yes_bid=Price(4_600)),
        later(700_000),
        later(700_001 + SECOND_US),
    ]
    kept = maker.make(told).ticks
    assert kept == [told[0], told[2], told[4], told[5], told[6]]
    assert maker.repeats == 2
    assert maker.marks()["last_ws_tick_ts"] == "2026-11-18T11:06:41.720001Z"


def test_a_change_of_any_field_is_no_repeat() -> None:
    for name in ("yes_bid_size", "yes_ask_size", "volume", "open_interest"):
        maker = BatchMaker(STREAM)
        assert len(maker.make([tick(), later(1, **{name: Quantity(1)})]).ticks) == 2
    for name in ("yes_bid", "yes_ask", "last_price"):
        maker = BatchMaker(STREAM)
        assert len(maker.make([tick(), later(1, **{name: None})]).ticks) == 2


def test_repeats_are_kept_when_asked_for() -> None:
    maker = BatchMaker(STREAM, drops_repeats=False)
    assert len(maker.make([tick(), later(1), later(2)]).ticks) == 3


def test_a_first_start_misses_nothing() -> None:
    assert BatchMaker(STREAM).make([FeedUp(received_us=T0), tick()]).gaps == []


def test_the_time_without_us_is_a_gap_from_the_last_stored_to_the_first_heard() -> None:
    maker = BatchMaker(STREAM, stored_us=T0 - 9)
    [opened] = maker.make([]).gaps
    assert opened == StreamGap(stream=STREAM, reason=GapReason.RESTART, from_us=T0 - 9)
    assert maker.make([FeedUp(received_us=T0)]).gaps == []
    [ended] = maker.make([tick(), tick("KXB")]).gaps
    assert ended == replace(opened, to_us=T0 + 20_000, ended=GapEnd.RESUMED)
    assert maker.make([later(5)]).gaps == []


def test_a_lost_connection_is_a_gap_from_the_last_sign_of_life() -> None:
    maker = BatchMaker(STREAM)
    maker.make([tick(), FeedAlive(received_us=T0 + SECOND_US)])
    down = FeedDown(received_us=T0 + 9 * SECOND_US, reason="silent")
    [opened] = maker.make([down, down]).gaps
    assert (opened.reason, opened.detail) == (GapReason.DISCONNECTED, "silent")
    assert (opened.from_us, opened.to_us) == (T0 + SECOND_US, None)
    [ended] = maker.make([FeedUp(received_us=T0), start(at_us=T0 + 20 * SECOND_US)]).gaps
    assert ended == replace(opened, to_us=T0 + 20 * SECOND_US, ended=GapEnd.RESUMED)


def test_a_gap_that_opens_and_ends_in_one_batch_is_told_once() -> None:
    maker = BatchMaker(STREAM)
    down = FeedDown(received_us=T0 + SECOND_US, reason="x")
    [only] = maker.make([tick(), down, tick(at_us=T0 + 2 * SECOND_US)]).gaps
    assert only.to_us == T0 + 2 * SECOND_US + 20_000


def test_a_gap_left_open_by_the_process_before_goes_on() -> None:
    left = gap(T0 - 50, stream=STREAM)
    maker = BatchMaker(STREAM, stored_us=T0 - 50, open_gaps=[left])
    assert maker.make([]).gaps == []
    [ended] = maker.make([tick()]).gaps
    assert ended == replace(left, to_us=T0 + 20_000, ended=GapEnd.RESUMED)


def test_a_gap_of_a_market_ends_with_its_next_whole_book() -> None:
    lost = gap(T0 - 5, ticker=A, reason=GapReason.SEQUENCE, stream=STREAM)
    maker = BatchMaker(STREAM, open_gaps=[replace(lost, from_us=T0 - 99)])
    assert maker.make([lost, change(), start("KXB")]).gaps == [lost]
    ended = maker.make([start(at_us=T0 + 7)]).gaps
    assert [(one.from_us, one.to_us, one.ended) for one in ended] == [
        (T0 - 99, T0 + 7, GapEnd.SNAPSHOT),
        (T0 - 5, T0 + 7, GapEnd.SNAPSHOT),
    ]
    assert maker.make([start(at_us=T0 + 8)]).gaps == []


def test_a_gap_that_was_ended_otherwise_is_left_alone() -> None:
    maker = BatchMaker(STREAM)
    broken = gap(ticker=A, reason=GapReason.BACKPRESSURE, stream=STREAM)
    counted = replace(broken, to_us=T0 + 9, lost=5, ended=GapEnd.RESUMED)
    assert maker.make([broken, counted, start(at_us=T0 + 9)]).gaps == [counted]


def test_marks_say_how_far_everything_is_stored() -> None:
    maker = BatchMaker(STREAM, stored_us=T0 - 1)
    assert maker.marks() == {stored_mark(STREAM): str(T0 - 1)}
    maker.make([tick(), FeedAlive(received_us=T0 + SECOND_US)])
    assert maker.marks() == {
        stored_mark(STREAM): str(T0 + SECOND_US),
        "last_tick_ts": "2026-11-18T11:06:40.000000Z",
        "last_ws_tick_ts": "2026-11-18T11:06:40.020000Z",
    }


def test_what_may_be_there_is_looked_for_until_a_connection_is_caught_up() -> None:
    maker = BatchMaker(STREAM)
    assert maker.may_repeat
    maker.make([FeedUp(received_us=T0)])
    first = maker.make([tick(at_us=T0)])
    maker.stored(first, 1)
    assert maker.may_repeat
    after = maker.make([tick(at_us=T0 + CATCH_UP_US)])
    maker.stored(after, 0)
    assert maker.may_repeat
    maker.stored(after, 1)
    assert not maker.may_repeat
    maker.make([FeedUp(received_us=T0 + 60 * SECOND_US)])
    assert maker.may_repeat


def test_markets_that_come_and_go_are_forgotten() -> None:
    maker = BatchMaker(STREAM)
    left = gap(T0, ticker=A, reason=GapReason.UNWATCHED)
    maker.stored(maker.make([left]), 0)
    for number in range(8):
        for place in range(30):
            at_us = number * DAY_US + place * SECOND_US
            told = [
                structs.replace(later(at_us), ticker=MarketTicker(f"KX{number}-{place}-{one}"))
                for one in range(500)
            ]
            maker.stored(maker.make(told), 500)
    assert len(maker._said) < 15_000
    assert maker._market_gaps == {}


def test_a_repeat_is_known_however_many_markets_there_are() -> None:
    maker = BatchMaker(STREAM)
    told = [
        structs.replace(tick(), ticker=MarketTicker(f"KX{one}")) for one in range(KNOWN_MAX + 2)
    ]
    maker.stored(maker.make(told), len(told))
    again = [structs.replace(one, received_us=one.received_us + SECOND_US) for one in told]
    assert maker.make(again).ticks == []
