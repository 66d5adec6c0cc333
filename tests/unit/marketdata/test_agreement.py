"""When a ticker message counts as agreeing with the book."""

from bot.domain.ids import MarketTicker
from bot.domain.money import Price, Quantity
from bot.domain.quotes import BookLevel, BookSnapshot, TickerUpdate
from bot.marketdata.agreement import WINDOW_US, BookAgreement
from bot.marketdata.book import OrderBook

TICKER = MarketTicker("KXBTC15M-26MAY132015-15")


def book_with_bid(*prices: int) -> OrderBook:
    book = OrderBook(TICKER, lambda *_: None)
    levels = tuple(BookLevel(Price(price), Quantity(100)) for price in prices)
    book.apply_snapshot(BookSnapshot(ticker=TICKER, bids=levels, asks=(), received_us=1))
    return book


def take(book: OrderBook, price: int) -> None:
    book.change_bid(Price(price), Quantity(-100), 2, None)


def ticker(bid: int | None, exchange_us: int) -> TickerUpdate:
    return TickerUpdate(
        ticker=TICKER,
        yes_bid=Price(bid) if bid is not None else None,
        yes_ask=None,
        yes_bid_size=Quantity(0),
        yes_ask_size=Quantity(0),
        last_price=None,
        volume=Quantity(0),
        open_interest=Quantity(0),
        exchange_us=exchange_us,
        received_us=exchange_us,
    )


def counts(agreement: BookAgreement) -> tuple[int, int]:
    return agreement.equal, agreement.compared


def test_the_best_bid_of_the_moment_agrees() -> None:
    agreement = BookAgreement()
    agreement.book_changed(book_with_bid(4_000), 1_000)
    agreement.ticker(ticker(4_000, 1_000))
    assert counts(agreement) == (1, 1)


def test_a_ticker_that_trails_the_book_by_less_than_the_window_agrees() -> None:
    agreement, book = BookAgreement(), book_with_bid(4_000, 3_900)
    agreement.book_changed(book, 1_000)
    take(book, 4_000)
    agreement.book_changed(book, 5_000_000)
    agreement.ticker(ticker(4_000, 5_000_000 + WINDOW_US - 1))
    assert counts(agreement) == (1, 1)


def test_a_bid_that_was_gone_before_the_window_does_not_agree() -> None:
    agreement, book = BookAgreement(), book_with_bid(4_000, 3_900)
    agreement.book_changed(book, 1_000)
    take(book, 4_000)
    agreement.book_changed(book, 5_000_000)
    agreement.ticker(ticker(4_000, 5_000_000 + WINDOW_US))
    assert counts(agreement) == (0, 1)


def test_an_empty_side_agrees_with_an_empty_side_only() -> None:
    agreement, book = BookAgreement(), book_with_bid(4_000)
    take(book, 4_000)
    agreement.book_changed(book, 1_000)
    agreement.ticker(ticker(None, 1_000))
    agreement.ticker(ticker(4_000, 1_000))
    assert counts(agreement) == (1, 2)


def test_a_distrusted_book_is_not_compared() -> None:
    agreement, book = BookAgreement(), book_with_bid(4_000)
    agreement.book_changed(book, 1_000)
    book.distrust()
    agreement.book_changed(book, 2_000)
    agreement.ticker(ticker(4_000, 2_000))
    assert counts(agreement) == (0, 0)
