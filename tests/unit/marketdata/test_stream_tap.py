"""What the tap passes on, and the law: whole books and changes folded are the live book."""

from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.ids import MarketTicker
from bot.domain.money import Price, Quantity
from bot.domain.orders import BookSide
from bot.domain.quotes import BookLevel, BookSnapshot
from bot.kit.times import DAY_US, HOUR_US, SECOND_US
from bot.marketdata.book import OrderBook
from bot.marketdata.feed import FeedTranslator
from bot.marketdata.rebuild import book_at, rebuilt
from bot.marketdata.stream_batches import BatchMaker
from bot.marketdata.stream_queue import StreamQueue
from bot.marketdata.stream_storing import Orders, StoringSettings, StreamStoring
from bot.marketdata.stream_tap import CHANGES_MAX, StreamTap
from bot.ports.exchange import FeedAlive, FeedDown, FeedGap, FeedUp
from bot.ports.stream import BookChange, BookStart, GapEnd, GapReason, Origin, StreamGap
from tests.fakes.clock import ManualClock
from tests.fakes.stream import T0, MemoryStreamStore, levels, lifecycle, tick, trade

A, B = MarketTicker("KXA"), MarketTicker("KXB")


class Stand:
    """A translator with its books, and a tap beside it."""

    def __init__(self, size_max: int = 100_000) -> None:
        self.queue = StreamQueue("s 0/1", size_max, 1)
        self.tap = StreamTap(self.queue)
        self.refreshed: list[MarketTicker] = []
        self.translator = FeedTranslator(lambda _: None, self.refreshed.extend)
        self.listener = self.tap.listener(self.translator)

    def snapshot(self, ticker=A, at_us=T0, bids=((4_700, 500),), asks=((4_900, 300),)):
        return self.listener.book(
            BookSnapshot(ticker=ticker, bids=levels(*bids), asks=levels(*asks), received_us=at_us)
        )

    def taken(self):
        return self.queue.take(1_000_000)

    def gaps(self):
        return [one for one in self.taken() if isinstance(one, StreamGap)]


def bid(kept, change: int, at_us: int, price: int = 4_700) -> None:
    kept.change_bid(Price(price), Quantity(change), at_us, at_us // 1_000)


def test_a_book_is_a_start_and_numbered_changes() -> None:
    stand = Stand()
    kept = stand.snapshot()
    bid(kept, 100, T0 + 5_000)
    kept.change_ask(Price(4_900), Quantity(-300), T0 + 6_000, None)
    start, first, second = stand.taken()
    assert start == BookStart(
        ticker=A,
        snapshot_us=T0,
        origin=Origin.VENUE,
        bids=levels((4_700, 500)),
        asks=levels((4_900, 300)),
    )
    assert first == BookChange(A, T0, 1, True, 4_700, 100, T0 + 5_000, T0 + 5_000)
    assert second == BookChange(A, T0, 2, False, 4_900, -300, T0 + 6_000, None)
    assert stand.translator.books[A].best_bid == 4_700


def test_public_news_is_passed_on_and_private_is_not() -> None:
    stand = Stand()
    told = [tick(), trade(), lifecycle(), FeedAlive(received_us=T0), FeedUp(received_us=T0)]
    for one in told:
        stand.listener.news(one)
    assert stand.taken() == told


def test_two_books_of_one_moment_have_two_names() -> None:
    stand = Stand()
    stand.snapshot()
    kept = stand.snapshot()
    bid(kept, 1, T0)
    starts = stand.taken()
    assert [one.snapshot_us for one in starts] == [T0, T0 + 1, T0 + 1]


def test_a_long_chain_goes_on_in_a_new_one() -> None:
    stand = Stand()
    kept = stand.snapshot()
    for number in range(CHANGES_MAX + 1):
        bid(kept, 1, T0 + 1 + number)
    told = stand.taken()
    last = told[-1]
    assert isinstance(last, BookStart)
    assert last.origin is Origin.KEPT
    assert last.bids == levels((4_700, 500 + CHANGES_MAX + 1))
    assert len(told) == CHANGES_MAX + 2
    bid(kept, 1, T0 + HOUR_US)
    [follows] = stand.taken()
    assert (follows.snapshot_us, follows.change_no) == (last.snapshot_us, 1)


def test_an_old_chain_begins_anew_after_an_hour_and_a_quiet_one_once_a_day() -> None:
    stand = Stand()
    kept, _ = stand.snapshot(), stand.snapshot(B)
    bid(kept, 1, T0 + 1)
    stand.taken()
    assert stand.tap.look_after(T0 + HOUR_US, 9) == 0
    assert stand.tap.look_after(T0 + HOUR_US + 2, 9) == 1
    assert [one.ticker for one in stand.taken()] == [A]
    assert stand.tap.look_after(T0 + DAY_US + HOUR_US + 3, 1) == 1
    assert stand.tap.look_after(T0 + DAY_US + HOUR_US + 3, 9) == 1
    assert stand.tap.look_after(T0 + DAY_US + HOUR_US + 3, 9) == 0


def test_a_lost_message_is_a_gap_of_the_books_it_concerns() -> None:
    stand = Stand()
    bid(stand.snapshot(), 1, T0 + 7)
    stand.snapshot(B)
    stand.taken()
    stand.listener.news(FeedGap(tickers=(A,), reason="expected 5, got 7", received_us=T0 + 99))
    [gap] = stand.gaps()
    assert (gap.reason, gap.ticker, gap.from_us) == (GapReason.SEQUENCE, A, T0 + 7)
    assert (gap.to_us, gap.detail) == (None, "expected 5, got 7")


def test_a_lost_message_of_another_channel_is_noted() -> None:
    stand = Stand()
    stand.listener.news(tick(at_us=T0))
    stand.taken()
    stand.listener.news(FeedGap(tickers=(), reason="trade: expected 5", received_us=T0 + SECOND_US))
    [gap] = stand.gaps()
    assert (gap.ticker, gap.ended, gap.from_us) == (None, GapEnd.NOTED, T0 + 20_000)


def test_a_book_that_does_not_add_up_is_a_gap_until_its_snapshot() -> None:
    stand = Stand()
    kept = stand.snapshot()
    bid(kept, -501, T0 + 5)
    assert stand.refreshed == [A]
    stand.taken()
    stand.snapshot(at_us=T0 + 50)
    gap, start = stand.taken()
    assert (gap.reason, gap.from_us, gap.ticker) == (GapReason.SEQUENCE, T0 + 5, A)
    assert start.snapshot_us == T0 + 50


async def test_a_market_that_is_let_go_is_said() -> None:
    stand = Stand()
    stand.snapshot()
    stand.snapshot(B)
    stand.taken()

    class Feed:
        async def watch(self, tickers) -> None:
            self.watched = tickers

    feed = Feed()
    await stand.tap.beside(feed).watch((B,))
    assert feed.watched == (B,)
    [gap] = stand.gaps()
    assert (gap.reason, gap.ticker, gap.to_us) == (GapReason.UNWATCHED, A, None)


def test_changes_that_found_no_room_are_a_counted_gap_and_a_new_chain() -> None:
    stand = Stand(size_max=10)
    kept = stand.snapshot()
    for number in range(15):
        bid(kept, 1, T0 + 1 + number)
    told = stand.taken()
    assert [one.change_no for one in told if isinstance(one, BookChange)] == list(range(1, 10))
    bid(kept, 1, T0 + 100)
    broken, ended, start = stand.taken()[-3:]
    assert (broken.ticker, broken.from_us, broken.to_us) == (A, T0 + 9, T0 + 100)
    assert (broken.lost, broken.ended) == (6, GapEnd.RESUMED)
    opened = [one for one in told if isinstance(one, StreamGap) and one.ticker == A]
    assert [(one.from_us, one.to_us) for one in opened] == [(T0 + 9, None)]
    assert start.bids == levels((4_700, 516))
    assert (ended.ticker, ended.reason, ended.to_us) == (None, GapReason.BACKPRESSURE, T0 + 100)
    assert ended.lost == stand.queue.lost == 6


CHANGE = st.tuples(
    st.sampled_from([A, B]),
    st.booleans(),
    st.sampled_from([4_600, 4_700, 4_800, 4_900, 5_000]),
    st.integers(-400, 400).filter(bool),
)
STEP = st.one_of(
    CHANGE,
    st.tuples(st.just("snapshot"), st.sampled_from([A, B])),
    st.tuples(st.just("gap"), st.sampled_from([A, B])),
    st.tuples(st.just("down"), st.just(A)),
    st.tuples(st.just("hour"), st.just(A)),
    st.tuples(st.just("store"), st.just(A)),
)


class Story(Stand):
    """Lives through steps, stores what was told now and then, and remembers every live book."""

    def __init__(self, size_max: int) -> None:
        super().__init__(size_max)
        self.store = MemoryStreamStore()
        self.seen = []
        self._maker = BatchMaker("s 0/1")
        self._kept = {}
        self._now_us = T0

    async def live(self, steps) -> None:
        for step in steps:
            self._now_us += SECOND_US
            if len(step) == len(("ticker", "is_bid", "price", "change")):
                self._change(*step)
            else:
                await self._happen(*step)
            books = {name: _sides(book) for name, book in self.translator.books.items()}
            self.seen.append((self._now_us, books))

    def _change(self, ticker, is_bid, price, change) -> None:
        if ticker in self._kept:
            kept = self._kept[ticker]
            take = kept.change_bid if is_bid else kept.change_ask
            take(Price(price), Quantity(change), self._now_us, self._now_us // 1_000)

    async def _happen(self, what, ticker) -> None:
        match what:
            case "snapshot":
                self._kept[ticker] = self.snapshot(ticker, self._now_us)
            case "gap":
                self._kept.pop(ticker, None)
                lost = FeedGap(tickers=(ticker,), reason="r", received_us=self._now_us)
                self.listener.news(lost)
            case "down":
                self._kept.clear()
                self.listener.news(FeedDown(received_us=self._now_us, reason="network"))
            case "hour":
                self._now_us += HOUR_US
                self.tap.look_after(self._now_us, 9)
            case "store":
                await self.store.append(self._maker.make(self.taken()), may_repeat=False)


@given(steps=st.lists(STEP, max_size=60), size_max=st.sampled_from([4, 12, 1_000]))
@settings(max_examples=150)
async def test_folding_what_was_stored_is_the_live_book_at_every_moment(steps, size_max) -> None:
    """Whatever is lost on the way, a rebuilt book is right or is known to be unknown."""
    story = Story(size_max)
    await story.live([("snapshot", A), ("snapshot", B), *steps, ("store", A)])
    is_calm = size_max == 1_000 and not any(step[0] in {"gap", "down"} for step in steps)
    for at_us, books in story.seen:
        for ticker, live in books.items():
            again = await rebuilt(story.store, ticker, at_us)
            # Where nothing was lost, every book that was trusted can be rebuilt.
            assert again is not None or live is None or not is_calm
            assert again is None or _sides(again) == live, (at_us - T0, ticker)


def _sides(book: OrderBook):
    if book.needs_snapshot:
        return None
    return book.levels(BookSide.BID), book.levels(BookSide.ASK)


def test_a_hole_in_a_chain_is_no_book() -> None:
    start = BookStart(
        ticker=A, snapshot_us=T0, origin=Origin.VENUE, bids=levels((4_700, 5)), asks=levels()
    )
    changes = [BookChange(A, T0, n, True, Price(4_700), Quantity(1), T0 + n, None) for n in (1, 3)]
    assert book_at(start, changes[:1], [], T0 + 9) is not None
    assert book_at(start, changes, [], T0 + 9) is None


def test_a_book_is_unknown_from_a_gap_to_its_next_whole_book() -> None:
    start = BookStart(ticker=A, snapshot_us=T0, origin=Origin.VENUE, bids=levels(), asks=levels())
    lost = StreamGap(stream="s", reason=GapReason.DISCONNECTED, from_us=T0 + 5, to_us=T0 + 6)
    assert book_at(start, [], [lost], T0 + 4) is not None
    assert book_at(start, [], [lost], T0 + 7) is None
    # Shed ticks are no loss of a book whose own changes all found room.
    shed = replace(lost, reason=GapReason.BACKPRESSURE)
    assert book_at(start, [], [shed], T0 + 7) is not None
    own = replace(shed, ticker=A)
    assert book_at(start, [], [own], T0 + 7) is None
    assert BookLevel(Price(1), Quantity(1)) not in start.bids


async def test_a_book_is_unknown_from_a_refused_batch_on() -> None:
    """It may have held the last changes before a moment, or the next whole book."""

    class Refusing(MemoryStreamStore):
        async def append(self, batch, *, may_repeat):
            if any(one.change_no == 2 for one in batch.changes):
                raise ValueError("a value no column takes")
            return await super().append(batch, may_repeat=may_repeat)

    stand, store = Stand(), Refusing()
    kept = stand.snapshot()
    bid(kept, 100, T0 + 5)
    bid(kept, 100, T0 + 9)
    clock, settings = ManualClock(T0 + 20), StoringSettings(batch=2)
    orders = Orders(is_stopping=True)
    await StreamStoring(stand.queue, store, settings, orders, clock, Random(1)).run()
    assert await rebuilt(store, A, T0 + 8) is not None
    assert await rebuilt(store, A, T0 + 30) is None


def test_markets_that_come_and_go_leave_nothing_behind() -> None:
    stand = Stand()
    for number in range(30_000):
        stand.snapshot(MarketTicker(f"KX{number}"), T0 + number * SECOND_US)
        stand.tap.watched([MarketTicker(f"KX{number}")])
        if number % 100 == 0:
            stand.tap.look_after(T0 + number * SECOND_US, 9)
    assert len(stand.tap._begun) < 15_000
