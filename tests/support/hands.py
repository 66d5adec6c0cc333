"""One leadership's hands over fakes: executor, groups, store, exchange, and what they report."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random

from bot.domain.events import Event
from bot.domain.ids import ClientOrderId, Epoch, MarketTicker, StrategyId
from bot.domain.money import Price, Quantity
from bot.domain.operations import Severity
from bot.domain.orders import BookSide, OrderIntent, Purpose, TimeInForce
from bot.domain.records import HaltRecord
from bot.engine.effects import Commit, Effect, Notice, SendOrder
from bot.engine.executor import EffectExecutor
from bot.engine.groups import GroupSettings, OrderGroups
from bot.engine.sending import Surroundings
from bot.ports.messages import AuditEntry, Channel, OutgoingMessage
from tests.fakes.exchange import FakeExchange
from tests.fakes.loop_clock import LoopClock
from tests.fakes.trading import MemoryTradingStore

EPOCH = Epoch(7)


class SwitchGate:
    """A lead that can be taken away."""

    def __init__(self) -> None:
        self.is_open = True

    def may_trade(self) -> bool:
        return self.is_open


class HeardReplies:
    """Answers to commands, in order."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, str, bool]] = []

    def reply(self, command_id: int, text: str, *, is_done: bool) -> None:
        self.heard.append((command_id, text, is_done))


@dataclass
class Hands:
    """Everything that an executor acts on, and the events it reported."""

    exchange: FakeExchange = field(default_factory=FakeExchange)
    store: MemoryTradingStore = field(default_factory=lambda: MemoryTradingStore(EPOCH))
    gate: SwitchGate = field(default_factory=SwitchGate)
    replies: HeardReplies = field(default_factory=HeardReplies)
    reported: list[Event] = field(default_factory=list)
    acts: dict[int, AuditEntry] = field(default_factory=dict)
    is_dry_run: bool = False

    def __post_init__(self) -> None:
        self.store.stored_halt = HaltRecord(halted=False, reason="", set_by="t", changed_us=1)
        clock = LoopClock()
        self.groups = OrderGroups(self.exchange, self.store, clock, EPOCH, GroupSettings())
        self.around = Surroundings(
            exchange=self.exchange,
            store=self.store,
            gate=self.gate,
            groups=self.groups,
            clock=clock,
            random=Random(1),
            replies=self.replies,
            messages_of=message_of,
            act_of=self.acts.get,
            is_dry_run=self.is_dry_run,
        )
        self.executor = EffectExecutor(self.around, self.reported.append)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.executor.run())
            yield
            task.cancel()

    async def do(self, *effects: Effect) -> list[Event]:
        """Act on one event's effects to the end, and give what was reported."""
        async with self.working():
            self.executor.take(effects)
            await self.finished()
        return self.reported

    async def finished(self, seconds: float = 60.0) -> None:
        async with asyncio.timeout(seconds):
            while self.executor.is_busy:  # noqa: ASYNC110 - the executor tells nobody
                await asyncio.sleep(0.01)

    def told(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.reported if isinstance(event, kind)]


def message_of(notice: Notice) -> tuple[OutgoingMessage, ...]:
    return (
        OutgoingMessage(
            channel=Channel.PORTAL,
            recipient="page",
            kind=notice.kind.value,
            severity=Severity.INFO,
            text=str(dict(notice.facts)),
        ),
    )


def intent(name: str = "c1", **changes: object) -> OrderIntent:
    fields: dict[str, object] = {
        "client_order_id": ClientOrderId(name),
        "epoch": EPOCH,
        "strategy_id": StrategyId("fade"),
        "signal_id": None,
        "bracket_id": None,
        "purpose": Purpose.ENTRY,
        "ticker": MarketTicker("KXFED-27"),
        "exchange_index": 0,
        "side": BookSide.BID,
        "price": Price(9_000),
        "quantity": Quantity(100),
        "time_in_force": TimeInForce.GOOD_TILL_CANCELED,
        "post_only": True,
        "reduce_only": False,
        "expires_us": None,
        "decided_us": 1_000,
    }
    return OrderIntent(**(fields | changes))  # type: ignore[arg-type]


def placing(order: OrderIntent) -> tuple[Commit, SendOrder]:
    """As the engine asks for it: the intent is committed, then sent."""
    return Commit(epoch=EPOCH, records=(order,)), SendOrder(intent=order)
