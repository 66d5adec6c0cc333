"""People come in by a code, stay over restarts, and go by command; the first code is shown."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select, text
from sqlalchemy.exc import DatabaseError

from bot.adapters.storage.tables import command_inbox, pairing_codes
from bot.app.pairing import pair
from bot.app.people import PeopleDesk
from bot.app.running import Running
from bot.app.sections import Secrets, TelegramSection
from bot.console.access import AccessSettings, Doorkeeper
from bot.domain.errors import ConfigurationFault
from bot.domain.operations import AccessLevel
from tests.fakes.telegram_server import TOKEN, FakeTelegram
from tests.support.console import ADMIN, STRANGER, Talk
from tests.support.telegram import Cockpit
from tests.unit.app.support import authority, running_at

pytestmark = pytest.mark.looptime(False)

LISTED = AccessSettings(admins=frozenset({ADMIN}))


@pytest.fixture
async def running(database_url: str, tmp_path: Path) -> AsyncIterator[Running]:
    secrets = Secrets(telegram_bot_token=SecretStr(TOKEN))
    async with running_at(database_url, tmp_path, secrets=secrets) as made:
        yield made


def desk_of(running: Running, access: AccessSettings = LISTED) -> tuple[PeopleDesk, Doorkeeper]:
    doorkeeper = Doorkeeper(access)
    return PeopleDesk(running, doorkeeper), doorkeeper


@asynccontextmanager
async def at_work(desk: PeopleDesk, until: Callable[[], object]) -> AsyncIterator[None]:
    """The service runs; entered once something is true."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(desk.run())
        async with asyncio.timeout(5):
            while not until():  # noqa: ASYNC110 - no event of it
                await asyncio.sleep(0.01)
        yield
        task.cancel()


async def test_a_code_from_the_chat_lets_one_in_for_good_and_a_successor_knows(
    running: Running,
) -> None:
    desk, doorkeeper = desk_of(running)
    made = await desk.invite(authority(1), AccessLevel.TRADER)
    talk = Talk()
    typed = talk.command(STRANGER, f"/pair {made.code.lower()}")
    stored = await desk.received(typed)
    assert stored.text == "/start", "the code itself goes nowhere"
    assert doorkeeper.level_of(stored) is AccessLevel.TRADER
    entry = await running.audit.find(-typed.update_id)
    assert entry is not None
    assert (entry.command, entry.outcome) == ("/pair", "let in by a code")
    again = await desk.received(talk.command(STRANGER + 1, f"/pair {made.code}"))
    assert doorkeeper.level_of(again) is None, "a code works once"
    successor, its_doorkeeper = desk_of(running)
    async with at_work(successor, lambda: its_doorkeeper.level_of_user(STRANGER)):
        assert its_doorkeeper.level_of_user(STRANGER) is AccessLevel.TRADER


async def test_in_a_group_a_code_does_nothing(running: Running) -> None:
    desk, doorkeeper = desk_of(running)
    made = await desk.invite(authority(1), AccessLevel.TRADER)
    talk = Talk()
    said = talk.command(STRANGER, f"/pair {made.code}", chat_id=-100, is_private=False)
    assert await desk.received(said) == said
    assert doorkeeper.level_of_user(STRANGER) is None


async def test_wrong_codes_are_logged_without_content_and_soon_not_looked_at(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    desk, doorkeeper = desk_of(running)
    made = await desk.invite(authority(1), AccessLevel.TRADER)
    talk = Talk()
    for _ in range(5):
        await desk.received(talk.command(STRANGER, "/pair WRNG-WRNG-WRNG"))
    await desk.received(talk.command(STRANGER, f"/pair {made.code}"))
    assert doorkeeper.level_of_user(STRANGER) is None, "five guesses, then none for a while"
    told = [record for record in caplog.records if record.name == "bot.app.people"]
    assert [record.getMessage() for record in told] == [
        *["pairing code not valid, silence kept"] * 5,
        "too many pairing codes tried, this one ignored",
    ]
    assert "WRNG" not in caplog.text
    assert made.code not in caplog.text


async def test_the_first_code_is_shown_once_and_gone_when_somebody_is_admin(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    desk, doorkeeper = desk_of(running, AccessSettings())
    desk.met("kalshi_test_bot")
    async with at_work(desk, lambda: running.invitation):
        made = running.invitation
    assert made is not None
    assert made.level is AccessLevel.ADMIN
    [shown] = [one for one in caplog.records if one.getMessage().startswith("nobody is admin")]
    assert shown.levelno == logging.INFO, "warnings are stored, and a code is stored nowhere"
    assert f"/pair {made.code}" in str(vars(shown))
    assert f"https://t.me/kalshi_test_bot?start={made.code}" in str(vars(shown))
    async with running.parts.database.read() as connection:
        rows = (await connection.execute(select(pairing_codes))).mappings().all()
    assert made.code not in json.dumps([dict(row) for row in rows])
    await desk.received(Talk().command(STRANGER, f"/start {made.code}"))
    assert doorkeeper.level_of_user(STRANGER) is AccessLevel.ADMIN
    assert running.invitation is None


async def test_one_who_was_let_in_is_taken_out_but_never_the_last_admin(running: Running) -> None:
    desk, doorkeeper = desk_of(running, AccessSettings())
    made = await desk.invite(authority(1), AccessLevel.ADMIN)
    await desk.received(Talk().command(STRANGER, f"/pair {made.code}"))
    assert not await desk.remove(authority(2), STRANGER)
    assert doorkeeper.level_of_user(STRANGER) is AccessLevel.ADMIN
    second = await desk.invite(authority(3), AccessLevel.ADMIN)
    await desk.received(Talk().command(STRANGER + 1, f"/pair {second.code}"))
    assert await desk.remove(authority(4), STRANGER)
    assert doorkeeper.level_of_user(STRANGER) is None
    entry = await running.audit.find(4)
    assert entry is not None
    assert entry.outcome == f"done: {STRANGER} is out"


async def test_a_stranger_taps_the_link_and_is_greeted_with_a_menu_of_his_own(
    running: Running,
) -> None:
    async with FakeTelegram() as server:
        talk = Talk()
        desk = PeopleDesk(running, talk.doorkeeper)
        cockpit = Cockpit(server, talk)
        cockpit.pairing = desk
        made = await desk.invite(authority(1), AccessLevel.TRADER)
        async with cockpit.running():
            server.type(STRANGER, "/start WRNG-WRNG-WRNG")
            server.type(STRANGER, "/halt")
            server.type(ADMIN, "/whoami")
            await server.answer(ADMIN, 1)
            assert server.said[STRANGER] == [], "silence"
            assert talk.operator.halts_now == []
            server.type(STRANGER, f"/start {made.code}")
            greeting = await server.answer(STRANGER, 1)
            assert "Your level: trader." in greeting.text
            scope = json.dumps({"type": "chat", "chat_id": STRANGER})
            await server.until(lambda: any(str(STRANGER) in one for one in server.commands), 5)
            menu = next(names for one, names in server.commands.items() if str(STRANGER) in one)
            assert {"halt", "close"} < set(menu), scope
            assert "backup" not in menu
            assert await desk.remove(authority(2), STRANGER)
            await server.until(lambda: not any(str(STRANGER) in one for one in server.commands), 5)
            await cockpit.until_sent()
        kept = [row.command.text for row in talk.store.inbox]
        assert "/start" in kept
        assert not any("-" in text for text in kept), "no code is stored"


async def test_a_halt_is_heard_from_one_who_was_let_in_while_the_database_is_away(
    running: Running,
) -> None:
    desk, doorkeeper = desk_of(running)
    made = await desk.invite(authority(1), AccessLevel.TRADER)
    talk = Talk()
    await desk.received(talk.command(STRANGER, f"/pair {made.code}"))
    talk.doorkeeper.know(doorkeeper.everybody())
    assert talk.console.halt_if_told(talk.command(STRANGER, "/halt now")) == "now"


async def test_the_first_message_after_a_take_over_is_heard_from_one_who_was_let_in_earlier(
    running: Running,
) -> None:
    desk, _ = desk_of(running)
    made = await desk.invite(authority(1), AccessLevel.TRADER)
    await desk.received(Talk().command(STRANGER, f"/pair {made.code}"))
    async with FakeTelegram() as server:
        talk = Talk()
        cockpit = Cockpit(server, talk)
        cockpit.pairing = PeopleDesk(running, talk.doorkeeper)
        # It waited at Telegram while nobody led, and the service of the people has not looked yet.
        server.type(STRANGER, "/halt fire")
        async with cockpit.running():
            told = await server.answer(STRANGER, 1)
        assert told.text.startswith("HALTED, saved.")
        assert [name for name, _ in talk.operator.acts] == ["halt"]


async def test_an_admin_of_the_settings_is_heard_at_once_while_the_people_cannot_be_read(
    running: Running,
) -> None:
    async with running.parts.database.begin() as connection:
        await connection.execute(text("DROP TABLE operators"))
    desk, _ = desk_of(running)
    halt = Talk().command(ADMIN, "/halt fire")
    assert await desk.received(halt) == halt
    with pytest.raises(DatabaseError, match="operators"):
        await desk.received(Talk().command(STRANGER, "/halt fire"))


async def test_no_code_reaches_the_inbox_table(running: Running) -> None:
    desk, _ = desk_of(running)
    made = await desk.invite(authority(1), AccessLevel.VIEWER)
    command = await desk.received(Talk().command(STRANGER, f"/pair {made.code}"))
    await running.inbox.put([replace(command, is_urgent=False)])
    async with running.parts.database.read() as connection:
        held = select(func.count()).where(command_inbox.c.payload_json.contains(made.code))
        assert (await connection.execute(held)).scalar_one() == 0


async def test_the_command_line_makes_a_code_with_a_link_and_without_telegram_one_without(
    running: Running,
) -> None:
    async with FakeTelegram() as server:
        reachable = running.settings.model_copy(
            update={"telegram": TelegramSection(api_url=server.url)}
        )
        told = await pair(reachable, AccessLevel.TRADER, None)
        server.is_down = True
        without = await pair(reachable, AccessLevel.VIEWER, None)
    code = str(told["send"]).removeprefix("/pair ")
    assert told["link"] == f"https://t.me/kalshi_test_bot?start={code}"
    assert (told["level"], told["scope"]) == ("trader", running.scope)
    assert without["link"] is None
    desk, doorkeeper = desk_of(running)
    await desk.received(Talk().command(STRANGER, str(told["send"])))
    assert doorkeeper.level_of_user(STRANGER) is AccessLevel.TRADER


async def test_without_a_token_there_is_no_chat_to_let_anybody_into(running: Running) -> None:
    settings = running.settings.model_copy(update={"secrets": Secrets()})
    with pytest.raises(ConfigurationFault, match="TELEGRAM_BOT_TOKEN"):
        await pair(settings, AccessLevel.ADMIN, None)
