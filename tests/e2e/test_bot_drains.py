"""Every way out of trading leaves protective exits and no entry at the exchange.

Orders go out for real here, to a simulated exchange whose money is none.
"""

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.domain.ids import MarketTicker
from bot.domain.orders import BookSide, OrderStatus
from bot.simulator.server import FIRST_USER, SimulatedExchange
from tests.e2e.support.bot import Home, Program, eventually, home_of
from tests.e2e.support.market import Market
from tests.support.blackhole import BlackHole

pytestmark = [pytest.mark.e2e, pytest.mark.postgres, pytest.mark.looptime(False)]

TRADING = {
    "BOT_MODE": "trade",
    "BOT_TRADING__LIVE": "true",
    "BOT_TRADING__STARTS_UNHALTED": "true",
    "BOT_TRADING__ALWAYS_WATCH": '["KXFED"]',
    "BOT_TRADING__REFRESH_S": "1",
    "BOT_TRADING__SERIES_MAX_PCT": "100",
    "BOT_TRADING__RELEASE_GROUP_MAX_PCT": "100",
    "BOT_TRADING__TOTAL_MAX_PCT": "100",
}
HELD, WANTED = MarketTicker("KXFED-26DEC-T1"), MarketTicker("KXFED-27JAN-T1")
CALM, BUSY, FALLEN = (8_000, 8_100), (9_400, 9_500), (9_200, 9_300)
EXIT, ENTRY = (HELD, BookSide.ASK), (WANTED, BookSide.BID)
LEASE = "SELECT holder, clean_release FROM leader_lease"


class Stage:
    """A bot that holds a position with its take-profit, and wants another one."""

    def __init__(self, home: Home, exchange: SimulatedExchange) -> None:
        self.home = home
        self._exchange = exchange
        self._markets = {one: Market(exchange, one) for one in (HELD, WANTED)}
        for market in self._markets.values():
            market.quote(*CALM)

    def resting(self) -> set[tuple[MarketTicker, BookSide]]:
        """The bot's orders at the exchange."""
        account = self._exchange.exchange.accounts.find(FIRST_USER, 0)
        assert account is not None
        orders = self._exchange.venue.reads.orders(account, status=OrderStatus.RESTING)
        return {(order.ticker, order.side) for order in orders}

    async def until_resting(self, *wanted: tuple[MarketTicker, BookSide]) -> None:
        await eventually(
            lambda: self.resting() == set(wanted),
            lambda: f"{self.resting()}\n{self.home.story()}",
        )

    async def plays(self, **changes: str | None) -> Program:
        bot = self.home.bot(RAILWAY_DEPLOYMENT_ID="d1", **changes)
        await bot.reach("leading")
        self._markets[HELD].quote(*BUSY)
        await self.until_resting((HELD, BookSide.BID))
        self._markets[HELD].quote(*FALLEN)
        self._markets[HELD].quote(*BUSY)
        await self.until_resting(EXIT)
        self._markets[WANTED].quote(*BUSY)
        await self.until_resting(EXIT, ENTRY)
        return bot


@pytest.fixture
async def stage(
    exchange: SimulatedExchange, postgres_url: str, tmp_path: Path
) -> AsyncIterator[Stage]:
    async with home_of(tmp_path, postgres_url, exchange) as home:
        home.settings |= TRADING
        yield Stage(home, exchange)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_entry_and_leaves_the_take_profit(
    stage: Stage, number: signal.Signals
) -> None:
    bot = await stage.plays()
    assert (await bot.told(number)).code == 0
    assert stage.resting() == {EXIT}
    assert await stage.home.rows(LEASE) == [(None, True)]
    statuses = await stage.home.rows(f"SELECT status FROM order_intents WHERE ticker = '{WANTED}'")
    assert statuses == [("canceled",)]


async def test_a_superseded_leader_ends_its_entry_and_leaves_the_take_profit(
    stage: Stage,
) -> None:
    bot = await stage.plays()
    # The successor cannot activate, so everything seen at the exchange is the old one's doing.
    stage.home.bot(RAILWAY_DEPLOYMENT_ID="d2", KALSHI_REST_URL="http://127.0.0.1:9")
    await bot.reach("released")
    assert stage.resting() == {EXIT}
    assert bot.is_running, "it stands ready until the successor leads"


async def test_a_deactivated_leader_ends_its_entry_although_it_may_write_nothing_any_more(
    stage: Stage,
) -> None:
    bot = await stage.plays()
    await stage.home.execute("UPDATE bot_instances SET is_active = FALSE")
    assert (await bot.ended()).code == 0
    assert stage.resting() == {EXIT}
    told = await stage.home.rows("SELECT text FROM outbox WHERE kind = 'stops_unwatched'")
    assert len(told) == 1
    assert "nobody leads" in told[0][0]
    assert "positions without a stop: 1" in told[0][0]


async def test_a_lost_database_ends_the_entry_at_the_exchange_and_leaves_the_take_profit(
    stage: Stage,
) -> None:
    address = stage.home.database
    port = int(address.rpartition(":")[2].partition("/")[0])
    async with BlackHole.running(port) as network:
        through = address.replace(f":{port}/", f":{network.port}/")
        bot = await stage.plays(DATABASE_URL=through)
        network.is_open = False
        await stage.until_resting(EXIT)
        await bot.reach("standby")
        assert stage.resting() == {EXIT}
        assert bot.is_running
        network.is_open = True
        await bot.reach("leading", times=2)
