"""``JobRunStore`` on SQLite and PostgreSQL; the lease trigger refuses a stale epoch."""

from collections.abc import Sequence

from sqlalchemy import text

from bot.adapters.storage.database import Database
from bot.domain.errors import NotLeader
from bot.domain.ids import Epoch, Scope
from bot.ports.jobs import JobRun, JobState

# A slot that ended is never claimed again; one that an earlier leader left running is.
CLAIM = text(
    "INSERT INTO job_runs (scope, job, slot_us, epoch, state, started_us)"
    " VALUES (:scope, :job, :slot_us, :epoch, 'running', :started_us)"
    " ON CONFLICT (scope, job, slot_us) DO UPDATE SET"
    " epoch = excluded.epoch, started_us = excluded.started_us"
    " WHERE job_runs.state = 'running' AND job_runs.epoch < excluded.epoch"
)

FINISH = text(
    "UPDATE job_runs SET state = :state, finished_us = :finished_us, error = :error"
    " WHERE scope = :scope AND job = :job AND slot_us = :slot_us AND epoch = :epoch"
    " AND state = 'running'"
)

LATEST = text(
    "SELECT run.job, run.slot_us, run.state, run.started_us, run.finished_us, run.error"
    " FROM job_runs AS run JOIN"
    " (SELECT job, MAX(slot_us) AS slot_us FROM job_runs WHERE scope = :scope GROUP BY job)"
    " AS newest ON newest.job = run.job AND newest.slot_us = run.slot_us"
    " WHERE run.scope = :scope ORDER BY run.job"
)

PRUNE = text("DELETE FROM job_runs WHERE scope = :scope AND slot_us < :before_us")


class SqlJobRunStore:
    """See :class:`bot.ports.jobs.JobRunStore`. One instance per leadership."""

    def __init__(self, database: Database, scope: Scope, epoch: Epoch) -> None:
        self._database = database
        self._scope = scope
        self._epoch = epoch

    async def claim(self, job: str, slot_us: int, started_us: int) -> bool:
        """See the port."""
        row = self._key(job, slot_us) | {"started_us": started_us}
        async with self._database.begin() as connection:
            return (await connection.execute(CLAIM, row)).rowcount == 1

    async def finish(self, job: str, slot_us: int, finished_us: int, *, error: str | None) -> None:
        """See the port."""
        state = JobState.DONE if error is None else JobState.FAILED
        end = {"state": state, "finished_us": finished_us, "error": error}
        async with self._database.begin() as connection:
            changed = await connection.execute(FINISH, self._key(job, slot_us) | end)
            if not changed.rowcount:
                raise NotLeader(f"slot {slot_us} of {job} is not epoch {self._epoch}'s")

    async def latest(self) -> Sequence[JobRun]:
        """See the port."""
        async with self._database.read() as connection:
            found = await connection.execute(LATEST, {"scope": self._scope})
            return [
                JobRun(**(dict(row) | {"state": JobState(row["state"])}))
                for row in found.mappings()
            ]

    async def prune(self, before_us: int) -> int:
        """See the port."""
        given = {"scope": self._scope, "before_us": before_us}
        async with self._database.begin() as connection:
            return (await connection.execute(PRUNE, given)).rowcount

    def _key(self, job: str, slot_us: int) -> dict[str, object]:
        return {"scope": self._scope, "epoch": self._epoch, "job": job, "slot_us": slot_us}
