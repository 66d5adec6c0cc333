"""What the trading core keeps: records under an epoch, halts, order groups.

Every call may raise ``StorageUnavailable``.
"""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.domain.ids import ClientOrderId, Epoch, OrderGroupId
from bot.domain.orders import Purpose
from bot.domain.records import HaltRecord, Record, StoredState
from bot.ports.messages import AuditEntry, OutgoingMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredGroup:
    """An order group of ours at the exchange, one for each epoch, shard and purpose."""

    order_group_id: OrderGroupId
    epoch: Epoch
    exchange_index: int
    purpose: Purpose
    is_triggered: bool


class TradingStore(Protocol):
    """The memory of one scope's trading."""

    async def load(self, now_us: int) -> StoredState:
        """Everything a new leader needs before it reads the exchange.

        A scope that was never seen is halted: a fresh install trades nothing.
        """
        ...

    def commit(
        self,
        epoch: Epoch,
        records: Sequence[Record],
        messages: Sequence[OutgoingMessage],
        now_us: int,
    ) -> Awaitable[None]:
        """Write all of them in one transaction, or nothing.

        It may begin in the call, so whoever calls also awaits. What is written when the call
        returns is an ``asyncio.Future`` that is done.

        A fill that is already stored is ignored; every other record replaces
        the older one of its key.

        Raises:
            NotLeader: the epoch is no longer the scope's.
            TradingHalted: an entry while the scope is halted.
        """
        ...

    async def save_halt(
        self, halt: HaltRecord, act: AuditEntry | None = None, *, ends: HaltRecord | None = None
    ) -> HaltRecord:
        """Make a halt or its end durable; returns what is stored then. Needs no lead.

        A halt is never refused. The end of one names it with ``ends``: where another is stored
        by now, that one is kept and returned, whoever was late. Said again, it is done once.
        With ``act`` the command's audit row is part of the same transaction, and
        nothing changes when a row of its number is there already.
        """
        ...

    async def halt(self) -> HaltRecord:
        """The stored halt; a scope never seen is halted."""
        ...

    async def fill_cursor_us(self) -> int | None:
        """When the newest stored fill was executed."""
        ...

    async def add_group(self, epoch: Epoch, group: StoredGroup, now_us: int) -> None:
        """Remember a new order group.

        Raises:
            NotLeader: the epoch is no longer the scope's.
        """
        ...

    async def open_groups(self) -> Sequence[StoredGroup]:
        """Every group of the scope that nobody has triggered, oldest first."""
        ...

    async def known_groups(self, groups: Sequence[OrderGroupId]) -> frozenset[OrderGroupId]:
        """Those of them that this database has ever stored, under whatever scope."""
        ...

    async def known_orders(self, orders: Sequence[ClientOrderId]) -> frozenset[ClientOrderId]:
        """Those of them that this database has ever stored, under whatever scope."""
        ...

    async def mark_triggered(self, epoch: Epoch, group: OrderGroupId) -> None:
        """It is triggered at the exchange.

        Raises:
            NotLeader: the epoch is no longer the scope's.
        """
        ...
