"""Alerts reach the outbox of everyone concerned, also after the database was away."""

import asyncio
from contextlib import asynccontextmanager
from zoneinfo import ZoneInfo

import pytest

from bot.alerts.dispatcher import Alerts, AlertSettings, Recipient
from bot.domain.alerts import AlertKind
from bot.kit.markup import plain
from bot.ports.messages import Channel
from tests.fakes.clock import ManualClock
from tests.fakes.messages import MemoryOutbox, MemoryStore
from tests.fakes.operator import BANNER

ADA, DESK = (
    Recipient(channel=Channel.TELEGRAM, address="11"),
    Recipient(channel=Channel.TELEGRAM, address="-100"),
)
SECRET = "hunter2-hunter2"


class Desk:
    def __init__(self, **settings) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock)
        self.woken = 0
        self.alerts = Alerts(
            outbox=MemoryOutbox(self.store),
            clock=self.clock,
            banner=lambda: BANNER,
            settings=AlertSettings(recipients=(ADA, DESK), secrets=(SECRET,), **settings),
            queued=self._wake,
        )

    def _wake(self) -> None:
        self.woken += 1

    def told(self) -> list[str]:
        return [plain(text).splitlines()[0] for text in self.store.texts()]

    @asynccontextmanager
    async def running(self):
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.alerts.run())
            yield
            task.cancel()


async def test_everyone_is_told_and_the_text_names_mode_and_instance():
    desk = Desk()
    await desk.alerts.tell(AlertKind.BREAKER_TRIPPED, {"name": "daily_loss", "reason": "-5 %"})
    assert [row.queued.message.recipient for row in desk.store.outbox] == ["11", "-100"]
    assert plain(desk.store.texts()[0]).endswith("\nPAPER | inst-7f")
    assert desk.woken == 1


async def test_an_alert_tells_times_on_the_operator_s_clock():
    desk = Desk(zone=ZoneInfo("Europe/Berlin"))
    await desk.alerts.tell(AlertKind.GAP_FOUND, {"missing": 2, "since_us": 1_795_245_300_000_000})
    assert "since: 21 Nov 08:15:00 CET" in plain(desk.store.texts()[0])


async def test_posting_waits_for_nothing_and_arrives():
    desk = Desk()
    async with desk.running():
        desk.alerts.post(AlertKind.HALT_SET, {"by": "Ada", "reason": "x"})
        assert desk.store.outbox == []
        await asyncio.sleep(0.01)
        assert desk.told() == ["Halted: by Ada: x"] * 2


async def test_alerts_outlive_a_database_that_is_away_in_their_order():
    desk = Desk()
    desk.store.is_away = True
    async with desk.running():
        desk.alerts.post(AlertKind.HALT_SET, {"by": "a", "reason": "1"})
        await desk.alerts.tell(AlertKind.HALT_CLEARED, {"by": "b"})
        await asyncio.sleep(30)
        assert (desk.alerts.backlog, desk.store.outbox) == (2, [])
        desk.store.is_away = False
        await asyncio.sleep(1.01)
    assert desk.told()[::2] == ["Halted: by a: 1", "Halt ended: by b"]
    assert desk.alerts.backlog == 0


async def test_repeats_become_one_digest_and_breakers_never_wait():
    desk = Desk()
    async with desk.running():
        for number in range(4):
            desk.alerts.post(AlertKind.POSITION_OPENED, {"ticker": f"KX{number}"})
            desk.alerts.post(AlertKind.BREAKER_TRIPPED, {"name": f"b{number}", "reason": "r"})
        await asyncio.sleep(0.01)
        assert sum("Breaker" in line for line in desk.told()[::2]) == 4
        assert desk.told().count("Position opened: KX0") == 2
        desk.clock.advance(300_000_000)
        await asyncio.sleep(1.01)
    digest = plain(desk.store.texts()[-1])
    assert digest.startswith("3 more: Position opened\nPosition opened: KX1\n")
    assert digest.endswith("Position opened: KX3\nPAPER | inst-7f")


async def test_draining_tells_what_was_gathered():
    desk = Desk()
    for number in range(30):
        desk.alerts.post(AlertKind.COLLECT_FAILED, {"error": str(number)})
    await desk.alerts.drain()
    assert desk.told()[::2] == ["Collection failed: 0", "29 more: Collection failed"]
    assert "and 9 that are only in the log" in desk.store.texts()[-1]


async def test_a_full_backlog_drops_the_oldest_and_says_so(caplog):
    desk = Desk(backlog_max=2)
    for name in "abc":
        desk.alerts.post(AlertKind.HALT_CLEARED, {"by": name})
    await desk.alerts.drain()
    assert desk.told()[::2] == ["Halt ended: by b", "Halt ended: by c"]
    assert "alert dropped, backlog full" in caplog.text


async def test_secrets_do_not_leave_with_an_alert():
    desk = Desk()
    await desk.alerts.tell(AlertKind.CRITICAL_ERROR, {"error": f"login {SECRET} failed"})
    assert SECRET not in desk.store.texts()[0]
    assert SECRET not in repr(AlertSettings(secrets=(SECRET,)))


async def test_composing_is_for_someone_else_s_transaction():
    desk = Desk()
    made = desk.alerts.compose(AlertKind.POSITION_CLOSED, {"ticker": "KX"})
    assert [message.kind for message in made] == ["position_closed"] * 2
    assert desk.store.outbox == []
    assert desk.alerts.compose(AlertKind.POSITION_CLOSED, {"ticker": "KX"}) == ()


@pytest.mark.parametrize("wrong", [{"backlog_max": 0}, {"retry_s": 0}, {"recipients": (ADA, ADA)}])
def test_settings_that_cannot_work_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        AlertSettings(**wrong)
