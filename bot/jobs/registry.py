"""The table of the leader's jobs: what runs when, how late it may run, and how long it may take.

Only what can wait is a job. Heartbeats, the trading gate, exits and breakers
are not: they belong to services that a busy scheduler cannot delay.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from bot.jobs.triggers import Daily, Every, Trigger
from bot.kit.times import HOUR_US, MINUTE_US, SECOND_US

JobFunction: TypeAlias = Callable[[int], Awaitable[None]]
"""Takes the slot (microseconds UTC), which names the hour or day the run is for."""

_GAP_CHECK_DELAY_US = 10 * MINUTE_US
_CLEAN_UP_DELAY_US = 30 * MINUTE_US
_RETENTION_DELAY_US = 33 * MINUTE_US
# Apart from one another, and from the hour's own cycle.
_DISCOVERY_DELAY_US = 4 * MINUTE_US
_BACKFILL_DELAY_US = 7 * MINUTE_US
_CLEANUP_DELAY_US = 41 * MINUTE_US
_EVENING = Daily(20)
_NIGHT = Daily(2)
_EARLY = Daily(3)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """One job.

    A slot fires up to ``grace_s`` late; later than that, and when leadership
    begins, it still runs within ``catch_up_s`` of its time (0: never). A run
    is cancelled, and counts as failed, after ``limit_s``.
    """

    name: str
    trigger: Trigger
    run: JobFunction
    grace_s: int
    catch_up_s: int
    limit_s: int

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("name: a job needs one")
        if self.grace_s < 1 or self.limit_s < 1 or self.catch_up_s < 0:
            raise ValueError(f"{self.name}: grace_s and limit_s start at 1, catch_up_s at 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSettings:
    """The times of the schedule an operator may move."""

    account_snapshot_s: int = 300
    discovery_s: int = 1_800
    backfill_s: int = 900
    closed_cleanup_s: int = 3_600
    daily_summary: Daily = _EVENING
    nightly_backup: Daily = _NIGHT

    def __post_init__(self) -> None:
        if not 10 <= self.account_snapshot_s <= 86_400:  # noqa: PLR2004 - seconds of a day
            raise ValueError(
                "jobs account_snapshot_s: set it between 10 and 86400,"
                f" not {self.account_snapshot_s}"
            )
        for name in ("discovery_s", "backfill_s", "closed_cleanup_s"):
            if not 60 <= getattr(self, name) <= 86_400:  # noqa: PLR2004 - seconds of a day
                raise ValueError(
                    f"jobs {name}: set it between 60 and 86400, not {getattr(self, name)}"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFunctions:
    """What the jobs do. ``None`` leaves a job out of the schedule."""

    collect: JobFunction | None = None
    gap_check: JobFunction | None = None
    account_snapshot: JobFunction | None = None
    daily_summary: JobFunction | None = None
    nightly_backup: JobFunction | None = None
    clean_up: JobFunction | None = None
    stream_upkeep: JobFunction | None = None
    retention: JobFunction | None = None
    discovery: JobFunction | None = None
    backfill: JobFunction | None = None
    closed_cleanup: JobFunction | None = None


def leader_jobs(functions: JobFunctions, settings: JobSettings) -> tuple[JobSpec, ...]:
    """The schedule of a leader that has these functions.

    An hourly job missed by a short leaderless gap is made up within its hour;
    a missed day's summary or backup within six. An account snapshot is never
    made up: it would state a past that nobody saw. The readers of the past begin with a
    leadership and go on from their cursors, so a run that is cut off costs nothing.
    """
    snapshots = Every(settings.account_snapshot_s * SECOND_US)
    table: tuple[tuple[str, JobFunction | None, Trigger, int, int, int], ...] = (
        ("collect", functions.collect, Every(HOUR_US), 300, 3_540, 3_540),
        ("gap_check", functions.gap_check, Every(HOUR_US, _GAP_CHECK_DELAY_US), 300, 3_000, 300),
        ("account_snapshot", functions.account_snapshot, snapshots, 30, 0, 60),
        ("daily_summary", functions.daily_summary, settings.daily_summary, 600, 21_600, 300),
        ("nightly_backup", functions.nightly_backup, settings.nightly_backup, 600, 21_600, 7_200),
        ("stream_upkeep", functions.stream_upkeep, _EARLY, 600, 21_600, 3_600),
        ("clean_up", functions.clean_up, Every(HOUR_US, _CLEAN_UP_DELAY_US), 600, 0, 600),
        ("retention", functions.retention, Every(HOUR_US, _RETENTION_DELAY_US), 600, 0, 1_500),
        _reader("discovery", functions.discovery, settings.discovery_s, _DISCOVERY_DELAY_US),
        _reader("backfill", functions.backfill, settings.backfill_s, _BACKFILL_DELAY_US),
        _reader(
            "closed_cleanup", functions.closed_cleanup, settings.closed_cleanup_s, _CLEANUP_DELAY_US
        ),
    )
    return tuple(
        JobSpec(
            name=name,
            trigger=trigger,
            run=function,
            grace_s=grace_s,
            catch_up_s=catch_up_s,
            limit_s=limit_s,
        )
        for name, function, trigger, grace_s, catch_up_s, limit_s in table
        if function is not None
    )


def _reader(
    name: str, function: JobFunction | None, period_s: int, delay_us: int
) -> tuple[str, JobFunction | None, Trigger, int, int, int]:
    """A periodic reader: made up when leadership begins, and over before its next slot."""
    period_us = period_s * SECOND_US
    trigger = Every(period_us, delay_us % period_us)
    return (name, function, trigger, min(300, period_s), period_s - 1, period_s - 10)
