"""Preferences as the running bot keeps them: at once, for good, and for what is held back."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.app.alert_desk import AlertDesk
from bot.app.running import Running
from bot.app.sections import Secrets, TelegramSection
from bot.domain.alert_preferences import (
    Mute,
    SetQuiet,
    SetVerbosity,
    Unmute,
    Verbosity,
    quiet_hours,
)
from bot.domain.alerts import AlertKind
from bot.ports.messages import Channel
from tests.unit.app.support import authority, running_at

pytestmark = pytest.mark.looptime(False)

HOUR_US = 3_600_000_000
TOKEN = "123456789:AAFakeTokenForTests_0123456789abcdefgh"


@pytest.fixture
async def running(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Running]:
    chat = TelegramSection(admin_ids=(11,))
    secrets = Secrets(telegram_bot_token=TOKEN)
    async with running_at(sqlite_url, tmp_path, telegram=chat, secrets=secrets) as made:
        yield made


async def held(running: Running) -> dict[str, int]:
    now_us = running.clock.now_us()
    return {one.kind: one.count for one in await running.outbox.held(now_us)}


async def sent(running: Running) -> list[str]:
    heads = await running.outbox.heads(Channel.TELEGRAM, running.clock.now_us(), 99)
    return [one.message.kind for one in heads]


async def test_a_mute_holds_from_now_on_and_survives_this_process(
    running: Running, sqlite_url: str, tmp_path: Path
) -> None:
    desk = AlertDesk(running)
    until_us = running.clock.now_us() + HOUR_US
    await desk.change(authority(), "/mute 1h", Mute(kind=None, until_us=until_us))
    await running.alerts.tell(AlertKind.STALE, {"service": "ws", "seconds": 20})
    await running.alerts.tell(AlertKind.BREAKER_TRIPPED, {"name": "n", "reason": "r"})
    assert await held(running) == {"stale": 1}
    assert await sent(running) == ["breaker_tripped"]
    assert [one.kind for one in (await desk.view(9)).latest] == ["stale", "breaker_tripped"]
    # Whoever leads next holds it back as well.
    assert (await running.preferences.load()).all_muted_until_us == until_us


async def test_the_end_of_a_mute_lets_go_what_it_held(running: Running) -> None:
    desk = AlertDesk(running)
    until_us = running.clock.now_us() + HOUR_US
    for number, kind in enumerate((AlertKind.STALE, AlertKind.GAP_FOUND)):
        await desk.change(authority(number), "/mute", Mute(kind=kind, until_us=until_us))
    await running.alerts.tell(AlertKind.STALE, {"service": "ws", "seconds": 20})
    await running.alerts.tell(AlertKind.GAP_FOUND, {"missing": 2})
    await desk.change(authority(2), "/unmute stale", Unmute(kind=AlertKind.STALE))
    assert (await held(running), await sent(running)) == ({"gap_found": 1}, ["stale"])


async def test_what_the_limit_has_gathered_goes_by_a_new_mute_too(running: Running) -> None:
    desk = AlertDesk(running)
    for _ in range(3):
        await running.alerts.tell(AlertKind.STALE, {"service": "ws", "seconds": 20})
    until_us = running.clock.now_us() + HOUR_US
    await desk.change(authority(), "/mute 1h", Mute(kind=None, until_us=until_us))
    (stale,) = await running.outbox.held(running.clock.now_us())
    assert (stale.count, stale.until_us) == (2, until_us)
    # A shorter one takes its place.
    shorter = Mute(kind=None, until_us=until_us - HOUR_US // 2)
    await desk.change(authority(2), "/mute 30m", shorter)
    (stale,) = await running.outbox.held(running.clock.now_us())
    assert stale.until_us == shorter.until_us


async def test_a_change_under_a_number_that_has_acted_is_none(running: Running) -> None:
    desk = AlertDesk(running)
    await desk.change(authority(), "/quiet 1-2", SetQuiet(hours=quiet_hours("1-2")))
    again = await desk.change(authority(), "/quiet 3-4", SetQuiet(hours=quiet_hours("3-4")))
    assert again.quiet == quiet_hours("1-2")
    entry = await running.audit.find(authority().number)
    assert entry is not None
    assert (entry.command, entry.outcome, entry.actor) == ("/quiet 1-2", "done", "telegram:11 Ada")


async def test_a_digest_lets_everything_go(running: Running) -> None:
    desk = AlertDesk(running)
    for _ in range(3):
        await running.alerts.tell(AlertKind.STALE, {"service": "ws", "seconds": 20})
    assert await desk.release() == 2
    assert (await held(running), await sent(running)) == ({}, ["stale"] * 3)
    assert await desk.release() == 0


async def test_what_is_off_reaches_the_page_alone(running: Running) -> None:
    desk = AlertDesk(running)
    off = SetVerbosity(kind=AlertKind.STALE, verbosity=Verbosity.OFF)
    await desk.change(replace(authority(), channel="portal"), "/verbosity stale off", off)
    await running.alerts.tell(AlertKind.STALE, {"service": "ws", "seconds": 20})
    assert await sent(running) == []
    assert [one.kind for one in (await desk.view(1)).latest] == ["stale"]
