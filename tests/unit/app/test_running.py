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
from bot.domain.leadership import Candidate, Predecessor
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


@pytest.mark.parametrize(
    ("end", "words"), [(None, "without a word"), ("killed by SIGKILL", "killed by SIGKILL")]
)
async def test_a_death_is_told_once_by_the_successor_with_what_came_of_it(
    running: Running, end: str | None, words: str
) -> None:
    become(
        running,
        LifeRole.ACTIVATING,
        epoch=Epoch(7),
        is_clean=False,
        predecessor=Predecessor(instance_id=InstanceId("old"), end=end),
        unled_us=16 * SECOND_US,
    )
    assert await told(running) == []
    running.leading({"brackets": 3})
    assert await told(running) == ["nobody_led"]
    [row] = await _rows(running)
    said = f"leader old silent for 16 s ({words}), me took over, 3 brackets re-armed"
    assert said in row.text
    become(running, LifeRole.STANDBY)
    become(running, LifeRole.ACTIVATING, epoch=Epoch(8))
    running.leading({})
    assert await told(running) == ["nobody_led", "leader_deposed", "leader_started"]


async def test_its_own_silence_is_no_death(running: Running) -> None:
    """The database was away: the same process leads again."""
    become(running, LifeRole.ACTIVATING, epoch=Epoch(7))
    running.leading({})
    running.told(RoleChange(role=LifeRole.STANDBY, reason="no renewal could be confirmed in time"))
    become(
        running,
        LifeRole.ACTIVATING,
        epoch=Epoch(8),
        is_clean=False,
        predecessor=Predecessor(instance_id=InstanceId("me"), end=None),
        unled_us=60 * SECOND_US,
    )
    running.leading({})
    assert (await told(running))[2:] == ["stops_unwatched", "leader_started"]
    assert "for 60 s: no renewal could be confirmed" in (await _rows(running))[2].text


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


async def test_a_standby_that_ends_for_another_says_who_leads(running: Running) -> None:
    become(running, LifeRole.STANDBY)
    become(running, LifeRole.ENDED, rival=InstanceId("other"))
    assert await told(running) == ["leader_standby"]
    assert "other leads; this one ends" in (await _rows(running))[0].text


async def test_a_standby_that_is_stopped_says_nothing(running: Running) -> None:
    become(running, LifeRole.STANDBY)
    become(running, LifeRole.ENDED)
    assert await told(running) == []
