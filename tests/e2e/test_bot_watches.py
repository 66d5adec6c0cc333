"""Read only: the account is known and told, and nothing is ever sent."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from bot.domain.money import Price, Quantity
from bot.domain.orders import OrderStatus, TimeInForce
from bot.simulator.server import SimulatedExchange
from tests.e2e.support.bot import Home, home_of
from tests.e2e.support.chat import Chat
from tests.e2e.support.market import TICKER, Market
from tests.e2e.support.person import person
from tests.fakes.telegram_server import FakeTelegram
from tests.support.hands import intent

pytestmark = [pytest.mark.e2e, pytest.mark.looptime(False)]

WATCHING = {
    "BOT_MODE": "trade",
    "BOT_TRADING__READ_ONLY": "true",
    "BOT_TRADING__ALWAYS_WATCH": '["KXFED"]',
    "BOT_TRADING__REFRESH_S": "1",
}
POSITION = "SELECT quantity_e2 FROM positions WHERE scope = 'watch:main:0'"


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
        made.settings |= WATCHING
        yield made


async def test_a_persons_trade_is_kept_and_told_and_no_command_sends_anything(
    home: Home, exchange: SimulatedExchange, market: Market, telegram: FakeTelegram
) -> None:
    chat = Chat(telegram, home)
    market.quote(9_400, 9_500)
    bot = home.bot()
    await bot.reach("leading")
    async with person(exchange) as hand:
        bought = msgspec.structs.replace(
            intent("app-1"),
            ticker=TICKER,
            price=Price(9_500),
            quantity=Quantity(500),
            post_only=False,
            time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
        )
        await hand.create_order(bought, order_group_id=None)
        await chat.hears("Traded")
        await home.until_rows(POSITION, lambda rows: rows == [(500,)])
        assert "the account is only watched" in (await chat.asks("/status", "OFF")).text
        asked = await chat.asks("/panic everything", "Sell everything at the market as well?")
        await chat.presses(asked, "Sell everything", "this instance only watches the account")
        assert [one.quantity for one in await hand.positions()] == [500]
        assert await hand.orders(status=OrderStatus.RESTING) == []
        assert await hand.order_groups() == []
    assert await home.rows("SELECT count(*) FROM order_intents") == [(0,)]
