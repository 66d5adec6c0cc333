"""Looks at the exchange once a minute and keeps what it says, so that gaps can be explained.

An hour that failed is somebody's fault; whose is only known if somebody looked. What is kept
is a look, not a belief: between two looks further apart than ``_PAUSE_US`` nothing is claimed.
"""

import asyncio
import logging

from bot.domain.errors import (
    BotError,
    ExchangeUnavailable,
    InvalidMessage,
    RequestRefused,
    StorageUnavailable,
)
from bot.kit.clock import Clock
from bot.kit.times import DAY_US, HOUR_US, MINUTE_US
from bot.ports.exchange import ExchangeStatus
from bot.ports.gaps import ExchangeHours, ExchangeSpell, ExchangeState, GapStore

logger = logging.getLogger(__name__)

_EVERY_S = 60.0
_PAUSE_US = 5 * MINUTE_US
_PLAN_EVERY_US = HOUR_US
_PLAN_BACK_US = 7 * DAY_US
_PLAN_AHEAD_US = 14 * DAY_US
_DETAIL_LENGTH_MAX = 200


class ExchangeWatch:
    """A service of the leader: asks status and schedule, and keeps the answers."""

    name = "exchange watch"

    def __init__(self, exchange: ExchangeHours, store: GapStore, clock: Clock) -> None:
        self._exchange = exchange
        self._store = store
        self._clock = clock
        self._planned_us: int | None = None

    async def run(self) -> None:
        """Look every minute until cancelled."""
        while True:
            try:
                await self.look()
            except StorageUnavailable as fault:
                logger.warning("exchange state not kept", extra={"why": str(fault)})
            await asyncio.sleep(_EVERY_S)

    async def drain(self) -> None:
        """Nothing to finish."""

    async def look(self) -> ExchangeState:
        """Ask once and keep the answer; returns what the exchange is.

        Raises:
            StorageUnavailable: it could not be kept.
        """
        state, resume_us, detail = await self._asked()
        now_us = self._clock.now_us()
        seen = ExchangeSpell(
            state=state, since_us=now_us, until_us=now_us, resume_us=resume_us, detail=detail
        )
        await self._store.note_exchange(seen, _PAUSE_US)
        if state is not ExchangeState.UNREACHABLE and self._is_plan_due(now_us):
            await self._plan(now_us)
        return state

    async def _asked(self) -> tuple[ExchangeState, int | None, str]:
        try:
            status = await self._exchange.status()
        except ExchangeUnavailable as fault:
            return ExchangeState.UNREACHABLE, None, str(fault)[:_DETAIL_LENGTH_MAX]
        except BotError as fault:
            # It answered, though not what it should: that it was reached is known.
            return ExchangeState.OPEN, None, str(fault)[:_DETAIL_LENGTH_MAX]
        return state_of(status), status.resume_us, ""

    def _is_plan_due(self, now_us: int) -> bool:
        return self._planned_us is None or now_us - self._planned_us >= _PLAN_EVERY_US

    async def _plan(self, now_us: int) -> None:
        try:
            closures = await self._exchange.planned_closures(
                now_us - _PLAN_BACK_US, now_us + _PLAN_AHEAD_US
            )
        except (ExchangeUnavailable, InvalidMessage, RequestRefused) as fault:
            logger.warning("exchange schedule not read", extra={"why": str(fault)})
            return
        await self._store.note_closures(closures, now_us)
        self._planned_us = now_us


def state_of(status: ExchangeStatus) -> ExchangeState:
    """Its two switches as one word."""
    if not status.is_exchange_active:
        return ExchangeState.CLOSED
    return ExchangeState.OPEN if status.is_trading_active else ExchangeState.PAUSED
