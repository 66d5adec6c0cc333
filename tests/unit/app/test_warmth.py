"""Reading ahead of a take-over, on virtual time."""

import asyncio

from bot.app.warmth import Warmth
from bot.domain.errors import ExchangeUnavailable
from bot.domain.ids import SeriesTicker
from tests.fakes.exchange import FakeExchange
from tests.fakes.listing import listed, page
from tests.fakes.loop_clock import LoopClock

SERIES = (SeriesTicker("KXCPI"),)


class SlowExchange(FakeExchange):
    """Every listing takes a while."""

    def __init__(self, pause_s: float) -> None:
        super().__init__()
        self.pages["KXCPI", ""] = page(listed("KXCPI-27-T1"))
        self._pause_s = pause_s

    async def fee_terms(self, series):
        await asyncio.sleep(self._pause_s)
        return await super().fee_terms(series)


async def test_it_is_warm_once_the_listings_are_read_and_gives_them_once(looptime) -> None:
    exchange = SlowExchange(5)
    warmth = Warmth(exchange, SERIES, LoopClock())
    async with asyncio.TaskGroup() as group:
        group.create_task(warmth.run())
        await asyncio.sleep(4)
        assert not warmth.is_warm()
        await asyncio.sleep(1.5)
        assert not warmth.is_warm(), "the exchange's allowance is used up"
        await asyncio.sleep(1)
        assert warmth.is_warm()
    assert [one.market.ticker for one in await warmth.take()] == ["KXCPI-27-T1"]
    assert await warmth.take() == ()


async def test_a_leadership_that_begins_early_waits_for_the_reading_under_way(looptime) -> None:
    warmth = Warmth(SlowExchange(5), SERIES, LoopClock())
    async with asyncio.TaskGroup() as group:
        group.create_task(warmth.run())
        await asyncio.sleep(1)
        assert len(await warmth.take()) == 1
        assert looptime == 5


async def test_old_listings_are_not_given(looptime) -> None:
    warmth = Warmth(SlowExchange(1), SERIES, LoopClock())
    await warmth.run()
    await asyncio.sleep(90)
    assert await warmth.take() == ()


async def test_an_exchange_that_does_not_answer_holds_nobody_up(looptime) -> None:
    warmth = Warmth(SlowExchange(3_600), SERIES, LoopClock())
    await warmth.run()
    assert looptime == 31
    assert warmth.is_warm()
    assert await warmth.take() == ()


async def test_a_fault_of_the_exchange_leaves_the_reading_to_the_leadership() -> None:
    exchange = FakeExchange()
    exchange.faults["fee_terms"] = [ExchangeUnavailable("down")]
    warmth = Warmth(exchange, SERIES, LoopClock())
    await warmth.run()
    assert warmth.is_warm()
    assert await warmth.take() == ()


async def test_without_anything_to_read_it_is_warm_from_the_start() -> None:
    warmth = Warmth(FakeExchange(), (), LoopClock())
    assert warmth.is_warm()
    assert await warmth.take() == ()
