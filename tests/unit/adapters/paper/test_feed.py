"""The stream on paper: everything public, ours in between, and the markets' real ends."""

import asyncio
from dataclasses import replace

import pytest

from bot.domain.errors import ExchangeUnavailable, OrderRejected, RequestRefused
from bot.domain.market import FeeTerms, MarketStatus
from bot.domain.orders import OrderStatus
from bot.ports.exchange import (
    EventTerms,
    FeedAlive,
    FeedUp,
    MarketLifecycle,
    MarketQuery,
    OrderGroupChanged,
    OwnFill,
    OwnOrder,
)
from tests.fakes.paper import SERIES, TICKER, RealMarkets, snapshot
from tests.unit.adapters.paper.support import ASK, BID, CASH, IOC, SECOND, Paper

BOOK = snapshot([(9_000, 5_000)], [(9_200, 1_000)])


def lifecycle(kind: str, **changes: object) -> MarketLifecycle:
    event = MarketLifecycle(
        ticker=TICKER,
        kind=kind,
        close_us=None,
        result=None,
        settlement_value=None,
        received_us=0,
    )
    return replace(event, **changes)


async def test_public_events_pass_in_order_with_our_own_between_them():
    paper = Paper()
    trade = paper.trade(8_900, 100, ASK)
    async with paper.streaming() as events:
        paper.source.push(FeedUp(received_us=1), BOOK)
        assert [await anext(events) for _ in range(2)] == [FeedUp(received_us=1), BOOK]
        await paper.order(BID, 9_000, 100)
        assert isinstance(await anext(events), OwnOrder)
        late = replace(trade, executed_us=paper.clock.now_us() + SECOND)
        alive = FeedAlive(received_us=3)
        paper.source.push(late, alive)
        heard = [await anext(events) for _ in range(4)]
    assert heard[0] == late
    assert sorted(type(event).__name__ for event in heard[1:]) == [
        "FeedAlive",
        "OwnFill",
        "OwnOrder",
    ]


async def test_private_events_of_the_real_account_do_not_pass():
    paper = Paper()
    foreign = OrderGroupChanged(order_group_id="real", kind="triggered", received_us=0)
    async with paper.streaming() as events:
        paper.source.push(foreign, FeedAlive(received_us=7))
        assert await anext(events) == FeedAlive(received_us=7)


async def test_watching_is_passed_to_the_real_stream():
    paper = Paper()
    await paper.feed.watch([TICKER])
    assert paper.source.watched == (TICKER,)


async def test_leaving_the_stream_closes_the_real_one_and_its_tasks():
    paper = Paper()
    async with paper.streaming() as events:
        paper.source.push(BOOK)
        await anext(events)
        assert paper.source.is_open
    assert not paper.source.is_open
    assert len(asyncio.all_tasks()) == 1


async def test_a_slow_journal_holds_the_socket_back_instead_of_filling_memory():
    paper = Paper()
    async with paper.streaming() as events:
        paper.source.push(BOOK)
        assert await anext(events) == BOOK
        await paper.order(BID, 9_000, 100)
        assert isinstance(await anext(events), OwnOrder)
        paper.journal.is_fast.clear()
        through = paper.trade(8_900, 100, ASK)
        paper.source.push(replace(through, executed_us=paper.clock.now_us() + SECOND))
        await asyncio.sleep(1)
        paper.source.push(*(FeedAlive(received_us=number) for number in range(1_023)))
        await asyncio.sleep(1)
        assert paper.source.holds == []
        paper.source.push(*(FeedAlive(received_us=number) for number in range(1_023, 2_000)))
        await asyncio.sleep(1)
        assert paper.source.holds == [True]
        paper.journal.is_fast.set()
        heard = [await anext(events) for _ in range(2_003)]
    assert paper.source.holds == [True, False]
    pulses = [event.received_us for event in heard if isinstance(event, FeedAlive)]
    assert pulses == list(range(2_000))


async def test_an_expired_order_is_told_without_any_event_of_the_market():
    paper = Paper()
    await paper.see(BOOK)
    await paper.order(BID, 8_000, 100, expires_us=paper.clock.now_us() + 5 * SECOND)
    async with paper.streaming() as events:
        paper.clock.advance(6 * SECOND)
        event = await anext(events)
    assert isinstance(event, OwnOrder)
    assert event.order.status is OrderStatus.CANCELED


async def test_a_triggered_group_is_told():
    paper = Paper()
    group = await paper.exchange.create_order_group(500, 0)
    async with paper.streaming() as events:
        await paper.exchange.trigger_order_group(group)
        event = await anext(events)
    assert (event.order_group_id, event.kind) == (group, "triggered")


@pytest.mark.parametrize(
    ("result", "value", "payout"),
    [
        ("yes", 10_000, 1_000 * 10_000),
        ("yes", None, 1_000 * 10_000),
        ("no", 0, 0),
        ("scalar", 5_500, 1_000 * 5_500),
        ("", 2_500, 1_000 * 2_500),
    ],
)
async def test_a_position_is_paid_what_the_real_market_paid(result, value, payout):
    paper = Paper()
    await paper.see(BOOK)
    await paper.order(BID, 9_200, 1_000, tif=IOC)
    cash = (await paper.exchange.balance()).cash
    paper.markets.change(status=MarketStatus.FINALIZED, result=result, settlement_value=value)
    async with paper.streaming():
        paper.source.push(lifecycle("determined"), lifecycle("settled"))
        await asyncio.sleep(31)
    assert (await paper.exchange.balance()).cash == cash + payout
    settlement = (await paper.exchange.settlements())[0]
    assert (settlement.ticker, settlement.revenue) == (TICKER, payout)
    assert await paper.exchange.positions() == []


async def test_a_determined_market_stops_trading_and_waits_for_its_payout():
    paper = Paper()
    await paper.see(BOOK)
    await paper.order(BID, 9_200, 1_000, tif=IOC)
    await paper.order(BID, 8_000, 100)
    await paper.see(lifecycle("determined", received_us=paper.clock.now_us()))
    assert await paper.exchange.orders(status=OrderStatus.RESTING) == []
    with pytest.raises(OrderRejected, match="MARKET_NOT_ACTIVE"):
        await paper.order(BID, 8_000, 100)
    paper.markets.change(status=MarketStatus.DETERMINED, result="yes")
    await paper.exchange.settlement_watch.check()
    assert await paper.position() == 1_000
    paper.markets.change(status=MarketStatus.FINALIZED)
    await paper.exchange.settlement_watch.check()
    assert await paper.position() == 0


async def test_a_market_that_settled_while_nobody_ran_is_found_after_its_close():
    close_us = Paper().clock.now_us() + 60 * SECOND
    paper = Paper(markets=RealMarkets(close_us=close_us))
    await paper.see(BOOK)
    await paper.order(BID, 9_200, 1_000, tif=IOC)
    again = paper.restarted()
    again.markets.change(status=MarketStatus.FINALIZED, result="no", settlement_value=0)
    again.clock.advance(61 * SECOND)
    async with again.streaming():
        await asyncio.sleep(1)
    assert await again.exchange.positions() == []
    assert len(await again.exchange.settlements()) == 1


async def test_what_ended_early_while_the_stream_was_away_is_read_on_its_return():
    paper = Paper()
    await paper.see(BOOK)
    await paper.order(BID, 9_200, 1_000, tif=IOC)
    paper.markets.change(status=MarketStatus.FINALIZED, result="yes", settlement_value=10_000)
    async with paper.streaming():
        paper.source.push(FeedUp(received_us=0))
        await asyncio.sleep(31)
    assert len(await paper.exchange.settlements()) == 1


async def test_a_failed_read_of_a_closed_market_is_tried_again():
    paper = Paper()
    await paper.see(BOOK)
    await paper.order(BID, 9_200, 1_000, tif=IOC)
    await paper.see(lifecycle("settled", received_us=paper.clock.now_us()))
    paper.markets.fault = ExchangeUnavailable("down")
    await paper.exchange.settlement_watch.check()
    paper.markets.fault = None
    paper.markets.change(status=MarketStatus.FINALIZED, result="yes", settlement_value=10_000)
    await paper.exchange.settlement_watch.check()
    assert len(await paper.exchange.settlements()) == 1


async def test_a_settlement_pays_once_however_often_it_is_read():
    paper = Paper()
    await paper.see(BOOK)
    await paper.order(BID, 9_200, 1_000, tif=IOC)
    paper.markets.change(status=MarketStatus.FINALIZED, result="yes", settlement_value=10_000)
    for _ in range(3):
        await paper.see(lifecycle("settled", received_us=paper.clock.now_us()))
        await paper.exchange.settlement_watch.check()
    assert len(await paper.exchange.settlements()) == 1


async def test_a_moved_close_and_a_stop_are_followed():
    paper = Paper()
    await paper.see(BOOK)
    await paper.order(BID, 8_000, 100)
    new_close = paper.clock.now_us() + 100 * SECOND
    await paper.see(lifecycle("close_date_updated", close_us=new_close), lifecycle("deactivated"))
    market = paper.exchange.desk.peek(lambda account: account.reads.market(TICKER))
    assert (market.close_us, market.status) == (new_close, MarketStatus.INACTIVE)
    with pytest.raises(OrderRejected, match="MARKET_NOT_ACTIVE"):
        await paper.order(BID, 8_000, 100)
    await paper.see(lifecycle("activated"))
    assert (await paper.order(BID, 8_000, 100)).remaining == 100


async def test_a_close_that_moved_while_away_reopens_the_market():
    close_us = Paper().clock.now_us() + 60 * SECOND
    paper = Paper(markets=RealMarkets(close_us=close_us))
    await paper.see(BOOK)
    await paper.order(BID, 9_200, 500, tif=IOC)
    paper.clock.advance(61 * SECOND)
    paper.markets.change(close_us=close_us + 600 * SECOND)
    await paper.exchange.settlement_watch.check()
    assert (await paper.order(BID, 8_000, 100)).remaining == 100


async def test_orders_for_closed_or_unknown_markets_are_refused():
    paper = Paper(markets=RealMarkets(close_us=1))
    with pytest.raises(OrderRejected, match="MARKET_NOT_ACTIVE"):
        await paper.order(BID, 8_000, 100)
    with pytest.raises(OrderRejected, match="market_not_found"):
        await paper.order(BID, 8_000, 100, ticker="NOBODY")


async def test_fees_are_those_of_the_series_the_market_was_listed_in():
    paper = Paper()
    await paper.exchange.market_page(MarketQuery(series_ticker=SERIES))
    await paper.see(BOOK)
    await paper.order(BID, 9_000, 100)
    await paper.see(paper.trade(8_900, 100, ASK))
    assert (await paper.exchange.fills())[0].fee == 0


async def test_an_event_may_have_fees_of_its_own_and_they_may_change():
    paper = Paper()
    await paper.exchange.market_page(MarketQuery(series_ticker=SERIES))
    await paper.see(BOOK)
    await paper.order(BID, 9_200, 100, tif=IOC)
    free = FeeTerms(fee_type="quadratic", multiplier_e6=0)
    terms = EventTerms(
        event_ticker=paper.markets.listed.event_ticker, is_exclusive=False, fees=free
    )
    paper.exchange._fees.saw_events([terms])
    await paper.order(BID, 9_200, 100, tif=IOC)
    dear, free_of_charge = await paper.exchange.fills()
    assert dear.fee > 0
    assert free_of_charge.fee == 0


async def test_a_market_never_listed_pays_makers_fees_too():
    paper = Paper()
    await paper.see(BOOK)
    await paper.order(BID, 9_000, 1_000)
    await paper.see(paper.trade(8_900, 1_000, ASK))
    assert (await paper.exchange.fills())[0].fee > 0


async def test_an_unknown_group_is_a_404_and_an_unknown_order_not_found():
    paper = Paper()
    with pytest.raises(RequestRefused) as refusal:
        await paper.exchange.trigger_order_group("nobody")
    assert refusal.value.status == 404
    with pytest.raises(OrderRejected) as rejection:
        await paper.exchange.cancel_order("nobody", TICKER)
    assert rejection.value.code == "not_found"


async def test_an_order_arrives_after_the_latency_and_meets_the_book_of_then():
    paper = Paper(latency_us=200_000)
    await paper.see(BOOK)
    async with asyncio.TaskGroup() as group:
        sent = group.create_task(paper.order(BID, 9_200, 500, tif=IOC))
        await asyncio.sleep(0.1)
        await paper.see(paper.delta(ASK, 9_200, -900))
    assert sent.result().filled == 100


async def test_cash_can_be_paid_in_and_taken_out():
    paper = Paper()
    await paper.exchange.deposit(5_000_000)
    await paper.exchange.deposit(-2_000_000)
    assert (await paper.exchange.balance()).cash == CASH + 3_000_000
    with pytest.raises(RequestRefused, match="insufficient_balance"):
        await paper.exchange.deposit(-(10**12))


async def test_an_own_fill_is_told_to_a_stream_opened_later_only_by_reading():
    paper = Paper()
    await paper.see(BOOK)
    await paper.order(BID, 9_200, 100, tif=IOC)
    again = paper.restarted()
    async with again.streaming() as events:
        again.source.push(FeedAlive(received_us=1))
        first = await anext(events)
    assert not isinstance(first, OwnFill)
    assert len(await again.exchange.fills()) == 1
