"""The ways out of trading, with the real engine and its hands on an exchange in memory."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bot.app.draining import DoubtWatch, EntriesOff
from bot.domain.errors import ExchangeUnavailable, OutcomeUnknown
from bot.domain.events import Event, LeadDoubted, QuoteChanged, Role, RoleChanged
from bot.domain.money import Price, Quantity
from bot.domain.orders import OrderStatus
from bot.domain.quotes import Quote
from bot.engine import views
from bot.engine.inbox import EngineInbox
from bot.engine.runner import EngineRunner
from bot.kit.times import HOUR_US
from bot.leadership.gate import LeaderGate, Moment
from bot.leadership.lease import LeaseTerms
from tests.fakes.loop_clock import LoopClock
from tests.support.hands import EPOCH, Hands
from tests.support.trading import TICKER, Desk

DRAIN_S = 10.0


class Ship:
    """A leading engine whose only market can be quoted."""

    def __init__(self) -> None:
        self.clock = LoopClock()
        desk = Desk(epoch=EPOCH, now_us=self.clock.now_us())
        desk.lead()
        desk.list_markets(TICKER, close_us=self.clock.now_us() + 5 * HOUR_US)
        self.hands = Hands()
        self.exchange = self.hands.exchange
        self.world = desk.engine.world
        self.runner = EngineRunner(desk.engine, self.hands.executor, EngineInbox())
        self.hands.executor._report = self.runner.submit

    @asynccontextmanager
    async def sailing(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.runner.run())
            yield
            task.cancel()

    def enter(self) -> None:
        quote = Quote(
            ticker=TICKER,
            bid=Price(9_500),
            ask=Price(9_600),
            bid_size=Quantity(500_000),
            ask_size=Quantity(500_000),
            received_us=self.clock.now_us(),
        )
        self.runner.submit(QuoteChanged(received_us=self.clock.now_us(), quote=quote))

    async def drain(self) -> float:
        """How many seconds it took."""
        began = asyncio.get_running_loop().time()
        role = RoleChanged(received_us=self.clock.now_us(), role=Role.DRAINING, epoch=EPOCH)
        self.runner.submit(role)
        await EntriesOff(
            world=self.world, runner=self.runner, groups=self.hands.groups, drain_s=DRAIN_S
        ).run()
        return asyncio.get_running_loop().time() - began

    def entry(self) -> OrderStatus:
        [bracket] = self.world.desk.brackets.values()
        return bracket.entry.status


async def test_a_resting_entry_is_cancelled_and_its_group_left_alone(looptime) -> None:
    ship = Ship()
    async with ship.sailing():
        ship.enter()
        await ship.runner.settle()
        assert views.open_entries(ship.world) == (1, 0)
        assert await ship.drain() < 1
    assert ship.exchange.known == {}
    assert ship.entry() is OrderStatus.CANCELED
    assert list(ship.exchange.groups.values()) == [False], "everything is known: no need"


async def test_an_entry_on_its_way_is_awaited_and_then_cancelled(looptime) -> None:
    ship = Ship()
    ship.exchange.gates["create_order"] = asyncio.Event()
    async with ship.sailing():
        ship.enter()
        await asyncio.sleep(0.1)
        assert ship.exchange.in_flight == 1
        asyncio.get_running_loop().call_later(2, ship.exchange.gates["create_order"].set)
        assert 1.9 <= await ship.drain() < 3
    assert ship.exchange.known == {}
    assert ship.entry() is OrderStatus.CANCELED


@pytest.mark.parametrize(
    ("call", "fault"),
    [
        ("create_order", OutcomeUnknown("no answer")),
        ("cancel_order", OutcomeUnknown("no answer")),
        ("cancel_order", ExchangeUnavailable("503")),
    ],
    ids=["send", "cancel", "cancel refused"],
)
async def test_an_entry_of_which_nobody_knows_is_ended_by_its_group(
    looptime, call: str, fault: Exception
) -> None:
    ship = Ship()
    ship.exchange.faults[call] = [fault]
    async with ship.sailing():
        ship.enter()
        await ship.runner.settle()
        await ship.drain()
        assert views.open_entries(ship.world) == (0, 1)
    assert list(ship.exchange.groups.values()) == [True]


async def test_an_exchange_that_does_not_answer_leaves_time_for_the_rest_of_the_drain(
    looptime, caplog: pytest.LogCaptureFixture
) -> None:
    ship = Ship()
    async with ship.sailing():
        ship.enter()
        await ship.runner.settle()
        for call in ("cancel_order", "trigger_order_group"):
            ship.exchange.gates[call] = asyncio.Event()
        with caplog.at_level(logging.ERROR, "bot.app.draining"):
            assert await ship.drain() <= 0.8 * DRAIN_S
        assert ship.exchange.named("trigger_order_group")
        assert "entries may still rest at the exchange" in caplog.text


def doubting() -> tuple[LeaderGate, LoopClock, list[Event], DoubtWatch]:
    clock, heard = LoopClock(), []
    gate = LeaderGate(LeaseTerms(), clock)
    gate.hold(EPOCH, Moment.of(clock))
    return gate, clock, heard, DoubtWatch(gate, clock, heard.append)


async def test_the_engine_hears_of_a_doubt_when_the_gate_shuts_and_of_its_end(looptime) -> None:
    gate, clock, heard, watch = doubting()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(watch.run())
        await asyncio.sleep(LeaseTerms().gate_us / 1_000_000 - 0.2)
        assert heard == []
        await asyncio.sleep(0.4)
        assert [one.is_doubted for one in heard if isinstance(one, LeadDoubted)] == [True]
        gate.hold(EPOCH, Moment.of(clock))
        await asyncio.sleep(0.2)
        assert [one.is_doubted for one in heard if isinstance(one, LeadDoubted)] == [True, False]
        task.cancel()
