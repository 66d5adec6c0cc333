"""The sender contract: nothing lost, order kept for each recipient, the same mail when repeated."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.alerts.courier import Courier, CourierParts, CourierSettings, parcels
from bot.domain.operations import Severity
from bot.kit.logs import LogSettings, TextFormatter
from bot.kit.times import MINUTE_US, SECOND_US
from bot.ports.carriers import DELIVERED, Receipt, Verdict
from bot.ports.messages import Channel, OutgoingMessage
from tests.fakes.channels import ScriptedCarrier
from tests.fakes.clock import ManualClock
from tests.fakes.messages import MemoryOutbox, MemoryStore
from tests.support.parcels import waiting
from tests.support.telegram import Noted

LATER = Receipt(verdict=Verdict.LATER, reason="greylisted")
NEVER = Receipt(verdict=Verdict.NEVER, reason="no such user")
SHUT = Receipt(verdict=Verdict.SHUT, reason="the login is refused")


class Post:
    """A courier between an outbox in memory and a scripted carrier, with a clock that is moved."""

    def __init__(self, **carrier) -> None:
        self.clock = ManualClock(monotonic_us=1)
        self.store = MemoryStore(self.clock)
        self.outbox = MemoryOutbox(self.store)
        self.carrier = ScriptedCarrier(**carrier)
        self.noted = Noted()
        self.is_leading = True
        self.courier = self.another()

    def another(self) -> Courier:
        """A courier that knows nothing of an earlier one, as after a restart."""
        return Courier(
            CourierParts(
                carrier=self.carrier,
                outbox=self.outbox,
                clock=self.clock,
                random=Random(1),
                may_send=lambda: self.is_leading,
                watch=self.noted,
                settings=CourierSettings(),
            )
        )

    async def put(self, *texts: str, to: str = "ada@example.com") -> None:
        await self.outbox.put(
            [
                OutgoingMessage(
                    channel=self.carrier.channel,
                    recipient=to,
                    kind="halt_set",
                    severity=Severity.WARNING,
                    text=text,
                )
                for text in texts
            ]
        )

    async def pass_time(self, microseconds: int = 10 * MINUTE_US) -> None:
        """Let what waits become due, and work until nothing leaves."""
        self.clock.advance(microseconds)
        await self.courier.drain()

    def states(self) -> list[tuple[str, str | None]]:
        return [(row.state, row.reason) for row in self.store.outbox]


async def test_what_waits_together_leaves_together_in_order():
    post = Post()
    await post.put("one", "two", "three")
    await post.courier.drain()
    assert [parcel.ids for parcel in post.carrier.arrived] == [(1, 2, 3)]
    assert post.carrier.texts() == ["one", "two", "three"]
    assert [state for state, _ in post.states()] == ["sent"] * 3


async def test_a_channel_that_joins_nothing_gets_one_at_a_time():
    post = Post(channel=Channel.WEBHOOK, parcel_max=1)
    await post.put("one", "two")
    await post.courier.drain()
    assert [parcel.ids for parcel in post.carrier.arrived] == [(1,), (2,)]


async def test_a_failure_keeps_everything_behind_it_for_that_recipient_alone():
    post = Post(channel=Channel.WEBHOOK, parcel_max=1, script=[LATER])
    await post.put("a1", "a2", to="a")
    await post.put("b1", to="b")
    await post.courier.drain()
    assert post.carrier.texts() == ["b1"]
    await post.pass_time()
    assert post.carrier.texts() == ["b1", "a1", "a2"]


async def test_each_failure_waits_longer_than_the_one_before_up_to_five_minutes():
    post = Post(script=[LATER] * 12)
    await post.put("one")
    waits = []
    for _ in range(12):
        await post.courier.drain()
        (row,) = post.store.outbox
        waits.append((row.queued.due_us - post.clock.now_us()) / SECOND_US)
        post.clock.advance(row.queued.due_us - post.clock.now_us())
    assert 2.5 <= waits[0] <= 5
    assert 5 <= waits[1] <= 10
    assert all(150 <= wait <= 300 for wait in waits[6:])
    await post.courier.drain()
    assert post.carrier.texts() == ["one"]


async def test_the_other_side_may_ask_for_a_longer_wait():
    post = Post(script=[replace(LATER, retry_after_s=1_000.0)])
    await post.put("one")
    await post.courier.drain()
    await post.pass_time(999 * SECOND_US)
    assert post.carrier.texts() == []
    await post.pass_time(SECOND_US)
    assert post.carrier.texts() == ["one"]


async def test_what_can_never_be_delivered_is_given_up_and_the_next_one_goes():
    post = Post(channel=Channel.WEBHOOK, parcel_max=1, script=[NEVER])
    await post.put("one", "two")
    await post.courier.drain()
    assert post.states() == [("failed", "no such user"), ("sent", None)]
    assert post.noted.ends == [
        ("ada@example.com", Verdict.NEVER),
        ("ada@example.com", Verdict.DELIVERED),
    ]


async def test_a_channel_that_is_shut_rests_for_everyone():
    post = Post(script=[SHUT])
    await post.put("one", to="a")
    await post.put("two", to="b")
    await post.courier.drain()
    await post.pass_time(9 * MINUTE_US)
    assert len(post.carrier.tried) == 1
    await post.pass_time(MINUTE_US)
    assert post.carrier.texts() == ["one", "two"]


async def test_what_was_tried_together_is_tried_again_together_also_after_a_restart():
    post = Post(script=[LATER])
    await post.put("one", "two")
    await post.courier.drain()
    await post.put("three")
    post.courier = post.another()
    await post.pass_time()
    first, second, third = post.carrier.tried
    assert (first.name, first.ids) == (second.name, second.ids)
    assert third.ids == (3,)


async def test_a_process_that_dies_with_a_mail_on_its_way_sends_the_same_mail_again():
    post = Post()

    async def dies(_: object) -> None:
        raise asyncio.CancelledError

    post.carrier.before = dies
    await post.put("one", "two")
    with pytest.raises(asyncio.CancelledError):
        await post.courier.drain()
    post.carrier.before = None
    await post.put("three")
    post.courier = post.another()
    await post.courier.drain()
    first, second, third = post.carrier.tried
    assert (first.name, first.ids) == (second.name, second.ids)
    assert third.ids == (3,)
    assert post.carrier.texts() == ["one", "two", "three"]


async def test_nothing_leaves_without_the_lead_not_even_the_second_of_two():
    post = Post(channel=Channel.WEBHOOK, parcel_max=1)
    post.is_leading = False
    await post.put("one", "two")
    await post.courier.drain()
    assert post.carrier.tried == []

    async def deposed(_: object) -> None:
        post.is_leading = False

    post.is_leading = True
    post.carrier.before = deposed
    await post.courier.drain()
    assert post.carrier.texts() == ["one"]


async def test_a_fault_of_ours_ends_the_message_and_not_the_service():
    post = Post(channel=Channel.WEBHOOK, parcel_max=1, script=[KeyError("x")])
    await post.put("one", "two")
    await post.courier.drain()
    assert post.states() == [("failed", "fault here: KeyError"), ("sent", None)]


async def test_a_delivery_that_cannot_be_stored_is_not_repeated():
    post = Post()

    async def goes_away(_: object) -> None:
        post.store.is_away = True

    post.carrier.before = goes_away
    await post.put("one")
    async with running(post.courier):
        await asyncio.sleep(5)
        post.store.is_away = False
        await asyncio.sleep(5)
    assert len(post.carrier.tried) == 1
    assert post.states() == [("sent", None)]


async def test_a_hand_over_waits_only_for_a_moment():
    post = Post()

    async def hangs(_: object) -> None:
        await asyncio.Event().wait()

    post.carrier.before = hangs
    await post.put("one")
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    await post.courier.drain()
    assert loop.time() - began_s == pytest.approx(1.5, abs=0.01)
    assert post.states() == [("waiting", None)]


async def test_what_is_logged_about_mail_has_the_word_that_the_runbook_greps_for(caplog):
    post = Post(script=[LATER])
    await post.put("one")
    await post.courier.drain()
    (record,) = caplog.records
    line = TextFormatter(LogSettings()).format(record)
    assert "message waits channel=email to=ada@example.com reason=greylisted" in line


async def test_a_message_that_comes_wakes_it():
    post = Post()
    async with running(post.courier):
        await asyncio.sleep(0.01)
        await post.put("one")
        post.courier.wake()
        await asyncio.sleep(0.01)
        assert post.carrier.texts() == ["one"]


@given(
    st.lists(st.sampled_from([DELIVERED, LATER, SHUT, KeyError("x")]), max_size=20),
    st.lists(st.sampled_from("ab"), min_size=1, max_size=12),
    st.sampled_from([1, 3]),
)
async def test_whatever_fails_every_message_arrives_or_is_given_up_in_order(
    script, names, parcel_max
):
    post = Post(parcel_max=parcel_max, script=list(script))
    for number, name in enumerate(names):
        await post.put(f"{name}{number}", to=name)
        await post.courier.drain()
    for _ in range(len(script) + 2):
        await post.pass_time(20 * MINUTE_US)
    assert {row.state for row in post.store.outbox} <= {"sent", "failed"}
    sent = [row.queued.message.text for row in post.store.outbox if row.state == "sent"]
    for name in "ab":
        arrived = [text for text in post.carrier.texts() if text.startswith(name)]
        assert arrived == [text for text in sent if text.startswith(name)]


def test_what_was_tried_keeps_its_borders():
    tried = [waiting(number, attempts=1) for number in (1, 2)]
    fresh = [waiting(number) for number in (3, 4, 5)]
    assert [one.ids for one in parcels([*tried, *fresh], 2)] == [(1, 2), (3, 4), (5,)]
    assert [one.ids for one in parcels(tried, 1)] == [(1,), (2,)]


@asynccontextmanager
async def running(courier: Courier):
    async with asyncio.TaskGroup() as group:
        task = group.create_task(courier.run())
        yield
        task.cancel()
