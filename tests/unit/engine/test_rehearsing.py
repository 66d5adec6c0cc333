"""Rehearsals: often enough, never in anybody's way, and without an order."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bot.domain.events import HaltCommanded, OrderNotSent, QuoteChanged
from bot.domain.ids import MarketTicker, OrderGroupId
from bot.domain.money import Price, Quantity
from bot.domain.orders import OrderIntent
from bot.domain.quotes import Quote
from bot.engine.effects import Commit, SendOrder
from bot.engine.inbox import EngineInbox
from bot.engine.rehearsing import Rehearser, Understudies, rehearsing_reader
from bot.engine.runner import EngineRunner
from tests.fakes.loop_clock import LoopClock
from tests.support.hands import Hands, placing
from tests.support.rehearsed import trace
from tests.support.trading import Desk

QUOTE = Quote(
    ticker=MarketTicker("REHEARSAL-00-T0"),
    bid=Price(3_000),
    ask=Price(5_000),
    bid_size=Quantity(1_000),
    ask_size=Quantity(1_000),
    received_us=1,
)


class Bench:
    """A leading engine with a quote, the hands it would use, and what was rehearsed."""

    def __init__(self, every_us: int = 4_000) -> None:
        self.desk = Desk()
        self.desk.lead()
        self.desk.engine.world.strategies = ()
        self.desk.quote()
        self.hands = Hands()
        self.runner = EngineRunner(self.desk.engine, self.hands.executor, EngineInbox())
        self.reads = 0
        self.is_broken = False
        self.rows: list[object] = []
        self.requests: list[tuple[OrderIntent, OrderGroupId | None]] = []
        understudies = Understudies(
            gate=self.hands.gate,
            clock=LoopClock(),
            make_rows=self.rows.extend,
            make_request=lambda *request: self.requests.append(request),
        )
        self.reader = rehearsing_reader(self.desk.engine, understudies)
        self.rehearser = Rehearser(
            self.runner, self.read, LoopClock(), every_us=every_us, percent_max=3
        )

    def read(self) -> None:
        self.reads += 1
        if self.is_broken:
            raise LookupError("a defect")
        self.reader.gather(QuoteChanged(received_us=1, quote=QUOTE))
        self.reader.turn()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self.runner.run()), group.create_task(self.rehearser.run())]
            yield
            for task in tasks:
                task.cancel()


async def test_while_nothing_happens_the_whole_way_is_gone_and_nothing_is_sent_or_stored() -> None:
    bench = Bench()
    before = trace(bench.desk.engine.world)
    async with bench.running():
        await asyncio.sleep(1)
    assert 200 <= bench.rehearser.times <= 250
    assert len(bench.requests) == bench.reads == bench.rehearser.times
    assert len(bench.rows) == 3 * bench.reads
    assert bench.hands.exchange.calls == []
    assert bench.hands.store.commits == []
    assert bench.hands.reported == []
    assert trace(bench.desk.engine.world) == before
    assert bench.reader.is_idle


async def test_an_intent_that_is_rehearsed_could_not_be_stored_nor_sent() -> None:
    bench = Bench()
    bench.read()
    ((intent, _),) = bench.requests
    done = await bench.hands.do(
        Commit(epoch=intent.epoch, records=(intent,)), SendOrder(intent=intent)
    )
    assert [type(event) for event in done] == [OrderNotSent]
    assert bench.hands.exchange.calls == []
    assert bench.hands.store.commits == []


async def test_with_the_gate_shut_nothing_is_made_and_no_order_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    bench = Bench()
    bench.hands.gate.is_open = False
    bench.read()
    assert (bench.rows, bench.requests) == ([], [])
    assert "order not sent" not in caplog.text, "it would bear the name of the next real one"


async def test_a_halted_engine_decides_nothing_in_vain() -> None:
    bench = Bench()
    bench.desk.put(HaltCommanded(received_us=1, command_id=1, actor="test", reason="a test"))
    bench.read()
    assert (bench.rows, bench.requests) == ([], [])


async def test_nobody_is_kept_waiting() -> None:
    bench = Bench()
    bench.hands.store.stalled.clear()
    async with bench.running():
        await asyncio.sleep(0)
        bench.hands.executor.take(placing(bench.desk.engine.rehearse(()).intent))
        await asyncio.sleep(1)
        assert bench.reads == 0
        bench.hands.store.stalled.set()
        await asyncio.sleep(1)
    assert bench.reads > 100


async def test_a_slow_rehearsal_is_followed_by_a_longer_pause() -> None:
    bench = Bench()
    clock, took_us = bench.rehearser._clock, 10_000

    class Slow:
        """Time passes while somebody looks at it."""

        looks = 0

        def monotonic_us(self) -> int:
            self.looks += 1
            return clock.monotonic_us() + self.looks * took_us

    bench.rehearser._clock = Slow()
    async with bench.running():
        await asyncio.sleep(4)
    assert 11 <= bench.rehearser.times <= 13, "three hundredths of the time"


async def test_a_defect_ends_the_rehearsals_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = Bench()
    bench.is_broken = True
    async with bench.running():
        await asyncio.sleep(1)
        assert bench.reads == 1
        assert "rehearsals ended" in caplog.text


async def test_who_wants_none_has_none() -> None:
    bench = Bench(every_us=0)
    async with bench.running():
        await asyncio.sleep(1)
    assert bench.reads == 0
