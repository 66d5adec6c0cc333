"""When paper orders fill: never better than the market would have let them."""

import pytest

from bot.domain.errors import ExchangeUnavailable, OrderRejected
from bot.domain.orders import OrderStatus, Purpose
from bot.domain.quotes import BookLevel
from bot.ports.exchange import FeedDown, FeedGap, OwnFill, OwnOrder
from tests.fakes.paper import TICKER, snapshot
from tests.unit.adapters.paper.support import ASK, BID, CASH, FOK, IOC, Paper


@pytest.fixture
async def paper() -> Paper:
    paper = Paper()
    await paper.see(
        snapshot(
            [(9_000, 5_000), (8_900, 8_000)],
            [(9_200, 1_000), (9_300, 2_000), (9_500, 9_000)],
        )
    )
    return paper


async def test_a_marketable_order_walks_the_displayed_levels_up_to_its_limit(paper):
    ack = await paper.order(BID, 9_300, 10_000, tif=IOC)
    fills = await paper.exchange.fills()
    assert (ack.filled, ack.remaining) == (3_000, 0)
    assert [(fill.price, fill.quantity, fill.is_taker) for fill in fills] == [
        (9_200, 1_000, True),
        (9_300, 2_000, True),
    ]


async def test_what_was_taken_is_not_there_a_second_time(paper):
    assert (await paper.order(BID, 9_200, 700, tif=IOC)).filled == 700
    assert (await paper.order(BID, 9_200, 700, tif=IOC)).filled == 300
    assert (await paper.order(BID, 9_200, 700, tif=IOC)).filled == 0


async def test_growth_of_a_taken_level_counts_for_its_own_size(paper):
    await paper.order(BID, 9_200, 1_000, tif=IOC)
    await paper.see(paper.delta(ASK, 9_200, 250))
    assert (await paper.order(BID, 9_200, 1_000, tif=IOC)).filled == 250


async def test_a_level_that_went_and_came_back_can_be_taken_again(paper):
    await paper.order(BID, 9_200, 1_000, tif=IOC)
    await paper.see(paper.delta(ASK, 9_200, -1_000), paper.delta(ASK, 9_200, 400))
    assert (await paper.order(BID, 9_200, 1_000, tif=IOC)).filled == 400


async def test_a_new_snapshot_does_not_bring_back_what_was_taken(paper):
    await paper.order(BID, 9_200, 1_000, tif=IOC)
    await paper.see(snapshot([(9_000, 5_000)], [(9_200, 1_000)]))
    assert (await paper.order(BID, 9_200, 1_000, tif=IOC)).filled == 0


async def test_fill_or_kill_counts_only_what_is_displayed(paper):
    with pytest.raises(OrderRejected, match="fill_or_kill"):
        await paper.order(BID, 9_200, 1_001, tif=FOK)
    assert (await paper.order(BID, 9_200, 1_000, tif=FOK)).filled == 1_000


async def test_a_post_only_order_that_would_cross_is_refused(paper):
    with pytest.raises(OrderRejected, match="post only cross"):
        await paper.order(BID, 9_200, 100, post_only=True)


async def test_reduce_only_closes_what_is_held_and_no_more(paper):
    await paper.order(BID, 9_200, 600, tif=IOC)
    ack = await paper.order(ASK, 9_000, 5_000, tif=IOC, reduce_only=True)
    assert ack.filled == 600
    assert await paper.position() == 0


async def test_an_order_beyond_the_cash_is_refused(paper):
    with pytest.raises(OrderRejected, match="insufficient_balance"):
        await paper.order(BID, 9_500, 12_000)
    assert (await paper.exchange.balance()).cash == CASH


async def test_cash_pays_for_fills_and_fees_exactly(paper):
    await paper.order(BID, 9_200, 1_000, tif=IOC)
    fill = (await paper.exchange.fills())[0]
    assert fill.fee > 0
    assert (await paper.exchange.balance()).cash == CASH - 9_200 * 1_000 - fill.fee


async def test_a_resting_order_waits_while_the_opposite_best_only_touches_it(paper):
    ack = await paper.order(BID, 9_100, 500)
    await paper.see(paper.delta(BID, 9_000, -5_000), paper.delta(ASK, 9_100, 800))
    assert ack.remaining == 500
    assert await paper.position() == 0


async def test_a_resting_order_fills_as_maker_when_the_book_moves_through_it(paper):
    await paper.order(BID, 9_000, 500)
    await paper.see(
        snapshot([(8_800, 100)], [(8_900, 300), (9_000, 400)]),
    )
    fill = (await paper.exchange.fills())[0]
    assert (fill.price, fill.quantity, fill.is_taker) == (9_000, 300, False)
    assert await paper.position() == 300


async def test_the_same_crossing_liquidity_fills_only_once(paper):
    await paper.order(BID, 9_000, 500)
    crossed = snapshot([(8_800, 100)], [(8_900, 300)])
    await paper.see(crossed, crossed, paper.delta(BID, 8_800, 50))
    assert await paper.position() == 300
    await paper.see(paper.delta(ASK, 8_900, 100))
    assert await paper.position() == 400


async def test_prints_at_the_price_fill_after_the_queue_ahead(paper):
    await paper.order(BID, 9_000, 500)
    await paper.see(paper.trade(9_000, 4_000, ASK))
    assert await paper.position() == 0
    await paper.see(paper.trade(9_000, 1_200, ASK))
    assert await paper.position() == 200
    await paper.see(paper.trade(9_000, 100, ASK))
    assert await paper.position() == 300


async def test_a_print_fills_no_more_than_it_printed_even_through_the_price(paper):
    await paper.order(BID, 9_000, 500)
    await paper.see(paper.trade(8_900, 150, ASK))
    assert await paper.position() == 150


async def test_one_print_is_shared_by_our_orders_in_their_order(paper):
    first = await paper.order(BID, 9_100, 300)
    second = await paper.order(BID, 9_100, 300)
    await paper.see(paper.trade(9_100, 400, ASK))
    filled = {order.order_id: order.filled for order in await paper.exchange.orders()}
    assert filled == {first.order_id: 300, second.order_id: 100}


async def test_a_later_order_of_ours_never_overtakes_an_earlier_one(paper):
    first = await paper.order(BID, 9_000, 5_000)
    second = await paper.order(BID, 9_000, 300)
    await paper.see(paper.trade(9_000, 6_000, ASK))
    filled = {order.order_id: order.filled for order in await paper.exchange.orders()}
    assert filled == {first.order_id: 1_000, second.order_id: 0}


async def test_a_shrinking_level_proves_that_fewer_are_ahead(paper):
    await paper.order(BID, 9_000, 500)
    await paper.see(paper.delta(BID, 9_000, -4_900), paper.trade(9_000, 150, ASK))
    assert await paper.position() == 50


async def test_a_print_whose_delta_came_first_does_not_count_twice(paper):
    await paper.order(BID, 9_000, 500)
    change = paper.delta(BID, 9_000, -5_000)
    late = paper.trade(9_000, 5_000, ASK, ago_us=1_000_000)
    await paper.see(change, late)
    assert await paper.position() == 0


async def test_a_print_from_before_the_order_does_not_fill_it(paper):
    await paper.order(BID, 9_100, 500)
    await paper.see(paper.trade(9_100, 400, ASK, ago_us=2_000_000))
    assert await paper.position() == 0


async def test_prints_of_our_own_side_and_blocks_fill_nothing(paper):
    await paper.order(BID, 9_100, 500)
    await paper.see(paper.trade(9_100, 400, BID), paper.trade(9_100, 400, ASK, is_block=True))
    assert await paper.position() == 0


async def test_asks_rest_and_fill_as_bids_do(paper):
    await paper.order(ASK, 9_200, 500)
    await paper.see(paper.trade(9_200, 1_300, BID))
    assert await paper.position() == -300
    await paper.see(snapshot([(9_300, 100)], [(9_400, 100)]))
    assert await paper.position() == -400


async def test_without_the_streams_book_one_is_read_for_the_order():
    paper = Paper()
    paper.markets.book = snapshot([(9_000, 100)], [(9_200, 250)])
    assert (await paper.order(BID, 9_200, 400, tif=IOC)).filled == 250
    assert (await paper.order(BID, 9_200, 400, tif=IOC)).filled == 0


async def test_a_lost_book_is_not_traded_on(paper):
    paper.markets.book = ExchangeUnavailable("down")
    for loss in (
        FeedGap(tickers=(TICKER,), reason="seq", received_us=0),
        FeedDown(received_us=0, reason="closed"),
    ):
        await paper.see(loss)
        with pytest.raises(ExchangeUnavailable):
            await paper.order(BID, 9_200, 100, tif=IOC)
    assert await paper.exchange.orders() == []


async def test_a_delta_below_zero_means_the_book_is_lost(paper):
    paper.markets.book = ExchangeUnavailable("down")
    await paper.see(paper.delta(ASK, 9_200, -1_001))
    with pytest.raises(ExchangeUnavailable):
        await paper.order(BID, 9_200, 100, tif=IOC)


async def test_a_crossed_book_fills_nothing(paper):
    await paper.order(BID, 9_100, 500)
    await paper.see(paper.delta(ASK, 8_900, 500))
    assert await paper.position() == 0


async def test_fills_and_order_changes_are_told_on_the_stream(paper):
    ack = await paper.order(BID, 9_000, 100, name="mine")
    await paper.see(paper.trade(8_900, 100, ASK))
    kinds = [type(event) for event in paper.heard]
    assert kinds == [OwnFill, OwnOrder]
    fill, order = paper.heard
    assert (fill.client_order_id, fill.fill.order_id) == ("mine", ack.order_id)
    assert (order.order.status, order.order.filled) == (OrderStatus.EXECUTED, 100)


async def test_a_volume_past_the_groups_limit_trips_it(paper):
    group = await paper.exchange.create_order_group(500, 0)
    await paper.order(BID, 8_000, 400, group=group)
    await paper.order(BID, 9_200, 600, tif=IOC, group=group)
    assert await paper.exchange.orders(status=OrderStatus.RESTING) == []
    with pytest.raises(OrderRejected, match="exceeded_order_group_risk_limit"):
        await paper.order(BID, 8_000, 100, group=group)


async def test_a_trading_pause_refuses_orders_and_cancels_resting_entries(paper):
    await paper.order(BID, 8_000, 100, purpose=Purpose.ENTRY)
    await paper.order(ASK, 9_900, 100)
    paper.markets.is_trading_active = False
    await paper.exchange.status()
    left = await paper.exchange.orders(status=OrderStatus.RESTING)
    assert [order.side for order in left] == [ASK]
    with pytest.raises(OrderRejected, match="trading_is_paused"):
        await paper.order(BID, 8_000, 100)
    paper.markets.is_trading_active = True
    await paper.exchange.status()
    assert (await paper.order(BID, 8_000, 100)).remaining == 100


async def test_our_orders_never_show_in_the_book_we_trade_on(paper):
    await paper.order(BID, 9_100, 500)
    assert paper.exchange.actions.depth(TICKER).available(BID, 9_000) == (BookLevel(9_000, 5_000),)
