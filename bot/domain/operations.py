"""What an operator may see and do, as values: the words of every chat, page and command line.

Nothing here knows how it is shown or where it comes from. ``None`` always means
"not known", never zero: a status that guesses is worse than one that admits.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import TypeAlias

from bot.domain.events import Role
from bot.domain.ids import Epoch, InstanceId, MarketTicker, StrategyId
from bot.domain.money import Money, Price, Quantity
from bot.domain.orders import BookSide


class TradeMode(StrEnum):
    """Whose money moves. Every reply and page names it."""

    PAPER = "paper"
    DEMO = "demo"
    LIVE = "live"
    WATCH = "watch"
    """The account is read; no order is ever sent."""


class AccessLevel(IntEnum):
    """What a person may do; each level includes the ones below."""

    VIEWER = 1
    TRADER = 2
    ADMIN = 3


class Severity(StrEnum):
    """How much attention a message asks for."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """Who commands an act, and under which number.

    ``number`` identifies the command for ever: an act repeated under the same
    number must not happen a second time.
    """

    number: int
    channel: str
    """The way it came, as ``ports.messages.Channel`` spells it."""
    actor: str
    """``telegram:1234 Ada``; stored with the act."""
    at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Banner:
    """Which process answers, and for whose money."""

    instance: InstanceId
    mode: TradeMode
    role: Role
    epoch: Epoch | None
    leading_since_us: int | None
    version: str


class StopKind(StrEnum):
    """The one vocabulary of "why is it not trading"."""

    HALTED = "halted"
    """A person."""
    TRIPPED = "tripped"
    """A breaker."""
    PAUSED = "paused"
    """The exchange."""
    DRAINING = "draining"
    """A hand-over."""
    ACTIVATING = "activating"
    """A take-over that has not finished reconciling."""
    OFF = "off"
    """Configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopReason:
    """The first thing that would have to change before an entry may be sent."""

    kind: StopKind
    name: str = ""
    """The breaker's name where ``kind`` is ``tripped``."""
    why: str
    remedy: str
    since_us: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltView:
    """The person's stop. ``is_saved`` is false while only memory holds it."""

    is_halted: bool
    reason: str
    set_by: str
    changed_us: int
    is_saved: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerView:
    """One breaker: where it stands and what ends it."""

    name: str
    is_tripped: bool
    why: str
    value: str
    """The measured value with its unit, e.g. ``-3.1 %``."""
    limit: str
    changed_us: int | None
    rearms: str
    """When it clears by itself, in words."""
    blocked_by: str = ""
    """Why an ordinary reset would be refused now; empty when it would be accepted."""
    force_grants: str = ""
    """The extra allowance that a forced reset grants and stores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """Money at one moment."""

    as_of_us: int
    cash: Money
    equity: Money
    exposure: Money
    baseline: Money | None
    """Equity at the start of the trading day."""
    by_shard: tuple[tuple[int, Money], ...] = ()
    """Cash on each of the exchange's shards; empty for a single pot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PnlView:
    """One trading day's result."""

    trading_day: str
    realized: Money
    """Before fees."""
    unrealized: Money
    """If everything open were sold now, after the fees of selling."""
    fees: Money
    """Of what was closed in it and of what is open."""
    baseline: Money | None
    trades: int
    wins: int
    losses: int
    break_even_e6: int | None = None
    """The win rate, in millionths, at which what was closed would have earned nothing."""

    @property
    def win_rate(self) -> str:
        """Beside the rate that would have earned nothing: alone it says little."""
        decided = self.wins + self.losses
        if not decided:
            return "no closed trades"
        even = self.break_even_e6
        beside = "" if even is None else f", break-even {_percent(even)}"
        return f"{_percent(self.wins * 1_000_000 // decided)}{beside}"


def _percent(rate_e6: int) -> str:
    """A rate in millionths, to a tenth of a percent."""
    tenths = (rate_e6 + 500) // 1_000
    return f"{tenths // 10}.{tenths % 10} %"


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionView:
    """A held market with its bracket."""

    ticker: MarketTicker
    title: str
    quantity: Quantity
    """Positive is YES, negative is NO."""
    cost: Money
    mark: Price | None
    unrealized: Money | None
    """If it were sold now, after the fee of selling; ``None`` where no price is known."""
    stop_price: Price | None
    target_price: Price | None
    is_stop_watched: bool
    is_ours: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedView:
    """The market-data connection."""

    is_connected: bool
    changed_us: int | None
    last_frame_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiView:
    """Calls to the exchange within the breaker's window."""

    calls: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectView:
    """How the hourly collection fares."""

    last_success_us: int | None
    last_error_us: int | None
    missing_hours: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopView:
    """A loop that asks the exchange, and how its own breaker stands."""

    name: str
    state: str
    """``closed``, ``open`` (it rests) or ``half_open`` (the next try decides)."""
    failures: int
    """In a row."""
    rest_us: int
    """Until the next try may be made; 0 when it may be made now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelView:
    """Somewhere messages do not arrive."""

    channel: str
    recipient: str
    reason: str
    since_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusView:
    """Everything ``/status`` shows."""

    now_us: int
    started_us: int
    stop: StopReason | None
    halt: HaltView | None
    breakers: tuple[BreakerView, ...]
    account: AccountView | None
    pnl: PnlView | None
    open_positions: int | None
    open_positions_max: int | None
    markets_seen: int | None
    markets_eligible: int | None
    feed: FeedView | None
    api: ApiView | None
    collect: CollectView | None
    unsent_messages: int | None
    loops: tuple[LoopView, ...] = ()
    channels_failing: tuple[ChannelView, ...] = ()
    watches: tuple["WatchView", ...] = ()
    """What is watched for the operator, as it was found last; empty before the first look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchView:
    """One thing that is watched, and whether it is as it should be."""

    name: str
    is_calm: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceView:
    """A row of ``bot_instances``."""

    instance: InstanceId
    state: str
    is_wanted: bool
    leads_since_us: int | None
    """Since when it has the lease; ``None`` while it has not."""
    is_alive: bool
    """Whether it could be made the leader now."""
    deployment: str
    generation: int
    epoch: Epoch | None
    host: str
    version: str
    started_us: int
    heartbeat_us: int
    is_me: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GapsView:
    """Hours that a collection should have filled and did not."""

    first_hour: str | None
    last_hour: str | None
    hours_expected: int
    missing: tuple[str, ...]
    reasons: tuple[tuple[str, int], ...] = ()
    """Each reason with its hours, the most first."""
    markets_missing: int = 0
    """Snapshots of single markets missing from stored hours, of the last ``detail_hours``."""
    stream_gaps: int = 0
    """Gaps of the live stream, of the last ``detail_hours``."""
    detail_hours: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityFinding:
    """One rule that stored quotes break, how often, and its worst case in words."""

    is_wrong: bool
    what: str
    count: int
    worst: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityView:
    """Whether the newest stored hour makes sense."""

    hour: str | None
    snapshots: int
    ticks: int
    wrong: int
    findings: tuple[QualityFinding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FunnelStage:
    """How many markets were left after one filter."""

    name: str
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was decided about one signal, and why."""

    at_us: int
    ticker: MarketTicker
    verdict: str
    reason: str
    quantity: Quantity | None = None
    """``None`` for an opinion that was not sized."""
    case: Mapping[str, object] = field(default_factory=dict)
    """What it was sized and checked by; empty where it did not come so far."""
    signal: "SignalFacts | None" = None
    """What was wanted; ``None`` for an opinion that was not a wish."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalFacts:
    """The wish behind a decision, as it is stored."""

    strategy_id: StrategyId
    side: BookSide
    price: Price
    inputs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WhyView:
    """Why there was or was not a trade."""

    ticker: MarketTicker | None
    stop: StopReason | None
    funnel: tuple[FunnelStage, ...]
    decisions: tuple[Decision, ...]
    """Newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionView:
    """What is running."""

    version: str
    deployment: str
    schema: str
    python: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupFile:
    """A finished, checked backup."""

    path: str
    size_bytes: int
    sha256: str
    made_us: int
    is_durable: bool
    """Whether the place it lies in survives a deploy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The act happened (now, or before under the same number)."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The act did not happen; ``remedy`` says what would have to change."""

    why: str
    remedy: str


Outcome: TypeAlias = Done | Refused
