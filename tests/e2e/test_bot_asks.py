"""The first orders wait for a person in the chat."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.simulator.server import SimulatedExchange
from tests.e2e.support.bot import Home, home_of
from tests.e2e.support.chat import Chat
from tests.e2e.support.market import Market
from tests.fakes.telegram_server import FakeTelegram

pytestmark = [pytest.mark.e2e, pytest.mark.looptime(False)]

TRADING = {
    "BOT_MODE": "trade",
    "BOT_TRADING__STARTS_UNHALTED": "true",
    "BOT_TRADING__ALWAYS_WATCH": '["KXFED"]',
    "BOT_TRADING__REFRESH_S": "1",
    "BOT_TRADING__APPROVE_FIRST": "1",
}
ENTRIES = "SELECT status FROM order_intents WHERE purpose = 'entry'"


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
        made.settings |= TRADING
        yield made


async def test_an_order_is_sent_by_its_button_and_not_before(
    home: Home, market: Market, telegram: FakeTelegram
) -> None:
    chat = Chat(telegram, home)
    market.quote(8_000, 8_100)
    bot = home.bot()
    await bot.reach("leading")
    market.quote(9_400, 9_500)
    asked = await chat.hears("May I?")
    assert "YES of KXFED-26DEC-T1 at $0.9400" in asked.text
    assert await home.rows(ENTRIES) == []
    await chat.presses(asked, "Send it", "approved and sent")
    await home.until_rows(ENTRIES, lambda rows: [row[0] for row in rows] == ["resting"])
