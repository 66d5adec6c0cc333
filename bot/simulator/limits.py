"""Token buckets per user: what a call costs and when the answer is 429.

A bucket refills continuously and keeps no debt: a call that does not fit costs
nothing and may be repeated. Reads, writes, the writes of one named shard and
the balance each have their own.
"""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from bot.simulator.settings import RateLimits

DEFAULT_COST = 10
_MICRO = 1_000_000

ENDPOINT_COSTS = MappingProxyType(
    {
        ("POST", "/trade-api/v2/account/api_usage_level/upgrade"): 30,
        ("DELETE", "/trade-api/v2/portfolio/events/orders"): 2,
        ("DELETE", "/trade-api/v2/portfolio/events/orders/batched"): 2,
        ("DELETE", "/trade-api/v2/portfolio/events/orders/:order_id"): 2,
        ("GET", "/trade-api/v2/portfolio/orders/:order_id"): 2,
    }
)
"""Every cost that is not the default, as ``/account/endpoint_costs`` lists it."""


class Bucket(StrEnum):
    """Which tokens a call draws on."""

    NONE = "none"
    READ = "read"
    WRITE = "write"
    BALANCE = "balance"


@dataclass(slots=True)
class TokenBucket:
    """Tokens in millionths, so that refilling is exact."""

    rate: int
    capacity: int
    tokens_e6: int
    refilled_us: int

    def take(self, cost: int, now_us: int) -> bool:
        """Take ``cost`` tokens if they are there."""
        elapsed_us = max(0, now_us - self.refilled_us)
        self.refilled_us = max(self.refilled_us, now_us)
        self.tokens_e6 = min(self.capacity * _MICRO, self.tokens_e6 + elapsed_us * self.rate)
        if self.tokens_e6 < cost * _MICRO:
            return False
        self.tokens_e6 -= cost * _MICRO
        return True


class Limiter:
    """The buckets of every user."""

    def __init__(self, limits: RateLimits) -> None:
        self.limits = limits
        self._buckets: dict[tuple[str, Bucket, int], TokenBucket] = {}

    def allows(self, user: str, bucket: Bucket, cost: int, now_us: int, *, shard: int = 0) -> bool:
        """Charge a call, or say that it is one too many."""
        if not self.limits.is_on or bucket is Bucket.NONE:
            return True
        key = (user, bucket, max(shard, 0))
        if key not in self._buckets:
            self._buckets[key] = self._fresh(bucket, now_us)
        return self._buckets[key].take(cost, now_us)

    def _fresh(self, bucket: Bucket, now_us: int) -> TokenBucket:
        limits = self.limits
        rate, capacity = {
            Bucket.READ: (limits.read_rate, limits.read_capacity),
            Bucket.WRITE: (limits.write_rate, limits.write_capacity),
            Bucket.BALANCE: (limits.balance_rate, limits.balance_rate),
            Bucket.NONE: (1, 1),
        }[bucket]
        return TokenBucket(rate, capacity, capacity * _MICRO, now_us)
