"""What is done when more comes than can be stored: four policies, by the documented words.

======== ====================================================================================
drop     What comes while the queue is full is lost, until half of it is free.
block    The socket is left unread from full until half is free: nothing is lost here, but the
         venue may end a connection that does not read.
throttle From half full on the socket is left unread for a share of the time that grows with
         the fill, up to all of it when full.
resubscribe When full everything is unsubscribed; once nine tenths are free, all of it is
         subscribed again, books from new snapshots.
======== ====================================================================================

Whatever is lost is a gap with its count, whichever policy. All but ``drop`` hold up the
stream itself, so they are for a stream that nobody trades on.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Protocol

from bot.kit.times import seconds
from bot.marketdata.stream_queue import StreamQueue
from bot.ports.stream import GapEnd

LOOK_US = 50_000
"""How often a policy looks at the queue."""
_HALF = 0.5
_NEARLY_EMPTY = 0.1
_ROOM = 2
"""Times the queue's limit: what one read of the socket brought still has room while it is held."""

Hold = Callable[[bool], None]


class Policy(StrEnum):
    """``WS_QUEUE_BACKPRESSURE``."""

    DROP = "drop"
    BLOCK = "block"
    THROTTLE = "throttle"
    RESUBSCRIBE = "resubscribe"


class Pressure(Protocol):
    """A policy at work."""

    async def look(self) -> None:
        """Act on the queue as it is; called every ``LOOK_US``, may take that long."""
        ...

    def let_go(self) -> None:
        """Whatever was held up goes on."""
        ...


class Drop:
    """The queue sheds by itself."""

    async def look(self) -> None:
        """See :class:`Pressure`."""

    def let_go(self) -> None:
        """See :class:`Pressure`."""


class Block:
    """Leaves the socket unread while there is no room."""

    def __init__(self, queue: StreamQueue, hold: Hold) -> None:
        self._queue = queue
        self._hold = hold
        self._is_held = False
        queue.hard_max = _ROOM * queue.size_max
        queue.on_full = self._on_full

    async def look(self) -> None:
        """See :class:`Pressure`."""
        if self._is_held and self._queue.fill <= _HALF:
            self.let_go()
        elif not self._is_held and self._queue.fill >= 1:
            self._on_full()

    def let_go(self) -> None:
        """See :class:`Pressure`."""
        if self._is_held:
            self._is_held = False
            self._hold(False)

    def _on_full(self) -> None:
        if not self._is_held:
            self._is_held = True
            self._hold(True)


class Throttle:
    """Reads ever less the fuller the queue is."""

    def __init__(self, queue: StreamQueue, hold: Hold) -> None:
        self._queue = queue
        self._hold = hold
        self._is_held = False
        queue.hard_max = _ROOM * queue.size_max
        queue.on_full = self._keep

    async def look(self) -> None:
        """See :class:`Pressure`."""
        share = min(1.0, max(0.0, (self._queue.fill - _HALF) / (1 - _HALF)))
        if share > 0:
            self._keep()
            await asyncio.sleep(seconds(LOOK_US) * share)
        if share < 1:
            self.let_go()

    def let_go(self) -> None:
        """See :class:`Pressure`."""
        if self._is_held:
            self._is_held = False
            self._hold(False)

    def _keep(self) -> None:
        if not self._is_held:
            self._is_held = True
            self._hold(True)


class Resubscribe:
    """Leaves everything, and comes back."""

    def __init__(self, queue: StreamQueue, subscribe: Callable[[bool], Awaitable[None]]) -> None:
        """``subscribe`` takes whether anything is wanted."""
        self._queue = queue
        self._subscribe = subscribe
        self._is_away = False
        queue.gap_end = GapEnd.RESUBSCRIBED

    async def look(self) -> None:
        """See :class:`Pressure`."""
        if not self._is_away and self._queue.is_shedding:
            self._is_away = True
            await self._subscribe(False)
        elif self._is_away and self._queue.fill <= _NEARLY_EMPTY:
            self._is_away = False
            await self._subscribe(True)

    def let_go(self) -> None:
        """See :class:`Pressure`. Nothing is held: it is unsubscribed or not."""


def pressure_of(
    policy: Policy,
    queue: StreamQueue,
    hold: Hold,
    subscribe: Callable[[bool], Awaitable[None]],
) -> Pressure:
    """The policy by its word."""
    match policy:
        case Policy.DROP:
            return Drop()
        case Policy.BLOCK:
            return Block(queue, hold)
        case Policy.THROTTLE:
            return Throttle(queue, hold)
        case Policy.RESUBSCRIBE:
            return Resubscribe(queue, subscribe)


async def keep_looking(pressure: Pressure) -> None:
    """Let a policy act until cancelled, and let go then."""
    with contextlib.ExitStack() as stack:
        stack.callback(pressure.let_go)
        while True:
            await pressure.look()
            await asyncio.sleep(seconds(LOOK_US))
