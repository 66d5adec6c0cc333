"""The inbox: nothing that counts is lost, and no stale quote survives a loss of trust."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.errors import InvariantBroken
from bot.domain.events import (
    BooksDistrusted,
    Event,
    FeedConnected,
    FeedHeard,
    FeedLost,
    MarketsDropped,
    OrderMissing,
    QuoteChanged,
    TimeAdvanced,
)
from bot.domain.quotes import Quote
from bot.engine.inbox import EngineInbox

TICKERS = ("A", "B", "C")


def quote(ticker: str, at_us: int) -> QuoteChanged:
    return QuoteChanged(
        received_us=at_us,
        quote=Quote(ticker=ticker, bid=1, ask=2, bid_size=at_us, ask_size=at_us, received_us=at_us),
    )


def distrust(*tickers: str, at_us: int = 0) -> BooksDistrusted:
    return BooksDistrusted(received_us=at_us, tickers=tickers, reason="gap")


def all_of(inbox: EngineInbox) -> list[Event]:
    taken = []
    while (event := inbox.take()) is not None:
        taken.append(event)
    return taken


def test_only_the_newest_quote_of_a_market_waits() -> None:
    inbox = EngineInbox()
    for at_us in range(5):
        inbox.put(quote("A", at_us))
        inbox.put(quote("B", at_us))
    assert all_of(inbox) == [quote("A", 4), quote("B", 4)]


def test_only_the_newest_tick_and_sign_of_life_wait() -> None:
    inbox = EngineInbox()
    for at_us in range(5):
        inbox.put(TimeAdvanced(received_us=at_us))
        inbox.put(FeedHeard(received_us=at_us))
    assert all_of(inbox) == [TimeAdvanced(received_us=4), FeedHeard(received_us=4)]


def test_what_may_not_be_dropped_goes_first_and_in_order() -> None:
    inbox = EngineInbox()
    inbox.put(quote("A", 1))
    missing = [OrderMissing(received_us=n, client_order_id=f"c{n}") for n in range(3)]
    for event in missing:
        inbox.put(event)
    assert all_of(inbox) == [*missing, quote("A", 1)]


def test_a_quote_from_before_the_loss_of_trust_is_forgotten() -> None:
    inbox = EngineInbox()
    inbox.put(quote("A", 1))
    inbox.put(quote("B", 1))
    inbox.put(distrust("A", at_us=2))
    assert all_of(inbox) == [distrust("A", at_us=2), quote("B", 1)]


def test_a_quote_from_after_the_loss_of_trust_comes_after_it() -> None:
    inbox = EngineInbox()
    inbox.put(distrust("A"))
    inbox.put(quote("A", 1))
    assert all_of(inbox) == [distrust("A"), quote("A", 1)]


@pytest.mark.parametrize(
    "loss",
    [FeedLost(received_us=9, reason="closed"), MarketsDropped(received_us=9, tickers=TICKERS)],
)
def test_a_lost_feed_and_dropped_markets_forget_quotes_too(loss: Event) -> None:
    inbox = EngineInbox()
    for ticker in TICKERS:
        inbox.put(quote(ticker, 1))
    inbox.put(FeedHeard(received_us=1))
    inbox.put(loss)
    assert all_of(inbox) == [loss, FeedHeard(received_us=1)]


def test_a_full_lane_stops_the_process_and_quotes_never_fill_it() -> None:
    inbox = EngineInbox(events_max=2)
    for at_us in range(10):
        inbox.put(quote("A", at_us))
    inbox.put(FeedConnected(received_us=1))
    inbox.put(FeedConnected(received_us=2))
    with pytest.raises(InvariantBroken, match="2 events behind"):
        inbox.put(FeedConnected(received_us=3))


async def test_waiting_ends_when_something_arrives_and_not_before() -> None:
    inbox = EngineInbox()
    assert inbox.take() is None
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(inbox.wait())
        await asyncio.sleep(1)
        assert not waiting.done()
        inbox.put(quote("A", 1))
    assert len(inbox) == 1


PUTS = st.lists(
    st.one_of(
        st.tuples(st.just("quote"), st.sampled_from(TICKERS)),
        st.tuples(st.just("distrust"), st.sampled_from(TICKERS)),
        st.tuples(st.just("lost"), st.just("")),
        st.tuples(st.just("take"), st.just("")),
    )
)


class Reader:
    """Believes what it is told, as the engine does."""

    def __init__(self) -> None:
        self.believed: dict[str, int] = {}

    def read(self, event: Event | None) -> None:
        match event:
            case QuoteChanged():
                self.believed[event.quote.ticker] = event.received_us
            case BooksDistrusted():
                for ticker in event.tickers:
                    self.believed.pop(ticker, None)
            case FeedLost():
                self.believed.clear()


@given(PUTS)
def test_whoever_reads_never_holds_a_quote_older_than_the_last_loss(puts) -> None:
    inbox, slow, quick = EngineInbox(), Reader(), Reader()
    for at_us, (kind, ticker) in enumerate(puts):
        if kind == "take":
            slow.read(inbox.take())
            continue
        event = {
            "quote": quote(ticker, at_us),
            "distrust": distrust(ticker, at_us=at_us),
            "lost": FeedLost(received_us=at_us, reason="closed"),
        }[kind]
        inbox.put(event)
        quick.read(event)
    for event in all_of(inbox):
        slow.read(event)
    assert slow.believed == quick.believed
