"""When the periodic work counts as fresh."""

import pytest

from bot.app.staleness import judge_staleness
from bot.kit.times import HOUR_US, SECOND_US, format_seconds

NOW_US = 1_795_245_300_000_000


def judge(age_us: int | None, leader: str | None = "a") -> tuple[bool, dict[str, object]]:
    status = {} if age_us is None else {"last_success_at_utc": format_seconds(NOW_US - age_us)}
    return judge_staleness(status, leader=leader, now_us=NOW_US, stale_after_us=2 * HOUR_US)


@pytest.mark.parametrize(
    ("age_us", "is_fresh", "said"),
    [
        (0, True, "ok: "),
        (2 * HOUR_US, True, "ok: "),
        (2 * HOUR_US + SECOND_US, False, "stale: "),
        (None, False, "missing: "),
    ],
)
def test_collecting_is_fresh_up_to_the_limit(age_us: int | None, is_fresh: bool, said: str) -> None:
    fresh, checks = judge(age_us)
    assert fresh is is_fresh
    assert str(checks["collect"]).startswith(said)


def test_nobody_leading_is_not_fresh() -> None:
    fresh, checks = judge(0, leader=None)
    assert not fresh
    assert checks["leader"] == "missing: nobody leads"
