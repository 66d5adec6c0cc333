"""Keeps the way of an order in the processor's memory, by going it in vain.

Between two orders the processor forgets the code in between, and remembering costs
more than all that is decided. So while nothing happens, every few milliseconds a change is
read, an entry decided and its request made - on a stream of its own, under an epoch that never
leads, for no contracts, by a part that holds nothing it could send or store with.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.domain.ids import OrderGroupId
from bot.domain.orders import OrderIntent, Purpose
from bot.domain.records import Record
from bot.engine.core import Engine
from bot.engine.groups import OrderGroups
from bot.kit.clock import Clock
from bot.kit.times import seconds
from bot.strategies.base import Strategy

logger = logging.getLogger(__name__)

_PART = 40
"""A rehearsal is followed by this many times its own length: 2.5 % of one processor."""


class IsIdle(Protocol):
    """Who would be kept waiting."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nothing is under way."""
        ...


def _no_write(_records: Sequence[Record]) -> None:
    pass


def _no_order(_intent: OrderIntent, _group: OrderGroupId | None) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What the steps are gone on. None of them can reach the store or the exchange."""

    read: Callable[[], None]
    """Reads a change that nobody sent."""
    make_rows: Callable[[Sequence[Record]], None] = _no_write
    """Makes the rows of a commit and throws them away."""
    make_request: Callable[[OrderIntent, OrderGroupId | None], None] = _no_order
    """Makes the bytes of a request and throws them away."""
    understudies: Sequence[Strategy] = ()
    """Strategies of the same kinds as the engine's, and not those."""


class Rehearser:
    """A service of the leader. A fault ends the rehearsals, and nothing else."""

    name = "rehearsal"

    def __init__(
        self,
        engine: Engine,
        runner: IsIdle,
        groups: OrderGroups,
        stage: Stage,
        clock: Clock,
        *,
        every_us: int,
    ) -> None:
        """``every_us`` is the shortest pause between two; 0 rehearses never."""
        self._engine = engine
        self._runner = runner
        self._groups = groups
        self._stage = stage
        self._clock = clock
        self._every_us = every_us
        self.times = 0

    async def run(self) -> None:
        """Rehearse until cancelled."""
        wait_us = self._every_us
        while wait_us:
            await asyncio.sleep(seconds(wait_us))
            if not self._runner.is_idle:
                continue
            try:
                wait_us = self._rehearse()
            except Exception:
                logger.exception("rehearsals ended")
                break
        await asyncio.Event().wait()

    async def drain(self) -> None:
        """Nothing to finish: nothing was begun."""

    def _rehearse(self) -> int:
        """Go the way once; how long to wait until the next time."""
        began_us = self._clock.monotonic_us()
        stage = self._stage
        stage.read()
        found = self._engine.rehearse(stage.understudies)
        if found is not None:
            self.times += 1
            stage.make_rows(found.records)
            group = self._groups.made_for(Purpose.ENTRY, found.intent.exchange_index)
            stage.make_request(found.intent, group)
        took_us = self._clock.monotonic_us() - began_us
        return max(self._every_us, took_us * _PART)
