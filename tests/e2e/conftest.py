"""Real servers around the bot's own processes."""

from collections.abc import AsyncIterator

import pytest

from bot.kit.clock import SystemClock
from bot.simulator.server import SimulatedExchange
from bot.simulator.settings import RateLimits, SimulatorSettings
from tests.e2e.support.market import Market
from tests.fakes.telegram_server import FakeTelegram


@pytest.fixture
async def exchange() -> AsyncIterator[SimulatedExchange]:
    """A simulated exchange without markets of its own, so that it costs nothing."""
    settings = SimulatorSettings(world="empty", limits=RateLimits(is_on=False))
    async with SimulatedExchange(settings) as running:
        yield running


@pytest.fixture
def market(exchange: SimulatedExchange) -> Market:
    """Its only market."""
    return Market(exchange)


@pytest.fixture
async def telegram() -> AsyncIterator[FakeTelegram]:
    """The Bot API."""
    async with FakeTelegram() as running:
        running.date = SystemClock().now_us() // 1_000_000
        running.conflict_pause_s = 0.2
        yield running
