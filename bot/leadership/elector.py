"""Seeks, keeps and gives up the lead for one process.

Runs as a task of its own, never as a scheduler's job: a scheduler skips a late
heartbeat, which is when it matters most. It decides nothing itself - the rules
are in ``lease`` - and it never blocks on a database that does not answer:
each statement has a deadline after which it is abandoned, so that the moment
to give up is kept whatever the network does.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any, TypeVar, assert_never

from bot.domain.errors import BotError, StorageUnavailable
from bot.domain.ids import Epoch, InstanceId
from bot.domain.leadership import (
    Acquisition,
    Candidate,
    InstanceRow,
    InstanceState,
    Reading,
    Renewal,
)
from bot.kit.backoff import Backoff
from bot.kit.clock import Clock
from bot.leadership.gate import LeaderGate, Moment
from bot.leadership.lease import (
    Decision,
    LeaseTerms,
    Move,
    Standpoint,
    Watch,
    Wish,
    decide,
    seconds_since,
)
from bot.leadership.watchdog import Watchdog
from bot.ports.leadership import LeaseStore

logger = logging.getLogger(__name__)

_T = TypeVar("_T")
_CHANGES_MAX = 64
_HINT_SPACING_US = 50_000
_HINT_BACKOFF = Backoff(base_s=0.5, cap_s=30.0)


class ResignReason(StrEnum):
    """Why a leader that could go on gives up."""

    SUPERSEDED = "superseded"
    DEACTIVATED = "deactivated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Elected:
    """The lease is ours; activate."""

    acquisition: Acquisition


@dataclass(frozen=True, slots=True, kw_only=True)
class Resigning:
    """Drain and release; the gate is shut already."""

    reason: ResignReason
    successor: InstanceId | None
    deadline_us: int
    """Own monotonic time by which the drain must be over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposed:
    """The lease is gone or can no longer be confirmed; cancel everything now."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The process has no business any more; exit 0."""

    move: Move
    rival: InstanceRow | None
    led_s: int | None


Change = Elected | Resigning | Deposed | Ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What time, chance and the last resort are, so that tests can choose them."""

    clock: Clock
    random: Random
    watchdog: Watchdog


@dataclass(slots=True)
class _Tenure:
    epoch: Epoch
    state: InstanceState = InstanceState.ACTIVATING
    stored_state: InstanceState = InstanceState.ACTIVATING
    is_resigning: bool = False
    is_revoked: bool = False
    is_lost: bool = False

    def is_over(self) -> bool:
        """Whether it has ended or begun to end, so that it must not trade any more."""
        return self.is_resigning or self.is_lost


class Elector:
    """Campaigns until cancelled. ``next_change`` tells its owner what to do."""

    name = "elector"

    def __init__(
        self,
        *,
        store: LeaseStore,
        candidate: Candidate,
        terms: LeaseTerms,
        means: Means,
        is_exclusive: bool = False,
        is_warm: Callable[[], bool] = lambda: True,
    ) -> None:
        """``is_exclusive``: a host lock proves that no other process can be leading.

        ``is_warm``: whether this process could trade soon after taking the lead; while it
        could not, it leaves the lead to an older deployment that is alive.
        """
        self.gate = LeaderGate(terms, means.clock)
        self.candidate = candidate
        self._store = store
        self._terms = terms
        self._clock = means.clock
        self._random = means.random
        self._watchdog = means.watchdog
        self._death_us = terms.settle_us if is_exclusive else terms.lease_us
        self._is_warm = is_warm
        self._changes: asyncio.Queue[Change] = asyncio.Queue(_CHANGES_MAX)
        self._wake = asyncio.Event()
        self._hinted_us = -_HINT_SPACING_US
        self._turn = asyncio.Lock()
        self._group: asyncio.TaskGroup | None = None
        self._me: InstanceRow | None = None
        self._watch: Watch | None = None
        self._looked: Moment | None = None
        """When the last reading was answered, also on the clocks that run while we sleep."""
        self._wish = Wish.FRESH
        self._tenure: _Tenure | None = None
        self._has_ended = False
        self._has_database = True

    async def next_change(self) -> Change:
        """The next thing the owner must act upon, in order."""
        return await self._changes.get()

    async def run(self) -> None:
        """Campaign until cancelled."""
        self._watchdog.start()
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                group.create_task(self._hear(), name="elector hints")
                while True:
                    await self._pause(await self._step())
        finally:
            self._watchdog.disarm()
            self.gate.clear()

    async def confirm(self, epoch: Epoch) -> bool:
        """Activation under ``epoch`` is complete: open the gate and say so.

        ``False``: that tenure is over or ending. The waiting predecessor ends
        when it reads the state, so it is stored again with the renewals if need be.
        """
        tenure = self._tenure
        if tenure is None or tenure.epoch != epoch or tenure.is_over():
            return False
        self.gate.open()
        tenure.state = InstanceState.LEADING
        await self._mark(tenure)
        # Storing the state takes a while, in which the tenure may have begun to end.
        return tenure is self._tenure and not tenure.is_over()

    async def drain(self) -> None:
        """Close the gate for the rest of this tenure; the lease is kept until ``release``."""
        self.gate.shut()
        if self._tenure is not None and not self._tenure.is_lost:
            self._tenure.is_resigning = True
            self._tenure.state = InstanceState.DRAINING
            await self._mark(self._tenure)

    async def release(self, *, is_clean: bool, is_leaving: bool) -> bool:
        """Give the lease up after the drain. ``False`` when it was lost or cannot be reached.

        ``is_leaving`` also ends the campaign, so that the lead is not taken back at once.
        """
        self.gate.shut()
        self._has_ended = self._has_ended or is_leaving
        async with self._turn:
            tenure, self._tenure = self._tenure, None
            self.gate.clear()
            self._watch = None
            released = False
            if tenure is not None and not tenure.is_lost:
                released = await self._try_release(tenure.epoch, is_clean, is_leaving)
            self._watchdog.disarm()
        self._wake.set()
        return released

    async def retire(self, reason: str) -> None:
        """End the campaign and write the last word of this process, if the database lets us."""
        await self.release(is_clean=True, is_leaving=True)
        if self._me is None:
            return
        try:
            await self._ask(self._store.retire(self.candidate.instance_id, reason))
        except StorageUnavailable:
            logger.warning("last word not stored", extra={"reason": reason})

    # --- one step --------------------------------------------------------------------------

    async def _step(self) -> float:
        """Do what is due; return the seconds until the next step."""
        try:
            async with self._turn:
                pause_s = await self._act()
        except StorageUnavailable as error:
            self._note_database(is_there=False, error=error)
            retry_us = self._terms.retry_us
            if self._tenure is not None:
                retry_us = max(0, min(retry_us, self._left_us()))
            return retry_us / 1_000_000
        self._note_database(is_there=True)
        return pause_s

    async def _act(self) -> float:
        if self._has_ended:
            return 3_600.0
        if self._me is None:
            self._me = await self._ask(self._store.register(self.candidate))
            return 0.0
        return await (self._seek() if self._tenure is None else self._keep(self._tenure))

    # --- without the lease -----------------------------------------------------------------

    async def _seek(self) -> float:
        reading = await self._ask(
            self._store.read(self.candidate.scope, self.candidate.instance_id)
        )
        seen_us = self._clock.monotonic_us()
        if reading.me is None:
            self._me = None
            return 0.0
        await self._drop_leftover(reading)
        self._me = reading.me
        settle_us, looked = self._terms.settle_us, self._looked
        was_away = looked is not None and looked.elapsed_us(self._clock) > settle_us
        self._looked = Moment.of(self._clock)
        self._watch = Watch.follow(
            self._watch, reading, seen_us, settle_us=settle_us, was_away=was_away
        )
        decision = decide(
            Standpoint(
                me=reading.me,
                reading=reading,
                watch=self._watch,
                wish=self._wish,
                now_us=self._clock.monotonic_us(),
                death_us=self._death_us,
                settle_us=self._terms.settle_us,
                echo_us=self._terms.database_timeout_us,
                is_warm=self._is_warm(),
            )
        )
        return await self._carry_out(decision, reading)

    async def _drop_leftover(self, reading: Reading) -> None:
        """Release a lease that names us although we gave up without reaching the database."""
        lease = reading.lease
        is_ours = lease.holder == self.candidate.instance_id
        if is_ours and reading.me is not None and not reading.me.is_active:
            await self._try_release(lease.epoch, is_clean=False, is_leaving=False)

    async def _carry_out(self, decision: Decision, reading: Reading) -> float:
        match decision.move:
            case Move.ACQUIRE:
                return await self._acquire(reading)
            case Move.CLAIM:
                return await self._claim(decision.rival)
            case Move.WAIT:
                return self._wait_s()
            case Move.STAND_BY | Move.YIELD | Move.LEAVE:
                self._has_ended = True
                rival = decision.rival
                led_s = seconds_since(reading, rival.instance_id) if rival else None
                self._tell(Ended(move=decision.move, rival=rival, led_s=led_s))
                return 0.0
            case _ as never:
                assert_never(never)

    async def _claim(self, rival: InstanceRow | None) -> float:
        me, scope = self.candidate.instance_id, self.candidate.scope
        instead_of = rival.instance_id if rival else None
        if not await self._ask(self._store.claim(scope, me, instead_of)):
            return self._poll_s() / 4
        self._wish = Wish.IDLE
        logger.info("lead claimed", extra={"instance": me, "instead_of": instead_of or "nobody"})
        return 0.0

    async def _acquire(self, reading: Reading) -> float:
        me, scope = self.candidate.instance_id, self.candidate.scope
        sent = Moment.of(self._clock)
        won = await self._ask(self._store.acquire(scope, me, reading.lease, self._terms.lease_us))
        if won is None:
            return self._poll_s() / 4
        self._tenure = _Tenure(won.epoch)
        self._wish = Wish.IDLE
        self._confirm_renewal(won.epoch, sent)
        logger.info("lease acquired", extra={"instance": me, "epoch": won.epoch})
        self._tell(Elected(acquisition=won))
        return self._terms.renew_us / 1_000_000

    # --- with the lease --------------------------------------------------------------------

    async def _keep(self, tenure: _Tenure) -> float:
        if tenure.is_lost:
            return self._poll_s()
        left_us = self._left_us()
        if left_us <= 0:
            self._depose(tenure, "no renewal could be confirmed in time")
            return self._poll_s()
        if tenure.is_revoked:
            return min(self._poll_s(), left_us / 1_000_000)
        sent = Moment.of(self._clock)
        me, scope = self.candidate.instance_id, self.candidate.scope
        renewal = await self._ask(
            self._store.renew(scope, me, tenure.epoch, self._terms.lease_us), left_us
        )
        if renewal.is_kept:
            self._confirm_renewal(tenure.epoch, sent)
        self._judge(tenure, renewal)
        if tenure.state is not tenure.stored_state and not tenure.is_lost:
            await self._mark(tenure)
        spent_us = self._clock.monotonic_us() - sent.monotonic_us
        return max(0.0, (self._terms.renew_us - spent_us) / 1_000_000)

    def _judge(self, tenure: _Tenure, renewal: Renewal) -> None:
        if not renewal.is_kept and (renewal.is_active or not renewal.is_holder):
            self._depose(tenure, "the lease is held by another instance or has ended")
            return
        tenure.is_revoked = not renewal.is_kept
        if not renewal.is_active and not tenure.is_resigning:
            self._resign(tenure, renewal)

    def _resign(self, tenure: _Tenure, renewal: Renewal) -> None:
        tenure.is_resigning = True
        self.gate.shut()
        deadline_us = self._clock.monotonic_us() + self._terms.drain_us
        if tenure.is_revoked:
            deadline_us = min(deadline_us, self._clock.monotonic_us() + self._left_us())
        reason = ResignReason.SUPERSEDED if renewal.active_id else ResignReason.DEACTIVATED
        self._tell(Resigning(reason=reason, successor=renewal.active_id, deadline_us=deadline_us))

    def _depose(self, tenure: _Tenure, reason: str) -> None:
        tenure.is_lost = True
        self.gate.clear()
        self._tell(Deposed(reason=reason))

    def _left_us(self) -> int:
        return self._terms.stop_us - self.gate.since_renewal_us()

    def _confirm_renewal(self, epoch: Epoch, sent: Moment) -> None:
        self.gate.hold(epoch, sent)
        self._watchdog.arm(sent.monotonic_us + self._terms.watchdog_us)

    # --- the database ----------------------------------------------------------------------

    async def _mark(self, tenure: _Tenure) -> None:
        state = tenure.state
        try:
            await self._ask(self._store.mark(self.candidate.instance_id, state))
        except StorageUnavailable:
            logger.warning("state not stored", extra={"state": state})
        else:
            tenure.stored_state = state

    async def _try_release(self, epoch: Epoch, is_clean: bool, is_leaving: bool) -> bool:
        me, scope = self.candidate.instance_id, self.candidate.scope
        call = self._store.release(scope, me, epoch, is_clean=is_clean, is_leaving=is_leaving)
        try:
            released = await self._ask(call)
        except StorageUnavailable:
            logger.warning("lease not released", extra={"epoch": epoch})
            return False
        logger.info("lease released", extra={"epoch": epoch, "is_clean": is_clean})
        return released

    async def _ask(self, call: Coroutine[Any, Any, _T], limit_us: int | None = None) -> _T:
        """Run one statement with a deadline; past it the statement is cancelled and left alone.

        Waiting for the cancellation itself would wait for the dead connection again.
        """
        assert self._group is not None, "run() owns every statement"
        limits_us = (self._terms.database_timeout_us, limit_us)
        limit_us = min(limit for limit in limits_us if limit is not None)
        task = self._group.create_task(_settled(call), name="lease statement")
        await asyncio.wait({task}, timeout=limit_us / 1_000_000)
        if not task.done():
            task.cancel()
            raise StorageUnavailable(f"no answer within {limit_us / 1_000_000:g} s")
        result = task.result()
        if isinstance(result, StorageUnavailable):
            raise result
        return result

    def _note_database(self, *, is_there: bool, error: BotError | None = None) -> None:
        if is_there == self._has_database:
            return
        self._has_database = is_there
        if is_there:
            logger.info("database answers again")
        else:
            logger.warning("database does not answer", extra={"problem": str(error)})

    async def _hear(self) -> None:
        while True:
            for wait_s in _HINT_BACKOFF.waits(self._random):
                try:
                    await self._store.hear(self.candidate.scope, self._wake.set)
                except StorageUnavailable:
                    await asyncio.sleep(wait_s)

    # --- waiting ---------------------------------------------------------------------------

    def _wait_s(self) -> float:
        """Until the next look: a poll, or the moment at which silence becomes proof of death."""
        assert self._watch is not None, "whoever waits has looked"
        now_us = self._clock.monotonic_us()
        silences_us = (self._watch.lease.silent_us(now_us), self._watch.wanted.silent_us(now_us))
        lefts_us = [self._death_us - one for one in silences_us if one < self._death_us]
        return min([self._poll_s(), *(left_us / 1_000_000 for left_us in lefts_us)])

    def _poll_s(self) -> float:
        return self._terms.poll_us / 1_000_000 * self._random.uniform(0.8, 1.2)

    async def _pause(self, pause_s: float) -> None:
        if pause_s <= 0:
            return
        try:
            async with asyncio.timeout(pause_s):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()
        # The first hint is acted on at once: nobody trades while we wait. Whatever follows it,
        # the database sees at most this many statements a second.
        now_us = self._clock.monotonic_us()
        spaced_us = self._hinted_us + _HINT_SPACING_US - now_us
        self._hinted_us = max(now_us, self._hinted_us + _HINT_SPACING_US)
        if spaced_us > 0:
            await asyncio.sleep(spaced_us / 1_000_000)

    def _tell(self, change: Change) -> None:
        self._changes.put_nowait(change)


async def _settled(call: Coroutine[Any, Any, _T]) -> _T | StorageUnavailable:
    """An expected fault as a value: raised inside a task group it would end the group."""
    try:
        return await call
    except StorageUnavailable as error:
        return error
