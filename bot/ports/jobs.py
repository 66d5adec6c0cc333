"""The record of scheduled runs, which makes a slot run once whoever leads.

Every call may raise ``StorageUnavailable``, and every write ``NotLeader`` once
the epoch it was made for is no longer the current lease.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class JobState(StrEnum):
    """How far a run got."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRun:
    """One slot of one job. ``slot_us`` is when it was due."""

    job: str
    slot_us: int
    state: JobState
    started_us: int
    finished_us: int | None
    error: str | None


class JobRunStore(Protocol):
    """Claims and results, under the epoch the store was built for."""

    async def claim(self, job: str, slot_us: int, started_us: int) -> bool:
        """Whether this leader is to run the slot.

        A slot that ended, well or badly, is never given again. One that an
        earlier leader began and did not end is.
        """
        ...

    async def finish(self, job: str, slot_us: int, finished_us: int, *, error: str | None) -> None:
        """Record the end of a claimed slot; ``error`` is ``None`` when it went well."""
        ...

    async def latest(self) -> Sequence[JobRun]:
        """The newest run of every job, by job name."""
        ...

    async def prune(self, before_us: int) -> int:
        """Delete runs of slots before this; returns how many."""
        ...
