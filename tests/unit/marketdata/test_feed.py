"""What of the stream reaches the engine."""

import pytest

from bot.domain.events import (
    BooksDistrusted,
    FeedConnected,
    FeedHeard,
    FeedLost,
    MarketPhaseChanged,
    OrderGroupTripped,
    QuoteChanged,
)
from bot.domain.ids import MarketTicker, OrderGroupId
from bot.domain.market import MarketStatus
from bot.domain.money import Price, Quantity
from bot.domain.orders import BookSide
from bot.domain.quotes import BookDelta, BookLevel, BookSnapshot
from bot.marketdata.feed import FeedTranslator
from bot.ports.exchange import (
    FeedAlive,
    FeedDown,
    FeedGap,
    FeedUp,
    MarketLifecycle,
    OrderGroupChanged,
)
from tests.support.feeds import ToldTranslator

A, B = MarketTicker("A-1"), MarketTicker("B-1")


def snapshot(ticker: MarketTicker = A, bid: int = 5_000, ask: int = 6_000) -> BookSnapshot:
    return BookSnapshot(
        ticker=ticker,
        bids=(BookLevel(Price(bid), Quantity(100)), BookLevel(Price(bid - 100), Quantity(100))),
        asks=(BookLevel(Price(ask), Quantity(100)),),
        received_us=1,
    )


def delta(price: int, change: int, side: BookSide = BookSide.BID) -> BookDelta:
    return BookDelta(
        ticker=A, side=side, price=Price(price), change=Quantity(change), received_us=2
    )


def test_only_a_changed_top_is_told() -> None:
    feed = ToldTranslator()
    (first,) = feed.translate(snapshot())
    assert isinstance(first, QuoteChanged)
    assert feed.translate(delta(4_000, 50)) == ()
    (told,) = feed.translate(delta(5_000, -40))
    assert isinstance(told, QuoteChanged)
    assert told.quote.bid_size == 60


def test_a_gap_is_told_once_and_ends_with_the_next_snapshot() -> None:
    feed = ToldTranslator()
    feed.translate(snapshot())
    gap = FeedGap(tickers=(A,), reason="seq 4 after 2", received_us=3)
    assert feed.translate(gap) == (
        BooksDistrusted(received_us=3, tickers=(A,), reason="seq 4 after 2"),
    )
    assert feed.translate(gap) == ()
    assert feed.translate(delta(5_000, 10)) == ()
    assert feed.unsynced() == (A,)
    (told,) = feed.translate(snapshot())
    assert isinstance(told, QuoteChanged)


def test_a_lost_socket_distrusts_every_book() -> None:
    feed = ToldTranslator()
    feed.translate(snapshot(A))
    feed.translate(snapshot(B))
    books, lost = feed.translate(FeedDown(received_us=9, reason="reset"))
    assert isinstance(books, BooksDistrusted)
    assert set(books.tickers) == {A, B}
    assert lost == FeedLost(received_us=9, reason="reset")


def test_a_crossed_book_is_distrusted_until_it_uncrosses() -> None:
    feed = ToldTranslator()
    feed.translate(snapshot())
    (crossed,) = feed.translate(delta(6_000, 10))
    assert isinstance(crossed, BooksDistrusted)
    (back,) = feed.translate(delta(6_000, -10))
    assert isinstance(back, QuoteChanged)
    assert back.quote.bid == 5_000


def test_the_pulse_and_the_connection_are_passed_on() -> None:
    feed = ToldTranslator()
    assert feed.translate(FeedAlive(received_us=1)) == (FeedHeard(received_us=1),)
    assert feed.translate(FeedUp(received_us=2)) == (FeedConnected(received_us=2),)


def test_markets_that_are_not_watched_any_more_are_forgotten() -> None:
    feed = ToldTranslator()
    feed.translate(snapshot())
    feed.forget([A])
    assert feed.books == {}
    assert feed.translate(FeedDown(received_us=9, reason="x"))[0] == FeedLost(
        received_us=9, reason="x"
    )


@pytest.mark.parametrize(
    ("kind", "result", "value", "status", "pays"),
    [
        ("determined", "yes", None, MarketStatus.DETERMINED, 10_000),
        ("determined", "no", None, MarketStatus.DETERMINED, 0),
        ("settled", "scalar", "0.3700", MarketStatus.FINALIZED, 3_700),
        ("settled", "scalar", "nonsense", MarketStatus.FINALIZED, None),
        ("close_date_updated", None, None, None, None),
    ],
)
def test_a_lifecycle_message_keeps_only_what_it_surely_says(
    kind: str, result: str | None, value: str | None, status: MarketStatus | None, pays: int | None
) -> None:
    (told,) = ToldTranslator().translate(
        MarketLifecycle(
            ticker=A,
            kind=kind,
            close_us=7,
            result=result,
            settlement_value=value,
            received_us=8,
        )
    )
    assert isinstance(told, MarketPhaseChanged)
    assert (told.status, told.value, told.close_us) == (status, pays, 7)


def test_only_a_triggered_group_is_news() -> None:
    feed, group = ToldTranslator(), OrderGroupId("g")
    events = [
        feed.translate(OrderGroupChanged(order_group_id=group, kind=kind, received_us=1))
        for kind in ("reset", "triggered")
    ]
    assert events == [(), (OrderGroupTripped(received_us=1, order_group_id=group),)]


class Reads:
    """A reader that notes what it is given, and when it is asked to read."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def gather(self, event: object) -> None:
        self.told.append(event)

    def turn(self) -> None:
        self.told.append("turn")


def test_one_read_tells_the_top_of_a_market_once_and_at_its_end() -> None:
    reads = Reads()
    feed = FeedTranslator(lambda _: None, lambda _: None, reads)
    book = feed.book(snapshot())
    for change in (10, 20, 30):
        book.change_bid(Price(5_000), Quantity(change), 7, None)
    assert reads.told == []
    feed.read_ended()
    quoted, turn = reads.told
    assert isinstance(quoted, QuoteChanged)
    assert (quoted.quote.bid_size, quoted.received_us, turn) == (160, 7, "turn")
    feed.read_ended()
    assert reads.told[2:] == ["turn"]


def test_a_market_that_is_not_trusted_at_the_end_of_a_read_is_not_quoted() -> None:
    submitted: list[object] = []
    reads = Reads()
    feed = FeedTranslator(submitted.append, lambda _: None, reads)
    book = feed.book(snapshot())
    book.change_bid(Price(5_000), Quantity(10), 7, None)
    feed.news(FeedGap(tickers=(A,), reason="gap", received_us=7))
    feed.read_ended()
    assert reads.told == ["turn"]
    assert [type(one) for one in submitted] == [QuoteChanged, BooksDistrusted]
