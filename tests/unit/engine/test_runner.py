"""The runner: one event at a time, and settled means nothing is under way."""

import asyncio

import pytest

from bot.domain.events import (
    BooksDistrusted,
    Event,
    FeedConnected,
    OrderAcknowledged,
    OrderGroupTripped,
    QuoteChanged,
    TimeAdvanced,
)
from bot.domain.quotes import Quote
from bot.engine.effects import Effect
from bot.engine.inbox import EngineInbox
from bot.engine.runner import EngineRunner
from tests.support.hands import Hands, intent, placing


class Decider:
    """Places one order for each connect, and remembers what it saw."""

    def __init__(self) -> None:
        self.seen: list[Event] = []

    def handle(self, event: Event) -> tuple[Effect, ...]:
        self.seen.append(event)
        if isinstance(event, FeedConnected):
            return placing(intent(f"c{event.received_us}"))
        if isinstance(event, TimeAdvanced) and event.received_us < 0:
            raise ValueError("a bug in the engine")
        return ()


def built() -> tuple[Hands, Decider, EngineRunner]:
    hands, decider, inbox = Hands(), Decider(), EngineInbox()
    runner = EngineRunner(decider, hands.executor, inbox)
    hands.executor._report = runner.submit
    return hands, decider, runner


async def running(runner: EngineRunner, act) -> None:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(runner.run())
        await act()
        task.cancel()


async def test_what_an_effect_brings_comes_back_as_an_event() -> None:
    _, decider, runner = built()

    async def act() -> None:
        runner.submit(FeedConnected(received_us=1))
        await runner.settle()

    await running(runner, act)
    assert [type(event) for event in decider.seen] == [FeedConnected, OrderAcknowledged]


async def test_settled_means_that_orders_in_flight_are_answered() -> None:
    hands, decider, runner = built()
    hands.exchange.gates["create_order"] = asyncio.Event()

    async def act() -> None:
        runner.submit(FeedConnected(received_us=1))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await runner.settle()
        hands.exchange.gates["create_order"].set()
        await runner.drain()
        assert isinstance(decider.seen[-1], OrderAcknowledged)

    await running(runner, act)


async def test_the_engine_is_not_told_of_a_group_that_is_not_in_use() -> None:
    _, decider, runner = built()

    async def act() -> None:
        runner.submit(OrderGroupTripped(received_us=1, order_group_id="foreign"))
        runner.submit(TimeAdvanced(received_us=2))
        await runner.settle()

    await running(runner, act)
    assert decider.seen == [TimeAdvanced(received_us=2)]


@pytest.mark.looptime(False)
async def test_a_flood_of_events_lets_others_run() -> None:
    _, decider, runner = built()
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def act() -> None:
        for number in range(5_000):
            runner.submit(OrderGroupTripped(received_us=number, order_group_id="g"))
        async with asyncio.TaskGroup() as group:
            task = group.create_task(count_turns())
            await runner.settle()
            task.cancel()

    await running(runner, act)
    assert turns > 15
    assert decider.seen == []


async def test_a_bug_in_the_engine_ends_the_service() -> None:
    _, _, runner = built()
    runner.submit(TimeAdvanced(received_us=-1))
    with pytest.raises(ExceptionGroup) as caught:
        await runner.run()
    assert caught.group_contains(ValueError, match="a bug")


async def test_quotes_wait_for_what_may_not_be_dropped() -> None:
    _, decider, runner = built()
    inbox = runner._inbox
    quote = QuoteChanged(received_us=1, quote=_quote())
    inbox.put(quote)
    inbox.put(FeedConnected(received_us=2))
    await running(runner, runner.settle)
    assert [type(event) for event in decider.seen[:2]] == [FeedConnected, QuoteChanged]


def _quote():

    return Quote(ticker="A", bid=1, ask=2, bid_size=1, ask_size=1, received_us=1)


async def test_what_was_gathered_is_dealt_with_in_the_call_that_asks_for_it() -> None:
    hands, decider, runner = built()

    async def act() -> None:
        await asyncio.sleep(0.01)
        runner.gather(FeedConnected(received_us=1))
        runner.gather(QuoteChanged(received_us=2, quote=_quote()))
        assert decider.seen == []
        runner.turn()
        assert [type(event) for event in decider.seen] == [FeedConnected, QuoteChanged]
        await runner.settle()

    await running(runner, act)
    assert len(hands.exchange.calls) == 2, "a group and an order"


async def test_what_is_gathered_before_anything_runs_waits_for_it() -> None:
    _, decider, runner = built()
    runner.gather(TimeAdvanced(received_us=1))
    runner.turn()
    assert decider.seen == []
    await running(runner, runner.settle)
    assert decider.seen == [TimeAdvanced(received_us=1)]


async def test_a_turn_ends_after_its_share_and_the_rest_is_not_forgotten() -> None:
    _, decider, runner = built()

    async def act() -> None:
        await asyncio.sleep(0.01)
        for number in range(300):
            runner.gather(BooksDistrusted(received_us=number, tickers=("A",), reason="gap"))
        runner.turn()
        assert len(decider.seen) == 256
        await runner.settle()

    await running(runner, act)
    assert [event.received_us for event in decider.seen] == list(range(300))


async def test_a_bug_in_a_turn_ends_the_service_before_anything_else_is_decided() -> None:
    _, decider, runner = built()

    async def act() -> None:
        await asyncio.sleep(0.01)
        runner.gather(TimeAdvanced(received_us=-1))
        runner.submit(FeedConnected(received_us=1))
        runner.turn()
        runner.submit(FeedConnected(received_us=2))
        runner.turn()
        await asyncio.sleep(1)

    with pytest.raises(ExceptionGroup) as caught:
        await running(runner, act)
    assert caught.group_contains(ValueError, match="a bug")
    assert [event.received_us for event in decider.seen] == [1, -1]
