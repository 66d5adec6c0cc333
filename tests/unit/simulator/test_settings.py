"""The simulator's settings refuse what cannot work and say what to write instead."""

from typing import Any

import pytest

from bot.domain.money import Money
from bot.simulator.settings import AuthSettings, RateLimits, SimulatorSettings, WorldSettings


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"port": 70_000}, "port"),
        ({"speed": -1}, "speed"),
        ({"world": "mars"}, "world"),
        ({"tick_ms": 0}, "tick_ms"),
        ({"socket_buffer_frames": 0}, "socket_buffer_frames"),
        ({"read_lag_us": -1}, "read_lag_us"),
        ({"cash": {0: Money(-1)}}, "cash"),
    ],
)
def test_a_wrong_setting_is_named(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        SimulatorSettings(**changes)


def test_the_parts_check_themselves() -> None:
    with pytest.raises(ValueError, match="read_rate"):
        RateLimits(read_rate=0)
    with pytest.raises(ValueError, match="pace_us"):
        WorldSettings(pace_us=1)
    with pytest.raises(ValueError, match="extra_events"):
        WorldSettings(extra_events=-1)
    with pytest.raises(ValueError, match="past_ms"):
        AuthSettings(past_ms=-1)


def test_two_exchanges_do_not_share_their_cash() -> None:
    assert SimulatorSettings().cash is not SimulatorSettings().cash
