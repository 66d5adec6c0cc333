"""Which hours have no snapshots, and why.

An hour is missing when nothing was stored for it. An hour whose complete cycle
found no open market has nothing to store and is not missing. The reason comes
from the last cycle of the hour and from what is known of the time around it.
"""

import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from bot.collect.gap_reasons import (
    Circumstances,
    GapReason,
    filters_by_series,
    reason_of_hour,
)
from bot.domain.ids import SeriesTicker
from bot.kit.clock import Clock
from bot.kit.threads import in_thread
from bot.kit.times import HOUR_US, hour_key, parse_rfc3339
from bot.ports.collection import CollectionStore, Cycle, CycleOutcome
from bot.ports.gaps import GapStore

logger = logging.getLogger(__name__)

_CHECKED_UP_TO = "last_gap_check_hour"
_CHECKED_HOURS_MAX = 30 * 24
KEPT_FROM = "snapshots_kept_from"
"""The status row with the first hour that retention has left whole."""
COUNTED_HOURS = 30 * 24
"""How far back missing hours are counted where nobody asked for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Consecutive missing hours of one reason. ``error`` is the last cycle's own."""

    series: SeriesTicker | None
    first_hour: str
    last_hour: str
    hours: int
    reason: GapReason
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GapReport:
    """What is missing between two hours, both included; ``expected`` counts them all."""

    first_hour: str | None
    last_hour: str | None
    expected: int
    missing: int
    gaps: tuple[Gap, ...]


OnGaps: TypeAlias = Callable[[GapReport], Awaitable[None]]
"""Turns found gaps into an alert."""


async def find_gaps(
    store: CollectionStore,
    facts: GapStore,
    *,
    first_hour: str | None = None,
    last_hour: str | None = None,
    series: SeriesTicker | None = None,
) -> GapReport:
    """The missing hours of everything, or of one series.

    A bound that is not given is the first or the last stored hour. What retention
    removed is not missing.
    """
    span = await store.snapshot_span(series)
    first, last = first_hour or (span and span[0]), last_hour or (span and span[1])
    if first is not None:
        first = max(first, await _kept_from(store))
    if first is None or last is None or first > last:
        return GapReport(first_hour=first, last_hour=last, expected=0, missing=0, gaps=())
    stored = await store.snapshot_hours(first, last, series)
    cycles = await store.cycles(first, last)
    known = await circumstances(facts, first, last, cycles)

    def reported() -> GapReport:
        missing = missing_hours(first, last, stored, cycles, series=series)
        return GapReport(
            first_hour=first,
            last_hour=last,
            expected=sum(1 for _ in hours_between(first, last)),
            missing=len(missing),
            gaps=tuple(_grouped(missing, cycles, series, known)),
        )

    # A year is long, and whoever trades may share the loop.
    return await in_thread(reported)


async def count_missing(store: CollectionStore) -> int:
    """How many hours are missing of the last thirty days before the last stored one.

    It is asked for again and again beside trading, so it must not grow with what is stored.
    """
    span = await store.snapshot_span()
    if span is None:
        return 0
    last = span[1]
    earliest = hour_key(parse_rfc3339(last) - (COUNTED_HOURS - 1) * HOUR_US)
    first = max(span[0], earliest, await _kept_from(store))
    held = {*await store.snapshot_hours(first, last)}
    held.update(await store.hours_without_market(first, last))
    return sum(hour not in held for hour in hours_between(first, last))


async def _kept_from(store: CollectionStore) -> str:
    return (await store.status()).get(KEPT_FROM, "")


async def circumstances(
    facts: GapStore, first: str, last: str, cycles: Sequence[Cycle]
) -> Circumstances:
    """What explains gaps between two hours, both included."""
    from_us, to_us = parse_rfc3339(first), parse_rfc3339(last) + HOUR_US
    return Circumstances(
        spells=await facts.spells(from_us, to_us),
        closures=await facts.closures(from_us, to_us),
        lives=await facts.lives(from_us, to_us),
        filters=await in_thread(lambda: filters_by_series(cycles)),
    )


def missing_hours(
    first: str,
    last: str,
    stored: Sequence[str],
    cycles: Sequence[Cycle],
    *,
    series: SeriesTicker | None = None,
) -> list[str]:
    """The hours of the window without a snapshot that should have one, ascending."""
    held = set(stored)
    held |= {cycle.snapshot_hour_utc for cycle in cycles if _found_no_market(cycle, series)}
    return [hour for hour in hours_between(first, last) if hour not in held]


def hours_between(first: str, last: str) -> Iterator[str]:
    """Every hour key from ``first`` to ``last``, both included."""
    for at_us in range(parse_rfc3339(first), parse_rfc3339(last) + 1, HOUR_US):
        yield hour_key(at_us)


class GapCheck:
    """The hourly check: every finished hour is looked at once, also across restarts."""

    def __init__(
        self,
        store: CollectionStore,
        facts: GapStore,
        clock: Clock,
        on_gaps: OnGaps,
        *,
        lookback_hours: int = 24,
    ) -> None:
        if not 1 <= lookback_hours <= _CHECKED_HOURS_MAX:
            raise ValueError(f"lookback_hours: set it between 1 and {_CHECKED_HOURS_MAX}")
        self._store = store
        self._facts = facts
        self._clock = clock
        self._on_gaps = on_gaps
        self._lookback_hours = lookback_hours

    async def run(self) -> GapReport:
        """Check the hours that ended since the last check and hand over what is missing.

        Hours from before anything was ever stored are not missing. The mark
        moves after the report was taken, so a failed report is made again.
        """
        now_us = self._clock.now_us()
        last = hour_key(now_us - HOUR_US)
        first = await self._first_hour(now_us)
        report = await find_gaps(self._store, self._facts, first_hour=first, last_hour=last)
        if report.gaps:
            logger.warning("gap in snapshots", extra={"hours": report.missing, "first": first})
            await self._on_gaps(report)
        if first <= last:
            await self._store.put_status({_CHECKED_UP_TO: last}, now_us)
        return report

    async def _first_hour(self, now_us: int) -> str:
        span = await self._store.snapshot_span()
        if span is None:
            return hour_key(now_us)
        checked = (await self._store.status()).get(_CHECKED_UP_TO)
        if checked is None:
            start_us = now_us - self._lookback_hours * HOUR_US
        else:
            oldest_us = now_us - _CHECKED_HOURS_MAX * HOUR_US
            start_us = max(parse_rfc3339(checked) + HOUR_US, oldest_us)
        return max(span[0], hour_key(start_us))


def gap_lines(report: GapReport) -> list[str]:
    """The report for people, one line per gap, the summary first."""
    if not report.expected:
        return ["no snapshots yet"]
    window = f"{report.first_hour} to {report.last_hour}"
    lines = [f"{report.missing} of {report.expected} hours missing, {window}"]
    for gap in report.gaps:
        hours = gap.first_hour if gap.hours == 1 else f"{gap.first_hour} to {gap.last_hour}"
        name = f"{gap.series} " if gap.series else ""
        error = f" ({gap.error})" if gap.error else ""
        lines.append(f"{name}{hours}: {gap.hours} h, {gap.reason}{error}")
    return lines


def _found_no_market(cycle: Cycle, series: SeriesTicker | None) -> bool:
    if series is None:
        return cycle.outcome is CycleOutcome.COMPLETE and not cycle.scanned
    return any(
        each.series == series and each.is_done and not each.scanned for each in cycle.progress
    )


def _grouped(
    missing: Sequence[str],
    cycles: Sequence[Cycle],
    series: SeriesTicker | None,
    known: Circumstances,
) -> Iterator[Gap]:
    last_cycle = {cycle.snapshot_hour_utc: cycle for cycle in cycles}
    gap: Gap | None = None
    for hour in missing:
        reason = reason_of_hour(hour, last_cycle.get(hour), series, known)
        one = Gap(
            series=series,
            first_hour=hour,
            last_hour=hour,
            hours=1,
            reason=reason.kind,
            error=reason.detail,
        )
        joined = gap and _joined(gap, one)
        if gap is not None and joined is None:
            yield gap
        gap = joined or one
    if gap is not None:
        yield gap


def _joined(gap: Gap, following: Gap) -> Gap | None:
    """Both as one, where ``following`` is the next hour and has the same reason."""
    is_next = parse_rfc3339(following.first_hour) - parse_rfc3339(gap.last_hour) == HOUR_US
    if not is_next or following.reason is not gap.reason:
        return None
    return Gap(
        series=gap.series,
        first_hour=gap.first_hour,
        last_hour=following.last_hour,
        hours=gap.hours + 1,
        reason=gap.reason,
        error=following.error or gap.error,
    )
