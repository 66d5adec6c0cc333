"""Keeps the way of an order in the processor's memory, by going it in vain.

Between two orders the processor forgets the code in between, and remembering costs
more than all that is decided. So while nothing happens, every few milliseconds a change is
read, an entry decided, its rows and its request are made. Every part that could send or store
is replaced by one that cannot; and what is decided carries an epoch that never leads, and no
contracts.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, NoReturn, Protocol, cast

from typing_extensions import override

from bot.domain.errors import OrderRejected
from bot.domain.events import Event, QuoteChanged
from bot.domain.ids import Epoch, OrderGroupId
from bot.domain.orders import OrderIntent, Purpose
from bot.domain.records import Record
from bot.engine.core import Engine
from bot.engine.effects import Commit, Effect, Notice, SendOrder
from bot.engine.executor import EffectExecutor
from bot.engine.groups import OrderGroups
from bot.engine.inbox import EngineInbox
from bot.engine.runner import EngineRunner
from bot.engine.sending import Surroundings, TradingGate
from bot.kit.clock import Clock
from bot.kit.times import seconds
from bot.ports.exchange import Exchange
from bot.ports.messages import OutgoingMessage
from bot.ports.trading import TradingStore
from bot.strategies.base import Strategy

logger = logging.getLogger(__name__)

_NO_EPOCH = Epoch(0)
_NO_GROUP = OrderGroupId("rehearsal")


class IsIdle(Protocol):
    """Who would be kept waiting."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nothing is under way."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Understudies:
    """What stands in for the parts of a leadership, and the gate, which is only asked."""

    gate: TradingGate
    clock: Clock
    make_rows: Callable[[Sequence[Record]], None]
    """Makes the rows of a commit and throws them away."""
    make_request: Callable[[OrderIntent, OrderGroupId | None], None]
    """Makes the bytes of a request and throws them away."""
    strategies: Sequence[Strategy] = ()
    """Of the same kinds as the engine's, and not those."""


def rehearsing_reader(engine: Engine, understudies: Understudies) -> EngineRunner:
    """Answers every quote it is told with an entry of the engine's that nobody wants.

    It is real from the inbox to the sender, with nothing behind.
    """
    return _Runner(_Decider(engine, understudies), _Hands(understudies), EngineInbox())


class Rehearser:
    """A service of the leader. A fault ends the rehearsals, and nothing else."""

    name = "rehearsal"

    def __init__(
        self,
        runner: IsIdle,
        step: Callable[[], None],
        clock: Clock,
        *,
        every_us: int,
        percent_max: int,
    ) -> None:
        """``step`` goes the way once.

        ``every_us`` is the shortest pause between two, 0 is never; ``percent_max`` of one
        processor is the most that all take together.
        """
        self._runner = runner
        self._step = step
        self._clock = clock
        self._every_us = every_us
        self._percent_max = percent_max
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
        self._step()
        self.times += 1
        took_us = self._clock.monotonic_us() - began_us
        return pause_us(took_us, every_us=self._every_us, percent_max=self._percent_max)


def pause_us(took_us: int, *, every_us: int, percent_max: int) -> int:
    """How long to wait after a rehearsal that took so long."""
    return max(every_us, took_us * (100 - percent_max) // percent_max)


class _Decider:
    """Has the real engine decide in vain, unless the sender would log that it sends nothing."""

    def __init__(self, engine: Engine, understudies: Understudies) -> None:
        self._engine = engine
        self._strategies = understudies.strategies
        self._gate = understudies.gate

    def handle(self, event: Event) -> tuple[Effect, ...]:
        if not isinstance(event, QuoteChanged) or not self._gate.may_trade():
            return ()
        found = self._engine.rehearse(self._strategies)
        if found is None:
            return ()
        commit = Commit(epoch=_NO_EPOCH, records=found.records)
        return commit, SendOrder(intent=found.intent)


class _Runner(EngineRunner):
    """Decides in the call that asks for it, and has no loop."""

    def __init__(self, engine: _Decider, executor: EffectExecutor, inbox: EngineInbox) -> None:
        super().__init__(engine, executor, inbox)
        self._is_running = True

    @override
    def turn(self) -> None:
        super().turn()
        if self._fault is not None:
            raise self._fault


class _Hands(EffectExecutor):
    """Hands over nothing: no store, no exchange, no groups, and no tasks."""

    def __init__(self, understudies: Understudies) -> None:
        around = Surroundings(
            exchange=cast("Exchange", _NoExchange(understudies.make_request)),
            store=cast("TradingStore", _NoStore(understudies.make_rows)),
            gate=understudies.gate,
            groups=cast("OrderGroups", _NoGroups()),
            clock=understudies.clock,
            random=Random(0),  # noqa: S311 - nothing is drawn
            replies=_NoReplies(),
            messages_of=_no_messages,
        )
        super().__init__(around, _forget)
        self._group = cast("asyncio.TaskGroup", _AtOnce())


def _no_messages(_notice: Notice) -> Sequence[OutgoingMessage]:
    return ()


def _forget(_event: Event) -> None:
    """Nobody is told."""


class _NoStore:
    """Has always written already."""

    def __init__(self, make_rows: Callable[[Sequence[Record]], None]) -> None:
        self._make_rows = make_rows
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._done.set_result(None)

    def commit(
        self,
        _epoch: Epoch,
        records: Sequence[Record],
        _messages: Sequence[OutgoingMessage],
        _now_us: int,
    ) -> "asyncio.Future[None]":
        self._make_rows(records)
        return self._done


class _NoExchange:
    """Refuses every order."""

    def __init__(self, make_request: Callable[[OrderIntent, OrderGroupId | None], None]) -> None:
        self._make_request = make_request

    def create_order(self, intent: OrderIntent, *, order_group_id: OrderGroupId | None) -> NoReturn:
        self._make_request(intent, order_group_id)
        raise OrderRejected("rehearsal", "nothing was sent")


class _NoGroups:
    """A group is always there."""

    def made_for(self, _purpose: Purpose, _exchange_index: int) -> OrderGroupId:
        return _NO_GROUP


class _NoReplies:
    def reply(self, command_id: int, text: str, *, is_done: bool) -> None:
        raise AssertionError(f"nobody asked {command_id}: {text}, {is_done}")


class _AtOnce:
    """In the place of a group of tasks: what waits for nothing is done in the call."""

    def create_task(self, work: Coroutine[Any, Any, None], *, name: str) -> None:
        try:
            work.send(None)
        except StopIteration:
            return
        work.close()
        raise AssertionError(f"{name} waits for something")
