"""What the leader's jobs do: collect, check for gaps, summarise, back up, clean up."""

import asyncio
import logging

from bot.adapters.storage.collection import SqlCollectionStore
from bot.adapters.storage.gaps import SqlGapStore
from bot.adapters.storage.jobs import SqlJobRunStore
from bot.adapters.storage.logs import SqlLogs
from bot.app.backups import make_backup, usual_contents
from bot.app.build import collect_settings
from bot.app.day_summary import DaySummary
from bot.app.past_chores import PAST_JOBS, PastChores, past_of
from bot.app.room import retention_settings
from bot.app.running import Running
from bot.app.stream import keep_stream
from bot.collect.cycle_report import CycleReport
from bot.collect.gap_reasons import OUTAGE_WORDS
from bot.collect.gaps import GapCheck, GapReport
from bot.collect.retention import PastRetention, Retention
from bot.collect.snapshots import MODE, Collector
from bot.domain.alerts import AlertKind
from bot.domain.errors import BotError, ExchangeUnavailable, StorageUnavailable
from bot.domain.ids import Epoch
from bot.jobs.registry import JobFunctions, JobSettings, leader_jobs
from bot.jobs.rest_loops import RestLoops
from bot.jobs.runs import JobFailure
from bot.jobs.schedule import LeaderJobs
from bot.jobs.triggers import Daily
from bot.kit.metrics import Metric, emit
from bot.kit.times import DAY_US, HOUR_US, SECOND_US, hour_key, seconds
from bot.ops.backup import BackupKind
from bot.ports.collection import CycleOutcome
from bot.ports.operator import Operator

logger = logging.getLogger(__name__)

_KEPT_US = 30 * DAY_US
_HANDLED_ELSEWHERE = frozenset({"collect", "nightly_backup"}) | PAST_JOBS


class Chores:
    """The jobs of one leadership."""

    def __init__(self, running: Running, operator: Operator, epoch: Epoch) -> None:
        self._running = running
        self._operator = operator
        self._collection = SqlCollectionStore(running.parts.database)
        self._runs = SqlJobRunStore(running.parts.database, running.scope, epoch)
        means = running.parts.means
        self._collector = Collector(
            collect_settings(running.settings),
            running.parts.exchange,
            self._collection,
            means.clock,
            means.ids,
        )
        facts = SqlGapStore(running.parts.database)
        self._gaps = GapCheck(self._collection, facts, means.clock, self._on_gaps)
        self._retention = Retention(
            retention_settings(running.settings), self._collection, means.clock
        )
        self._past_retention = PastRetention(past_of(running))
        self._day = DaySummary(running, operator)
        self._collect_failed = False
        self._rounds = RestLoops(running.rest_breaker, running.clock)

    def service(self) -> LeaderJobs:
        """The scheduler over these jobs; build it once for each leadership."""
        running = self._running
        past = PastChores(past_of(running), running.settings.history, running.alerts.tell).jobs()
        functions = JobFunctions(
            collect=self.collect,
            gap_check=self._check_gaps,
            daily_summary=self.summarise,
            nightly_backup=self._back_up,
            clean_up=self._clean_up,
            stream_upkeep=self._keep_stream,
            retention=self._remove_old,
            **{name: self._rounds.guarded(job) for name, job in past.items()},
        )
        settings = self._running.settings
        history = settings.history
        usual = JobSettings()
        times = JobSettings(
            daily_summary=_daily(settings.alerts.summary_at, settings.operator.time_zone),
            nightly_backup=Daily(settings.backup.hour_utc),
            # One that is off has no function; its period says nothing.
            discovery_s=history.discovery_s or usual.discovery_s,
            backfill_s=history.backfill_s or usual.backfill_s,
            closed_cleanup_s=history.closed_cleanup_s or usual.closed_cleanup_s,
        )
        return LeaderJobs(
            leader_jobs(functions, times), self._runs, self._running.clock, self._on_failure
        )

    async def collect(self, slot_us: int) -> None:
        """The hour's cycle, tried again while the hour lasts: what is missed then is gone.

        A leader killed between the end of its cycle and the end of its slot leaves the slot to
        its successor, though the hour has been read.
        """
        if await self._is_collected(slot_us):
            return
        retry_s = self._running.settings.collect.retry_s
        last_try_us = slot_us + HOUR_US - round(retry_s * SECOND_US)
        while True:
            report = await self._round()
            if report.is_success:
                if self._collect_failed:
                    self._running.alerts.post(AlertKind.COLLECT_RECOVERED, {})
                self._collect_failed = False
                return
            if report.cycle.outcome is CycleOutcome.TAKEN_OVER:
                return  # a successor goes on with this very cycle
            self._collect_failed = True
            error = report.cycle.error or report.cycle.outcome.value
            self._running.alerts.post(AlertKind.COLLECT_FAILED, {"error": error})
            if self._running.clock.now_us() >= last_try_us:
                raise ExchangeUnavailable(error)
            await asyncio.sleep(retry_s)

    async def _round(self) -> CycleReport:
        """One cycle, counted by the breaker of the REST loops and told as a metric."""
        await self._rounds.rest()
        report = await self._collector.run()
        cycle = report.cycle
        if report.is_success:
            self._rounds.succeeded()
        elif any(word in (cycle.error or "") for word in OUTAGE_WORDS):
            self._rounds.failed()
        if cycle.outcome is not CycleOutcome.TAKEN_OVER:
            emit(
                Metric.COLLECT,
                level=logging.INFO if report.is_success else logging.WARNING,
                duration_s=seconds(report.duration_us),
                scanned=cycle.scanned,
                inserted=cycle.inserted,
                errors_total=cycle.errors,
                success=None if report.is_success else False,
                consecutive_failures=None if report.is_success else self._rounds.failures,
            )
        return report

    async def _is_collected(self, slot_us: int) -> bool:
        hour = hour_key(slot_us)
        try:
            cycles = await self._collection.cycles(hour, hour)
        except StorageUnavailable:
            return False  # the cycle meets the same fault, reports it and is tried again
        return any(
            cycle.mode == MODE and cycle.outcome is CycleOutcome.COMPLETE for cycle in cycles
        )

    async def _check_gaps(self, _slot_us: int) -> None:
        await self._gaps.run()

    async def _on_gaps(self, report: GapReport) -> None:
        facts: dict[str, str | int] = {"missing": report.missing}
        if report.gaps:
            facts["first"] = report.gaps[0].first_hour
        await self._running.alerts.tell(AlertKind.GAP_FOUND, facts)

    async def summarise(self, slot_us: int) -> None:
        """Tell the trading day that ended."""
        await self._day.tell(slot_us)

    async def _back_up(self, _slot_us: int) -> None:
        try:
            running = self._running
            made = await make_backup(
                running.settings,
                running.parts.database,
                running.clock,
                kind=BackupKind.NIGHTLY,
                contents=usual_contents(running.settings),
            )
        except (BotError, OSError) as fault:
            await self._running.alerts.tell(AlertKind.BACKUP_FAILED, {"error": str(fault)})
            raise
        durable = "yes" if made.is_durable else "no: this disk does not survive a deploy"
        facts: dict[str, str | int] = {"path": made.path, "durable": durable}
        await self._running.alerts.tell(AlertKind.BACKUP_DONE, facts)

    async def _clean_up(self, _slot_us: int) -> None:
        before_us = self._running.clock.now_us() - _KEPT_US
        counts = {
            "quarantine": await self._collection.prune_quarantine(before_us),
            "job_runs": await self._runs.prune(before_us),
            "commands": await self._running.inbox.prune(before_us),
            "messages": await self._running.outbox.prune(before_us),
            "logs": await SqlLogs(self._running.parts.database).prune(before_us),
        }
        logger.info("cleaned up", extra=counts)

    async def _remove_old(self, _slot_us: int) -> None:
        removed = await self._retention.run()
        if removed:
            logger.info("old snapshots removed", extra={"snapshots": removed})
        rows = await self._past_retention.run()
        if rows:
            logger.info("old candles and trades removed", extra={"rows": rows})

    async def _keep_stream(self, _slot_us: int) -> None:
        logger.info("stream tables kept", extra=await keep_stream(self._running))

    async def _on_failure(self, failure: JobFailure) -> None:
        if failure.job not in _HANDLED_ELSEWHERE:
            facts = {"error": f"job {failure.job}: {failure.error}"}
            await self._running.alerts.tell(AlertKind.CRITICAL_ERROR, facts)


def _daily(at: str, zone: str) -> Daily:
    hour, _, minute = at.partition(":")
    return Daily(int(hour), int(minute), zone)
