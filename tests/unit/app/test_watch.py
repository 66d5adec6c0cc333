"""What is watched is told once, whoever leads next, and shown in the status."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from bot.adapters.storage.gaps import SqlGapStore
from bot.app.operator import BotOperator
from bot.app.running import Running
from bot.app.sections import WatchSection
from bot.app.watch import OperatorWatch, watch_rules
from bot.domain.errors import NotLeader
from bot.domain.ids import Epoch
from bot.kit.times import DAY_US, HOUR_US, MINUTE_US, to_datetime
from bot.ports.gaps import Closure, ClosureKind
from tests.support.rows import grant_lease
from tests.unit.app.support import running_at

pytestmark = pytest.mark.looptime(False)


@pytest.fixture
async def running(database_url: str, tmp_path: Path) -> AsyncIterator[Running]:
    async with running_at(database_url, tmp_path) as made:
        soon = to_datetime(made.clock.now_us()) + timedelta(days=2, hours=5)
        section = WatchSection(api_key_expires=soon)
        made.settings = made.settings.model_copy(update={"watch": section})
        await grant_lease(made.parts.database, epoch=7, scope=made.scope)
        yield made


def watch_of(running: Running, epoch: int = 7) -> OperatorWatch:
    return OperatorWatch(running, BotOperator(running, None), None, Epoch(epoch))


async def told(running: Running) -> list[tuple[str, str]]:
    query = "SELECT kind, text FROM outbox ORDER BY id"
    async with running.parts.database.read() as connection:
        return [(row.kind, row.text) for row in await connection.execute(text(query))]


async def test_it_is_told_once_over_restarts_and_shown(running: Running) -> None:
    for _ in range(3):
        watch = watch_of(running)
        await watch.look()
        await watch.look()
    [(kind, words)] = await told(running)
    assert kind == "key_expires"
    assert "expires in 2 days" in words
    status = await BotOperator(running, None).status()
    by_name = {one.name: one for one in status.watches}
    assert not by_name["API key"].is_calm
    assert by_name["API errors"].is_calm
    assert by_name["collection"].is_calm


async def test_a_planned_pause_is_told_once_with_its_times(running: Running) -> None:
    now_us = running.clock.now_us()
    pause = Closure(
        start_us=now_us + 20 * MINUTE_US, end_us=now_us + 2 * HOUR_US, kind=ClosureKind.HOURS
    )
    await SqlGapStore(running.parts.database).note_closures([pause], now_us)
    for _ in range(3):
        await watch_of(running).look()
    [words] = [words for kind, words in await told(running) if kind == "pause_ahead"]
    assert "in 20 min (trading hours)" in words
    assert "Stops will be frozen from" in words


async def test_who_does_not_lead_tells_nothing(running: Running) -> None:
    with pytest.raises(NotLeader):
        await watch_of(running, epoch=6).look()
    assert await told(running) == []


def test_the_settings_are_the_rules() -> None:
    rules = watch_rules(WatchSection(expiry_days=3, pause_ahead_minutes=5, win_rate_trades_min=30))
    assert (rules.expiry_us, rules.pause_ahead_us) == (3 * DAY_US, 5 * MINUTE_US)
    assert rules.win_rate_trades_min == 30
