"""One slot of one job: claimed under the leader's epoch, run, recorded, reported.

The claim comes first and is fenced, so a slot runs once whoever leads. A run
that fails is a result, not an exception: nothing that a job does may end the
scheduler.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from bot.domain.errors import BotError, NotLeader, StorageUnavailable
from bot.jobs.registry import JobSpec
from bot.kit.clock import Clock
from bot.kit.times import SECOND_US, format_seconds
from bot.ports.jobs import JobRunStore

logger = logging.getLogger(__name__)

_CLAIM_AGAIN_S = 2
_ERROR_LENGTH_MAX = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFailure:
    """A run that ended badly, or a slot that was never run."""

    job: str
    slot_us: int
    error: str


OnFailure: TypeAlias = Callable[[JobFailure], Awaitable[None]]
"""Turns a failure into an alert."""


class SlotRunner:
    """Runs single slots. Knows no schedule."""

    def __init__(self, store: JobRunStore, clock: Clock, on_failure: OnFailure) -> None:
        self._store = store
        self._clock = clock
        self._on_failure = on_failure

    async def run(self, spec: JobSpec, slot_us: int) -> None:
        """Run the slot unless it was run before or the lead is lost.

        A database that is away for a moment is asked again within the job's
        grace; a lost lead is not reported, as the next leader runs the slot.
        """
        facts = {"job": spec.name, "slot": format_seconds(slot_us)}
        try:
            if not await self._claim(spec, slot_us):
                logger.debug("job slot already taken", extra=facts)
                return
            logger.info("job started", extra=facts)
            error = await _attempt(spec, slot_us)
            await self._store.finish(spec.name, slot_us, self._clock.now_us(), error=error)
        except NotLeader:
            logger.warning("job left to the next leader", extra=facts)
            return
        except BotError as fault:
            # The database, most likely; the line below says so.
            error = _described(fault)
        except Exception as fault:
            # Service boundary: a record that cannot be kept must not end the leader.
            logger.exception("job not recorded", extra=facts)
            error = _described(fault)
        if error is None:
            logger.info("job done", extra=facts)
            return
        logger.error("job failed", extra=facts | {"error": error})
        await self.report(spec, slot_us, error)

    async def report(self, spec: JobSpec, slot_us: int, error: str) -> None:
        """Hand a failure to whoever alerts."""
        try:
            await self._on_failure(JobFailure(job=spec.name, slot_us=slot_us, error=error))
        except Exception:
            # Service boundary: an alert that cannot be made must not end the leader.
            logger.exception("job failure not reported", extra={"job": spec.name})

    async def _claim(self, spec: JobSpec, slot_us: int) -> bool:
        until_us = self._clock.monotonic_us() + spec.grace_s * SECOND_US
        while True:
            try:
                return await self._store.claim(spec.name, slot_us, self._clock.now_us())
            except StorageUnavailable:
                if self._clock.monotonic_us() >= until_us:
                    raise
            await asyncio.sleep(_CLAIM_AGAIN_S)


async def _attempt(spec: JobSpec, slot_us: int) -> str | None:
    """What went wrong, or ``None``."""
    limit = asyncio.timeout(spec.limit_s)
    try:
        async with limit:
            await spec.run(slot_us)
    except Exception as fault:
        # Service boundary: whatever a job raises is its result.
        if limit.expired():
            return f"not finished within {spec.limit_s} s"
        if isinstance(fault, BotError):
            return _described(fault)  # expected: a line says it, a trace would hide it
        logger.warning("job raised", exc_info=fault, extra={"job": spec.name})
        return _described(fault)
    return None


def _described(fault: Exception) -> str:
    return f"{type(fault).__name__}: {fault}"[:_ERROR_LENGTH_MAX]
