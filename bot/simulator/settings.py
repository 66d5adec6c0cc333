"""What a simulated exchange can be told. Every knob of undocumented behaviour is here.

Times of settings are microseconds (``*_us``) or milliseconds (``*_ms``); the
host's loop measures latencies, the exchange's own clock everything else.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from bot.domain.money import Money
from bot.kit.times import DAY_US
from bot.venue.settings import VenueSettings

_MILLION = 1_000_000
_MILLISECOND_US = 1_000
_PORT_MAX = 65_535


class KeyType(StrEnum):
    """The two kinds of API keys."""

    RSA = "rsa"
    ED25519 = "ed25519"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthSettings:
    """How old or early a signed timestamp may be: measured, as the venue publishes no limits."""

    past_ms: int = 20_000
    future_ms: int = 40_000
    on_exchange_time: bool = False
    """Compare with the exchange's clock instead of the host's: for clients on simulated time."""

    def __post_init__(self) -> None:
        if self.past_ms < 0 or self.future_ms < 0:
            raise ValueError("past_ms and future_ms must not be negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """Token buckets of one account, in tokens per second. The defaults are the Basic tier's."""

    is_on: bool = True
    tier: str = "basic"
    read_rate: int = 200
    read_capacity: int = 200
    write_rate: int = 100
    write_capacity: int = 100
    balance_rate: int = 1
    flat_body: bool = False
    """Answer 429 in the documented flat shape instead of the one observed in production."""

    def __post_init__(self) -> None:
        for name in ("read_rate", "read_capacity", "write_rate", "write_capacity", "balance_rate"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; set is_on=False for no limits")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldSettings:
    """How large and how lively a generated world is."""

    pace_us: int = 4_000_000
    """Mean time between two acts in a busy market; quiet ones take a multiple of it."""
    extra_events: int = 0
    """Further quiet single-market events, to reach the market counts of a load test."""
    pauses_weekly: bool = True
    """Trading stops Thursdays 03:00-05:00 New York time, as at the venue."""

    def __post_init__(self) -> None:
        if self.pace_us < _MILLISECOND_US:
            raise ValueError("pace_us must be at least 1000 (a millisecond)")
        if self.extra_events < 0:
            raise ValueError("extra_events must not be negative")


def _default_cash() -> dict[int, Money]:
    return {0: Money(10_000 * _MILLION), 2: Money(2_500 * _MILLION), 3: Money(2_500 * _MILLION)}


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorSettings:
    """One simulated exchange. ``port`` 0 takes a free one."""

    host: str = "127.0.0.1"
    port: int = 0
    seed: int = 1
    world: str = "default"
    """``default`` or ``empty``; a recording takes its place."""
    recording: Path | None = None
    """A capture folder, a capture file, or a folder of either: replayed instead of a world."""
    speed: int = 1
    """How fast the exchange's clock runs; 0 stands still until it is advanced."""
    start_us: int | None = None
    """When the exchange's clock starts; the host's time where absent."""
    faults: Path | None = None
    key_type: KeyType = KeyType.RSA
    attested_until_us: int | None = None
    """Until when the owner of the keys has attested their location."""
    cash: dict[int, Money] = field(default_factory=_default_cash)
    """What the first account holds, by shard."""
    auth: AuthSettings = field(default_factory=AuthSettings)
    limits: RateLimits = field(default_factory=RateLimits)
    worlds: WorldSettings = field(default_factory=WorldSettings)
    venue: VenueSettings = field(default_factory=VenueSettings)
    read_lag_us: int = 0
    """How long portfolio reads lag behind the writes; the real ones lag about 400 ms."""
    listing_lag_us: int = 0
    """How old ``/markets`` may be; a cache in front of the real one holds it 15 s."""
    historical_after_us: int = 60 * DAY_US
    """Settled markets older than this are served by the historical endpoints only."""
    tick_ms: int = 50
    """How often the world moves between requests."""
    ping_ms: int = 10_000
    pong_timeout_ms: int = 30_000
    socket_buffer_frames: int = 20_000
    """Frames a slow reader may owe before its subscriptions overflow (error 25)."""
    subscription_markets_max: int = 500_000

    def __post_init__(self) -> None:
        if not 0 <= self.port <= _PORT_MAX:
            raise ValueError("port must be between 0 and 65535; 0 takes a free one")
        if self.world not in {"default", "empty"}:
            raise ValueError("world must be 'default' or 'empty'")
        for name in ("tick_ms", "ping_ms", "pong_timeout_ms", "socket_buffer_frames"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1")
        for name in ("speed", "read_lag_us", "listing_lag_us", "historical_after_us"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative; speed 0 stands still")
        if any(shard < 0 or amount < 0 for shard, amount in self.cash.items()):
            raise ValueError("cash must name shards from 0 and amounts from 0")
