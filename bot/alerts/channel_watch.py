"""Notices that messages do not arrive somewhere, and has it told where they do.

What it knows is stored, so that a successor neither tells a failure again nor
forgets to tell its end.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass, replace

from bot.domain.alerts import AlertKind
from bot.domain.errors import StorageUnavailable
from bot.kit.clock import Clock
from bot.kit.markup import span
from bot.kit.times import MINUTE_US
from bot.ports.carriers import ChannelState, ChannelStates, Receipt, Verdict
from bot.ports.messages import AlertSink

logger = logging.getLogger(__name__)

_GIVEN_UP = "that message was given up"


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchSettings:
    """When a failure is worth telling: after so many in a row and so long."""

    failures: int = 3
    after_us: int = 2 * MINUTE_US
    save_every_us: int = MINUTE_US
    """How old the stored time of the last delivery may become."""


@dataclass(slots=True)
class _Run:
    """Failures in a row at one recipient."""

    failures: int = 0
    since_us: int = 0


class ChannelWatch:
    """``DeliveryWatch`` of one channel."""

    def __init__(
        self,
        channel: str,
        *,
        states: ChannelStates,
        alerts: AlertSink,
        clock: Clock,
        recipients: Collection[str],
        meanwhile: str = "what is for there is kept and follows",
        settings: WatchSettings = WatchSettings(),
    ) -> None:
        """``recipients`` are those that alerts go to; what fails elsewhere is nobody's alarm.

        ``meanwhile`` says what becomes of what cannot be delivered now.
        """
        self._channel = channel
        self._states = states
        self._alerts = alerts
        self._clock = clock
        self._recipients = frozenset(recipients)
        self._meanwhile = meanwhile
        self._settings = settings
        self._known: dict[str, ChannelState] | None = None
        self._runs: dict[str, _Run] = {}
        self._unsaved: set[str] = set()

    async def delivered(self, recipient: str) -> None:
        """See :meth:`DeliveryWatch.delivered`."""
        self._runs.pop(recipient, None)
        if recipient not in self._recipients or not await self._load():
            return
        now_us = self._clock.now_us()
        state = self._state(recipient)
        fresh = replace(state, delivered_us=now_us)
        if state.is_failing:
            fresh = replace(fresh, is_failing=False, reason="", changed_us=now_us)
            logger.info("channel works again", extra=self._named(recipient))
            self._alerts.post(
                AlertKind.CHANNEL_RECOVERED,
                {**self._named(recipient), "silent": span(now_us - state.changed_us)},
            )
        is_old = now_us - (state.delivered_us or 0) >= self._settings.save_every_us
        if state.is_failing or is_old or recipient in self._unsaved:
            await self._save(fresh)

    async def failed(self, recipient: str, receipt: Receipt) -> None:
        """See :meth:`DeliveryWatch.failed`."""
        if recipient not in self._recipients or not await self._load():
            return
        now_us = self._clock.now_us()
        run = self._runs.setdefault(recipient, _Run(since_us=now_us))
        run.failures += 1
        state = self._state(recipient)
        if state.is_failing:
            if receipt.reason != state.reason or recipient in self._unsaved:
                await self._save(replace(state, reason=receipt.reason))
            return
        if not self._is_worth_telling(run, receipt, now_us):
            return
        logger.error("channel fails", extra={**self._named(recipient), "reason": receipt.reason})
        self._alerts.post(
            AlertKind.CHANNEL_FAILED,
            {
                **self._named(recipient),
                "reason": receipt.reason,
                "then": _GIVEN_UP if receipt.verdict is Verdict.NEVER else self._meanwhile,
            },
        )
        await self._save(replace(state, is_failing=True, reason=receipt.reason, changed_us=now_us))

    def _is_worth_telling(self, run: _Run, receipt: Receipt, now_us: int) -> bool:
        if receipt.verdict is not Verdict.LATER:
            return True
        lasted_us = now_us - run.since_us
        return run.failures >= self._settings.failures and lasted_us >= self._settings.after_us

    def _state(self, recipient: str) -> ChannelState:
        assert self._known is not None
        return self._known.get(recipient) or ChannelState(
            channel=self._channel,
            recipient=recipient,
            is_failing=False,
            reason="",
            changed_us=self._clock.now_us(),
            delivered_us=None,
        )

    async def _load(self) -> bool:
        """Whether what a predecessor knew is known here."""
        if self._known is None:
            try:
                found = await self._states.read()
            except StorageUnavailable as fault:
                logger.info("channel states not read yet", extra={"fault": str(fault)})
                return False
            self._known = {one.recipient: one for one in found if one.channel == self._channel}
        return True

    async def _save(self, state: ChannelState) -> None:
        assert self._known is not None
        self._known[state.recipient] = state
        try:
            await self._states.save(state)
        except StorageUnavailable as fault:
            self._unsaved.add(state.recipient)
            logger.info("channel state not stored yet", extra={"fault": str(fault)})
        else:
            self._unsaved.discard(state.recipient)

    def _named(self, recipient: str) -> dict[str, str]:
        return {"channel": self._channel, "recipient": recipient}
