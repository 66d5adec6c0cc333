"""What can be asked: order, filters, unknown names, statistics."""

from bot.domain.ids import MarketTicker, OrderGroupId, OrderId
from bot.domain.orders import OrderStatus
from bot.venue.accounts import AccountId
from tests.unit.venue.floor import (
    ANN,
    ASK,
    BID,
    BOB,
    CAT,
    DOLLAR,
    HOUR,
    SECOND,
    Floor,
    M,
    terms_of,
)

NOBODY = AccountId("nobody")


def traded() -> Floor:
    floor = Floor()
    floor.keep(floor.venue.operations.list_market(terms_of("KXFOO-2"), floor.tick()))
    floor.order(ANN, ASK, 60, 2)
    floor.order(BOB, BID, 60, 1)
    floor.order(BOB, BID, 60, 1)
    floor.order(ANN, ASK, 70, 1, ticker=MarketTicker("KXFOO-2"))
    floor.order(BOB, BID, 70, 1, ticker=MarketTicker("KXFOO-2"))
    return floor


def test_unknown_names_give_nothing() -> None:
    reads = Floor().reads
    assert reads.market(MarketTicker("X")) is None
    assert reads.book(MarketTicker("X")) is None
    assert reads.balance(NOBODY) is None
    assert reads.order(NOBODY, OrderId("x")) is reads.order(ANN, OrderId("x")) is None
    assert reads.queue_position(ANN, OrderId("x")) is None
    assert reads.position(NOBODY, M) is reads.position(ANN, M) is None
    assert reads.group(NOBODY, OrderGroupId("x")) is None
    for nothing in (
        reads.orders(NOBODY),
        reads.fills(NOBODY),
        reads.positions(NOBODY),
        reads.settlements(NOBODY),
        reads.groups(NOBODY),
        reads.trades(MarketTicker("X")),
        reads.trades(M),
    ):
        assert list(nothing) == []


def test_orders_and_fills_come_newest_first_and_can_be_filtered() -> None:
    floor = traded()
    reads = floor.reads
    assert [o.ticker for o in reads.orders(BOB)] == ["KXFOO-2", M, M]
    assert len(list(reads.orders(BOB, ticker=M))) == 2
    assert list(reads.orders(BOB, status=OrderStatus.RESTING)) == []
    assert len(list(reads.orders(BOB, status=OrderStatus.EXECUTED))) == 3
    fills = list(reads.fills(ANN))
    assert [fill.executed_us for fill in fills] == sorted(
        (fill.executed_us for fill in fills), reverse=True
    )
    sold = fills[-1].order_id
    assert len(list(reads.fills(ANN, order_id=sold))) == 2
    assert len(list(reads.fills(ANN, ticker=MarketTicker("KXFOO-2")))) == 1


def test_trades_come_newest_first_for_one_market_or_all() -> None:
    floor = traded()
    assert [trade.price for trade in floor.reads.trades()] == [7_000, 6_000, 6_000]
    assert [trade.price for trade in floor.reads.trades(M)] == [6_000, 6_000]


def test_kept_trades_are_bounded() -> None:
    floor = Floor(trades_kept=3, trades_kept_per_market=2)
    floor.order(ANN, ASK, 60, 9)
    for _ in range(5):
        floor.order(BOB, BID, 60)
    assert len(list(floor.reads.trades(M))) == 2
    assert len(list(floor.reads.trades())) == 3


def test_statistics_follow_the_trades() -> None:
    floor = traded()
    market = floor.reads.market(M)
    assert (market.last_price, market.last_size) == (6_000, 100)
    assert (market.volume, market.volume_24h, market.open_interest) == (200, 200, 200)
    assert floor.reads.tickers() == (M, "KXFOO-2")


def test_the_volume_of_a_day_forgets_older_hours() -> None:
    floor = Floor(listed=False)
    floor.keep(floor.venue.operations.list_market(terms_of(close_us=100 * HOUR), SECOND))
    for _ in range(3):
        floor.order(ANN, ASK, 60, 1)
        floor.order(BOB, BID, 60, 1)
        floor.advance(10 * HOUR)
    assert floor.reads.market(M).volume == 300
    assert floor.reads.market(M).volume_24h == 200
    floor.advance(30 * HOUR)
    assert floor.reads.market(M).volume_24h == 0


def test_a_balance_is_cash_unless_reservations_are_to_show() -> None:
    for shows, available in ((False, 100 * DOLLAR), (True, 99 * DOLLAR + 500_000)):
        floor = Floor(balance_shows_reservation=shows)
        floor.order(ANN, BID, 50)
        balance = floor.reads.balance(ANN)
        assert balance.available == available
        assert balance.shards[0].free == 99 * DOLLAR + 500_000


def test_positions_are_worth_the_last_price() -> None:
    floor = traded()
    assert floor.reads.balance(BOB).portfolio_value == 2 * 600_000 + 700_000
    assert floor.reads.balance(ANN).portfolio_value == 2 * 400_000 + 300_000
    assert floor.reads.balance(BOB, 1).portfolio_value == 0
    assert floor.reads.balance(CAT).portfolio_value == 0


def test_a_house_account_leaves_no_traces_but_its_money_and_positions() -> None:
    floor = Floor()
    house = AccountId("house")
    floor.open(house, dollars=0, checks_funds=False, keeps_records=False)
    floor.order(house, ASK, 60, 2)
    (resting,) = floor.reads.orders(house)
    floor.order(BOB, BID, 60, 2)
    assert floor.reads.order(house, resting.order_id) is None
    assert list(floor.reads.fills(house)) == []
    assert floor.position(house) == -200
    assert floor.cash(house) == -800_000
    assert all(getattr(event, "account", BOB) != house for event in floor.events[2:])


def test_time_never_runs_backwards() -> None:
    floor = Floor()
    floor.venue.advance(HOUR)
    floor.venue.advance(SECOND)
    assert floor.reads.now_us == HOUR
