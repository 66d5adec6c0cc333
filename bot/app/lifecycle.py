"""The life of one process: standby, activating, leading, draining, released, ended.

The elector says what happened to the lead; this decides what runs. Everything
that only a leader may do is built by a factory when a tenure begins and closed
when it ends, so nothing of one tenure survives into the next. Losing the
database or the lead ends a tenure, never the process.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from bot.domain.errors import NotLeader, StorageUnavailable
from bot.domain.ids import Epoch, InstanceId
from bot.domain.leadership import Acquisition, Predecessor
from bot.kit.clock import Clock
from bot.kit.tasks import Service, run_services
from bot.leadership.elector import Change, Deposed, Elected, Elector, Ended, Resigning, ResignReason
from bot.leadership.gate import LeaderGate
from bot.leadership.lease import LeaseTerms, Move

logger = logging.getLogger(__name__)

EXIT_DONE = 0
EXIT_FAILURE = 1
EXIT_UNCLEAN = 75
# What is left between the moment to stop and the watchdog.
_CANCEL_S = 0.8
_AFTER_FAULT_S = 1.0


class Role(StrEnum):
    """What this process is doing; also the word shown to operators."""

    STANDBY = "standby"
    ACTIVATING = "activating"
    LEADING = "leading"
    DRAINING = "draining"
    RELEASED = "released"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleChange:
    """One step of the life, for messages, logs and health."""

    role: Role
    reason: str
    epoch: Epoch | None = None
    rival: InstanceId | None = None
    """Who leads, or will, instead of us."""
    unled_us: int = 0
    """On becoming ACTIVATING: for how long nobody had renewed; no stop was watched then."""
    is_clean: bool = True
    """On becoming ACTIVATING: whether the predecessor let go in order."""
    predecessor: Predecessor | None = None
    """On becoming ACTIVATING: who led before."""
    is_deactivated: bool = False
    """A person deactivated us: nobody leads now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenure:
    """What the services of one leadership are built from."""

    instance_id: InstanceId
    epoch: Epoch
    gate: LeaderGate
    acquisition: Acquisition
    """Holds the predecessor's epoch and whether its release was clean."""
    confirm: Callable[[], Awaitable[bool]]
    """Call when reconciled: opens the gate. ``False`` when the tenure is over already."""


LeadServices = Callable[[Tenure], AbstractAsyncContextManager[Sequence[Service]]]
"""Builds the leader's services in starting order; leaving the context closes what they used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """How a tenure ended: go on seeking, or exit with a code."""

    code: int | None = None
    reason: str = ""


class Lifecycle:
    """Runs one process until there is nothing left for it to do."""

    def __init__(
        self,
        *,
        elector: Elector,
        lead: LeadServices,
        terms: LeaseTerms,
        clock: Clock,
        stop: asyncio.Event,
        told: Callable[[RoleChange], None] = lambda _: None,
        end_process: Callable[[int], object] = os._exit,
    ) -> None:
        """``stop`` is set by a signal; ``told`` hears every change of role and must not block."""
        self.role = Role.STANDBY
        self._elector = elector
        self._lead = lead
        self._terms = terms
        self._clock = clock
        self._stop = stop
        self._told = told
        self._end_process = end_process
        self._next: asyncio.Task[Change] | None = None

    async def run(self) -> int:
        """Live; the exit code of the process."""
        async with asyncio.TaskGroup() as group:
            elector = group.create_task(self._elector.run(), name=self._elector.name)
            stopping = group.create_task(self._stop.wait(), name="stop signal")
            outcome = await self._live(group, stopping)
            await self._elector.retire(outcome.reason)
            for task in (elector, stopping, self._next):
                if task is not None:
                    task.cancel()
        return EXIT_DONE if outcome.code is None else outcome.code

    # --- outside a tenure ------------------------------------------------------------------

    async def _live(self, group: asyncio.TaskGroup, stopping: asyncio.Task[bool]) -> _Outcome:
        while True:
            change = await self._await_change(group, stopping)
            match change:
                case None:
                    self._become(RoleChange(role=Role.ENDED, reason="stopped by signal"))
                    return _Outcome(code=EXIT_DONE, reason="stopped by signal")
                case Elected():
                    outcome = await self._tenure(change, group, stopping)
                    if outcome.code is not None:
                        self._become(RoleChange(role=Role.ENDED, reason=outcome.reason))
                        return outcome
                case Ended():
                    return self._end(change)
                case Resigning() | Deposed():
                    continue
                case _ as never:
                    assert_never(never)

    def _end(self, ended: Ended) -> _Outcome:
        rival = ended.rival.instance_id if ended.rival else None
        reason = f"{ended.move}: {_who_leads(ended)}"
        self._become(
            RoleChange(
                role=Role.ENDED,
                reason=reason,
                rival=rival,
                is_deactivated=ended.move is Move.LEAVE,
            )
        )
        return _Outcome(code=EXIT_DONE, reason=reason)

    # --- one tenure ------------------------------------------------------------------------

    async def _tenure(
        self, elected: Elected, group: asyncio.TaskGroup, stopping: asyncio.Task[bool]
    ) -> _Outcome:
        won = elected.acquisition

        async def confirm() -> bool:
            is_leading = await self._elector.confirm(won.epoch)
            if is_leading:
                self._become(RoleChange(role=Role.LEADING, reason="activated", epoch=won.epoch))
            return is_leading

        tenure = Tenure(
            instance_id=self._elector.candidate.instance_id,
            epoch=won.epoch,
            gate=self._elector.gate,
            acquisition=won,
            confirm=confirm,
        )
        self._become(
            RoleChange(
                role=Role.ACTIVATING,
                reason="elected",
                epoch=won.epoch,
                rival=won.previous.holder,
                unled_us=won.unled_us,
                is_clean=won.previous.clean_release,
                predecessor=won.predecessor,
            )
        )
        drain = asyncio.Event()
        work = group.create_task(self._serve(tenure, drain), name="leader services")
        change = await self._await_change(group, stopping, work)
        if isinstance(change, Deposed):
            return await self._drop(work, change)
        if isinstance(change, Resigning):
            return await self._hand_over(change, work, drain, group)
        if work.done():
            return await self._after_fault(work.result())
        return await self._leave(work, drain, group)

    async def _serve(self, tenure: Tenure, drain: asyncio.Event) -> Exception | None:
        """Run the leader's services; their fault, if they end with one.

        The service boundary: whatever goes wrong inside is logged here with its
        trace and turned into a decision about the lead.
        """
        # Longer than the limit of _drain, which thereby is the one that counts.
        drain_s = self._terms.drain_us / 1_000_000 + _CANCEL_S
        try:
            async with self._lead(tenure) as services:
                await run_services(services, drain, drain_s)
        except Exception as fault:  # noqa: BLE001 - the service boundary
            return fault
        return None

    async def _hand_over(
        self,
        resigning: Resigning,
        work: asyncio.Task[Exception | None],
        drain: asyncio.Event,
        group: asyncio.TaskGroup,
    ) -> _Outcome:
        """Drain and release, and stay: the successor may die before it leads."""
        self._become(
            RoleChange(
                role=Role.DRAINING,
                reason=resigning.reason,
                rival=resigning.successor,
                is_deactivated=resigning.reason is ResignReason.DEACTIVATED,
            )
        )
        limit_us = resigning.deadline_us - self._clock.monotonic_us()
        is_clean = await self._drain(work, drain, group, limit_us)
        if not work.done():
            return self._give_up()
        await self._elector.release(is_clean=is_clean, is_leaving=False)
        self._become(
            RoleChange(role=Role.RELEASED, reason=resigning.reason, rival=resigning.successor)
        )
        return _Outcome()

    async def _leave(
        self,
        work: asyncio.Task[Exception | None],
        drain: asyncio.Event,
        group: asyncio.TaskGroup,
    ) -> _Outcome:
        """Told to stop: drain, release, end."""
        self._become(RoleChange(role=Role.DRAINING, reason="stopped by signal"))
        is_clean = await self._drain(work, drain, group, self._terms.drain_us)
        if not work.done():
            return self._give_up()
        await self._elector.release(is_clean=is_clean, is_leaving=True)
        return _Outcome(code=EXIT_DONE, reason="stopped by signal")

    async def _drain(
        self,
        work: asyncio.Task[Exception | None],
        drain: asyncio.Event,
        group: asyncio.TaskGroup,
        limit_us: int,
    ) -> bool:
        """Whether everything ended in order before the limit. Losing the lead cuts it short."""
        marking = group.create_task(self._elector.drain(), name="mark draining")
        drain.set()
        deadline_us = self._clock.monotonic_us() + limit_us
        while not work.done():
            left_us = deadline_us - self._clock.monotonic_us()
            listening = self._listen(group)
            await asyncio.wait(
                {work, listening},
                timeout=max(0.0, left_us / 1_000_000),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if left_us <= 0 or (listening.done() and isinstance(self._take(), Deposed)):
                break
        is_clean = work.done() and _ended_well(work)
        if not work.done():
            await self._cancel(work)
        await marking
        return is_clean

    async def _drop(self, work: asyncio.Task[Exception | None], deposed: Deposed) -> _Outcome:
        """The lead is gone: end everything now, then wait for a new chance."""
        logger.warning("lead lost", extra={"reason": deposed.reason})
        await self._cancel(work)
        if not work.done():
            return self._give_up()
        await self._elector.release(is_clean=False, is_leaving=False)
        self._become(RoleChange(role=Role.STANDBY, reason=deposed.reason))
        return _Outcome()

    async def _after_fault(self, fault: Exception | None) -> _Outcome:
        """The services ended by themselves."""
        if fault is None or _is_about_the_lead(fault):
            logger.warning("leader services ended", extra={"problem": repr(fault)})
            await self._elector.release(is_clean=False, is_leaving=False)
            self._become(RoleChange(role=Role.STANDBY, reason="lost the database or the lead"))
            await asyncio.sleep(_AFTER_FAULT_S)
            return _Outcome()
        logger.error("leader services failed", exc_info=fault)
        await self._elector.release(is_clean=False, is_leaving=True)
        return _Outcome(code=EXIT_FAILURE, reason=f"failed: {type(fault).__name__}")

    async def _cancel(self, work: asyncio.Task[Exception | None]) -> None:
        work.cancel()
        await asyncio.wait({work}, timeout=_CANCEL_S)

    def _give_up(self) -> _Outcome:
        """Tasks that do not end could still act for a lead we do not have."""
        logger.critical("leader services do not end; leaving the process")
        self._end_process(EXIT_UNCLEAN)
        return _Outcome(code=EXIT_UNCLEAN, reason="could not clean up")

    # --- waiting ---------------------------------------------------------------------------

    async def _await_change(
        self,
        group: asyncio.TaskGroup,
        stopping: asyncio.Task[bool],
        work: asyncio.Task[Exception | None] | None = None,
    ) -> Change | None:
        """The elector's next word; ``None`` when the process is told to stop or ``work`` ended."""
        listening = self._listen(group)
        waiting: set[asyncio.Task[object]] = {listening, stopping}
        if work is not None:
            waiting.add(work)
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        return self._take() if listening.done() else None

    def _listen(self, group: asyncio.TaskGroup) -> asyncio.Task[Change]:
        if self._next is None:
            self._next = group.create_task(self._elector.next_change(), name="elector changes")
        return self._next

    def _take(self) -> Change:
        assert self._next is not None
        change = self._next.result()
        self._next = None
        return change

    def _become(self, change: RoleChange) -> None:
        self.role = change.role
        logger.info(
            "role changed",
            extra={
                "role": change.role,
                "reason": change.reason,
                "epoch": change.epoch or self._elector.gate.epoch,
                "rival": change.rival,
            },
        )
        self._told(change)


def stop_on_signals(stop: asyncio.Event) -> None:
    """Let SIGTERM and SIGINT set ``stop``. Call inside the running loop."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


def _ended_well(work: asyncio.Task[Exception | None]) -> bool:
    return not work.cancelled() and work.result() is None


def _is_about_the_lead(fault: BaseException) -> bool:
    if isinstance(fault, BaseExceptionGroup):
        return all(_is_about_the_lead(one) for one in fault.exceptions)
    return isinstance(fault, NotLeader | StorageUnavailable)


def _who_leads(ended: Ended) -> str:
    if ended.rival is None:
        return "nobody leads"
    since = f" since {ended.led_s} s" if ended.led_s is not None else ""
    return f"{ended.rival.instance_id} leads{since}"
