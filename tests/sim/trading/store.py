"""The store of all processes of a storm: the fake, slow, and away now and then."""

import asyncio
from collections.abc import Callable
from random import Random

from bot.domain.errors import StorageUnavailable
from bot.domain.ids import Epoch
from bot.domain.orders import OrderIntent
from bot.domain.records import HaltRecord, Record
from bot.ports.messages import AuditEntry, OutgoingMessage
from tests.fakes.trading import MemoryTradingStore


class SlowStore(MemoryTradingStore):
    """The store of all processes: takes its time, and may be away."""

    def __init__(self, random: Random) -> None:
        super().__init__(leader=None)
        self.after_commit: Callable[[], None] = lambda: None
        self._random = random

    async def commit(
        self,
        epoch: Epoch,
        records: tuple[Record, ...],
        messages: tuple[OutgoingMessage, ...],
        now_us: int,
    ) -> None:
        await super().commit(epoch, records, messages, now_us)
        if any(isinstance(one, OrderIntent) for one in records):
            self.after_commit()
        # It is durable and nobody knows yet: a kill here leaves an intent that was never sent.
        await asyncio.sleep(self._random.uniform(0, 0.01))

    async def save_halt(
        self, halt: HaltRecord, act: AuditEntry | None = None, *, ends: HaltRecord | None = None
    ) -> HaltRecord:
        held = await super().save_halt(halt, act, ends=ends)
        await asyncio.sleep(self._random.uniform(0, 0.01))
        return held

    async def _reach(self) -> None:
        await asyncio.sleep(self._random.uniform(0, 0.02))
        if self.is_away:
            await asyncio.sleep(0.5)
            raise StorageUnavailable("the database is away")
