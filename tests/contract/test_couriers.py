"""The sender's contract over every outbox: nothing lost, order kept, the same name when repeated."""

from collections.abc import AsyncIterator
from random import Random

import pytest

from bot.adapters.storage.database import Database
from bot.adapters.storage.outbox import SqlOutbox
from bot.alerts.courier import Courier, CourierParts, CourierSettings
from bot.domain.ids import Scope
from bot.domain.operations import Severity
from bot.kit.times import MINUTE_US
from bot.ports.carriers import Receipt, Verdict
from bot.ports.messages import Channel, Outbox, OutgoingMessage
from tests.fakes.channels import ScriptedCarrier
from tests.fakes.clock import ManualClock
from tests.fakes.messages import MemoryOutbox, MemoryStore

pytestmark = pytest.mark.looptime(False)

LATER = Receipt(verdict=Verdict.LATER, reason="greylisted")
NEVER = Receipt(verdict=Verdict.NEVER, reason="no such user")


class Post:
    """A courier over an outbox, with a clock that is moved."""

    def __init__(self, outbox: Outbox, clock: ManualClock) -> None:
        self.outbox = outbox
        self.clock = clock
        self.carrier = ScriptedCarrier(parcel_max=4)

    def courier(self) -> Courier:
        """One that knows nothing of an earlier one, as after a restart."""
        return Courier(
            CourierParts(
                carrier=self.carrier,
                outbox=self.outbox,
                clock=self.clock,
                random=Random(1),
                may_send=lambda: True,
                settings=CourierSettings(drain_s=30),
            )
        )

    async def put(self, *texts: str, urgent: bool = False) -> None:
        await self.outbox.put(
            [
                OutgoingMessage(
                    channel=Channel.EMAIL,
                    recipient=text[0],
                    kind="halt_set",
                    severity=Severity.WARNING,
                    text=text,
                    is_urgent=urgent,
                )
                for text in texts
            ]
        )

    async def pass_time(self) -> None:
        self.clock.advance(10 * MINUTE_US)
        await self.courier().drain()

    def arrived(self, recipient: str) -> list[str]:
        return [text for text in self.carrier.texts() if text[0] == recipient]


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def post(request) -> AsyncIterator[Post]:
    clock = ManualClock(monotonic_us=1)
    if request.param == "memory":
        yield Post(MemoryOutbox(MemoryStore(clock)), clock)
        return
    database = await Database.open(request.getfixturevalue(f"{request.param}_url"))
    yield Post(SqlOutbox(database, Scope("paper:test:0"), clock), clock)
    await database.close()


async def test_everything_arrives_in_order_whatever_is_put_off(post: Post) -> None:
    mine, others = [f"a{n}" for n in range(10)], [f"b{n}" for n in range(5)]
    post.carrier.script = [LATER, LATER, LATER]
    await post.put(*mine[:6], *others)
    await post.courier().drain()
    await post.put(*mine[6:])
    for _ in range(4):
        await post.pass_time()
    assert (post.arrived("a"), post.arrived("b")) == (mine, others)
    assert await post.outbox.waiting(Channel.EMAIL) == 0


async def test_what_was_tried_together_keeps_its_name_after_a_restart(post: Post) -> None:
    post.carrier.script = [LATER]
    await post.put("a1", "a2")
    await post.courier().drain()
    await post.put("a3")
    await post.pass_time()
    first, second, third = post.carrier.tried
    assert (first.name, first.ids) == (second.name, second.ids)
    assert [one.message.text for one in third.messages] == ["a3"]


async def test_what_is_given_up_holds_nothing_up(post: Post) -> None:
    post.carrier.script = [NEVER]
    await post.put("a1", "b1")
    await post.courier().drain()
    assert post.carrier.texts() == ["b1"]
    assert await post.outbox.waiting(Channel.EMAIL) == 0


async def test_a_breaker_passes_what_waits_and_leaves_alone(post: Post) -> None:
    await post.put("a1", "a2")
    await post.put("a!", urgent=True)
    await post.courier().drain()
    assert [[one.message.text for one in parcel.messages] for parcel in post.carrier.arrived] == [
        ["a!"],
        ["a1", "a2"],
    ]
