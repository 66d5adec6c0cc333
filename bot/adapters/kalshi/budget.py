"""Token buckets for the venue's request limits: who may ask now, and who first.

Reads, writes and the balance have buckets of their own at the venue, so they
have here: a queue of slow reads never stands before an order. Inside a bucket
the more urgent caller goes first, however late it came.
"""

import asyncio
import heapq
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from itertools import count

from bot.adapters.kalshi.wire.limits import RateLimits
from bot.kit.clock import Clock

_MICRO = 1_000_000
_COST_DEFAULT = 10


class Priority(IntEnum):
    """Lower goes first."""

    ORDER = 0
    """Sending and cancelling orders, and their groups."""
    ACCOUNT = 1
    """Our orders, positions, fills and balance; the exchange's own status."""
    MARKET = 2
    """Listings, books, terms."""
    HISTORY = 3
    """What happened long ago: it can wait for everything else."""


class Lane(StrEnum):
    """Which of the venue's buckets a call draws on."""

    READ = "read"
    WRITE = "write"
    BALANCE = "balance"


class TokenBucket:
    """Tokens that come back at a steady rate, handed out by priority, then by arrival.

    The arithmetic is in millionths of a token, so that no time is lost to rounding.
    """

    def __init__(self, clock: Clock, *, per_second: int, capacity: int) -> None:
        self._clock = clock
        self._waiting: list[tuple[int, int]] = []
        self._numbers = count()
        self._changed = asyncio.Event()
        self._since_us = clock.monotonic_us()
        self._tokens_e6 = 0
        self._per_second = 0
        self._capacity_e6 = 0
        self.resize(per_second=per_second, capacity=capacity)
        self._tokens_e6 = self._capacity_e6

    def resize(self, *, per_second: int, capacity: int) -> None:
        """Adopt other limits; what is saved up stays, up to the new capacity."""
        if per_second < 1 or capacity < 1:
            raise ValueError("a bucket needs a rate and a capacity of at least 1")
        self._per_second = per_second
        self._capacity_e6 = capacity * _MICRO
        self._tokens_e6 = min(self._tokens_e6, self._capacity_e6)
        self._wake()

    def take_now(self, cost: int) -> bool:
        """Use ``cost`` tokens if they are there and nobody waits; whether that was so."""
        cost_e6 = min(cost * _MICRO, self._capacity_e6)
        if self._waiting:
            return False
        self._refill()
        if self._tokens_e6 < cost_e6:
            return False
        self._tokens_e6 -= cost_e6
        return True

    async def take(self, cost: int, priority: Priority) -> None:
        """Wait for ``cost`` tokens and use them. Cancelling the wait uses none."""
        # A cost above the capacity would wait for ever.
        cost_e6 = min(cost * _MICRO, self._capacity_e6)
        ticket = (int(priority), next(self._numbers))
        heapq.heappush(self._waiting, ticket)
        try:
            while not self._is_turn(ticket, cost_e6):
                await self._wait(ticket, cost_e6)
            self._tokens_e6 -= cost_e6
        finally:
            self._waiting.remove(ticket)
            heapq.heapify(self._waiting)
            self._wake()

    def _is_turn(self, ticket: tuple[int, int], cost_e6: int) -> bool:
        self._refill()
        return self._waiting[0] == ticket and self._tokens_e6 >= cost_e6

    async def _wait(self, ticket: tuple[int, int], cost_e6: int) -> None:
        is_next = self._waiting[0] == ticket
        missing_us = -(-(cost_e6 - self._tokens_e6) // self._per_second) if is_next else None
        changed = self._changed
        try:
            async with asyncio.timeout(None if missing_us is None else missing_us / _MICRO):
                await changed.wait()
        except TimeoutError:
            return

    def _refill(self) -> None:
        now_us = self._clock.monotonic_us()
        earned_e6 = (now_us - self._since_us) * self._per_second
        self._since_us = now_us
        self._tokens_e6 = min(self._capacity_e6, self._tokens_e6 + earned_e6)

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one call draws, and from where. The venue's default is ten tokens."""

    lane: Lane
    tokens: int = _COST_DEFAULT


@dataclass(slots=True)
class RequestBudget:
    """The three buckets of one account."""

    clock: Clock
    requests_per_second: float
    _buckets: dict[Lane, TokenBucket] = field(init=False)

    def __post_init__(self) -> None:
        rate = max(1, round(self.requests_per_second * _COST_DEFAULT))
        capacity = max(rate, _COST_DEFAULT)
        self._buckets = {
            Lane.READ: TokenBucket(self.clock, per_second=rate, capacity=capacity),
            Lane.WRITE: TokenBucket(self.clock, per_second=rate, capacity=capacity),
            # GET /portfolio/balance: one call a second, no burst, not counted in tokens.
            Lane.BALANCE: TokenBucket(self.clock, per_second=1, capacity=1),
        }

    def adopt(self, limits: RateLimits) -> None:
        """Use the account's own limits: in full for writes, up to our own pace for reads."""
        own = max(1, round(self.requests_per_second * _COST_DEFAULT))
        rate = min(own, limits.read_rate)
        self._buckets[Lane.READ].resize(
            per_second=rate, capacity=min(max(own, _COST_DEFAULT), limits.read_capacity)
        )
        self._buckets[Lane.WRITE].resize(
            per_second=limits.write_rate, capacity=limits.write_capacity
        )

    def take_now(self, cost: Cost) -> bool:
        """Take without waiting, if nobody is before us; whether the call may be made."""
        return self._buckets[cost.lane].take_now(cost.tokens)

    async def take(self, cost: Cost, priority: Priority) -> None:
        """Wait until the call may be made."""
        await self._buckets[cost.lane].take(cost.tokens, priority)
