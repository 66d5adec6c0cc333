"""Nobody leads, and the chat hears it from whoever is alive."""

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.simulator.server import SimulatedExchange
from tests.e2e.support.bot import Home, home_of
from tests.e2e.support.chat import Chat
from tests.fakes.telegram_server import FakeTelegram

pytestmark = [pytest.mark.e2e, pytest.mark.looptime(False)]

AWAY = "postgresql://clerk:hidden@127.0.0.1:1/none"


@pytest.fixture
async def home(
    exchange: SimulatedExchange, telegram: FakeTelegram, sqlite_url: str, tmp_path: Path
) -> AsyncIterator[Home]:
    async with home_of(tmp_path, sqlite_url, exchange, telegram) as made:
        yield made


async def test_a_bot_that_waits_for_its_database_says_that_nobody_leads(
    home: Home, telegram: FakeTelegram
) -> None:
    chat = Chat(telegram, home)
    bot = home.supervised(DATABASE_URL=AWAY, BOT_WATCH__NOBODY_LEADS_S="2")
    told = await chat.hears("Nobody leads: for ")
    assert "the database has not answered since this process began" in told.text
    assert "hidden" not in told.text
    assert (await bot.told(signal.SIGTERM)).code == 0
    assert len(chat.texts) == 1


async def test_the_look_of_a_supervisor_is_its_own_command_line_with_one_word_more(
    home: Home, telegram: FakeTelegram
) -> None:
    chat = Chat(telegram, home)
    done = await home.command("run", "--nobody-leads=60")
    assert done.code == 0
    assert "Nobody leads: for 60 s" in chat.texts[0]
