"""A restore is told when the bot leads again: once, and for as long as nobody has had a look."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.adapters.storage.post_restore import make_safe
from bot.adapters.storage.trading import SqlTradingStore
from bot.app.restored import RestoreTeller
from bot.app.running import Running
from bot.ports.messages import Channel
from tests.support.rows import grant_lease
from tests.unit.app.support import running_at

pytestmark = pytest.mark.looptime(False)


@pytest.fixture
async def running(database_url: str, tmp_path: Path) -> AsyncIterator[Running]:
    async with running_at(database_url, tmp_path) as made:
        yield made


async def texts(running: Running) -> list[str]:
    return [one.text for one in await running.queries.chat(Channel.PORTAL, 0, 100)]


async def test_a_restore_is_told_once_whoever_leads_then(running: Running) -> None:
    await RestoreTeller(running).tell()
    assert await texts(running) == []
    await grant_lease(running.parts.database, epoch=7, scope=running.scope)
    async with running.parts.database.begin() as connection:
        await make_safe(connection, "kalshi_20261121.sqlite")
    for _ in range(2):
        await RestoreTeller(running).tell()
    (told,) = await texts(running)
    assert told.startswith("<b>Restored</b>: kalshi_20261121.sqlite\n")
    assert "until a person sends /unhalt" in told


async def test_once_a_person_has_ended_that_halt_or_set_another_nothing_is_told(
    running: Running,
) -> None:
    await grant_lease(running.parts.database, epoch=7, scope=running.scope)
    async with running.parts.database.begin() as connection:
        await make_safe(connection, "old.sqlite")
    store = SqlTradingStore(running.parts.database, running.scope)
    halt = await store.halt()
    await store.save_halt(replace(halt, halted=False, changed_us=halt.changed_us + 1))
    await RestoreTeller(running).tell()
    assert await texts(running) == []
