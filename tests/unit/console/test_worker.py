"""Commands come out of the inbox once, in order, with a halt ahead of everything."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from bot.console.dispatch import Reply
from bot.console.worker import CommandDesk, CommandWorker, WorkerSettings, messages
from bot.domain.errors import StorageUnavailable
from bot.domain.ids import Epoch
from bot.domain.operations import AccessLevel
from bot.kit.markup import plain
from bot.ports.messages import Channel, MessageButton
from tests.fakes.messages import MemoryInbox
from tests.fakes.operator import FakeOperator
from tests.fakes.telegram_server import TOKEN
from tests.support.console import ADMIN, EPOCH, STRANGER, TRADER, VIEWER, Talk


class Post:
    """A worker over a talk, with a lease that can be taken away."""

    def __init__(self, talk: Talk, inbox: MemoryInbox | None = None) -> None:
        self.talk = talk
        self.epoch: Epoch | None = EPOCH
        self.replied = 0
        inbox = inbox or talk.inbox
        self.desk = CommandDesk(inbox=inbox, console=talk.console, clock=talk.clock)
        self.worker = CommandWorker(
            inbox=inbox, desk=self.desk, epoch=lambda: self.epoch, replied=self._replied
        )

    def _replied(self) -> None:
        self.replied += 1

    @asynccontextmanager
    async def running(self):
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.worker.run())
            yield
            task.cancel()

    async def put(self, *commands) -> None:
        await self.talk.inbox.put(commands)
        self.worker.wake()

    async def until_done(self) -> None:
        for _ in range(6_000):
            if not await self.talk.inbox.waiting():
                return
            await asyncio.sleep(0.01)
        pytest.fail("commands are still waiting after a minute")


async def test_a_stored_command_is_answered_audited_and_ended():
    post = Post(Talk())
    async with post.running():
        await post.put(post.talk.command(VIEWER, "/balance"))
        await post.until_done()
    (text,) = post.talk.store.texts()
    assert plain(text).startswith("Equity $1,012.34")
    entry = post.talk.store.audit[1]
    assert (entry.command, entry.outcome, entry.actor) == ("/balance", "shown", "telegram:33 Ada")
    assert post.replied == 1


async def test_a_stranger_s_command_ends_without_a_message():
    post = Post(Talk())
    async with post.running():
        await post.put(post.talk.command(STRANGER, "/halt"))
        await post.until_done()
    assert post.talk.store.texts() == []
    assert post.talk.operator.acts == []


class _SlowReports(FakeOperator):
    async def positions(self):
        await asyncio.sleep(600)
        return ()


async def test_a_halt_does_not_wait_behind_a_slow_report():
    talk = Talk(operator=_SlowReports())
    post = Post(talk)
    async with post.running():
        await post.put(
            talk.command(VIEWER, "/positions"),
            talk.command(TRADER, "/halt", is_urgent=True),
        )
        await asyncio.sleep(1)
        assert talk.operator.acts == [("halt", 2)]
        assert await talk.inbox.waiting() == 1


async def test_nothing_is_claimed_without_the_lease_and_everything_after_it():
    post = Post(Talk())
    post.epoch = None
    async with post.running():
        await post.put(post.talk.command(VIEWER, "/pnl"))
        await asyncio.sleep(5)
        assert post.talk.store.texts() == []
        post.epoch = EPOCH
        await post.until_done()
    assert len(post.talk.store.texts()) == 1


async def test_a_missed_wake_up_costs_half_a_second():
    post = Post(Talk())
    async with post.running():
        await asyncio.sleep(10)
        await post.talk.inbox.put([post.talk.command(VIEWER, "/pnl")])
        await asyncio.sleep(0.51)
        assert await post.talk.inbox.waiting() == 0


class _FailingInbox(MemoryInbox):
    """Loses its database at chosen moments."""

    def __init__(self, store) -> None:
        super().__init__(store)
        self.claim_faults = 0
        self.finish_faults = 0

    async def claim(self, epoch, *, urgent):
        if self.claim_faults:
            self.claim_faults -= 1
            raise StorageUnavailable("away")
        return await super().claim(epoch, urgent=urgent)

    async def finish(self, claimed, audit, replies):
        if self.finish_faults:
            self.finish_faults -= 1
            raise StorageUnavailable("away")
        await super().finish(claimed, audit, replies)


async def test_a_database_that_comes_and_goes_repeats_no_act():
    talk = Talk()
    talk.inbox = _FailingInbox(talk.store)
    post = Post(talk, talk.inbox)
    talk.inbox.claim_faults, talk.inbox.finish_faults = 3, 3
    async with post.running():
        await post.put(talk.command(ADMIN, "/backup"))
        await post.until_done()
    assert talk.operator.acts == [("backup", 1)]
    assert len(talk.store.texts()) == 1


async def test_a_command_that_keeps_killing_its_process_is_given_up():
    talk = Talk()
    await talk.inbox.put([talk.command(ADMIN, "/backup")])
    for _ in range(4):
        await talk.inbox.claim(EPOCH, urgent=False)
    post = Post(talk)
    async with post.running():
        await post.until_done()
    assert talk.operator.acts == []
    assert "tried 4 times and never finished" in talk.store.texts()[0]


async def test_a_halt_is_never_given_up():
    talk = Talk()
    await talk.inbox.put([talk.command(TRADER, "/halt", is_urgent=True)])
    for _ in range(9):
        await talk.inbox.claim(EPOCH, urgent=True)
    post = Post(talk)
    async with post.running():
        await post.until_done()
    assert talk.operator.acts == [("halt", 1)]


async def test_a_successor_s_command_is_left_alone():
    talk = Talk()
    await talk.inbox.put([talk.command(ADMIN, "/backup")])
    await talk.inbox.claim(Epoch(EPOCH + 1), urgent=False)
    post = Post(talk)
    async with post.running():
        await asyncio.sleep(10)
    assert talk.operator.acts == []
    assert talk.store.texts() == []


async def test_draining_finishes_what_is_in_hand_and_takes_nothing_new():
    class Slow(FakeOperator):
        async def positions(self):
            await asyncio.sleep(3)
            return ()

    talk = Talk(operator=Slow())
    post = Post(talk)
    async with post.running():
        await post.put(talk.command(VIEWER, "/positions"), talk.command(VIEWER, "/pnl"))
        await asyncio.sleep(0.1)
        await post.worker.drain()
        assert len(talk.store.texts()) == 1
        await asyncio.sleep(5)
    assert await talk.inbox.waiting() == 1


async def test_a_caller_who_waits_gets_the_answer_itself():
    talk = Talk()
    command = talk.command(0, "/pnl", channel=Channel.PORTAL, granted=AccessLevel.VIEWER)
    reply = await Post(talk).desk.answer_directly(command, EPOCH)
    assert plain(reply.text).startswith("Day 2026-11-21")
    assert talk.store.texts() == []
    assert talk.store.audit[1].channel is Channel.PORTAL


async def test_a_key_that_was_pasted_by_mistake_is_not_stored():
    talk = Talk()
    command = talk.command(
        0, f"/halt {TOKEN}", channel=Channel.PORTAL, granted=AccessLevel.ADMIN, update_id=9
    )
    reply = await Post(talk).desk.answer_directly(command, EPOCH)
    assert TOKEN not in f"{talk.store}{talk.operator.halts_now}{talk.operator.halt_view}{reply}"
    assert talk.operator.halt_view.reason == "[bot token]"


async def test_a_caller_s_halt_acts_even_if_nothing_can_be_stored():
    talk = Talk()
    talk.store.is_away = True
    command = talk.command(
        0, "/halt fire", channel=Channel.PORTAL, granted=AccessLevel.ADMIN, update_id=9
    )
    reply = await Post(talk).desk.answer_directly(command, EPOCH)
    assert talk.operator.halts_now == [(-9, "fire")]
    assert plain(reply.text) == "HALTED HERE, not yet saved: fire"
    with pytest.raises(StorageUnavailable):
        await Post(talk).desk.answer_directly(
            talk.command(0, "/pnl", channel=Channel.PORTAL, granted=AccessLevel.ADMIN), EPOCH
        )


def test_a_long_reply_becomes_several_messages_with_the_buttons_under_the_last():
    talk = Talk()
    claimed = talk.request(talk.command(VIEWER, "/gaps"))
    button = ((MessageButton(label="x", data="y"),),)
    reply = Reply(
        text="\n".join(["word " * 100] * 20),
        command="/gaps",
        outcome="shown",
        attachment="/file",
        buttons=button,
    )
    parts = messages(claimed, reply)
    assert [(part.attachment, part.buttons) for part in parts] == [
        (None, ()),
        (None, ()),
        ("/file", button),
    ]
    assert {part.recipient for part in parts} == {str(VIEWER)}


def test_replies_of_other_channels_are_addressed_by_number():
    talk = Talk()
    claimed = talk.request(talk.command(0, "/s", channel=Channel.CLI))
    (message,) = messages(claimed, Reply(text="x", command="/s", outcome="shown"))
    assert (message.channel, message.recipient) == (Channel.CLI, "1")


@pytest.mark.parametrize("wrong", [{"poll_s": 0}, {"retry_s": -1}, {"attempts_max": 0}])
def test_settings_that_cannot_work_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        WorkerSettings(**wrong)
