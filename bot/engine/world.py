"""Everything the engine knows, in one place, changed only while it handles an event."""

import hashlib
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.domain.errors import InvariantBroken
from bot.domain.ids import Epoch, InstanceId, MarketTicker, Scope, SignalId
from bot.domain.money import Quantity
from bot.domain.orders import BookSide
from bot.domain.records import BreakerRecord, HaltRecord
from bot.engine.adjusted import Adjusted
from bot.engine.desk import Desk
from bot.engine.draft import Draft
from bot.engine.effects import NoticeKind
from bot.engine.ledger import Ledger
from bot.engine.markets import Markets
from bot.engine.settings import EngineSettings
from bot.engine.stance import Stance
from bot.engine.standing import Standing
from bot.execution.bracket import Bracket
from bot.execution.panic import Panic
from bot.execution.ramp import Ramp
from bot.kit.times import MINUTE_US
from bot.strategies.base import Strategy

_COMMANDS_REMEMBERED = 1_000
FOREIGN = "foreign_activity"


@dataclass(slots=True)
class FeedWatch:
    """The stream's pulse. Silence runs from the first loss, or from the start if it never came."""

    since_us: int = 0
    is_connected: bool = False
    changed_us: int = 0
    last_frame_us: int | None = None

    def silence_us(self, now_us: int) -> int:
        """How long nothing at all has been heard."""
        heard_us = self.since_us if self.last_frame_us is None else self.last_frame_us
        return max(0, now_us - max(heard_us, self.since_us))


@dataclass(slots=True)
class ApiWatch:
    """Calls within the breaker's window."""

    counts: deque[tuple[int, int, int]] = field(default_factory=deque)
    is_mixed: bool = False
    """Whether the next count holds calls of before the restart as well."""

    def restart(self) -> None:
        """Forget all that was counted so far, and what is still to be reported of it."""
        self.counts.clear()
        self.is_mixed = True

    def add(self, now_us: int, calls: int, failed: int) -> None:
        """More calls."""
        if self.is_mixed:
            self.is_mixed = False
        elif calls:
            self.counts.append((now_us, calls, failed))

    def within(self, now_us: int, window_us: int) -> tuple[int, int]:
        """Calls and failures of the window; older ones are forgotten."""
        while self.counts and now_us - self.counts[0][0] >= window_us:
            self.counts.popleft()
        return sum(one[1] for one in self.counts), sum(one[2] for one in self.counts)


@dataclass(slots=True)
class Foreign:
    """What is not ours, by market, and which of it a person has seen."""

    seen: dict[MarketTicker, str] = field(default_factory=dict)
    acknowledged: set[MarketTicker] = field(default_factory=set)

    def blocking(self, ticker: MarketTicker) -> str:
        """Why entries wait in this market; empty when they do not."""
        return "" if ticker in self.acknowledged else self.seen.get(ticker, "")

    def record(self, now_us: int) -> BreakerRecord:
        """What is stored, beside the breakers."""
        waiting = sorted(set(self.seen) - self.acknowledged)
        data = {"seen": self.seen, "acknowledged": sorted(self.acknowledged)}
        return BreakerRecord(
            name=FOREIGN,
            tripped=bool(waiting),
            reason=", ".join(waiting),
            data_json=json.dumps(data, sort_keys=True),
            changed_us=now_us,
        )

    def load(self, record: BreakerRecord) -> None:
        """Read it back.

        Raises:
            InvariantBroken: it cannot be read.
        """
        try:
            data = json.loads(record.data_json)
            self.seen = {MarketTicker(k): str(v) for k, v in data["seen"].items()}
            self.acknowledged = {MarketTicker(ticker) for ticker in data["acknowledged"]}
        except (ValueError, KeyError, TypeError, AttributeError) as fault:
            raise InvariantBroken(f"stored foreign activity cannot be read: {fault}") from fault


@dataclass(slots=True, kw_only=True)
class World:
    """One leadership's knowledge."""

    settings: EngineSettings
    """As they hold now: the configuration, and what a person changed."""
    strategies: tuple[Strategy, ...]
    """Those that are switched on."""
    scope: Scope
    instance_id: InstanceId
    stance: Stance
    now_us: int = 0
    markets: Markets = field(default_factory=Markets)
    ledger: Ledger = field(default_factory=Ledger)
    desk: Desk = field(default_factory=Desk)
    foreign: Foreign = field(default_factory=Foreign)
    feed: FeedWatch = field(default_factory=FeedWatch)
    api: ApiWatch = field(default_factory=ApiWatch)
    entries_us: deque[int] = field(default_factory=deque)
    """When entries of the last minute were decided."""
    opinions: dict[MarketTicker, str] = field(default_factory=dict)
    """The newest reason not to buy, by market."""
    refusals: dict[MarketTicker, tuple[str, int]] = field(default_factory=dict)
    commands: deque[int] = field(default_factory=lambda: deque(maxlen=_COMMANDS_REMEMBERED))
    pending_unhalt: tuple[int, HaltRecord] | None = None
    """An unhalt takes effect only once the store holds it."""
    withdrawn_unhalts: set[int] = field(default_factory=set)
    """Unhalts that a later halt overtook while they were being saved."""
    signals_made: int = 0
    next_digits: tuple[Epoch, int, str] = (Epoch(0), 0, "")
    """What the next signal id ends with, where it is known already: of that epoch and number."""
    standing: Standing | None = None
    """Forgotten whenever something may have changed it; ``standing_of`` knows it again."""
    rejections: int = 0
    groups_tripped: int = 0
    are_groups_shut: bool = False
    clock_skew_us: int = 0
    is_loaded: bool = False
    is_unclean_start: bool = False
    reconciled_us: int | None = None
    """Since when this leadership has known the account."""
    read_asked_us: int | None = None
    read_due_us: int | None = None
    """An extra comparison, not before this moment: the stream was away. Until it is answered."""
    reads_awaited: list[tuple[int, int]] = field(default_factory=list)
    """Commands that wait for a read of the account, and since when."""
    doubtful: Mapping[MarketTicker, Quantity] = field(default_factory=dict)
    """Position mismatches of the last read: seen twice alike, they are taken as they are."""
    shards_read_us: int = 0
    snapshot_us: int = 0
    ramp: Ramp = field(default_factory=Ramp)
    configured: EngineSettings = field(init=False)
    all_strategies: tuple[Strategy, ...] = field(init=False)
    adjusted: Adjusted = field(default_factory=Adjusted)
    panic: Panic | None = None
    """The last order to get out of everything, over or not."""

    def __post_init__(self) -> None:
        self.configured, self.all_strategies = self.settings, self.strategies

    def new_signal_id(self) -> SignalId:
        """Sorted by time and never issued before: the epoch never repeats, nor the count in it.

        Shaped like a UUIDv7; derived, not drawn, so that a replay makes the same.
        """
        signal_id = self.next_signal_id()
        self.signals_made += 1
        return signal_id

    def next_signal_id(self) -> SignalId:
        """What ``new_signal_id`` would give."""
        epoch, number = self.stance.epoch, self.signals_made + 1
        known_epoch, known_number, digits = self.next_digits
        if known_number != number or known_epoch != epoch:
            seed = f"{self.scope}|{self.instance_id}|{epoch}|{number}"
            found = hashlib.blake2s(seed.encode(), digest_size=9).hexdigest()
            digits = f"-7{found[:3]}-8{found[3:6]}-{found[6:18]}"
            self.next_digits = epoch, number, digits
        stamp = f"{self.now_us // 1_000 & (1 << 48) - 1:012x}"
        return SignalId(f"{stamp[:8]}-{stamp[8:]}{digits}")

    def note_entry(self) -> None:
        """An entry is decided now: it counts, and is part of where the account stands."""
        since_us = self.now_us - MINUTE_US
        while self.entries_us and self.entries_us[0] <= since_us:
            self.entries_us.popleft()
        self.entries_us.append(self.now_us)
        self.standing = None

    def entries_last_minute(self) -> int:
        """How many entries were decided within the last minute."""
        since_us = self.now_us - MINUTE_US
        return sum(decided_us > since_us for decided_us in self.entries_us)

    def held_by_brackets(self) -> dict[MarketTicker, Quantity]:
        """Signed contracts our brackets account for, by booked executions only."""
        held: dict[MarketTicker, int] = {}
        for bracket in self.desk.open():
            ticker = bracket.plan.ticker
            held[ticker] = held.get(ticker, 0) + _signed_booked(bracket)
        return {ticker: Quantity(quantity) for ticker, quantity in held.items()}

    def note_foreign(self, ticker: MarketTicker, what: str, draft: Draft) -> None:
        """Report what is not ours, once per market until a person has seen it.

        Where the account is only watched, everything is somebody else's and no news.
        """
        if self.settings.is_read_only or self.foreign.seen.get(ticker) is not None:
            return
        self.foreign.seen[ticker] = what
        draft.record(self.foreign.record(self.now_us))
        draft.tell(NoticeKind.FOREIGN_ACTIVITY, ticker=ticker, what=what)


def _signed_booked(bracket: Bracket) -> int:
    if bracket.settled_price is not None:
        return 0
    out = bracket.past.filled + sum(order.booked for order in bracket.exits())
    booked = bracket.entry.booked - out - bracket.outside
    return booked if bracket.plan.side is BookSide.BID else -booked
