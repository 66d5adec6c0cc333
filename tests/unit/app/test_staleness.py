"""Fresh means: somebody leads, and everything that comes round was complete within its limit."""

import pytest

from bot.app.sections import HistorySection, WebSection
from bot.app.settings import BotSettings
from bot.app.staleness import Marks, Part, done_of, faults_of, judge_staleness, parts_of
from bot.kit.times import HOUR_US, SECOND_US, format_seconds

NOW_US = 500_000 * HOUR_US
LIMIT_US = 2 * HOUR_US
PARTS = (Part(name="collect", what="cycle", limit_us=LIMIT_US),)


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
    done_us = {} if age_us is None else {"collect": NOW_US - age_us}
    fresh, checks = judge_staleness(PARTS, Marks(leader=leader, done_us=done_us), NOW_US)
    assert fresh is is_fresh
    assert str(checks["collect"]).startswith(collect)
    assert str(checks["leader"]).startswith("ok: inst-7f" if leader else "missing: ")


def test_a_failure_after_a_success_does_not_hide_the_success() -> None:
    status = {
        "last_success_at_utc": format_seconds(NOW_US - HOUR_US),
        "last_error_at_utc": format_seconds(NOW_US),
    }
    marks = Marks(leader="a", done_us=done_of(status, {}))
    fresh, checks = judge_staleness(PARTS, marks, NOW_US)
    assert fresh
    assert checks["collect"] == "ok: last complete cycle 3600 s ago, limit 7200 s"


def limits(**sections: object) -> dict[str, int]:
    made = BotSettings(**sections)  # type: ignore[arg-type]
    return {part.name: part.limit_us // SECOND_US for part in parts_of(made)}


def test_discovery_and_backfill_may_be_twice_their_period_old_and_ten_minutes_at_least() -> None:
    assert limits() == {"collect": 7_200, "discovery": 3_600, "backfill": 1_800}
    often = HistorySection(discovery_s=60, backfill_s=299)
    assert limits(history=often) == {"collect": 7_200, "discovery": 600, "backfill": 600}
    chosen = WebSection(discovery_stale_s=90, backfill_stale_s=7)
    assert limits(web=chosen) == {"collect": 7_200, "discovery": 90, "backfill": 7}
    off = HistorySection(discovery_s=0, backfill_s=0)
    assert limits(history=off) == {"collect": 7_200}


@pytest.mark.parametrize(
    ("discovery_s", "backfill_s", "told"),
    [
        (3_600, 1_800, ""),
        (3_601, 1_800, "discovery stale: last complete pass 3601 s ago, limit 3600 s"),
        (0, 1_801, "backfill stale: last complete pass 1801 s ago, limit 1800 s"),
        (None, 0, "discovery missing: no complete pass yet"),
    ],
)
def test_one_line_names_the_stale_part(discovery_s, backfill_s, told) -> None:
    ages = {"collect": 0, "discovery": discovery_s, "backfill": backfill_s}
    done_us = {name: NOW_US - age * SECOND_US for name, age in ages.items() if age is not None}
    fresh, checks = judge_staleness(
        parts_of(BotSettings()), Marks(leader="a", done_us=done_us), NOW_US
    )
    assert (fresh, faults_of(checks)) == (not told, told)


def test_it_says_for_how_long_nobody_has_led() -> None:
    marks = Marks(leader=None, done_us={}, led_until_us=NOW_US - 75 * SECOND_US)
    _, checks = judge_staleness((), marks, NOW_US)
    assert checks == {"leader": "missing: nobody leads, for 75 s"}
