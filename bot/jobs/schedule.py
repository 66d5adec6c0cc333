"""Fires the leader's jobs with APScheduler, from a memory store that dies with the lead.

APScheduler only says *when*. The runs themselves are tasks of this service,
because its asyncio executor cancels running jobs at shutdown and swallows the
cancellation; here they are waited for first, and every one has an owner.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from apscheduler.events import (  # type: ignore[import-untyped]  # ships no types
    EVENT_JOB_MISSED,
    EVENT_JOB_SUBMITTED,
    JobExecutionEvent,
    JobSubmissionEvent,
)
from apscheduler.jobstores.memory import MemoryJobStore  # type: ignore[import-untyped]
from apscheduler.schedulers.asyncio import AsyncIOScheduler  # type: ignore[import-untyped]
from apscheduler.triggers.base import BaseTrigger  # type: ignore[import-untyped]
from typing_extensions import override

from bot.jobs.registry import JobSpec
from bot.jobs.runs import OnFailure, SlotRunner
from bot.jobs.triggers import Trigger
from bot.kit.clock import Clock
from bot.kit.times import SECOND_US, to_datetime
from bot.ports.jobs import JobRunStore

logger = logging.getLogger(__name__)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LOOK_AGAIN_S = 30


class LeaderJobs:
    """The scheduler of one leadership, as a ``kit.tasks.Service``.

    Build one when leading begins and drop it when it ends: it is not reusable.
    """

    name = "jobs"

    def __init__(
        self,
        specs: Sequence[JobSpec],
        store: JobRunStore,
        clock: Clock,
        on_failure: OnFailure,
        *,
        drain_s: float = 5.0,
    ) -> None:
        if len({spec.name for spec in specs}) != len(specs):
            raise ValueError("jobs: two jobs have the same name")
        self._specs = {spec.name: spec for spec in specs}
        self._runner = SlotRunner(store, clock, on_failure)
        self._clock = clock
        self._due: dict[str, int] = {}
        self._drain_s = drain_s
        self._running: dict[str, asyncio.Task[None]] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._is_accepting = True

    async def run(self) -> None:
        """Run what was missed, then fire every slot, until cancelled."""
        scheduler = AsyncIOScheduler(timezone=UTC, jobstores={"default": MemoryJobStore()})
        async with asyncio.TaskGroup() as group:
            self._arm(scheduler, group)
            try:
                while True:
                    # Its timer counts no suspended time and knows no clock that was set.
                    await asyncio.sleep(_LOOK_AGAIN_S)
                    scheduler.wakeup()
            finally:
                self._is_accepting = False
                scheduler.shutdown(wait=False)
                await asyncio.sleep(0)  # it stops in a callback of the loop

    async def drain(self) -> None:
        """Start nothing more, wait for what runs, cancel what takes longer than ``drain_s``.

        A cancelled run stays claimed but unfinished, so the next leader runs its
        slot again while that can be caught up.
        """
        self._is_accepting = False
        try:
            async with asyncio.timeout(self._drain_s):
                await self._idle.wait()
        except TimeoutError:
            logger.warning("jobs cancelled while draining", extra={"jobs": sorted(self._running)})
            for task in self._running.values():
                task.cancel()
            await self._idle.wait()

    @property
    def running(self) -> frozenset[str]:
        """The names of the jobs that run now."""
        return frozenset(self._running)

    def _arm(self, scheduler: AsyncIOScheduler, group: asyncio.TaskGroup) -> None:
        def note(event: JobSubmissionEvent) -> None:
            # The executor does not tell a job which slot it runs; the event before it does.
            self._due[event.job_id] = _microseconds(event.scheduled_run_times[-1])

        def missed(event: JobExecutionEvent) -> None:
            self._missed(self._specs[event.job_id], group)

        async def fire(name: str) -> None:
            self._start(self._specs[name], self._due.pop(name), group)

        scheduler.add_listener(note, EVENT_JOB_SUBMITTED)
        scheduler.add_listener(missed, EVENT_JOB_MISSED)
        for spec in self._specs.values():
            scheduler.add_job(
                fire,
                _Slots(spec.trigger),
                args=(spec.name,),
                id=spec.name,
                misfire_grace_time=spec.grace_s,
                coalesce=True,
                max_instances=1,
            )
        scheduler.start()
        for spec in self._specs.values():
            self._catch_up(spec, group)

    def _start(self, spec: JobSpec, slot_us: int, group: asyncio.TaskGroup) -> None:
        if not self._is_accepting:
            return
        if spec.name in self._running:
            logger.warning("job skipped: its last run is not over", extra={"job": spec.name})
            group.create_task(self._runner.report(spec, slot_us, "its last run is not over"))
            return
        self._idle.clear()
        task = group.create_task(self._runner.run(spec, slot_us), name=f"job {spec.name}")
        self._running[spec.name] = task
        task.add_done_callback(lambda _: self._ended(spec.name))

    def _ended(self, name: str) -> None:
        del self._running[name]
        if not self._running:
            self._idle.set()

    def _catch_up(self, spec: JobSpec, group: asyncio.TaskGroup) -> bool:
        """Whether the latest slot is young enough to be run now."""
        now_us = self._clock.now_us()
        slot_us = spec.trigger.last(now_us)
        if now_us - slot_us > spec.catch_up_s * SECOND_US:
            return False
        self._start(spec, slot_us, group)
        return True

    def _missed(self, spec: JobSpec, group: asyncio.TaskGroup) -> None:
        slot_us = self._due.pop(spec.name, spec.trigger.last(self._clock.now_us()))
        if self._catch_up(spec, group):
            return
        logger.warning("job slot missed", extra={"job": spec.name})
        why = f"missed by more than {spec.grace_s} s"
        group.create_task(self._runner.report(spec, slot_us, why))


class _Slots(BaseTrigger):  # type: ignore[misc]  # ships no types
    """Our slot arithmetic where APScheduler wants a trigger."""

    __slots__ = ("_trigger",)

    def __init__(self, trigger: Trigger) -> None:
        self._trigger = trigger

    @override
    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        after = now if previous_fire_time is None else previous_fire_time
        return to_datetime(self._trigger.following(_microseconds(after)))


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
