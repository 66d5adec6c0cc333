"""What the exchange says of itself is kept, and only as long as somebody looked."""

import asyncio

import pytest

from bot.collect.exchange_watch import ExchangeWatch
from bot.domain.errors import CredentialsRefused, ExchangeUnavailable, StorageUnavailable
from bot.kit.times import HOUR_US, MINUTE_US
from bot.ports.exchange import ExchangeStatus
from bot.ports.gaps import Closure, ClosureKind, ExchangeState
from tests.fakes.clock import ManualClock
from tests.fakes.gaps import MemoryGapStore

NOW = 1_700_000_000_000_000
PLANNED = Closure(start_us=NOW + HOUR_US, end_us=NOW + 2 * HOUR_US, kind=ClosureKind.HOURS)


class Hours:
    """An exchange with two switches, that may not answer."""

    def __init__(self) -> None:
        self.is_active = self.is_trading = True
        self.fault: Exception | None = None
        self.plan_fault: Exception | None = None
        self.plans_asked = 0

    async def status(self) -> ExchangeStatus:
        if self.fault:
            raise self.fault
        return ExchangeStatus(
            is_exchange_active=self.is_active,
            is_trading_active=self.is_trading,
            resume_us=None,
            server_us=None,
        )

    async def planned_closures(self, from_us: int, to_us: int) -> list[Closure]:
        self.plans_asked += 1
        if self.plan_fault:
            raise self.plan_fault
        return [PLANNED]


@pytest.fixture
def parts():
    exchange, store, clock = Hours(), MemoryGapStore(), ManualClock(NOW)
    return exchange, store, clock, ExchangeWatch(exchange, store, clock)


async def test_each_state_is_kept_as_a_spell(parts) -> None:
    exchange, store, clock, watch = parts
    assert await watch.look() is ExchangeState.OPEN
    clock.advance(MINUTE_US)
    exchange.is_trading = False
    assert await watch.look() is ExchangeState.PAUSED
    clock.advance(MINUTE_US)
    exchange.is_active = False
    assert await watch.look() is ExchangeState.CLOSED
    clock.advance(MINUTE_US)
    exchange.fault = ExchangeUnavailable("HTTP 503")
    assert await watch.look() is ExchangeState.UNREACHABLE
    clock.advance(MINUTE_US)
    assert await watch.look() is ExchangeState.UNREACHABLE
    spells = await store.spells(0, 2 * NOW)
    assert [(one.state.value, one.until_us - one.since_us, one.detail) for one in spells] == [
        ("open", 0, ""),
        ("trading_paused", 0, ""),
        ("closed", 0, ""),
        ("unreachable", MINUTE_US, "HTTP 503"),
    ]


async def test_an_answer_that_refuses_our_key_is_no_outage(parts) -> None:
    exchange, store, _, watch = parts
    exchange.fault = CredentialsRefused("key revoked")
    assert await watch.look() is ExchangeState.OPEN
    [spell] = await store.spells(0, 2 * NOW)
    assert spell.detail == "key revoked"


async def test_the_schedule_is_read_once_an_hour_and_again_if_that_failed(parts) -> None:
    exchange, store, clock, watch = parts
    exchange.plan_fault = ExchangeUnavailable("HTTP 500")
    await watch.look()
    exchange.plan_fault = None
    clock.advance(MINUTE_US)
    await watch.look()
    clock.advance(MINUTE_US)
    await watch.look()
    assert exchange.plans_asked == 2
    assert await store.closures(0, 2 * NOW) == [PLANNED]
    clock.advance(HOUR_US)
    await watch.look()
    assert exchange.plans_asked == 3


async def test_it_goes_on_when_the_database_is_away(parts) -> None:
    _, store, _, watch = parts
    store.is_down = True
    with pytest.raises(StorageUnavailable):
        await watch.look()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(150):
            await watch.run()
    assert store.refused == 4
    store.is_down = False
    assert await watch.look() is ExchangeState.OPEN
