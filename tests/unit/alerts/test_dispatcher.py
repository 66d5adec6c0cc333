"""Alerts reach the outbox of everyone concerned, also after the database was away."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from bot.alerts.dispatcher import Alerts, AlertSettings, Recipient
from bot.alerts.policy import WINDOW_US
from bot.domain.alert_preferences import Mute, Preferences, Unmute, Verbosity, quiet_hours
from bot.domain.alerts import AlertKind
from bot.domain.operations import Severity
from bot.kit.markup import plain
from bot.ports.messages import AuditEntry, Channel
from tests.fakes.clock import ManualClock
from tests.fakes.messages import MemoryOutbox, MemoryPreferences, MemoryStore
from tests.fakes.operator import BANNER

ADA, DESK = (
    Recipient(channel=Channel.TELEGRAM, address="11"),
    Recipient(channel=Channel.TELEGRAM, address="-100"),
)
SECRET = "hunter2-hunter2"
ALWAYS_QUIET = quiet_hours("00:00-23:59")
ACT = AuditEntry(
    number=1,
    at_us=1,
    channel=Channel.TELEGRAM,
    actor="telegram:1 Ada",
    command="/mute 2h",
    outcome="done",
    epoch=None,
)


class Desk:
    def __init__(self, **settings) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock)
        self.preferences = MemoryPreferences(self.store)
        self.woken = 0
        self._settings = settings
        self.alerts = self.another()

    def another(self) -> Alerts:
        """As after a restart."""
        settings = self._settings
        return Alerts(
            outbox=MemoryOutbox(self.store),
            clock=self.clock,
            banner=lambda: BANNER,
            settings=AlertSettings(**{"recipients": (ADA, DESK), "secrets": (SECRET,), **settings}),
            queued=self._wake,
            preferences=self.preferences,
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
    assert plain(desk.store.texts()[0]).endswith(
        f"\nPAPER | inst-7f | #{desk.store.outbox[0].queued.message.alert}"
    )
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


async def test_repeats_are_held_back_in_the_outbox_and_breakers_never_wait():
    desk = Desk()
    async with desk.running():
        for number in range(4):
            desk.alerts.post(AlertKind.POSITION_OPENED, {"ticker": f"KX{number}"})
            desk.alerts.post(AlertKind.BREAKER_TRIPPED, {"name": f"b{number}", "reason": "r"})
        await asyncio.sleep(0.01)
    now_us = desk.clock.now_us()
    urgent, usual = [], []
    for row in desk.store.outbox[::2]:
        (urgent if row.queued.message.is_urgent else usual).append(row)
    assert [row.state for row in urgent] == ["waiting"] * 4
    assert [row.state for row in usual] == ["waiting", "held", "held", "held"]
    assert {row.queued.due_us for row in usual[1:]} == {now_us + WINDOW_US}
    heads = await MemoryOutbox(desk.store).heads(Channel.TELEGRAM, now_us + WINDOW_US, 9)
    (first, *_, last) = [one.message for one in heads if one.message.recipient == "11"]
    assert plain(first.text).startswith("Breaker tripped: b0")
    assert plain(last.text).startswith("Position opened: KX3\n")


async def test_what_the_limit_holds_back_survives_whoever_held_it():
    desk = Desk()
    for number in range(30):
        await desk.alerts.tell(AlertKind.COLLECT_FAILED, {"error": str(number)})
    assert desk.told()[::2] == [f"Collection failed: {number}" for number in range(30)]
    names = {row.queued.message.alert for row in desk.store.outbox}
    assert len(names) == 30
    assert all(
        f" | #{row.queued.message.alert}" in row.queued.message.text for row in desk.store.outbox
    )


async def test_a_process_that_dies_again_and_again_does_not_tell_the_same_again_and_again():
    desk = Desk()
    for _ in range(3):
        desk.alerts = desk.another()
        async with desk.running():
            await asyncio.sleep(0.01)
            desk.alerts.post(AlertKind.STALE, {"service": "ws", "seconds": 9})
            desk.alerts.post(AlertKind.BREAKER_TRIPPED, {"name": "n", "reason": "r"})
            await asyncio.sleep(0.01)
    states = [row.state for row in desk.store.outbox if row.queued.message.kind == "stale"]
    assert states[::2] == ["waiting", "held", "held"]
    others = {row.state for row in desk.store.outbox if row.queued.message.kind != "stale"}
    assert others == {"waiting"}


async def test_what_was_chosen_holds_from_the_next_alert_on_and_after_a_restart():
    desk = Desk()
    chosen = Mute(kind=None, until_us=desk.clock.now_us() + 5)
    await MemoryPreferences(desk.store).change(ACT, chosen)
    desk.alerts.post(AlertKind.RESUMED, {})
    async with desk.running():
        await asyncio.sleep(0.01)
        desk.alerts.post(AlertKind.PAUSED, {})
        await asyncio.sleep(0.01)
        # Read again when somebody else may have chosen, not for every alert.
        await MemoryPreferences(desk.store).change(replace(ACT, number=2), Unmute(kind=None))
        desk.alerts.post(AlertKind.RECORDING_RESUMED, {})
        await asyncio.sleep(0.01)
        desk.alerts.reread()
        await asyncio.sleep(0.01)
        desk.alerts.post(AlertKind.DRAINING, {"reason": "r"})
        await asyncio.sleep(0.01)
    assert [row.state for row in desk.store.outbox[::2]] == ["waiting", "held", "held", "waiting"]


async def test_a_page_is_told_everything_at_once_and_people_as_they_chose():
    page = Recipient(channel=Channel.PORTAL, address="page")
    off = Preferences(
        verbosity={AlertKind.STALE: Verbosity.OFF, AlertKind.PAUSED: Verbosity.SILENT}
    )
    desk = Desk(configured=off, recipients=(page, ADA))
    desk.alerts.post(AlertKind.STALE, {"service": "ws", "seconds": 20})
    desk.alerts.post(AlertKind.PAUSED, {})
    desk.alerts.post(AlertKind.PAUSED, {})
    await desk.alerts.drain()
    told = [
        (row.queued.message.recipient, row.state, row.queued.message.is_silent)
        for row in desk.store.outbox
    ]
    at_once = ("page", "waiting", False)
    assert told == [at_once, at_once, ("11", "waiting", True), at_once, ("11", "held", True)]


async def test_what_is_told_once_is_stored_once_whoever_tells_it():
    desk = Desk()
    for _ in range(2):
        await desk.alerts.tell(AlertKind.DAILY_SUMMARY, {"trading_day": "d"}, once="day d")
    assert desk.told() == ["Day"] * 2


async def test_a_full_backlog_drops_the_oldest_and_says_so(caplog):
    desk = Desk(backlog_max=2)
    for name in "abc":
        desk.alerts.post(AlertKind.HALT_CLEARED, {"by": name})
    await desk.alerts.drain()
    assert desk.told()[::2] == ["Halt ended: by b", "Halt ended: by c"]
    assert "alert dropped, backlog full" in caplog.text


async def test_what_is_urgent_is_dropped_last():
    desk = Desk(backlog_max=2)
    desk.alerts.post(AlertKind.BREAKER_TRIPPED, {"name": "n", "reason": "r"})
    for ticker in "abc":
        desk.alerts.post(AlertKind.POSITION_OPENED, {"ticker": ticker})
    await desk.alerts.drain()
    assert desk.told()[::2] == ["Breaker tripped: n: r", "Position opened: c"]


async def test_a_program_is_told_as_often_as_the_limit_allows_whatever_people_chose():
    hook = Recipient(channel=Channel.WEBHOOK, address="https://h")
    hushed = Preferences(
        verbosity={AlertKind.STALE: Verbosity.OFF}, all_muted_until_us=2**60, quiet=ALWAYS_QUIET
    )
    desk = Desk(configured=hushed, recipients=(ADA, hook))
    for kind in (AlertKind.STALE, AlertKind.RESUMED, AlertKind.RESUMED):
        desk.alerts.post(kind, {})
    await desk.alerts.drain()
    rows = [(row.queued.message.recipient, row.state) for row in desk.store.outbox]
    mine = [state for recipient, state in rows if recipient == "https://h"]
    assert mine == ["waiting", "waiting", "held"]
    assert [state for recipient, state in rows if recipient == "11"] == ["held", "held"]


async def test_a_choice_made_while_the_stored_one_is_read_is_kept():
    desk = Desk()
    mute = Preferences(all_muted_until_us=2**60)

    class Slow(MemoryPreferences):
        async def load(self) -> Preferences:
            found = await super().load()
            desk.alerts.prefer(mute)
            return found

    desk.preferences = Slow(desk.store)
    desk.alerts = desk.another()
    async with desk.running():
        await asyncio.sleep(0.01)
    assert desk.alerts.preferences.all_muted_until_us == 2**60


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
    again = desk.alerts.compose(AlertKind.POSITION_CLOSED, {"ticker": "KX"})
    assert [message.held_until_us for message in again] == [desk.clock.now_us() + WINDOW_US] * 2


@pytest.mark.parametrize("wrong", [{"backlog_max": 0}, {"retry_s": 0}, {"recipients": (ADA, ADA)}])
def test_settings_that_cannot_work_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        AlertSettings(**wrong)


async def test_each_channel_hears_what_is_severe_enough_for_it_and_what_it_asked_for():
    mail = Recipient(
        channel=Channel.EMAIL,
        address="ada@example.com",
        at_least=Severity.WARNING,
        also=frozenset((AlertKind.DAILY_SUMMARY,)),
    )
    for kind in (AlertKind.BACKUP_DONE, AlertKind.LEADER_STARTED):
        assert not mail.hears(kind, {})
    for kind in (AlertKind.HALT_SET, AlertKind.BREAKER_TRIPPED, AlertKind.DAILY_SUMMARY):
        assert mail.hears(kind, {})


async def test_a_channel_that_fails_is_told_on_the_others_and_its_end_on_all():
    mail = Recipient(channel=Channel.EMAIL, address="ada@example.com")
    failed = {"channel": "email", "recipient": "ada@example.com"}
    assert not mail.hears(AlertKind.CHANNEL_FAILED, failed)
    assert ADA.hears(AlertKind.CHANNEL_FAILED, failed)
    assert mail.hears(AlertKind.CHANNEL_RECOVERED, failed)


async def test_a_message_carries_who_said_it_and_its_facts_without_secrets():
    desk = Desk()
    await desk.alerts.tell(AlertKind.HALT_SET, {"by": "Ada", "reason": SECRET, "count": 3})
    message = desk.store.outbox[0].queued.message
    assert message.instance == BANNER.instance
    assert message.facts == {"by": "Ada", "reason": "[redacted]", "count": 3}
