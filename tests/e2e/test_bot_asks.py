"""What a person decides in the chat: the first orders, a comparison, the way out."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.simulator.server import SimulatedExchange
from tests.e2e.support.bot import ADMIN, SCOPE, Home, home_of
from tests.e2e.support.chat import Chat
from tests.e2e.support.market import Market
from tests.fakes.telegram_server import FakeTelegram

pytestmark = [pytest.mark.e2e, pytest.mark.looptime(False)]

TRADING = {
    "BOT_MODE": "trade",
    "BOT_TRADING__STARTS_UNHALTED": "true",
    "BOT_TRADING__ALWAYS_WATCH": '["KXFED"]',
    "BOT_TRADING__REFRESH_S": "1",
    "BOT_TRADING__APPROVE_ABOVE_DOLLARS": "1",
}
POSITION = f"SELECT quantity_e2 FROM positions WHERE scope = '{SCOPE}'"
HALT = f"SELECT halted, reason FROM risk_state WHERE scope = '{SCOPE}'"
QUANTITIES = "SELECT quantity_e2 FROM order_intents WHERE purpose = 'entry'"
STEPS = "SELECT step, quantity_e2, actor FROM approval_steps ORDER BY at_us, step"
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


async def test_half_an_order_is_sent_once_by_its_button_and_the_same_person_gets_out_of_it(
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
    buy, half, skip = chat.labels(asked)
    assert (buy[:4], half[:6], skip) == ("Buy ", "Half (", "Skip")
    pressed = [asked.button(half), asked.button(buy)]
    await chat.presses(asked, half, "approved and sent: ")
    assert asked.buttons == [], "a question is answered once"
    for data in pressed:  # by a client that has not noticed
        after = len(chat.texts)
        telegram.press_data(ADMIN, asked, data)
        await chat.hears("it expired, or a new leader asks anew", after)
    await home.until_rows(ENTRIES, lambda rows: [row[0] for row in rows] == ["resting"])
    market.quote(9_200, 9_300)
    await home.until_rows(POSITION, lambda rows: rows and rows[0][0] > 0)
    few = int(half[6:-1]) * 100
    assert await home.rows(QUANTITIES) == [(few,)], "pressed three times, bought once"
    [first, yes, sent] = await home.rows(STEPS)
    assert (first[0], yes[0], sent[0], yes[1], sent[1]) == ("asked", "approved", "sent", few, few)
    assert yes[2].startswith("telegram:")
    await chat.asks("/reconcile", "the exchange agrees: 1 positions")
    asked = await chat.asks("/panic", "Sell everything at the market as well?")
    assert await home.rows(HALT) == [(True, "panic")], "it halted before it asked"
    await chat.presses(asked, "Sell all that is the bot's", "flat: the exchange states no position")
    assert await home.rows(POSITION) == [(0,)]
