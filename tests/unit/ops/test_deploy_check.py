"""What a start says about its own deployment."""

from dataclasses import replace

import pytest

from bot.ops.deploy_check import Deployed, deploy_warnings

RIGHT = Deployed(draining_s=30, overlap_s=0, healthcheck_timeout_s=300, started_by="")


@pytest.mark.parametrize("started_by", ["", "tini", "containerd-shim", "python3.11"])
def test_a_right_deployment_is_not_talked_about(started_by: str) -> None:
    assert deploy_warnings(replace(RIGHT, started_by=started_by), 10.0) == []
    assert deploy_warnings(replace(RIGHT, overlap_s=None, healthcheck_timeout_s=None), 10.0) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"draining_s": None}, "DRAINING_SECONDS is not set: unless the dashboard"),
        ({"draining_s": 0}, "DRAINING_SECONDS is 0, and a hand-over may take 10 s; set it to 30"),
        ({"draining_s": 14}, "set it to 30"),
        ({"overlap_s": 20}, "OVERLAP_SECONDS is 20"),
        ({"healthcheck_timeout_s": 30}, "HEALTHCHECK_TIMEOUT_SEC is 30"),
        ({"started_by": "sh"}, "started below sh, which keeps SIGTERM to itself"),
        ({"started_by": "dash"}, "started below dash"),
    ],
)
def test_what_would_hurt_a_hand_over_is_named_with_the_fix(
    changes: dict[str, object], told: str
) -> None:
    (line,) = deploy_warnings(replace(RIGHT, **changes), 10.0)
    assert told in line


def test_a_longer_drain_asks_for_a_longer_draining_time() -> None:
    (line,) = deploy_warnings(RIGHT, 60.0)
    assert line.endswith("set it to 65")
