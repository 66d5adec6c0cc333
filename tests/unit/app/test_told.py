"""Who is told beside a leader: the settings' recipients and the admins let in by a code."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.app.basics import own_name
from bot.app.people import PeopleDesk
from bot.app.sections import DatabaseSection, Secrets, TelegramSection
from bot.app.settings import BotSettings
from bot.app.told import everyone_told
from bot.console.access import AccessSettings, Doorkeeper
from bot.domain.operations import AccessLevel
from tests.fakes.telegram_server import TOKEN
from tests.support.console import STRANGER, Talk
from tests.unit.app.support import authority, running_at

pytestmark = pytest.mark.looptime(False)

SECRETS = Secrets(telegram_bot_token=SecretStr(TOKEN))


async def addresses(settings: BotSettings) -> list[str]:
    return [one.address for one in await everyone_told(settings)]


async def test_admins_let_in_by_a_code_are_told_as_the_leader_tells_them(
    database_url: str, tmp_path: Path
) -> None:
    async with running_at(database_url, tmp_path, secrets=SECRETS) as running:
        desk = PeopleDesk(running, Doorkeeper(AccessSettings()))
        talk = Talk()
        for number, level in enumerate((AccessLevel.ADMIN, AccessLevel.TRADER)):
            made = await desk.invite(authority(number + 1), level)
            await desk.received(talk.command(STRANGER + number, f"/pair {made.code}"))
        settings = running.settings
        assert await addresses(settings) == ["page", str(STRANGER)]
        listed = TelegramSection(admin_ids=(STRANGER, 5))
        assert await addresses(settings.model_copy(update={"telegram": listed})) == [
            "page",
            str(STRANGER),
            "5",
        ]
        chosen = TelegramSection(alert_chat_ids=(7,))
        assert await addresses(settings.model_copy(update={"telegram": chosen})) == ["page", "7"]


async def test_without_a_database_those_of_the_settings_are_told(tmp_path: Path) -> None:
    settings = BotSettings(
        secrets=SECRETS,
        telegram=TelegramSection(admin_ids=(5,)),
        database=DatabaseSection(url=SecretStr(f"sqlite:///{tmp_path / 'none.sqlite'}")),
    )
    assert await addresses(settings) == ["page", "5"]
    assert not (tmp_path / "none.sqlite").exists(), "looking makes nothing"


@pytest.mark.parametrize("error", [KeyError("uid not found"), OSError("no username set")])
def test_a_user_without_a_name_is_known_by_number(error: Exception) -> None:
    def nobody() -> str:
        raise error

    assert own_name(nobody).startswith("uid ")
    assert own_name(lambda: "ada") == "ada"
