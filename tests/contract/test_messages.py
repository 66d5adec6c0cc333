"""What every inbox, outbox and audit must do, in memory and on both databases."""

import json
from dataclasses import dataclass, replace

import pytest

from bot.adapters.storage.alert_preferences import SqlPreferenceStore
from bot.adapters.storage.database import Database
from bot.adapters.storage.message_rows import command_of_payload, payload_of
from bot.adapters.storage.messages import SqlAudit, SqlInbox, record_act
from bot.adapters.storage.outbox import SqlOutbox, insert_messages
from bot.domain.alert_preferences import (
    Mute,
    Preferences,
    QuietHours,
    SetQuiet,
    SetVerbosity,
    Unmute,
    Verbosity,
)
from bot.domain.alerts import AlertKind
from bot.domain.errors import InvariantBroken, NotLeader
from bot.domain.ids import Epoch, Scope
from bot.domain.operations import AccessLevel, Severity
from bot.ports.messages import (
    Audit,
    AuditEntry,
    Channel,
    ClaimedCommand,
    HeldBack,
    Inbox,
    IncomingCommand,
    MessageButton,
    Outbox,
    OutgoingMessage,
    PreferenceStore,
)
from tests.fakes.clock import ManualClock
from tests.fakes.messages import (
    MemoryAudit,
    MemoryInbox,
    MemoryOutbox,
    MemoryPreferences,
    MemoryStore,
)

SCOPE = Scope("paper:test:0")
FIRST, SECOND = Epoch(1), Epoch(2)


@dataclass
class Desk:
    inbox: Inbox
    outbox: Outbox
    audit: Audit
    preferences: PreferenceStore
    clock: ManualClock


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def desk(request):
    clock = ManualClock()
    if request.param == "memory":
        store = MemoryStore(clock)
        yield Desk(
            MemoryInbox(store),
            MemoryOutbox(store),
            MemoryAudit(store),
            MemoryPreferences(store),
            clock,
        )
        return
    database = await Database.open(request.getfixturevalue(f"{request.param}_url"))
    yield Desk(
        SqlInbox(database, SCOPE, clock),
        SqlOutbox(database, SCOPE, clock),
        SqlAudit(database, SCOPE),
        SqlPreferenceStore(database, SCOPE),
        clock,
    )
    await database.close()


pytestmark = pytest.mark.looptime(False)


def command(update_id: int, text: str = "/status", *, urgent: bool = False) -> IncomingCommand:
    return IncomingCommand(
        channel=Channel.TELEGRAM,
        bot_id=77,
        update_id=update_id,
        user_id=5_000_000_001,
        user_name="Ada \N{SNOWMAN}",
        chat_id=5_000_000_001,
        is_private=True,
        text=text,
        button=None,
        sent_us=1_795_245_299_000_000,
        received_us=1_795_245_300_000_000 + update_id,
        is_urgent=urgent,
    )


def entry(number: int, outcome: str = "shown") -> AuditEntry:
    return AuditEntry(
        number=number,
        at_us=1,
        channel=Channel.TELEGRAM,
        actor="telegram:1 Ada",
        command="/status",
        outcome=outcome,
        epoch=FIRST,
    )


def message(text: str, recipient: str = "10", **changes: object) -> OutgoingMessage:
    made = OutgoingMessage(
        channel=Channel.TELEGRAM,
        recipient=recipient,
        kind="reply",
        severity=Severity.INFO,
        text=text,
    )
    return replace(made, **changes)


def alert(text: str, recipient: str = "10", **changes: object) -> OutgoingMessage:
    return message(text, recipient, **{"kind": "stale", **changes})


async def claimed(desk: Desk, epoch: Epoch = FIRST, *, urgent: bool = False) -> ClaimedCommand:
    found = await desk.inbox.claim(epoch, urgent=urgent)
    assert found is not None
    return found


async def test_an_update_is_stored_once_however_often_it_is_delivered(desk):
    assert await desk.inbox.put([command(1), command(2)]) == 2
    assert await desk.inbox.put([command(2), command(3), command(3)]) == 1
    assert await desk.inbox.waiting() == 3


async def test_an_update_keeps_everything_that_was_typed(desk):
    typed = replace(
        command(-3, "/halt \u0000 \ud800 <b>&"), granted=AccessLevel.ADMIN, is_confirmed=True
    )
    await desk.inbox.put([typed])
    assert (await claimed(desk)).command == typed


async def test_commands_are_claimed_in_the_order_they_came(desk):
    await desk.inbox.put([command(9), command(4)])
    await desk.inbox.put([command(1)])
    seen = []
    while (found := await desk.inbox.claim(FIRST, urgent=False)) is not None:
        seen.append(found.command.update_id)
        await desk.inbox.finish(found, entry(found.number), ())
    assert seen == [9, 4, 1]


async def test_an_urgent_command_does_not_wait_for_an_ordinary_one(desk):
    await desk.inbox.put([command(1), command(2, "/halt", urgent=True)])
    assert (await claimed(desk)).command.update_id == 1
    assert (await claimed(desk, urgent=True)).command.update_id == 2
    assert await desk.inbox.claim(FIRST, urgent=True) is not None  # unfinished: given again


async def test_an_empty_lane_gives_nothing(desk):
    assert await desk.inbox.claim(FIRST, urgent=False) is None
    assert await desk.inbox.claim(FIRST, urgent=True) is None


async def test_an_unfinished_command_is_claimed_again_by_the_successor(desk):
    await desk.inbox.put([command(1)])
    first = await claimed(desk, FIRST)
    second = await claimed(desk, SECOND)
    assert (second.number, second.attempts) == (first.number, 2)


async def test_a_deposed_leader_can_neither_finish_nor_claim_what_its_successor_has(desk):
    await desk.inbox.put([command(1)])
    old = await claimed(desk, FIRST)
    await claimed(desk, SECOND)
    with pytest.raises(NotLeader):
        await desk.inbox.finish(old, entry(old.number), [message("old")])
    with pytest.raises(NotLeader):
        await desk.inbox.claim(FIRST, urgent=False)
    assert await desk.outbox.waiting(Channel.TELEGRAM) == 0
    assert await desk.audit.find(old.number) is None


async def test_finishing_twice_replies_once(desk):
    await desk.inbox.put([command(1)])
    one = await claimed(desk)
    for _ in range(2):
        await desk.inbox.finish(one, entry(one.number), [message("once")])
    assert await desk.outbox.waiting(Channel.TELEGRAM) == 1
    assert await desk.audit.find(one.number) == entry(one.number)
    assert await desk.inbox.waiting() == 0
    assert await desk.inbox.claim(FIRST, urgent=False) is None


async def test_a_command_that_nobody_claimed_cannot_be_finished(desk):
    await desk.inbox.put([command(1)])
    number = (await claimed(desk)).number
    await desk.inbox.put([command(2)])
    stolen = ClaimedCommand(number=number + 1, attempts=1, epoch=FIRST, command=command(2))
    with pytest.raises(InvariantBroken):
        await desk.inbox.finish(stolen, entry(number + 1), ())


async def test_a_direct_command_shares_the_number_sequence_and_is_not_given_to_the_worker(desk):
    await desk.inbox.put([command(1)])
    one = await claimed(desk)
    direct = await desk.inbox.open(replace(command(2), channel=Channel.PORTAL), FIRST)
    assert direct.number > one.number
    await desk.inbox.finish(one, entry(one.number), ())
    assert await desk.inbox.claim(FIRST, urgent=False) is None
    assert (await claimed(desk, SECOND)).number == direct.number


async def test_numbers_are_not_used_again_after_a_prune(desk):
    await desk.inbox.put([command(1)])
    one = await claimed(desk)
    await desk.inbox.finish(one, entry(one.number), ())
    assert await desk.inbox.prune(one.command.received_us) == 0
    assert await desk.inbox.prune(one.command.received_us + 1) == 1
    await desk.inbox.put([command(2)])
    assert (await claimed(desk)).number > one.number


async def test_an_act_is_recorded_once_and_keeps_its_first_words(desk):
    assert await desk.audit.record(entry(7, "done: halt ended")) is True
    assert await desk.audit.record(entry(7, "another story")) is False
    found = await desk.audit.find(7)
    assert found is not None
    assert found.outcome == "done: halt ended"
    assert await desk.audit.find(8) is None


async def test_the_end_of_a_command_leaves_the_record_of_its_act_alone(desk):
    await desk.inbox.put([command(1)])
    one = await claimed(desk)
    await desk.audit.record(entry(one.number, "the act"))
    await desk.inbox.finish(one, entry(one.number, "the end"), ())
    assert [row.outcome for row in await desk.audit.latest(5)] == ["the act"]


async def test_the_newest_audit_entries_come_first(desk):
    for number in (1, 2, 3):
        await desk.audit.record(entry(number))
    assert [row.number for row in await desk.audit.latest(2)] == [3, 2]


async def test_messages_leave_in_order_and_each_chat_only_waits_for_itself(desk):
    await desk.outbox.put([message("a1", "a"), message("b1", "b"), message("a2", "a")])
    now_us = desk.clock.now_us()
    heads = await desk.outbox.heads(Channel.TELEGRAM, now_us, 5)
    assert [found.message.text for found in heads] == ["a1", "b1", "a2"]
    await desk.outbox.postpone(heads[0].id, now_us + 1_000, "slow down")
    heads = await desk.outbox.heads(Channel.TELEGRAM, now_us, 5)
    assert [found.message.text for found in heads] == ["b1"]
    heads = await desk.outbox.heads(Channel.TELEGRAM, now_us + 1_000, 1)
    assert [(found.message.text, found.attempts) for found in heads] == [("a1", 1), ("b1", 0)]


async def test_a_sent_or_failed_message_is_never_offered_again(desk):
    await desk.outbox.put([message("one"), message("two"), message("three")])
    now_us = desk.clock.now_us()
    one, two, three = await desk.outbox.heads(Channel.TELEGRAM, now_us, 5)
    await desk.outbox.mark_sent([one.id], now_us)
    await desk.outbox.mark_failed(two.id, "chat is gone", now_us)
    await desk.outbox.mark_sent([two.id], now_us)
    assert await desk.outbox.heads(Channel.TELEGRAM, now_us, 5) == (three,)
    assert await desk.outbox.waiting(Channel.TELEGRAM) == 1
    assert await desk.outbox.prune(now_us) == 0
    assert await desk.outbox.prune(now_us + 1) == 2
    assert await desk.outbox.waiting(Channel.TELEGRAM) == 1


async def test_what_is_urgent_passes_the_others_and_nothing_passes_what_was_put_off(desk):
    await desk.outbox.put([alert(f"n{number}") for number in range(3)])
    await desk.outbox.put([alert("urgent 1", is_urgent=True), message("reply")])
    await desk.outbox.put([alert("urgent 2", is_urgent=True)])
    now_us = desk.clock.now_us()
    heads = await desk.outbox.heads(Channel.TELEGRAM, now_us, 4)
    assert [one.message.text for one in heads] == ["urgent 1", "reply", "urgent 2", "n0"]
    await desk.outbox.postpone(heads[3].id, now_us + 1_000, "slow down")
    assert await desk.outbox.heads(Channel.TELEGRAM, now_us, 4) == ()
    heads = await desk.outbox.heads(Channel.TELEGRAM, now_us + 1_000, 4)
    assert [one.message.text for one in heads] == ["urgent 1", "reply", "urgent 2", "n0"]


async def test_what_is_held_back_is_passed_until_its_time_and_then_keeps_its_place(desk):
    now_us = desk.clock.now_us()
    held = [alert("held", held_until_us=now_us + 2_000), alert("now")]
    await desk.outbox.put(held)
    (now,) = await desk.outbox.heads(Channel.TELEGRAM, now_us, 5)
    assert now.message.text == "now"
    assert await desk.outbox.waiting(Channel.TELEGRAM) == 1
    desk.clock.advance(2_000)
    assert await desk.outbox.waiting(Channel.TELEGRAM) == 2
    heads = await desk.outbox.heads(Channel.TELEGRAM, now_us + 2_000, 5)
    assert [one.message.text for one in heads] == ["held", "now"]
    assert heads[0].message.held_until_us == heads[0].due_us == now_us + 2_000
    # Put off, it is held back no more: what stands behind it waits.
    await desk.outbox.postpone(heads[0].id, now_us + 3_000, "slow down")
    assert await desk.outbox.heads(Channel.TELEGRAM, now_us + 2_000, 5) == ()
    heads = await desk.outbox.heads(Channel.TELEGRAM, now_us + 3_000, 5)
    assert [one.message.held_until_us for one in heads] == [None, None]
    await desk.outbox.mark_sent([one.id for one in heads], now_us)
    assert await desk.outbox.heads(Channel.TELEGRAM, now_us + 9_000, 5) == ()


async def test_what_is_held_back_can_be_counted_let_go_and_kept_longer(desk):
    now_us = desk.clock.now_us()
    until = {"held_until_us": now_us + 1_000}
    await desk.outbox.put([alert("a", "11", **until) for _ in range(3)])
    await desk.outbox.put([alert("a", "12", **until)])
    await desk.outbox.put([alert("b", kind="resumed", held_until_us=now_us + 5_000)])
    stale = HeldBack(kind="stale", count=3, until_us=now_us + 1_000)
    resumed = HeldBack(kind="resumed", count=1, until_us=now_us + 5_000)
    assert await desk.outbox.held(now_us) == (resumed, stale)
    assert await desk.outbox.held(now_us + 1_000) == (resumed,)
    assert await desk.outbox.hold(["stale", "other"], now_us, now_us + 9_000) == 4
    assert await desk.outbox.held(now_us) == (resumed, replace(stale, until_us=now_us + 9_000))
    assert await desk.outbox.hold(["stale"], now_us, now_us) == 4
    assert await desk.outbox.held(now_us) == (resumed,)
    heads = await desk.outbox.heads(Channel.TELEGRAM, now_us, 5)
    assert [one.message.kind for one in heads] == ["stale"] * 4
    # Let go, it is a message like others: nobody holds it any more.
    assert await desk.outbox.hold(["stale"], now_us, now_us + 9_000) == 0
    assert await desk.outbox.prune(now_us + 9_000) == 0


async def test_when_a_kind_was_or_is_to_be_told_last_is_known(desk):
    now_us = desk.clock.now_us()
    assert await desk.outbox.last_due(now_us) == {}
    await desk.outbox.put([alert("old", alert="a1"), alert("nameless", kind="resumed")])
    desk.clock.advance(1_000)
    await desk.outbox.put([alert("now", alert="a2"), alert("x", "11", kind="paused", alert="a3")])
    await desk.outbox.put([alert("held", alert="a4", held_until_us=now_us + 5_000)])
    assert await desk.outbox.last_due(now_us) == {"stale": now_us + 5_000, "paused": now_us + 1_000}
    assert await desk.outbox.last_due(now_us + 1_001) == {}


async def test_what_is_told_once_is_stored_once_for_each_recipient(desk):
    day = [message("day", who, once="day 2026-11-21") for who in ("11", "12")]
    await desk.outbox.put(day)
    await desk.outbox.put([*day, message("next", once="day 2026-11-22"), message("usual")])
    heads = await desk.outbox.heads(Channel.TELEGRAM, desk.clock.now_us(), 9)
    assert [one.message.text for one in heads] == ["day", "day", "next", "usual"]
    await desk.outbox.mark_sent([one.id for one in heads], desk.clock.now_us())
    await desk.outbox.put(day)
    assert await desk.outbox.heads(Channel.TELEGRAM, desk.clock.now_us(), 9) == ()


async def test_a_message_keeps_what_it_was_given(desk):
    sent = alert(
        "question \N{SNOWMAN}",
        attachment="/backups/kalshi.sqlite",
        severity=Severity.CRITICAL,
        buttons=((MessageButton(label="Yes", data="yes:1"),),),
        instance="inst-7f",
        facts={"by": "Ada", "count": 3},
        alert="k3f9x2ab",
        footer="PAPER | inst-7f",
        is_urgent=True,
        is_silent=True,
        once="day",
    )
    await desk.outbox.put([sent])
    (found,) = await desk.outbox.heads(Channel.TELEGRAM, desk.clock.now_us(), 1)
    assert found.message == sent


async def test_preferences_are_kept_and_a_change_happens_once_under_its_number(desk):
    assert await desk.preferences.load() == Preferences()
    night = QuietHours(from_minute=23 * 60, to_minute=7 * 60 + 30)
    changes = (
        Mute(kind=None, until_us=5),
        Mute(kind=AlertKind.STALE, until_us=7),
        SetQuiet(hours=night),
        SetVerbosity(kind=AlertKind.RESUMED, verbosity=Verbosity.SILENT),
    )
    for number, change in enumerate(changes, 1):
        after = await desk.preferences.change(entry(number), change)
    kept = Preferences(
        verbosity={AlertKind.RESUMED: Verbosity.SILENT},
        muted_until_us={AlertKind.STALE: 7},
        all_muted_until_us=5,
        quiet=night,
    )
    assert after == kept == await desk.preferences.load()
    # Given again after a crash, it is done already.
    assert await desk.preferences.change(entry(4), Unmute(kind=None)) == kept
    assert await desk.preferences.load() == kept
    assert await desk.audit.find(4) is not None
    freed = await desk.preferences.change(entry(5), Unmute(kind=None))
    assert (freed.muted_until_us, freed.all_muted_until_us, freed.quiet) == ({}, 0, night)


async def test_a_key_that_was_pasted_by_mistake_is_not_stored(desk):
    token = "123456789:AAFakeTokenForTests_0123456789abcdefgh"
    await desk.inbox.put([command(1, f"/halt {token}")])
    await desk.inbox.put([replace(command(2, ""), button=f"run:/halt {token}")])
    kept = [await desk.inbox.claim(FIRST, urgent=False)]
    await desk.inbox.finish(kept[0], entry(kept[0].number), [])
    kept.append(await desk.inbox.claim(FIRST, urgent=False))
    assert [(one.command.text, one.command.button) for one in kept] == [
        ("/halt [bot token]", None),
        ("", "run:/halt [bot token]"),
    ]


async def test_channels_do_not_see_each_other(desk):
    await desk.outbox.put([message("cli", channel=Channel.CLI)])
    assert await desk.outbox.heads(Channel.TELEGRAM, desk.clock.now_us(), 5) == ()
    assert await desk.outbox.waiting(Channel.CLI) == 1


async def test_scopes_do_not_see_each_other(database):
    clock = ManualClock()
    mine, other = (SqlInbox(database, Scope(name), clock) for name in ("paper:a:0", "live:a:0"))
    await mine.put([command(1)])
    assert await other.claim(FIRST, urgent=False) is None
    await SqlOutbox(database, Scope("paper:a:0"), clock).put([message("mine")])
    others = SqlOutbox(database, Scope("live:a:0"), clock)
    assert await others.heads(Channel.TELEGRAM, clock.now_us(), 5) == ()


async def test_an_act_and_its_message_stand_or_fall_with_their_transaction(database):
    clock = ManualClock()

    async def acts_and_dies() -> None:
        async with database.begin() as connection:
            assert await record_act(connection, SCOPE, entry(1))
            await insert_messages(connection, SCOPE, [message("never")], clock.now_us())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await acts_and_dies()
    assert await SqlAudit(database, SCOPE).find(1) is None
    assert await SqlOutbox(database, SCOPE, clock).waiting(Channel.TELEGRAM) == 0
    async with database.begin() as connection:
        assert await record_act(connection, SCOPE, entry(1))
    async with database.begin() as connection:
        assert not await record_act(connection, SCOPE, entry(1))


async def test_a_press_keeps_its_message_and_a_renewal_what_it_renews(desk):
    pressed = replace(command(1, ""), button="again:/status", message_id=77)
    await desk.inbox.put([pressed, command(2)])
    first = await desk.inbox.claim(FIRST, urgent=False)
    assert first.command == pressed
    await desk.inbox.finish(first, entry(first.number), [message("new", edits=77)])
    second = await desk.inbox.claim(FIRST, urgent=False)
    assert second.command.message_id is None
    [queued] = await desk.outbox.heads(Channel.TELEGRAM, desk.clock.now_us(), 10)
    assert queued.message.edits == 77


def test_what_later_code_adds_to_a_command_is_left_out():
    stored = json.loads(payload_of(command(1)))
    assert command_of_payload(json.dumps(stored | {"planet": "Mars"})) == command(1)
    assert "message_id" not in stored, "earlier code would not know it"
