"""A process that is killed at any point between an update and its reply, and its successor.

The act happens exactly once (or, where a person has to be asked again, not at
all), the audit has one row for it, and the reply arrives at least once.
"""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import select

from bot.adapters.storage.database import Database
from bot.adapters.storage.tables import command_audit, command_inbox, logs, outbox
from bot.kit.clock import SystemClock
from tests.e2e.programs.cockpit import ADMIN, POINTS
from tests.fakes.telegram_server import FakeTelegram

pytestmark = [pytest.mark.e2e, pytest.mark.looptime(False)]

ROOT = Path(__file__).parents[2]
SLACK_S = 40.0
"""A busy machine takes its time to start a process."""


@pytest.fixture
async def server():
    async with FakeTelegram() as running:
        running.date = SystemClock().now_us() // 1_000_000
        running.conflict_pause_s = 0.2
        yield running


class Bot:
    """Processes of ``programs/cockpit.py``, one after the other, each with the next epoch."""

    def __init__(self, url: str, server: FakeTelegram) -> None:
        self._url = url
        self._server = server
        self._epoch = 0

    @asynccontextmanager
    async def running(self, *options: str) -> AsyncIterator[asyncio.subprocess.Process]:
        self._epoch += 1
        arguments = ["-m", "tests.e2e.programs.cockpit", self._url, self._server.url]
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, "--epoch", str(self._epoch), *options, cwd=ROOT
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def killed(self, *options: str) -> None:
        """Run until it has killed itself."""
        async with self.running(*options) as process, asyncio.timeout(SLACK_S):
            assert await process.wait() == -signal.SIGKILL


@pytest.fixture
def bot(database_url, server) -> Bot:
    return Bot(database_url, server)


@pytest.fixture
async def store(database_url):
    opened = await Database.open(database_url)
    yield opened
    await opened.close()


async def rows(store: Database, query) -> list[tuple]:
    async with store.read() as connection:
        return [tuple(row) for row in (await connection.execute(query)).all()]


async def acts(store: Database) -> list[str]:
    return [row[0] for row in await rows(store, select(logs.c.message))]


async def settled(store: Database, server: FakeTelegram, replies: int) -> None:
    """Until the replies are there and nothing is left to do."""
    await server.until(lambda: len(server.said[ADMIN]) >= replies, SLACK_S)
    for _ in range(400):
        open_commands = await rows(
            store, select(command_inbox.c.id).where(command_inbox.c.state != "done")
        )
        open_messages = await rows(store, select(outbox.c.id).where(outbox.c.state == "waiting"))
        if not open_commands and not open_messages:
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"still open: commands {open_commands}, messages {open_messages}")


@pytest.mark.parametrize("point", POINTS)
async def test_a_kill_at_any_point_neither_loses_nor_doubles_an_act(point, bot, server, store):
    server.type(ADMIN, "/backup")
    await bot.killed("--die-at", point)
    async with bot.running():
        # A message whose delivery was not stored is delivered again; nothing else is.
        await settled(store, server, 2 if point == "sent" else 1)
    assert await acts(store) == ["backup"]
    assert len(await rows(store, select(command_audit.c.command_id))) == 1
    texts = server.texts(ADMIN)
    assert len(texts) == (2 if point == "sent" else 1)
    assert len(set(texts)) == 1
    assert "#1 | PAPER" in texts[0]
    repeated = "done: backup (this was done before a restart)"
    assert texts[0].startswith(repeated if point in {"acted", "answered"} else "Backup ")


async def test_a_question_dies_with_its_process(bot, server, store):
    async with bot.running():
        server.type(ADMIN, "/unhalt")
        asked = await server.answer(ADMIN, 1, SLACK_S)
        await settled(store, server, 1)
    server.press(ADMIN, asked, "End the halt")
    async with bot.running():
        await settled(store, server, 2)
    assert await acts(store) == []
    assert server.texts(ADMIN)[1].startswith("Nothing done: this question was answered before")


@pytest.mark.parametrize("point", ["claimed", "acting"])
async def test_a_confirmed_command_that_died_before_it_acted_is_asked_again(
    point, bot, server, store
):
    await _die_in_the_same_process(point, bot, server, store)
    async with bot.running():
        await settled(store, server, 2)
    assert await acts(store) == []
    assert server.texts(ADMIN)[-1].startswith("Nothing done: this question was answered before")


@pytest.mark.parametrize("point", ["acted", "answered"])
async def test_a_confirmed_command_that_died_after_it_acted_is_reported_and_not_repeated(
    point, bot, server, store
):
    await _die_in_the_same_process(point, bot, server, store)
    async with bot.running():
        await settled(store, server, 2)
    assert await acts(store) == ["unhalt"]
    assert server.texts(ADMIN)[-1].startswith("done: unhalt (this was done before a restart)")


@pytest.mark.parametrize("point", ["stored", "claimed", "acted", "finished"])
async def test_a_halt_survives_a_kill_at_any_point(point, bot, server, store):
    server.type(ADMIN, "/halt fire")
    await bot.killed("--die-at", point)
    async with bot.running():
        await server.until(
            lambda: any(
                "this was done" in text or "saved." in text for text in server.texts(ADMIN)
            ),
            SLACK_S,
        )
        await settled(store, server, 1)
    assert await acts(store) == ["halt"]


async def _die_in_the_same_process(
    point: str, bot: Bot, server: FakeTelegram, store: Database
) -> None:
    """Ask, have the button pressed, and die while its command is being worked on."""
    async with bot.running("--die-at", point, "--after-press") as process:
        server.type(ADMIN, "/unhalt")
        asked = await server.answer(ADMIN, 1, SLACK_S)
        await settled(store, server, 1)
        server.press(ADMIN, asked, "End the halt")
        async with asyncio.timeout(SLACK_S):
            assert await process.wait() == -signal.SIGKILL
