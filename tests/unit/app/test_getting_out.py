"""The emergency stop where it cannot sell: it has halted, and says what it would need."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.adapters.storage.database import Database
from bot.adapters.storage.migrations import migrate
from bot.adapters.storage.trading import SqlTradingStore
from bot.app.getting_out import get_out
from bot.app.sections import DatabaseSection, TradingSection
from bot.app.settings import BotSettings
from bot.domain.errors import ConfigurationFault, StorageUnavailable
from bot.domain.ids import Scope

pytestmark = pytest.mark.looptime(False)


@pytest.fixture
async def url(tmp_path: Path) -> str:
    made = f"sqlite:///{tmp_path / 'bot.sqlite'}"
    database = await Database.open(made)
    await migrate(database)
    await database.close()
    return made


def settings_at(url: str, **trading: object) -> BotSettings:
    return BotSettings(
        database=DatabaseSection(url=SecretStr(url)), trading=TradingSection(**trading)
    )


async def halt_of(url: str, scope: str) -> str:
    database = await Database.open(url)
    try:
        halt = await SqlTradingStore(database, Scope(scope)).halt()
    finally:
        await database.close()
    assert halt.halted
    return halt.reason


async def test_without_a_key_it_halts_and_asks_for_one(url: str) -> None:
    with pytest.raises(ConfigurationFault, match="to sell, this needs KALSHI_API_KEY_ID"):
        await get_out(settings_at(url), is_everything=False, scope=None, wait_s=1)
    assert await halt_of(url, "paper:main:0") == "panic"


async def test_who_only_watches_sells_nothing(url: str) -> None:
    watching = settings_at(url, read_only=True)
    with pytest.raises(ConfigurationFault, match="read_only sends nothing"):
        await get_out(watching, is_everything=True, scope=None, wait_s=1)


async def test_another_scope_needs_its_own_configuration(url: str) -> None:
    answer = await get_out(settings_at(url), is_everything=False, scope="live:main:0", wait_s=1)
    assert not answer.is_done
    assert answer.text.endswith(
        "nobody leads live:main:0, and this configuration is paper:main:0's:"
        " give the one of live:main:0"
    )
    assert await halt_of(url, "live:main:0") == "panic"


async def test_without_a_database_it_says_so(tmp_path: Path) -> None:
    nowhere = settings_at(f"sqlite:///{tmp_path / 'none.sqlite'}")
    with pytest.raises(StorageUnavailable, match="there is no database"):
        await get_out(nowhere, is_everything=False, scope=None, wait_s=1)
