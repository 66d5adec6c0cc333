"""``JobRunStore`` in memory. Passes ``tests/contract/test_job_run_store.py``."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bot.domain.errors import NotLeader, StorageUnavailable
from bot.ports.jobs import JobRun, JobState


@dataclass
class MemoryJobRuns:
    """What the database holds: who leads, and every run with its epoch."""

    epoch: int = 1
    runs: dict[tuple[str, int], tuple[int, JobRun]] = field(default_factory=dict)
    failures_left: int = 0
    """So many calls fail as if the database were away."""


class MemoryJobRunStore:
    """One leader's view of ``runs``."""

    def __init__(self, shared: MemoryJobRuns, epoch: int) -> None:
        self.shared = shared
        self._epoch = epoch

    async def claim(self, job: str, slot_us: int, started_us: int) -> bool:
        self._require_lead()
        epoch, run = self.shared.runs.get((job, slot_us), (None, None))
        if run is not None and (run.state is not JobState.RUNNING or epoch >= self._epoch):
            return False
        fresh = JobRun(
            job=job,
            slot_us=slot_us,
            state=JobState.RUNNING,
            started_us=started_us,
            finished_us=None,
            error=None,
        )
        self.shared.runs[job, slot_us] = (self._epoch, fresh)
        return True

    async def finish(self, job: str, slot_us: int, finished_us: int, *, error: str | None) -> None:
        self._require_lead()
        epoch, run = self.shared.runs.get((job, slot_us), (None, None))
        if run is None or epoch != self._epoch or run.state is not JobState.RUNNING:
            raise NotLeader(job)
        state = JobState.DONE if error is None else JobState.FAILED
        ended = replace(run, state=state, finished_us=finished_us, error=error)
        self.shared.runs[job, slot_us] = (epoch, ended)

    async def latest(self) -> Sequence[JobRun]:
        newest: dict[str, JobRun] = {}
        for _, (_, run) in sorted(self.shared.runs.items()):
            newest[run.job] = run
        return list(newest.values())

    async def prune(self, before_us: int) -> int:
        old = [key for key in self.shared.runs if key[1] < before_us]
        for key in old:
            del self.shared.runs[key]
        return len(old)

    def _require_lead(self) -> None:
        if self.shared.failures_left:
            self.shared.failures_left -= 1
            raise StorageUnavailable("the test took the database away")
        if self._epoch != self.shared.epoch:
            raise NotLeader(f"epoch {self._epoch} is over")
