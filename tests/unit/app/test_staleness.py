"""Fresh means: somebody leads, and a cycle was complete within the limit."""

import pytest

from bot.app.staleness import judge_staleness
from bot.kit.times import HOUR_US, format_seconds

NOW_US = 500_000 * HOUR_US
LIMIT_US = 2 * HOUR_US


@pytest.mark.parametrize(
    ("age_us", "leader", "is_fresh", "collect"),
    [
        (0, "inst-7f", True, "ok: "),
        (LIMIT_US, "inst-7f", True, "ok: "),
        (LIMIT_US + 1_000_000, "inst-7f", False, "stale: "),
        (None, "inst-7f", False, "missing: "),
        (0, None, False, "ok: "),
    ],
)
def test_each_check_says_what_it_found(age_us, leader, is_fresh, collect) -> None:
    status = {} if age_us is None else {"last_success_at_utc": format_seconds(NOW_US - age_us)}
    fresh, checks = judge_staleness(status, leader=leader, now_us=NOW_US, stale_after_us=LIMIT_US)
    assert fresh is is_fresh
    assert str(checks["collect"]).startswith(collect)
    assert str(checks["leader"]).startswith("ok: inst-7f" if leader else "missing: ")


def test_a_failure_after_a_success_does_not_hide_the_success() -> None:
    status = {
        "last_success_at_utc": format_seconds(NOW_US - HOUR_US),
        "last_error_at_utc": format_seconds(NOW_US),
    }
    fresh, checks = judge_staleness(status, leader="a", now_us=NOW_US, stale_after_us=LIMIT_US)
    assert fresh
    assert checks["collect"] == "ok: last complete cycle 3600 s ago, limit 7200 s"
