"""The book against a naive one, and against real captures."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.ids import MarketTicker
from bot.domain.money import Price, Quantity, complement, parse_price, parse_quantity
from bot.domain.orders import BookSide
from bot.domain.quotes import BookLevel, BookSnapshot
from bot.marketdata.book import OrderBook
from tests.fakes.recordings import recordings

TICKER = MarketTicker("KXHIGHNY-26AUG21-T90")


def snapshot(bids: dict[int, int], asks: dict[int, int]) -> BookSnapshot:
    return BookSnapshot(
        ticker=TICKER,
        bids=tuple(BookLevel(Price(p), Quantity(q)) for p, q in bids.items()),
        asks=tuple(BookLevel(Price(p), Quantity(q)) for p, q in asks.items()),
        received_us=1,
    )


def changed(book: OrderBook, side: BookSide) -> Callable[[Price, Quantity, int, int | None], None]:
    return book.change_bid if side is BookSide.BID else book.change_ask


class Told:
    """Counts how often the top is said to have changed."""

    def __init__(self) -> None:
        self.times = 0
        self.book = OrderBook(TICKER, self.hear)

    def hear(self, book: OrderBook, received_us: int, exchange_ms: int | None) -> None:
        assert book is self.book
        assert (received_us, exchange_ms) == (2, 3)
        self.times += 1

    def change(self, side: BookSide, price: int, change: int) -> bool:
        """Whether the top is said to have changed."""
        before = self.times
        changed(self.book, side)(Price(price), Quantity(change), 2, 3)
        return self.times > before


levels = st.dictionaries(st.integers(1, 99).map(lambda cent: cent * 100), st.integers(1, 500))
deltas = st.lists(
    st.tuples(
        st.sampled_from(list(BookSide)),
        st.integers(1, 99).map(lambda cent: cent * 100),
        st.integers(-300, 300),
    ),
    max_size=60,
)


@given(levels, levels, deltas)
def test_it_agrees_with_a_naive_book_until_the_messages_contradict_each_other(
    bids: dict[int, int], asks: dict[int, int], changes: list[tuple[BookSide, int, int]]
) -> None:
    kept = Told()
    book = kept.book
    book.apply_snapshot(snapshot(bids, asks))
    naive = {BookSide.BID: dict(bids), BookSide.ASK: dict(asks)}
    for side, price, change in changes:
        top = book.quote(0)
        told = kept.change(side, price, change)
        left = naive[side].get(price, 0) + change
        if left < 0:
            assert book.needs_snapshot
            assert not book.is_trusted
            return
        naive[side].pop(price, None)
        if left:
            naive[side][price] = left
        best_bid = max(naive[BookSide.BID], default=None)
        best_ask = min(naive[BookSide.ASK], default=None)
        quote = book.quote(0)
        assert (quote.bid, quote.ask) == (best_bid, best_ask)
        assert quote.bid_size == naive[BookSide.BID].get(best_bid or 0, 0)
        assert quote.ask_size == naive[BookSide.ASK].get(best_ask or 0, 0)
        assert told or quote == top, "a changed top is always told"
        is_crossed = best_bid is not None and best_ask is not None and best_bid >= best_ask
        assert book.is_trusted is not is_crossed
    for side, is_bid in ((BookSide.BID, True), (BookSide.ASK, False)):
        prices = [level.price for level in book.levels(side)]
        assert prices == sorted(naive[side], reverse=is_bid)


def test_a_delta_before_any_snapshot_changes_nothing() -> None:
    kept = Told()
    assert kept.change(BookSide.BID, 5_000, 10) is False
    assert kept.book.needs_snapshot


def test_a_lost_message_empties_the_book_until_the_next_snapshot() -> None:
    book = Told().book
    book.apply_snapshot(snapshot({5_000: 10}, {6_000: 10}))
    book.distrust()
    assert not book.is_trusted
    assert book.quote(0).bid is None
    book.apply_snapshot(snapshot({5_000: 10}, {}))
    assert book.is_trusted


def test_an_empty_side_is_no_price() -> None:
    book = Told().book
    book.apply_snapshot(snapshot({}, {6_000: 10}))
    quote = book.quote(5)
    assert (quote.bid, quote.bid_size, quote.ask) == (None, 0, 6_000)


def captured(folder: Path, name: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for path in sorted(folder.glob(f"{name}-*.ndjson.gz")):
        with gzip.open(path, "rt") as lines:
            found += [json.loads(line) for line in lines if line.strip()]
    return found


NEARBY = 10
"""The summary channel runs a few messages ahead of or behind the book's."""


def test_a_captured_session_rebuilds_the_prices_the_exchange_announced() -> None:
    folder = min(recordings("ws_btc15m_2026-05").iterdir())
    events = [
        event
        for name in ("orderbook_snapshot", "orderbook_delta", "ticker")
        for event in captured(folder, name)
    ]
    events.sort(key=lambda event: int(str(event["local_recv_ns"])))
    books: dict[str, OrderBook] = {}
    bests: dict[str, list[int]] = {}
    announced: list[tuple[str, int, int]] = []
    for event in events:
        ticker, payload = str(event["market_ticker"]), event["payload_json"]
        assert isinstance(payload, dict)
        book = books.setdefault(ticker, OrderBook(MarketTicker(ticker), lambda *_: None))
        seen = bests.setdefault(ticker, [])
        if event["event_type"] == "ticker":
            if book.is_trusted:
                announced.append((ticker, len(seen), parse_price(payload["yes_bid_dollars"])))
        elif event["event_type"] == "orderbook_snapshot":
            book.apply_snapshot(wire_snapshot(payload))
            seen.append(book.best_bid)
        else:
            was_synced = not book.needs_snapshot
            side, *change = wire_change(payload)
            changed(book, side)(*change, 0, None)
            assert not (was_synced and book.needs_snapshot), "no level ever goes below zero"
            seen.append(book.best_bid)
    agreed = sum(
        price in bests[ticker][max(0, at - NEARBY) : at + NEARBY] for ticker, at, price in announced
    )
    assert len(announced) > 100
    assert agreed * 100 >= len(announced) * 98, f"{agreed} of {len(announced)}"


def wire_snapshot(payload: dict[str, list[list[str]]]) -> BookSnapshot:
    bids, no_bids = payload.get("yes_dollars_fp", []), payload.get("no_dollars_fp", [])
    return BookSnapshot(
        ticker=TICKER,
        bids=tuple(BookLevel(parse_price(p), parse_quantity(q)) for p, q in bids),
        asks=tuple(BookLevel(complement(parse_price(p)), parse_quantity(q)) for p, q in no_bids),
        received_us=0,
    )


def wire_change(payload: dict[str, str]) -> tuple[BookSide, Price, Quantity]:
    price, is_yes = parse_price(payload["price_dollars"]), payload["side"] == "yes"
    side = BookSide.BID if is_yes else BookSide.ASK
    return side, price if is_yes else complement(price), parse_quantity(payload["delta_fp"])
