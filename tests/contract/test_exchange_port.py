"""What the rest of the bot may rely on from an exchange, over the simulated one's real sockets.

The suite knows ``Exchange`` and ``MarketFeed`` only; ``venues`` makes them. Another
implementation joins by another parameter.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import count
from random import Random

import msgspec
import pytest

from bot.adapters.kalshi.gateway import KalshiExchange, KalshiFeed
from bot.adapters.kalshi.settings import RestSettings, SessionSettings, StreamSettings, hosts_of
from bot.adapters.kalshi.signing import load_signer
from bot.domain.errors import CredentialsRefused, OrderRejected, OutcomeUnknown, RequestRefused
from bot.domain.ids import ClientOrderId, Epoch, MarketTicker, OrderId, StrategyId
from bot.domain.market import Market, MarketStatus
from bot.domain.money import Price, Quantity, cost
from bot.domain.orders import (
    BookSide,
    OrderIntent,
    OrderStatus,
    Purpose,
    TimeInForce,
)
from bot.domain.quotes import BookDelta, BookSnapshot, TickerUpdate
from bot.kit.clock import SystemClock
from bot.ports.exchange import (
    Exchange,
    FeedDown,
    FeedEvent,
    FeedGap,
    FeedUp,
    MarketFeed,
    MarketLifecycle,
    MarketQuery,
    OrderGroupChanged,
    OwnFill,
    OwnOrder,
)
from bot.simulator.faults import FaultRule
from bot.simulator.server import SimulatedExchange
from bot.simulator.settings import KeyType, RateLimits, SimulatorSettings
from bot.venue.markets import MarketResult
from tests.support.feeds import ToldTranslator, opened

pytestmark = pytest.mark.looptime(False)

REST = RestSettings(
    requests_per_second=1_000, write_timeout_s=0.5, backoff_base_s=0.01, backoff_cap_s=0.02
)
STREAM = StreamSettings(
    silence_max_s=2.0,
    backoff_base_s=0.01,
    backoff_cap_s=0.05,
    tick_s=0.05,
    failure_cooldown_s=0.05,
    session=SessionSettings(snapshot_timeout_us=200_000, retry_min_us=100_000),
)


@dataclass
class Stand:
    """One implementation of the ports, and the exchange behind it."""

    exchange: Exchange
    feed: MarketFeed
    sim: SimulatedExchange
    numbers: "count[int]"

    def fault(self, kind: str, **rule: object) -> None:
        self.sim.exchange.faults.arm(FaultRule(kind=kind, **rule))  # type: ignore[arg-type]

    def intent(self, market: Market, **change: object) -> OrderIntent:
        """An immediate bid for one contract at the ask, unless changed."""
        assert market.yes_ask is not None
        base = OrderIntent(
            client_order_id=ClientOrderId(f"contract-{next(self.numbers)}"),
            epoch=Epoch(1),
            strategy_id=StrategyId("contract"),
            signal_id=None,
            bracket_id=None,
            purpose=Purpose.ENTRY,
            ticker=market.ticker,
            exchange_index=market.exchange_index,
            side=BookSide.BID,
            price=market.yes_ask,
            quantity=Quantity(100),
            time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
            post_only=False,
            reduce_only=False,
            expires_us=None,
            decided_us=SystemClock().now_us(),
        )
        return msgspec.structs.replace(base, **change)  # type: ignore[arg-type]

    def resting(self, market: Market, **change: object) -> OrderIntent:
        """A bid of one cent that nobody meets."""
        given: dict[str, object] = {
            "price": Price(100),
            "time_in_force": TimeInForce.GOOD_TILL_CANCELED,
            "post_only": True,
        }
        return self.intent(market, **(given | change))


@asynccontextmanager
async def standing(key_type: KeyType) -> AsyncIterator[Stand]:
    settings = SimulatorSettings(
        speed=0, key_type=key_type, limits=RateLimits(is_on=False), tick_ms=20, ping_ms=200
    )
    async with SimulatedExchange(settings) as sim:
        hosts = hosts_of("demo", sim.base_url, sim.ws_url)
        signer = load_signer(sim.keys.key_id, sim.keys.private_pem.decode())
        clock, random = SystemClock(), Random(1)
        exchange = KalshiExchange(hosts, REST, signer=signer, clock=clock, random=random)
        feed = KalshiFeed(hosts, STREAM, signer=signer, clock=clock, random=random)
        async with exchange.open():
            yield Stand(exchange=exchange, feed=feed, sim=sim, numbers=count(1))


@pytest.fixture
async def stand() -> AsyncIterator[Stand]:
    async with standing(KeyType.ED25519) as made:
        yield made


async def open_markets(stand: Stand) -> list[Market]:
    found: list[Market] = []
    cursor = ""
    while True:
        page = await stand.exchange.market_page(MarketQuery(), cursor, 200)
        assert page.quarantined == ()
        found += [one.market for one in page.markets]
        cursor = page.cursor
        if not cursor:
            return found


async def liquid(stand: Stand) -> Market:
    """A market of shard 0 with both sides and some size at the ask."""
    for market in await open_markets(stand):
        is_quoted = market.yes_ask is not None and (market.yes_bid or 0) > 2_000
        if market.exchange_index == 0 and is_quoted and market.yes_ask_size >= 1_000:
            return market
    pytest.fail("the world has no liquid market")


async def until(
    events: AsyncIterator[FeedEvent], wanted: Callable[[FeedEvent], bool]
) -> list[FeedEvent]:
    """Everything up to and including the first event that is wanted."""
    seen: list[FeedEvent] = []
    async with asyncio.timeout(15):
        async for event in events:
            seen.append(event)
            if wanted(event):
                return seen
    pytest.fail("the feed ended")


def of(kind: type, ticker: MarketTicker | None = None) -> Callable[[FeedEvent], bool]:
    return lambda event: (
        isinstance(event, kind) and (ticker is None or getattr(event, "ticker", None) == ticker)
    )


# --- reads --------------------------------------------------------------------------------------


async def test_a_market_its_book_and_its_terms_agree(stand: Stand) -> None:
    market = await liquid(stand)
    single = await stand.exchange.market(market.ticker)
    assert single.market.grid == market.grid
    book = await stand.exchange.order_book(market.ticker)
    assert (book.bids[0].price, book.asks[0].price) == (market.yes_bid, market.yes_ask)
    assert [one.price for one in book.bids] == sorted(
        (one.price for one in book.bids), reverse=True
    )
    assert [one.price for one in book.asks] == sorted(one.price for one in book.asks)
    assert all(market.grid.accepts(one.price) for one in book.bids + book.asks)


async def test_series_and_events_state_their_terms(stand: Stand) -> None:
    series = next(iter(stand.sim.exchange.catalog.series))
    fees = await stand.exchange.fee_terms(series)
    assert fees.fee_type
    assert fees.multiplier_e6 > 0
    terms = await stand.exchange.event_terms(series)
    assert len({one.event_ticker for one in terms}) == len(terms)


async def test_the_status_carries_the_exchanges_clock(stand: Stand) -> None:
    status = await stand.exchange.status()
    assert status.is_exchange_active
    assert status.server_us is not None
    assert abs(status.server_us - SystemClock().now_us()) < 5_000_000


async def test_an_unknown_market_is_refused(stand: Stand) -> None:
    with pytest.raises(RequestRefused) as caught:
        await stand.exchange.market(MarketTicker("KXNOSUCH-1"))
    assert caught.value.status == 404


async def test_reads_survive_a_shaky_exchange(stand: Stand) -> None:
    market = await liquid(stand)
    for kind in ("500", "503", "429", "reset"):
        stand.fault(kind, method="GET")
    assert (await stand.exchange.market(market.ticker)).market.ticker == market.ticker


# --- orders -------------------------------------------------------------------------------------


async def test_a_fill_is_the_same_fact_wherever_it_is_told(stand: Stand) -> None:
    market = await liquid(stand)
    before = await stand.exchange.balance()
    intent = stand.intent(market)
    async with opened(stand.feed) as events:
        await until(events, of(FeedUp))
        await stand.feed.watch([market.ticker])
        await until(events, of(BookSnapshot, market.ticker))
        ack = await stand.exchange.create_order(intent, order_group_id=None)
        seen = await until(events, of(OwnFill))
    assert (ack.filled, ack.remaining, ack.client_order_id) == (100, 0, intent.client_order_id)
    told = seen[-1]
    assert isinstance(told, OwnFill)
    assert told.client_order_id == intent.client_order_id
    (fill,) = await stand.exchange.fills(order_id=ack.order_id)
    assert replace(fill, executed_us=0) == replace(told.fill, executed_us=0)
    assert (fill.side, fill.quantity, fill.is_taker) == (BookSide.BID, 100, True)
    assert fill.price <= intent.price
    (position,) = await stand.exchange.positions()
    assert (position.ticker, position.quantity, position.fees) == (market.ticker, 100, fill.fee)
    after = await stand.exchange.balance()
    assert before.cash - after.cash == cost(fill.price, fill.quantity) + fill.fee
    (order,) = await stand.exchange.orders(ticker=market.ticker)
    assert (order.order_id, order.status, order.filled) == (ack.order_id, OrderStatus.EXECUTED, 100)


async def test_a_sale_of_yes_is_an_ask_everywhere(stand: Stand) -> None:
    market = await liquid(stand)
    assert market.yes_bid is not None
    intent = stand.intent(market, side=BookSide.ASK, price=market.yes_bid)
    ack = await stand.exchange.create_order(intent, order_group_id=None)
    (fill,) = await stand.exchange.fills(order_id=ack.order_id)
    (position,) = await stand.exchange.positions()
    assert (fill.side, fill.price >= intent.price, position.quantity) == (BookSide.ASK, True, -100)


async def test_a_resting_order_is_found_told_and_cancelled_once(stand: Stand) -> None:
    market = await liquid(stand)
    intent = stand.resting(market)
    async with opened(stand.feed) as events:
        await until(events, of(FeedUp))
        await asyncio.sleep(0.2)
        ack = await stand.exchange.create_order(intent, order_group_id=None)
        seen = await until(events, of(OwnOrder))
        told = seen[-1]
        assert isinstance(told, OwnOrder)
        assert (told.order.order_id, told.order.status) == (ack.order_id, OrderStatus.RESTING)
        found = await stand.exchange.find_order(
            intent.client_order_id, market.ticker, intent.decided_us
        )
        assert found is not None
        assert (found.order_id, found.price, found.remaining) == (ack.order_id, 100, 100)
        assert [
            one.order_id for one in await stand.exchange.orders(status=OrderStatus.RESTING)
        ] == [ack.order_id]
        cancel = await stand.exchange.cancel_order(ack.order_id, market.ticker)
        assert cancel.reduced_by == 100
        seen = await until(events, of(OwnOrder))
        assert isinstance(seen[-1], OwnOrder)
        assert seen[-1].order.status is OrderStatus.CANCELED
    for order_id in (ack.order_id, OrderId("no-such-order")):
        with pytest.raises(OrderRejected) as caught:
            await stand.exchange.cancel_order(order_id, market.ticker)
        assert caught.value.code == "not_found"


async def test_an_order_nobody_sent_is_not_found(stand: Stand) -> None:
    market = await liquid(stand)
    now_us = SystemClock().now_us()
    found = await stand.exchange.find_order(ClientOrderId("never"), market.ticker, now_us)
    assert found is None


@pytest.mark.parametrize(
    "change, code",
    [
        ({"price": Price(155)}, "invalid_price"),
        ({"quantity": Quantity(100_000_000_00)}, "insufficient_balance"),
        ({"ticker": MarketTicker("KXNOSUCH-1"), "exchange_index": 0}, "market_not_found"),
        (
            {"time_in_force": TimeInForce.FILL_OR_KILL, "price": Price(100)},
            "fill_or_kill_insufficient_resting_volume",
        ),
        ({"time_in_force": TimeInForce.GOOD_TILL_CANCELED, "post_only": True}, "invalid_order"),
        ({"time_in_force": TimeInForce.GOOD_TILL_CANCELED, "reduce_only": True}, "invalid_order"),
    ],
)
async def test_a_refused_order_does_not_exist(
    stand: Stand, change: dict[str, object], code: str
) -> None:
    market = await liquid(stand)
    intent = stand.intent(market, **change)
    with pytest.raises(OrderRejected) as caught:
        await stand.exchange.create_order(intent, order_group_id=None)
    assert caught.value.code == code
    assert await stand.exchange.orders(status=OrderStatus.RESTING) == []
    assert await stand.exchange.fills() == []


async def test_an_immediate_order_nobody_meets_ends_empty(stand: Stand) -> None:
    market = await liquid(stand)
    ack = await stand.exchange.create_order(
        stand.intent(market, price=Price(100)), order_group_id=None
    )
    assert (ack.filled, ack.remaining) == (0, 0)


async def test_a_client_order_id_is_never_free_again(stand: Stand) -> None:
    market = await liquid(stand)
    intent = stand.resting(market)
    ack = await stand.exchange.create_order(intent, order_group_id=None)
    await stand.exchange.cancel_order(ack.order_id, market.ticker)
    with pytest.raises(OrderRejected) as caught:
        await stand.exchange.create_order(intent, order_group_id=None)
    assert caught.value.code == "order_already_exists"


async def test_a_lost_answer_is_unknown_and_the_order_can_be_found(stand: Stand) -> None:
    market = await liquid(stand)
    intent = stand.resting(market)
    stand.fault("lost_answer", method="POST", delay_ms=50)
    with pytest.raises(OutcomeUnknown):
        await stand.exchange.create_order(intent, order_group_id=None)
    found = await stand.exchange.find_order(
        intent.client_order_id, market.ticker, intent.decided_us
    )
    assert found is not None
    assert found.status is OrderStatus.RESTING


@pytest.mark.parametrize("kind", ["reset", "500", "503"])
async def test_a_failed_write_is_unknown_sent_once_and_may_not_exist(
    stand: Stand, kind: str
) -> None:
    market = await liquid(stand)
    intent = stand.resting(market)
    stand.fault(kind, method="POST")
    with pytest.raises(OutcomeUnknown):
        await stand.exchange.create_order(intent, order_group_id=None)
    found = await stand.exchange.find_order(
        intent.client_order_id, market.ticker, intent.decided_us
    )
    assert found is None


async def test_a_late_answer_is_unknown(stand: Stand) -> None:
    market = await liquid(stand)
    intent = stand.resting(market)
    stand.fault("latency", method="POST", delay_ms=1_500)
    with pytest.raises(OutcomeUnknown):
        await stand.exchange.create_order(intent, order_group_id=None)


async def test_a_write_that_was_never_taken_is_unknown_and_cannot_be_found(stand: Stand) -> None:
    market = await liquid(stand)
    intent = stand.resting(market)
    stand.fault("no_answer", method="POST", delay_ms=50)
    with pytest.raises(OutcomeUnknown):
        await stand.exchange.create_order(intent, order_group_id=None)
    found = await stand.exchange.find_order(
        intent.client_order_id, market.ticker, intent.decided_us
    )
    assert found is None


async def test_an_order_filled_while_it_is_being_canceled_counts_as_filled(stand: Stand) -> None:
    market = await liquid(stand)
    async with opened(stand.feed) as events:
        await until(events, of(FeedUp))
        await asyncio.sleep(0.2)
        ack = await stand.exchange.create_order(stand.resting(market), order_group_id=None)
        stand.fault("cancel_race", method="DELETE")
        with pytest.raises(OrderRejected) as caught:
            await stand.exchange.cancel_order(ack.order_id, market.ticker)
        assert caught.value.code == "not_found"
        seen = await until(events, of(OwnFill))
    assert isinstance(seen[-1], OwnFill)
    assert (seen[-1].fill.order_id, seen[-1].fill.quantity) == (ack.order_id, 100)
    (order,) = await stand.exchange.orders(ticker=market.ticker)
    assert (order.status, order.filled) == (OrderStatus.EXECUTED, 100)
    assert sum(one.quantity for one in await stand.exchange.fills(order_id=ack.order_id)) == 100


async def test_a_partial_fill_leaves_the_rest_resting(stand: Stand) -> None:
    market = await liquid(stand)
    stand.fault("partial_fill", method="POST")
    intent = stand.resting(market, quantity=Quantity(1_000))
    ack = await stand.exchange.create_order(intent, order_group_id=None)
    assert (ack.filled, ack.remaining) == (0, 1_000)
    (order,) = await stand.exchange.orders(ticker=market.ticker)
    assert (order.status, order.filled, order.remaining) == (OrderStatus.RESTING, 500, 500)
    cancel = await stand.exchange.cancel_order(ack.order_id, market.ticker)
    assert cancel.reduced_by == 500


@pytest.mark.parametrize("offset_ms", [-60_000, 60_000])
async def test_a_clock_that_is_off_is_refused_and_can_be_seen(stand: Stand, offset_ms: int) -> None:
    market = await liquid(stand)
    stand.sim.exchange.skew_ms = offset_ms
    with pytest.raises(CredentialsRefused, match="header_timestamp_expired"):
        await stand.exchange.create_order(stand.resting(market), order_group_id=None)
    stand.sim.exchange.skew_ms = offset_ms // 10
    status = await stand.exchange.status()
    assert status.server_us is not None
    ahead_us = status.server_us - SystemClock().now_us()
    assert abs(ahead_us - offset_ms * 100) < 2_000_000


async def test_an_order_refused_for_haste_does_not_exist(stand: Stand) -> None:
    market = await liquid(stand)
    intent = stand.resting(market)
    stand.fault("429", method="POST")
    with pytest.raises(OrderRejected) as caught:
        await stand.exchange.create_order(intent, order_group_id=None)
    assert caught.value.code == "too_many_requests"
    ack = await stand.exchange.create_order(intent, order_group_id=None)
    assert ack.remaining == 100


async def test_everything_can_be_cancelled_at_once(stand: Stand) -> None:
    market = await liquid(stand)
    for _ in range(3):
        await stand.exchange.create_order(stand.resting(market), order_group_id=None)
    await stand.exchange.cancel_all()
    assert await stand.exchange.orders(status=OrderStatus.RESTING) == []


async def test_a_triggered_group_cancels_its_orders_and_takes_no_more(stand: Stand) -> None:
    market = await liquid(stand)
    group = await stand.exchange.create_order_group(Quantity(10_000), market.exchange_index)
    assert list(await stand.exchange.order_groups()) == [group]
    free = await stand.exchange.create_order(stand.resting(market), order_group_id=None)
    await stand.exchange.create_order(stand.resting(market), order_group_id=group)
    async with opened(stand.feed) as events:
        await until(events, of(FeedUp))
        await asyncio.sleep(0.2)
        await stand.exchange.trigger_order_group(group)
        seen = await until(
            events, lambda one: isinstance(one, OrderGroupChanged) and one.kind == "triggered"
        )
    assert isinstance(seen[-1], OrderGroupChanged)
    assert seen[-1].order_group_id == group
    resting = await stand.exchange.orders(status=OrderStatus.RESTING)
    assert [one.order_id for one in resting] == [free.order_id]
    with pytest.raises(OrderRejected):
        await stand.exchange.create_order(stand.resting(market), order_group_id=group)


async def test_a_settled_market_pays_and_says_so(stand: Stand) -> None:
    market = await liquid(stand)
    ack = await stand.exchange.create_order(stand.intent(market), order_group_id=None)
    assert ack.filled == 100
    exchange, operations = stand.sim.exchange, stand.sim.venue.operations
    async with opened(stand.feed) as events:
        await until(events, of(FeedUp))
        await stand.feed.watch([market.ticker])
        await until(events, of(BookSnapshot, market.ticker))
        exchange.apply(operations.move_close(market.ticker, exchange.now_us(), exchange.now_us()))
        exchange.apply(operations.determine(market.ticker, MarketResult.YES, exchange.now_us()))
        seen = await until(
            events, lambda one: isinstance(one, MarketLifecycle) and one.kind == "determined"
        )
        await stand.sim.advance(seconds=7_200)
    assert isinstance(seen[-1], MarketLifecycle)
    assert (seen[-1].result, seen[-1].settlement_value) == ("yes", "1.0000")
    (settlement,) = [
        one for one in await stand.exchange.settlements() if one.ticker == market.ticker
    ]
    assert (settlement.result, settlement.value, settlement.revenue) == ("yes", 10_000, 1_000_000)
    assert market.ticker not in {one.ticker for one in await stand.exchange.positions()}
    listed = await stand.exchange.market(market.ticker)
    assert listed.market.status is MarketStatus.FINALIZED


# --- feed ---------------------------------------------------------------------------------------


class Rebuilt:
    """A consumer's book."""

    def __init__(self) -> None:
        self.sides: dict[BookSide, dict[int, int]] | None = None

    def apply(self, event: FeedEvent, ticker: MarketTicker) -> None:
        match event:
            case BookSnapshot(ticker=name) if name == ticker:
                self.sides = {
                    BookSide.BID: {one.price: one.quantity for one in event.bids},
                    BookSide.ASK: {one.price: one.quantity for one in event.asks},
                }
            case BookDelta(ticker=name) if name == ticker:
                assert self.sides is not None, "a delta of a book that is not trusted"
                side = self.sides[event.side]
                side[event.price] = side.get(event.price, 0) + event.change
                if not side[event.price]:
                    del side[event.price]
            case FeedDown():
                self.sides = None
            case FeedGap(tickers=names) if ticker in names:
                self.sides = None

    def agrees_with(self, book: BookSnapshot) -> bool:
        return self.sides == {
            BookSide.BID: {one.price: one.quantity for one in book.bids},
            BookSide.ASK: {one.price: one.quantity for one in book.asks},
        }


async def settle(
    stand: Stand, events: AsyncIterator[FeedEvent], market: Market, rebuilt: Rebuilt
) -> None:
    """Follow the feed until the rebuilt book is the exchange's own."""
    async with asyncio.timeout(15):
        async for event in events:
            rebuilt.apply(event, market.ticker)
            if rebuilt.sides is not None:
                book = await stand.exchange.order_book(market.ticker)
                if rebuilt.agrees_with(book):
                    return


@pytest.mark.parametrize(
    "kind, sign",
    [
        ("drop_frame", FeedGap),
        ("reorder_frame", FeedGap),
        ("error_25", FeedGap),
        ("error_10", FeedGap),
        ("disconnect", FeedDown),
    ],
)
async def test_a_book_heals_by_itself_after_a_loss(stand: Stand, kind: str, sign: type) -> None:
    market = await liquid(stand)
    rebuilt = Rebuilt()
    async with opened(stand.feed) as events:
        await until(events, of(FeedUp))
        await stand.feed.watch([market.ticker])
        for event in await until(events, of(BookSnapshot, market.ticker)):
            rebuilt.apply(event, market.ticker)
        stand.fault(kind, channel="orderbook_delta")
        for _ in range(3):
            await stand.exchange.create_order(stand.resting(market), order_group_id=None)
        for event in await until(events, of(sign)):
            rebuilt.apply(event, market.ticker)
        assert rebuilt.sides is None
        await settle(stand, events, market, rebuilt)


async def test_a_connection_that_is_only_half_there_is_replaced(stand: Stand) -> None:
    market = await liquid(stand)
    rebuilt = Rebuilt()
    async with opened(stand.feed) as events:
        await until(events, of(FeedUp))
        await stand.feed.watch([market.ticker])
        for event in await until(events, of(BookSnapshot, market.ticker)):
            rebuilt.apply(event, market.ticker)
        stand.fault("half_open", channel="orderbook_delta")
        await stand.exchange.create_order(stand.resting(market), order_group_id=None)
        for event in await until(events, of(FeedDown)):
            rebuilt.apply(event, market.ticker)
        assert stand.sim.settings.ping_ms < 1_000, "pings alone would have kept it"
        await settle(stand, events, market, rebuilt)


async def test_a_wrong_snapshot_shows_in_what_follows_and_is_replaced_on_request(
    stand: Stand,
) -> None:
    market = await liquid(stand)
    translator, rebuilt = ToldTranslator(), Rebuilt()
    stand.fault("wrong_snapshot")
    async with opened(stand.feed) as events:
        await until(events, of(FeedUp))
        await stand.feed.watch([market.ticker])
        for event in await until(events, of(BookSnapshot, market.ticker)):
            translator.translate(event)
        assert translator.books[market.ticker].is_trusted
        await stand.exchange.create_order(stand.intent(market), order_group_id=None)
        for event in await until(events, of(BookDelta, market.ticker)):
            translator.translate(event)
        assert translator.unsynced() == (market.ticker,)
        stand.feed.refresh([market.ticker])
        await settle(stand, events, market, rebuilt)


async def test_a_doubled_frame_changes_nothing(stand: Stand) -> None:
    market = await liquid(stand)
    rebuilt = Rebuilt()
    async with opened(stand.feed) as events:
        await until(events, of(FeedUp))
        await stand.feed.watch([market.ticker])
        for event in await until(events, of(BookSnapshot, market.ticker)):
            rebuilt.apply(event, market.ticker)
        stand.fault("duplicate_frame", channel="orderbook_delta")
        for _ in range(2):
            await stand.exchange.create_order(stand.resting(market), order_group_id=None)
        await settle(stand, events, market, rebuilt)


async def follow(
    events: AsyncIterator[FeedEvent],
    rebuilt: dict[MarketTicker, Rebuilt],
    is_done: Callable[[MarketTicker, Rebuilt], bool],
) -> None:
    """Rebuild all books until each of them is done."""
    async with asyncio.timeout(15):
        async for event in events:
            for ticker, book in rebuilt.items():
                book.apply(event, ticker)
            if all(is_done(ticker, book) for ticker, book in rebuilt.items()):
                return


async def test_books_follow_the_exchange_while_the_world_moves(stand: Stand) -> None:
    rebuilt = {market.ticker: Rebuilt() for market in (await open_markets(stand))[:40]}

    def is_right(ticker: MarketTicker, book: Rebuilt) -> bool:
        true = stand.sim.exchange.book(ticker)
        return true is not None and book.agrees_with(true)

    async with opened(stand.feed) as events:
        await until(events, of(FeedUp))
        await stand.feed.watch(list(rebuilt))
        await follow(events, rebuilt, lambda _, book: book.sides is not None)
        for _ in range(5):
            await stand.sim.advance(seconds=10)
        await follow(events, rebuilt, is_right)
        # The frames that made the books right may have held every ticker so far.
        await stand.sim.advance(seconds=10)
        assert await until(events, of(TickerUpdate))


async def test_a_market_no_longer_watched_is_silent(stand: Stand) -> None:
    first, second = [one for one in await open_markets(stand) if one.yes_bid and one.yes_ask][:2]
    async with opened(stand.feed) as events:
        await until(events, of(FeedUp))
        await stand.feed.watch([first.ticker, second.ticker])
        await until(events, of(BookSnapshot, second.ticker))
        await stand.feed.watch([second.ticker])
        await asyncio.sleep(0.2)
        for market in (first, second):
            await stand.exchange.create_order(stand.resting(market), order_group_id=None)
        seen = await until(events, of(BookDelta, second.ticker))
    assert not [one for one in seen if of(BookDelta, first.ticker)(one)]


async def test_an_unknown_market_does_not_spoil_the_others(stand: Stand) -> None:
    market = await liquid(stand)
    async with opened(stand.feed) as events:
        await until(events, of(FeedUp))
        await stand.feed.watch([MarketTicker("KXNOSUCH-1"), market.ticker])
        await until(events, of(BookSnapshot, market.ticker))
        await stand.exchange.create_order(stand.resting(market), order_group_id=None)
        await until(events, of(BookDelta, market.ticker))


# --- keys and pace ---------------------------------------------------------------------------------------


async def test_an_rsa_key_trades_and_listens_as_well() -> None:
    async with standing(KeyType.RSA) as stand:
        market = await liquid(stand)
        async with opened(stand.feed) as events:
            await until(events, of(FeedUp))
            ack = await stand.exchange.create_order(stand.intent(market), order_group_id=None)
            await until(events, of(OwnFill))
        assert ack.filled == 100


async def test_at_the_accounts_own_pace_nothing_is_refused() -> None:
    limits = RateLimits(read_rate=400, read_capacity=400, write_rate=400, write_capacity=400)
    settings = SimulatorSettings(
        speed=1, key_type=KeyType.ED25519, limits=limits, attested_until_us=1_790_000_000_000_000
    )
    async with SimulatedExchange(settings) as sim:
        hosts = hosts_of("demo", sim.base_url, sim.ws_url)
        signer = load_signer(sim.keys.key_id, sim.keys.private_pem.decode())
        exchange = KalshiExchange(
            hosts,
            replace(REST, requests_per_second=30),
            signer=signer,
            clock=SystemClock(),
            random=Random(1),
        )
        async with exchange.open():
            assert await exchange.adopt_limits() is not None
            assert await exchange.attested_until_us() == 1_790_000_000_000_000
            ticker = next(iter(sim.exchange.catalog.markets))
            async with asyncio.TaskGroup() as group:
                for _ in range(90):
                    group.create_task(exchange.market(ticker))
    assert exchange.counter.totals["ok"] == 92
    assert exchange.counter.totals["http_429"] == 0
