"""One collect cycle: hourly snapshots of every open market of the configured series.

A cycle is truthful before it is successful: what was not read is counted, a
partial scan is not a success, and ``inserted`` counts rows that are new. It
can be killed at any point: the next run of the same hour goes on from the last
stored page. No model is asked and no order is sent here.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from bot.collect.cycle_report import (
    CycleReport,
    status_rows,
    summary_line,
    write_report,
    write_status_file,
)
from bot.collect.exchange_scan import ExchangeScan, planned_scan, scan_rows
from bot.collect.series_walk import CycleProgress, MarketPages, OnProgress, SeriesWalk
from bot.collect.settings import CollectSettings
from bot.collect.storage_need import why_over_budget
from bot.domain.errors import CycleTakenOver, StorageUnavailable
from bot.kit.clock import Clock
from bot.kit.ids import IdFactory
from bot.kit.times import hour_key
from bot.ports.collection import CollectionStore, Cycle, CycleOutcome, SeriesProgress

logger = logging.getLogger(__name__)

MODE = "collect"
_SHOWN_FAILURES = 3
_TAKEN_OVER = "another run continues this cycle"


@dataclass(frozen=True, slots=True)
class _Worked:
    cycle: Cycle
    scan: ExchangeScan | None = None
    unknown_fields: Mapping[str, int] = field(default_factory=dict)


class Collector:
    """Runs collect cycles, one at a time."""

    def __init__(
        self,
        settings: CollectSettings,
        exchange: MarketPages,
        store: CollectionStore,
        clock: Clock,
        ids: IdFactory,
    ) -> None:
        self._settings = settings
        self._exchange = exchange
        self._store = store
        self._clock = clock
        self._ids = ids

    async def run(self, on_progress: OnProgress | None = None) -> CycleReport:
        """Run one cycle and publish its result.

        Faults of the exchange and of the database are the report's outcome, not
        exceptions. Cancellation leaves the cycle to be resumed within its hour.
        """
        began_us = self._clock.monotonic_us()
        worked = await self._work(on_progress or _ignore)
        finished_us = self._clock.now_us()
        report = CycleReport(
            cycle=replace(worked.cycle, finished_us=finished_us),
            finished_us=finished_us,
            duration_us=self._clock.monotonic_us() - began_us,
            unknown_fields=dict(worked.unknown_fields),
        )
        return await self._publish(report, scan_rows(worked.scan, worked.cycle))

    async def _work(self, on_progress: OnProgress) -> _Worked:
        """The cycle with its outcome decided."""
        now_us = self._clock.now_us()
        fresh = Cycle(
            cycle_id=self._ids.new(),
            mode=MODE,
            snapshot_hour_utc=hour_key(now_us),
            attempt=1,
            outcome=CycleOutcome.RUNNING,
            started_us=now_us,
            filter_fingerprint=self._settings.fingerprint,
        )
        try:
            scan = await self._scan(fresh.snapshot_hour_utc)
            cycle = await self._store.open_cycle(fresh)
        except StorageUnavailable as fault:
            return _Worked(_ended(fresh, CycleOutcome.FAILED, f"database: {fault}"))
        if cycle.attempt > 1:
            logger.info("collect cycle resumed", extra={"cycle": cycle.cycle_id})
        walk = SeriesWalk(
            self._settings, self._exchange, self._store, self._clock, cycle, scan=scan
        )
        ended = await self._walk(walk, on_progress)
        if walk.unknown_fields:
            logger.warning("unknown fields in markets", extra=dict(walk.unknown_fields))
        return _Worked(ended, scan, walk.unknown_fields)

    async def _scan(self, hour: str) -> ExchangeScan | None:
        settings = self._settings
        if not settings.whole_exchange:
            return None
        scan = planned_scan(await self._store.status(), hour, settings.whole_every_hours)
        if not settings.storage_budget:
            return scan
        used = await self._store.snapshot_bytes()
        return replace(scan, refused=why_over_budget(used, settings.storage_budget))

    async def _walk(self, walk: SeriesWalk, on_progress: OnProgress) -> Cycle:
        outcome, why = CycleOutcome.RUNNING, ""
        try:
            await walk.run(on_progress)
        except* CycleTakenOver:
            outcome, why = CycleOutcome.TAKEN_OVER, _TAKEN_OVER
        except* StorageUnavailable as faults:
            outcome, why = CycleOutcome.FAILED, f"database: {_first(faults)}"
        cycle = walk.cycle
        return _judged(cycle) if outcome is CycleOutcome.RUNNING else _ended(cycle, outcome, why)

    async def _publish(self, report: CycleReport, marks: Mapping[str, str]) -> CycleReport:
        if report.cycle.outcome is CycleOutcome.TAKEN_OVER:
            logger.warning("cycle summary: %s", summary_line(report))
            return report
        report, rows = await self._store_result(report, marks)
        await self._write_files(report, rows)
        level = logging.INFO if report.is_success else logging.ERROR
        why = {"why": report.cycle.error} if report.cycle.error else {}
        logger.log(level, "cycle summary: %s", summary_line(report), extra=why)
        if report.is_success and not report.cycle.scanned:
            logger.warning("no open markets in any series", extra={"cycle": report.cycle.cycle_id})
        return report

    async def _store_result(
        self, report: CycleReport, marks: Mapping[str, str]
    ) -> tuple[CycleReport, dict[str, str]]:
        """The report as it stands after the database was told, and the status rows."""
        rows = status_rows(report) | dict(marks)
        try:
            rows = await self._store.finish_cycle(report.cycle, rows, report.finished_us)
        except CycleTakenOver:
            report = replace(
                report, cycle=_ended(report.cycle, CycleOutcome.TAKEN_OVER, _TAKEN_OVER)
            )
        except StorageUnavailable as fault:
            why = report.cycle.error or f"database: {fault}"
            report = replace(report, cycle=_ended(report.cycle, CycleOutcome.FAILED, why))
            rows = status_rows(report)
        return report, rows

    async def _write_files(self, report: CycleReport, rows: dict[str, str]) -> None:
        if report.cycle.outcome is CycleOutcome.TAKEN_OVER:
            return
        settings = self._settings
        try:
            await asyncio.to_thread(
                write_report, settings.reports_dir, report, settings.reports_kept
            )
            await asyncio.to_thread(write_status_file, settings.status_file, rows)
        except OSError as fault:
            # The data is stored and logged; a full disk must not undo that.
            why = fault.strerror or str(fault)
            logger.error(  # noqa: TRY400 - what went wrong is the system's to say, not the code's
                "cycle files not written",
                extra={"path": fault.filename or str(settings.reports_dir), "why": why},
            )


def _judged(cycle: Cycle) -> Cycle:
    """The outcome of a walk that came to its end."""
    missed = [each for each in cycle.progress if _is_missed(each)]
    if not missed:
        return replace(cycle, outcome=CycleOutcome.COMPLETE, error=None)
    has_read = len(missed) < len(cycle.progress) or any(
        each.scanned > each.quarantined for each in missed
    )
    outcome = CycleOutcome.PARTIAL if has_read else CycleOutcome.FAILED
    return _ended(cycle, outcome, _told(missed))


def _is_missed(progress: SeriesProgress) -> bool:
    """A page failed, or nothing of what was listed could be read."""
    is_unreadable = 0 < progress.scanned == progress.quarantined
    return progress.failure is not None or not progress.is_done or is_unreadable


def _told(missed: Sequence[SeriesProgress]) -> str:
    shown = [
        f"{each.series}: {each.failure or 'no listed market could be read'}"
        for each in missed[:_SHOWN_FAILURES]
    ]
    more = len(missed) - len(shown)
    return "; ".join(shown) + (f"; and {more} more series" if more else "")


def _ended(cycle: Cycle, outcome: CycleOutcome, why: str) -> Cycle:
    return replace(cycle, outcome=outcome, error=why)


def _first(faults: BaseExceptionGroup[StorageUnavailable]) -> BaseException:
    """The first fault itself, however deep tasks have nested it."""
    fault: BaseException = faults
    while isinstance(fault, BaseExceptionGroup):
        fault = fault.exceptions[0]
    return fault


def _ignore(_: CycleProgress) -> None:
    """Nobody watches."""
