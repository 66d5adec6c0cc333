"""Nobody leads: whoever is alive tells it in the chat, without a leader and without a database."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.app.basics import real_means
from bot.app.sections import DatabaseSection, Secrets, TelegramSection, WatchSection
from bot.app.settings import BotSettings
from bot.app.unled import NobodyLeads, tell_if_nobody_leads
from bot.domain.events import Role
from tests.fakes.telegram_server import TOKEN, FakeTelegram
from tests.support.rows import grant_lease
from tests.unit.app.support import running_at, settings_at

pytestmark = pytest.mark.looptime(False)

ADA = 11
LIMIT_S = 20


@pytest.fixture
async def telegram() -> AsyncIterator[FakeTelegram]:
    async with FakeTelegram() as running:
        yield running


def told_by(server: FakeTelegram, settings: BotSettings, limit_s: float = 0.2) -> BotSettings:
    return settings.model_copy(
        update={
            "secrets": Secrets(telegram_bot_token=SecretStr(TOKEN)),
            "telegram": TelegramSection(admin_ids=(ADA,), api_url=server.url),
            "watch": WatchSection(nobody_leads_s=limit_s),
        }
    )


async def hears(server: FakeTelegram, words: str) -> None:
    await server.until(lambda: [one for one in server.texts(ADA) if words in one], LIMIT_S)


async def test_a_process_that_waits_tells_it_once_and_its_end(
    database_url: str, tmp_path: Path, telegram: FakeTelegram
) -> None:
    async with running_at(database_url, tmp_path) as running:
        settings = told_by(telegram, running.settings)
        unled = NobodyLeads(settings, real_means())
        unled.running = running
        async with unled.watching():
            await hears(telegram, "Nobody leads: for ")
            await asyncio.sleep(1)
            assert len(telegram.texts(ADA)) == 1
            assert "no lease is held" in telegram.texts(ADA)[0]
            await grant_lease(running.parts.database, scope=running.scope)
            await hears(telegram, "Led again: by me, after ")
        assert len(telegram.texts(ADA)) == 2


async def test_one_that_leads_says_nothing_whatever_the_database_says(
    database_url: str, tmp_path: Path, telegram: FakeTelegram
) -> None:
    async with running_at(database_url, tmp_path) as running:
        running.standing.role = Role.LEADING
        unled = NobodyLeads(told_by(telegram, running.settings), real_means())
        unled.running = running
        async with unled.watching():
            await asyncio.sleep(1)
    assert telegram.texts(ADA) == []


async def test_one_that_never_reached_its_database_says_so(
    tmp_path: Path, telegram: FakeTelegram
) -> None:
    settings = told_by(telegram, settings_at("sqlite:///nowhere/bot.sqlite", tmp_path))
    async with NobodyLeads(settings, real_means()).watching():
        await hears(telegram, "the database has not answered since this process began")


async def test_a_fault_of_the_body_is_raised_as_itself_and_off_is_off(
    tmp_path: Path, telegram: FakeTelegram
) -> None:
    settings = told_by(telegram, settings_at("sqlite:///x", tmp_path), limit_s=0)
    with contextlib.suppress(KeyError):
        async with NobodyLeads(settings, real_means()).watching():
            await asyncio.sleep(0.5)
            raise KeyError
    assert telegram.texts(ADA) == []


@pytest.mark.parametrize(
    "case",
    [(75, 60, False, True), (59, 60, False, False), (75, 60, True, False), (75, 0, False, False)],
)
async def test_a_supervisors_look_tells_only_if_nobody_leads_for_long_enough(
    database_url: str, tmp_path: Path, telegram: FakeTelegram, case: tuple[int, int, bool, bool]
) -> None:
    seconds, limit_s, is_led, is_told = case
    async with running_at(database_url, tmp_path) as running:
        if is_led:
            await grant_lease(running.parts.database, scope=running.scope)
        settings = told_by(telegram, running.settings, limit_s)
        assert await tell_if_nobody_leads(settings, seconds) is is_told
    told = telegram.texts(ADA)
    assert [one.startswith("Nobody leads: for 75 s") for one in told] == [True] * is_told


async def test_without_its_database_the_look_tells_all_the_same(
    tmp_path: Path, telegram: FakeTelegram
) -> None:
    url = SecretStr("postgresql://nobody:secret@127.0.0.1:1/none")
    settings = told_by(telegram, BotSettings(database=DatabaseSection(url=url)))
    assert await tell_if_nobody_leads(settings, 90)
    [told] = telegram.texts(ADA)
    assert "the database does not answer" in told
    assert "secret" not in told


async def test_a_message_that_reached_nobody_is_not_told(tmp_path: Path) -> None:
    async with FakeTelegram() as gone:
        settings = told_by(gone, settings_at("sqlite:///nowhere/bot.sqlite", tmp_path))
    assert not await tell_if_nobody_leads(settings, 90)
