"""Another bot on the same account, with another database: only the exchange shows it."""

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import msgspec
import pytest

from bot.adapters.kalshi.gateway import KalshiExchange
from bot.adapters.kalshi.settings import RestSettings, hosts_of
from bot.adapters.kalshi.signing import load_signer
from bot.domain.money import Price, Quantity
from bot.domain.orders import OrderStatus
from bot.kit.clock import SystemClock
from bot.simulator.server import SimulatedExchange
from tests.e2e.support.bot import Home, home_of
from tests.e2e.support.chat import Chat
from tests.e2e.support.market import TICKER, Market
from tests.fakes.telegram_server import FakeTelegram
from tests.support.hands import intent

pytestmark = [pytest.mark.e2e, pytest.mark.looptime(False)]

OTHERS = "01a2b3c4-0000-7123-8abc-0123456789ab-e0"
DEMO = {
    "BOT_MODE": "trade",
    "ENABLE_LIVE_TRADING": "true",
    "BOT_TRADING__STARTS_UNHALTED": "true",
    "BOT_TRADING__ALWAYS_WATCH": '["KXFED"]',
}


@pytest.fixture
async def home(
    exchange: SimulatedExchange,
    market: Market,
    telegram: FakeTelegram,
    sqlite_url: str,
    tmp_path: Path,
) -> AsyncIterator[Home]:
    async with home_of(tmp_path, sqlite_url, exchange, telegram) as made:
        made.take_time()
        made.settings |= DEMO
        yield made


@asynccontextmanager
async def other_bot(exchange: SimulatedExchange) -> AsyncIterator[KalshiExchange]:
    """The hands of a bot with the same key."""
    address = f"127.0.0.1:{exchange.port}"
    made = KalshiExchange(
        hosts_of("demo", f"http://{address}", f"ws://{address}"),
        RestSettings(requests_per_second=100),
        signer=load_signer(exchange.keys.key_id, exchange.keys.private_pem.decode()),
        clock=SystemClock(),
        random=Random(1),
    )
    async with made.open():
        yield made


async def test_what_another_bot_left_halts_us_until_it_is_taken_over(
    home: Home, exchange: SimulatedExchange, telegram: FakeTelegram
) -> None:
    chat = Chat(telegram, home)
    async with other_bot(exchange) as other:
        group = await other.create_order_group(Quantity(100_000), 0)
        bid = msgspec.structs.replace(
            intent(OTHERS), ticker=TICKER, price=Price(1_000), quantity=Quantity(100)
        )
        await other.create_order(bid, order_group_id=group)
        first = home.bot(RAILWAY_DEPLOYMENT_ID="d1")
        await first.reach("leading")
        words = "another bot trades on this account: 1 order groups and 1 orders"
        assert words in (await first.page("/status"))["why_not_trading"]
        asked = await chat.asks("/adopt", "Shut the order groups")
        await chat.presses(asked, "Take over", "1 order groups are shut")
        assert await other.orders(status=OrderStatus.RESTING) == []
        asked = await chat.asks("/unhalt", "End the halt?")
        await chat.presses(asked, "End the halt", "The halt is ended")
        assert (await first.told(signal.SIGTERM)).code == 0
        second = home.bot(RAILWAY_DEPLOYMENT_ID="d1")
        await second.reach("leading")
    assert second.log("halted beside another bot") == [], "it was decided on"
    assert "another bot" not in str((await second.page("/status"))["why_not_trading"])
