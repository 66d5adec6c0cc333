"""Values as JSON objects: units, twins and sentinels."""

from bot.domain.ids import ClientOrderId, MarketTicker, OrderId
from bot.domain.money import Money, Price, Quantity
from bot.domain.orders import BookSide
from bot.domain.quotes import BookLevel, BookSnapshot
from bot.simulator import bodies
from bot.venue.accounts import BalanceView, ShardBalance
from bot.venue.orders import OrderReceipt


def test_averages_are_cut_and_not_rounded() -> None:
    receipt = OrderReceipt(
        order_id=OrderId("o"),
        client_order_id=ClientOrderId("c"),
        filled=Quantity(300),
        remaining=Quantity(0),
        fill_cost=Money(1_000_000),
        fees=Money(29_999),
        at_us=1_234_567,
    )
    assert bodies.receipt_body(receipt) == {
        "order_id": "o",
        "client_order_id": "c",
        "fill_count": "3.00",
        "remaining_count": "0.00",
        "average_fill_price": "0.3333",
        "average_fee_paid": "0.0099",
        "ts_ms": 1_234,
    }


def test_a_balance_is_cut_to_the_cent_and_exact_in_dollars() -> None:
    shard = ShardBalance(exchange_index=0, cash=Money(98_018_600), reserved=Money(8_000_000))
    view = BalanceView(
        shards=(shard,), available=Money(98_018_600), portfolio_value=Money(1_989_999)
    )
    body = bodies.balance_body(view, 7_000_000, shows_reservation=False)
    assert (body["balance"], body["balance_dollars"]) == (9_801, "98.0186")
    assert body["portfolio_value"] == 198
    assert body["balance_breakdown"] == [{"exchange_index": 0, "balance": "98.0186"}]
    shown = bodies.balance_body(view, 7_000_000, shows_reservation=True)
    assert shown["balance_breakdown"] == [{"exchange_index": 0, "balance": "90.0186"}]


def test_a_book_is_bids_only_with_the_best_last() -> None:
    book = BookSnapshot(
        ticker=MarketTicker("M"),
        bids=(BookLevel(Price(4_700), Quantity(300)), BookLevel(Price(4_600), Quantity(1_000))),
        asks=(BookLevel(Price(5_200), Quantity(300)),),
        received_us=0,
    )
    assert bodies.book_body(book, 0) == {
        "yes_dollars": [["0.4600", "10.00"], ["0.4700", "3.00"]],
        "no_dollars": [["0.4800", "3.00"]],
    }
    assert bodies.book_body(book, 1)["yes_dollars"] == [["0.4700", "3.00"]]


def test_sides_are_outcomes() -> None:
    assert bodies.outcome_side(BookSide.BID) == "yes"
    assert bodies.outcome_side(BookSide.ASK) == "no"
    assert bodies.four_places(Money(123_456)) == "0.1234"
