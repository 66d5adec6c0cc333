"""What the trading core writes down, and what it is given back at the next start.

Records are values: the engine makes them, the store keeps the newest of each
key, and ``StoredState`` returns them. A record says nothing about where it is
kept. Scope and epoch belong to the transaction that carries it, not to the record.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import msgspec

from bot.domain.ids import (
    BracketId,
    ClientOrderId,
    Epoch,
    EventTicker,
    MarketTicker,
    OrderId,
    SignalId,
    StrategyId,
)
from bot.domain.money import Money, Price, Quantity
from bot.domain.orders import BookSide, Fill, OrderIntent, OrderStatus
from bot.domain.signals import SignalRecord


class BracketState(StrEnum):
    """Life of a bracket. The last three are final; ``orphan`` waits for a person."""

    PENDING_ENTRY = "pending_entry"
    PARTIAL = "partial"
    OPEN = "open"
    TP_WORKING = "tp_working"
    EXITING = "exiting"
    CLOSED = "closed"
    SETTLED = "settled"
    ORPHAN = "orphan"


class ExitReason(StrEnum):
    """Why a position was closed, or why it never opened."""

    NOT_FILLED = "not_filled"
    TAKE_PROFIT = "take_profit"
    STOP_LOSS = "stop_loss"
    CATASTROPHE = "catastrophe"
    TIME_STOP = "time_stop"
    BEFORE_CLOSE = "before_close"
    OPERATOR = "operator"
    OUTSIDE = "outside"
    SETTLEMENT = "settlement"


class BracketRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A bracket as stored: columns for people and queries, ``data_json`` to resume from.

    Prices are of the YES leg. ``stop_price`` or ``target_price`` 0 means none.
    ``entry_cost`` and ``exit_value`` are what was paid and received for the *held
    side*, without fees, so realised profit is ``exit_value - entry_cost - fees``
    once ``exited`` equals ``entered``. No dataclass, as making one of so many fields is slow
    and every order waits for it.
    """

    bracket_id: BracketId
    signal_id: SignalId
    strategy_id: StrategyId
    ticker: MarketTicker
    event_ticker: EventTicker
    title: str
    side: BookSide
    state: BracketState
    entry_price: Price
    stop_price: Price
    target_price: Price
    wanted: Quantity
    entered: Quantity
    entry_cost: Money
    exited: Quantity
    exit_value: Money
    fees: Money
    exit_reason: ExitReason | None
    data_json: str
    opened_us: int
    entered_us: int | None
    closed_us: int | None
    updated_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRecord:
    """How far one of our orders is: an update of its stored intent."""

    client_order_id: ClientOrderId
    status: OrderStatus
    order_id: OrderId | None
    filled: Quantity
    reason: str
    updated_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionRecord:
    """A position as the fold of every fill; a cache that fills can rebuild.

    ``quantity`` above zero is YES, below is NO. ``cost`` is what the open
    contracts cost on their own side; ``realized`` is before ``fees``.
    """

    ticker: MarketTicker
    quantity: Quantity
    cost: Money
    realized: Money
    fees: Money
    updated_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltRecord:
    """The person's stop. Outside every breaker, and written by anyone who may halt."""

    halted: bool
    reason: str
    set_by: str
    changed_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerRecord:
    """One breaker: whether it is tripped, why, and what it needs to remember."""

    name: str
    tripped: bool
    reason: str
    data_json: str
    changed_us: int


class ApprovalStep(StrEnum):
    """What happened to an entry that a person was asked about; each at most once."""

    ASKED = "asked"
    APPROVED = "approved"
    SKIPPED = "skipped"
    EXPIRED = "expired"
    VOID = "void"
    """Another leader took over: it asks anew."""
    SENT = "sent"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRecord:
    """One step of one proposal. ``own_price`` is the bought side's.

    ``quantity`` is what was asked for, allowed or sent; ``cost`` what that costs at most, with
    its fee where that is known. ``actor`` is the person, empty where nobody acted.
    """

    proposal: str
    step: ApprovalStep
    ticker: MarketTicker
    side: BookSide
    own_price: Price
    quantity: Quantity
    cost: Money
    actor: str
    note: str
    at_us: int

    @property
    def key(self) -> tuple[str, ApprovalStep]:
        """What there is one of."""
        return self.proposal, self.step


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineRecord:
    """Equity the day's loss is measured from. ``trading_day`` is ``YYYY-MM-DD`` in New York."""

    trading_day: str
    equity: Money
    taken_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRecord:
    """The account at one moment. ``stopped_by`` is empty while entries are allowed."""

    taken_us: int
    cash: Money
    equity: Money
    exposure: Money
    realized_today: Money
    unrealized: Money
    open_positions: int
    trades_today: int
    wins_today: int
    losses_today: int
    stopped_by: str


Record: TypeAlias = (
    SignalRecord
    | OrderIntent
    | OrderRecord
    | Fill
    | BracketRecord
    | PositionRecord
    | BreakerRecord
    | ApprovalRecord
    | BaselineRecord
    | SnapshotRecord
)
"""Everything the leader writes under its epoch. A fill or a step already present is ignored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredOrder:
    """An intent read back with its last known progress."""

    intent: OrderIntent
    progress: OrderRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredState:
    """What a new leader is given before it reads the exchange.

    ``brackets`` are those without a final state, plus the ones of the trading
    day and of the loss streak (newest 50 closed). ``orders`` are every order of
    those brackets and every order that is not final. ``positions`` are those
    with a quantity. ``last_snapshot`` gives the baseline when the bot was down at
    midnight. ``peak_equity`` is the highest snapshot ever taken, 0 without one.
    """

    halt: HaltRecord
    breakers: tuple[BreakerRecord, ...]
    baseline: BaselineRecord | None
    last_snapshot: SnapshotRecord | None
    peak_equity: Money
    brackets: tuple[BracketRecord, ...]
    orders: tuple[StoredOrder, ...]
    positions: tuple[PositionRecord, ...]
    recent_fills: tuple[Fill, ...]
    """What is in here is not folded again: fills of ``orders``, of the last hour, and of the hour
    before the newest stored fill, because reading begins a little before that one."""
    last_epoch: Epoch
