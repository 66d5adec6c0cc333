"""What the venue grants: request rates, and where its live tier ends and history begins."""

from dataclasses import dataclass

import msgspec

from bot.adapters.kalshi.wire.fields import decode, instant_of
from bot.domain.errors import InvalidMessage

_RATE_MAX = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """Tokens a second and most tokens at once, for reads and writes."""

    read_rate: int
    read_capacity: int
    write_rate: int
    write_capacity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoricalCutoff:
    """Orders and trades older than these instants are only in the historical endpoints."""

    trades_us: int
    orders_us: int


class _Bucket(msgspec.Struct):
    refill_rate: int
    bucket_capacity: int


class _Limits(msgspec.Struct):
    read: _Bucket
    write: _Bucket


class _Cutoff(msgspec.Struct):
    trades_created_ts: str
    orders_updated_ts: str


_LIMITS = msgspec.json.Decoder(_Limits)
_CUTOFF = msgspec.json.Decoder(_Cutoff)


def read_limits(body: bytes) -> RateLimits:
    """``GET /account/limits``."""
    wire = decode(_LIMITS, body)
    numbers = (
        wire.read.refill_rate,
        wire.read.bucket_capacity,
        wire.write.refill_rate,
        wire.write.bucket_capacity,
    )
    if not all(0 < number <= _RATE_MAX for number in numbers):
        raise InvalidMessage(f"rate limits out of range: {numbers}")
    return RateLimits(
        read_rate=wire.read.refill_rate,
        read_capacity=wire.read.bucket_capacity,
        write_rate=wire.write.refill_rate,
        write_capacity=wire.write.bucket_capacity,
    )


def read_cutoff(body: bytes) -> HistoricalCutoff:
    """``GET /historical/cutoff``."""
    wire = decode(_CUTOFF, body)
    return HistoricalCutoff(
        trades_us=instant_of(wire.trades_created_ts), orders_us=instant_of(wire.orders_updated_ts)
    )
