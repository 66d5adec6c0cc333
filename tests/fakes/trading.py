"""The trading store in memory, with the fence's rules, and faults on request."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import msgspec

from bot.domain.errors import NotLeader, StorageUnavailable, TradingHalted
from bot.domain.ids import BracketId, ClientOrderId, Epoch, FillId, MarketTicker, OrderGroupId
from bot.domain.money import Money, Quantity
from bot.domain.orders import Fill, OrderIntent, OrderStatus, Purpose
from bot.domain.records import (
    ApprovalRecord,
    ApprovalStep,
    BaselineRecord,
    BracketRecord,
    BracketState,
    BreakerRecord,
    HaltRecord,
    OrderRecord,
    PositionRecord,
    Record,
    SnapshotRecord,
    StoredOrder,
    StoredState,
)
from bot.domain.signals import SignalRecord
from bot.kit.times import HOUR_US
from bot.ports.messages import AuditEntry, OutgoingMessage
from bot.ports.trading import StoredGroup

_ENDED = {BracketState.CLOSED, BracketState.SETTLED}
_FIRST_START = HaltRecord(
    halted=True, reason="first start; /unhalt to begin", set_by="installation", changed_us=0
)


@dataclass
class _Tables:
    signals: dict[str, SignalRecord] = field(default_factory=dict)
    intents: dict[ClientOrderId, OrderIntent] = field(default_factory=dict)
    progress: dict[ClientOrderId, OrderRecord] = field(default_factory=dict)
    fills: dict[FillId, Fill] = field(default_factory=dict)
    brackets: dict[BracketId, BracketRecord] = field(default_factory=dict)
    positions: dict[MarketTicker, PositionRecord] = field(default_factory=dict)
    breakers: dict[str, BreakerRecord] = field(default_factory=dict)
    approvals: dict[tuple[str, ApprovalStep], ApprovalRecord] = field(default_factory=dict)
    baselines: dict[str, BaselineRecord] = field(default_factory=dict)
    snapshots: list[SnapshotRecord] = field(default_factory=list)
    messages: list[OutgoingMessage] = field(default_factory=list)

    def copy(self) -> "_Tables":
        return _Tables(
            **{name: type(value)(value) for name, value in vars(self).items()}  # type: ignore[arg-type]
        )


class MemoryTradingStore:
    """``TradingStore``. ``leader`` is the epoch of the lease; ``None`` when nobody has it."""

    def __init__(self, leader: int | None = 1) -> None:
        self.leader = None if leader is None else Epoch(leader)
        self.tables = _Tables()
        self.groups: dict[OrderGroupId, StoredGroup] = {}
        self.stored_halt: HaltRecord | None = None
        self.decisions: dict[ClientOrderId, str] = {}
        """What entries carry where a process folds its decisions (``tests.sim.trading.folded``)."""
        self.commits: list[tuple[Epoch, tuple[Record, ...]]] = []
        self.acts: dict[int, AuditEntry] = {}
        self.is_away = False
        self.stalled = asyncio.Event()
        self.stalled.set()
        """Cleared: every call waits, as behind a stalled database."""

    async def load(self, now_us: int) -> StoredState:
        await self._reach()
        tables = self.tables
        is_open = {key for key, record in tables.brackets.items() if record.state not in _ENDED}
        orders = tuple(
            StoredOrder(intent=intent, progress=tables.progress[key])
            for key, intent in sorted(tables.intents.items(), key=lambda one: one[1].decided_us)
            if not tables.progress[key].status.is_final or intent.bracket_id in is_open
        )
        of_orders = {one.progress.order_id for one in orders}
        ended = [one for one in tables.brackets.values() if one.state in _ENDED]
        ended.sort(key=lambda one: one.closed_us or 0)
        running = [one for one in tables.brackets.values() if one.state not in _ENDED]
        newest_us = max((one.executed_us for one in tables.fills.values()), default=now_us)
        fills_from_us = min(now_us, newest_us) - HOUR_US
        return StoredState(
            halt=self.stored_halt or _FIRST_START,
            breakers=tuple(tables.breakers.values()),
            baseline=max(tables.baselines.values(), key=lambda one: one.trading_day, default=None),
            last_snapshot=max(tables.snapshots, key=lambda one: one.taken_us, default=None),
            peak_equity=max((one.equity for one in tables.snapshots), default=Money(0)),
            brackets=(*ended[-50:], *sorted(running, key=lambda one: one.opened_us)),
            orders=orders,
            positions=tuple(one for one in tables.positions.values() if one.quantity),
            recent_fills=tuple(
                fill
                for fill in sorted(tables.fills.values(), key=lambda one: one.executed_us)
                if fill.executed_us >= fills_from_us or fill.order_id in of_orders
            ),
            last_epoch=self.leader or Epoch(0),
        )

    async def commit(
        self,
        epoch: Epoch,
        records: Sequence[Record],
        messages: Sequence[OutgoingMessage],
        now_us: int,
    ) -> None:
        await self._reach()
        self._check(epoch)
        changed = self.tables.copy()
        for record in records:
            self._write(changed, epoch, record)
        changed.messages += messages
        self.tables = changed
        self.commits.append((epoch, tuple(records)))

    async def save_halt(
        self, halt: HaltRecord, act: AuditEntry | None = None, *, ends: HaltRecord | None = None
    ) -> HaltRecord:
        await self._reach()
        stored = self.stored_halt or _FIRST_START
        if (ends is not None and stored != ends) or (act is not None and act.number in self.acts):
            return stored
        if act is not None:
            self.acts[act.number] = act
        self.stored_halt = halt
        return halt

    async def halt(self) -> HaltRecord:
        await self._reach()
        return self.stored_halt or _FIRST_START

    async def fill_cursor_us(self) -> int | None:
        await self._reach()
        return max((fill.executed_us for fill in self.tables.fills.values()), default=None)

    async def add_group(self, epoch: Epoch, group: StoredGroup, now_us: int) -> None:
        await self._reach()
        self._check(epoch)
        self.groups[group.order_group_id] = replace(group, epoch=epoch)

    async def open_groups(self) -> Sequence[StoredGroup]:
        await self._reach()
        return [group for group in self.groups.values() if not group.is_triggered]

    async def known_groups(self, groups: Sequence[OrderGroupId]) -> frozenset[OrderGroupId]:
        await self._reach()
        return frozenset(groups) & self.groups.keys()

    async def known_orders(self, orders: Sequence[ClientOrderId]) -> frozenset[ClientOrderId]:
        await self._reach()
        return frozenset(orders) & self.tables.intents.keys()

    async def mark_triggered(self, epoch: Epoch, group: OrderGroupId) -> None:
        await self._reach()
        self._check(epoch)
        if group in self.groups:
            self.groups[group] = replace(self.groups[group], is_triggered=True, epoch=epoch)

    async def _reach(self) -> None:
        await self.stalled.wait()
        if self.is_away:
            raise StorageUnavailable("the database is away")

    def _check(self, epoch: Epoch) -> None:
        if epoch != self.leader:
            raise NotLeader(f"stale leader epoch {epoch}")

    def _write(self, tables: _Tables, epoch: Epoch, record: Record) -> None:  # noqa: C901, PLR0912 - one arm a kind
        match record:
            case OrderIntent():
                is_halted = self.stored_halt is None or self.stored_halt.halted
                if record.purpose is Purpose.ENTRY and is_halted:
                    raise TradingHalted("trading halted")
                tables.intents[record.client_order_id] = msgspec.structs.replace(
                    record, epoch=epoch
                )
                tables.progress[record.client_order_id] = _submitting(record)
            case OrderRecord():
                if record.client_order_id in tables.intents:
                    tables.progress[record.client_order_id] = record
                    intent = tables.intents[record.client_order_id]
                    tables.intents[record.client_order_id] = msgspec.structs.replace(
                        intent, epoch=epoch
                    )
            case Fill():
                tables.fills.setdefault(record.fill_id, record)
            case SignalRecord():
                tables.signals[record.signal_id] = record
            case BracketRecord():
                tables.brackets[record.bracket_id] = record
            case PositionRecord():
                tables.positions[record.ticker] = record
            case BreakerRecord():
                tables.breakers[record.name] = record
            case ApprovalRecord():
                tables.approvals.setdefault(record.key, record)
            case BaselineRecord():
                tables.baselines[record.trading_day] = record
            case SnapshotRecord():
                tables.snapshots.append(record)


def _submitting(intent: OrderIntent) -> OrderRecord:
    return OrderRecord(
        client_order_id=intent.client_order_id,
        status=OrderStatus.SUBMITTING,
        order_id=None,
        filled=Quantity(0),
        reason="",
        updated_us=intent.decided_us,
    )
