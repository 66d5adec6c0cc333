"""The ways out of trading: told to leave, or cut off from the database.

Protective exits stay at the exchange in every case. What rests to open a
position goes: by cancels that are written down, and where those get no clear
answer in time by the exchange itself, which is told to end the order group.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from bot.domain.errors import BotError
from bot.domain.events import Event, LeadDoubted
from bot.engine import views
from bot.engine.groups import OrderGroups
from bot.engine.runner import EngineRunner
from bot.engine.world import World
from bot.kit.clock import Clock
from bot.leadership.gate import LeaderGate

logger = logging.getLogger(__name__)

_LOOK_S = 0.02
_WATCH_S = 0.1
_SETTLE_SHARE = 0.6
_TRIGGER_SHARE = 0.2
"""Of the time for the whole drain; what is left goes to commands and messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntriesOff:
    """Ends every entry of one leadership, after the engine was told to drain."""

    world: World
    runner: EngineRunner
    groups: OrderGroups
    drain_s: float

    async def run(self) -> None:
        """Return when no entry can fill any more, or the time for that is over."""
        try:
            async with asyncio.timeout(self.drain_s * _SETTLE_SHARE):
                await self._settled()
        except TimeoutError:
            logger.warning("drain: not everything in flight has ended")
        working, doubted = views.open_entries(self.world)
        if working or doubted:
            await self._shut_groups(working, doubted)

    async def _settled(self) -> None:
        """Orders on their way have ended or are in doubt, and so have the cancels."""
        while True:
            await self.runner.settle()
            if views.open_entries(self.world)[0] == 0:
                return
            await asyncio.sleep(_LOOK_S)

    async def _shut_groups(self, working: int, doubted: int) -> None:
        facts = {"working": working, "unknown": doubted}
        self.groups.condemn_entries()
        try:
            async with asyncio.timeout(self.drain_s * _TRIGGER_SHARE):
                await self.groups.trigger_condemned()
        except (TimeoutError, BotError) as fault:
            reason = str(fault) or "no answer in time"
            logger.error(  # noqa: TRY400 - an expected fault; its text says all
                "entries may still rest at the exchange", extra={**facts, "reason": reason}
            )
        else:
            logger.warning("entries ended by their order group", extra=facts)


class DoubtWatch:
    """Tells the engine when the lead is no longer certain, seconds before it is given up."""

    name = "lead"

    def __init__(self, gate: LeaderGate, clock: Clock, submit: Callable[[Event], None]) -> None:
        self._gate = gate
        self._clock = clock
        self._submit = submit

    async def run(self) -> None:
        """Watch until cancelled."""
        is_doubted = False
        while True:
            if self._gate.is_held() == is_doubted:
                is_doubted = not is_doubted
                logger.warning("lead in doubt" if is_doubted else "lead confirmed again")
                self._submit(LeadDoubted(received_us=self._clock.now_us(), is_doubted=is_doubted))
            await asyncio.sleep(_WATCH_S)

    async def drain(self) -> None:
        """Nothing to finish."""
