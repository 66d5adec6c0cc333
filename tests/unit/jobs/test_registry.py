"""The table of jobs holds what has a function, at the documented times."""

import pytest

from bot.jobs.registry import JobFunctions, JobSettings, JobSpec, leader_jobs
from bot.jobs.triggers import Daily, Every
from bot.kit.times import HOUR_US, format_seconds, parse_rfc3339


async def nothing(_: int) -> None:
    pass


ALL = JobFunctions(
    collect=nothing,
    gap_check=nothing,
    account_snapshot=nothing,
    daily_summary=nothing,
    nightly_backup=nothing,
    clean_up=nothing,
    retention=nothing,
    discovery=nothing,
    backfill=nothing,
    closed_cleanup=nothing,
)


def test_jobs_without_a_function_are_left_out() -> None:
    specs = leader_jobs(JobFunctions(collect=nothing, clean_up=nothing), JobSettings())
    assert [spec.name for spec in specs] == ["collect", "clean_up"]


@pytest.mark.parametrize(
    ("name", "due"),
    [
        ("collect", "2026-11-21T08:00:00Z"),
        ("gap_check", "2026-11-21T08:10:00Z"),
        ("account_snapshot", "2026-11-21T07:20:00Z"),
        ("daily_summary", "2026-11-21T20:00:00Z"),
        ("nightly_backup", "2026-11-22T02:00:00Z"),
        ("clean_up", "2026-11-21T07:30:00Z"),
        ("retention", "2026-11-21T07:33:00Z"),
        ("discovery", "2026-11-21T07:34:00Z"),
        ("backfill", "2026-11-21T07:22:00Z"),
        ("closed_cleanup", "2026-11-21T07:41:00Z"),
    ],
)
def test_each_job_is_due_at_its_documented_time(name, due) -> None:
    spec = {spec.name: spec for spec in leader_jobs(ALL, JobSettings())}[name]
    following = spec.trigger.following(parse_rfc3339("2026-11-21T07:15:00Z"))
    assert format_seconds(following) == due


def test_a_catch_up_never_reaches_the_slot_before() -> None:
    for spec in leader_jobs(ALL, JobSettings()):
        match spec.trigger:
            case Every(period_us=period_us):
                assert spec.catch_up_s * 1_000_000 < period_us
                assert spec.limit_s * 1_000_000 <= period_us
            case Daily():
                assert spec.catch_up_s * 1_000_000 < 23 * HOUR_US


@pytest.mark.parametrize(
    "wrong", [{"name": ""}, {"grace_s": 0}, {"limit_s": 0}, {"catch_up_s": -1}]
)
def test_a_job_without_a_name_or_limits_is_refused(wrong) -> None:
    good = {
        "name": "j",
        "trigger": Every(HOUR_US),
        "run": nothing,
        "grace_s": 1,
        "catch_up_s": 0,
        "limit_s": 1,
    }
    with pytest.raises(ValueError, match=r"name|grace_s"):
        JobSpec(**(good | wrong))


@pytest.mark.parametrize("seconds", [9, 86_401])
def test_an_absurd_snapshot_period_is_refused(seconds) -> None:
    with pytest.raises(ValueError, match="account_snapshot_s"):
        JobSettings(account_snapshot_s=seconds)


@pytest.mark.parametrize("name", ["discovery_s", "backfill_s", "closed_cleanup_s"])
@pytest.mark.parametrize("seconds", [59, 86_401])
def test_an_absurd_period_of_a_reader_is_refused(name, seconds) -> None:
    with pytest.raises(ValueError, match=name):
        JobSettings(**{name: seconds})
