"""Where a start may lead: at home, on the platform, or nowhere yet."""

import pytest

from bot.domain.ids import Epoch, InstanceId, Scope
from bot.domain.leadership import InstanceRow, InstanceState
from bot.leadership.place import foreign_place


def led(deployment_id: str, host: str) -> InstanceRow:
    return InstanceRow(
        instance_id=InstanceId("a"),
        scope=Scope("live:main:0"),
        deployment_id=deployment_id,
        generation=1,
        replica_id=None,
        host=host,
        pid=7,
        code_version="0",
        state=InstanceState.LEADING,
        is_active=True,
        decided_by="a",
        epoch=Epoch(7),
        started_us=1,
        heartbeat_us=1,
        stopped_us=None,
        stop_reason=None,
    )


PLATFORM, VPS, LAPTOP = led("d-17", "box-1"), led("start-a", "vps"), led("start-b", "laptop")


@pytest.mark.parametrize(
    ("last", "is_alive", "host", "is_on_platform", "why"),
    [
        (None, False, "laptop", False, None),
        (PLATFORM, True, "laptop", False, "last led on the platform (deployment d-17)"),
        (PLATFORM, False, "laptop", False, "and this is laptop, off it"),
        (PLATFORM, False, "box-1", False, "off it"),
        (PLATFORM, True, "box-2", True, None),
        (VPS, True, "laptop", False, "led on vps (process 7), and this is laptop"),
        (VPS, False, "laptop", False, None),
        (VPS, True, "vps", False, None),
        (LAPTOP, True, "box-3", True, None),
    ],
)
def test_a_start_leads_at_home_only(
    last: InstanceRow | None, is_alive: bool, host: str, is_on_platform: bool, why: str | None
) -> None:
    told = foreign_place(last, is_alive=is_alive, host=host, is_on_platform=is_on_platform)
    assert told is None if why is None else why in str(told)
