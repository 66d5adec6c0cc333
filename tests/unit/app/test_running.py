"""What operators hear of a process's life."""

from random import Random
from types import SimpleNamespace

import pytest

from bot.adapters.storage.database import Database
from bot.app.basics import Means
from bot.app.lifecycle import Role as LifeRole
from bot.app.lifecycle import RoleChange
from bot.app.running import Parts, Running
from bot.app.settings import BotSettings
from bot.domain.events import Role
from bot.domain.ids import Epoch, InstanceId, Scope
from bot.domain.leadership import Candidate
from bot.kit.ids import IdFactory
from bot.kit.times import SECOND_US
from bot.ports.messages import Channel
from tests.fakes.clock import ManualClock

pytestmark = pytest.mark.looptime(False)


@pytest.fixture
def running(database: Database) -> Running:
    clock = ManualClock()
    means = Means(clock=clock, random=Random(1), ids=IdFactory(clock, Random(1)))
    candidate = Candidate(
        instance_id=InstanceId("me"),
        scope=Scope("paper:main:0"),
        deployment_id="d1",
        replica_id=None,
        host="h",
        pid=1,
        code_version="0",
    )
    parts = Parts(
        settings=BotSettings(),
        means=means,
        database=database,
        exchange=SimpleNamespace(),
        signer=None,
        candidate=candidate,
    )
    return Running(parts)


async def told(running: Running) -> list[str]:
    await running.alerts.drain()
    rows = await running.queries.chat(Channel.PORTAL, 0, 100)
    return [row.kind for row in rows]


def become(running: Running, role: LifeRole, **facts: object) -> None:
    running.told(RoleChange(role=role, reason="test", **facts))


async def test_a_quiet_take_over_says_only_that_this_one_leads(running: Running) -> None:
    become(running, LifeRole.ACTIVATING, epoch=Epoch(7), rival=InstanceId("old"), is_clean=True)
    running.leading({"brackets": 0})
    assert await told(running) == ["leader_started"]
    banner = running.banner()
    assert (banner.role, banner.epoch) == (Role.LEADING, 7)


async def test_a_dead_predecessor_is_reported_with_the_time_nobody_led(running: Running) -> None:
    become(
        running,
        LifeRole.ACTIVATING,
        epoch=Epoch(7),
        rival=InstanceId("old"),
        is_clean=False,
        unled_us=16 * SECOND_US,
    )
    assert await told(running) == ["nobody_led"]
    (row,) = await running.queries.chat(Channel.PORTAL, 0, 1)
    assert "16 s" in row.text


async def test_an_orderly_hand_over_is_told_once_and_while_it_can_be_sent(
    running: Running,
) -> None:
    become(running, LifeRole.ACTIVATING, epoch=Epoch(7))
    running.leading({})
    become(running, LifeRole.DRAINING, rival=InstanceId("new"))
    become(running, LifeRole.RELEASED, rival=InstanceId("new"))
    become(running, LifeRole.ENDED)
    assert await told(running) == ["leader_started", "draining"]
    assert running.banner().epoch is None


async def test_a_lost_lead_is_told_as_one(running: Running) -> None:
    become(running, LifeRole.ACTIVATING, epoch=Epoch(7))
    running.leading({})
    become(running, LifeRole.STANDBY)
    assert await told(running) == ["leader_started", "leader_deposed"]


async def test_a_typed_deactivation_says_that_nobody_leads_and_what_is_unprotected(
    running: Running,
) -> None:
    become(running, LifeRole.ACTIVATING, epoch=Epoch(7))
    running.leading({})
    running.standing.open_positions = lambda: 3
    become(running, LifeRole.DRAINING, is_deactivated=True)
    rows = await _rows(running)
    assert rows[-1].kind == "stops_unwatched"
    assert "nobody leads" in rows[-1].text
    assert "3" in rows[-1].text


async def _rows(running: Running) -> list:
    await running.alerts.drain()
    return list(await running.queries.chat(Channel.PORTAL, 0, 100))
