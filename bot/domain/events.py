"""Everything that can happen to the engine.

``received_us`` is when we saw it and is the engine's only notion of time; a
time that runs backwards is treated as standing still. ``QuoteChanged``,
``FeedHeard`` and ``TimeAdvanced`` may be conflated (the newest one per market
or kind is enough). Nothing else may ever be dropped.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import msgspec

from bot.domain.ids import ClientOrderId, Epoch, MarketTicker, OrderGroupId
from bot.domain.listing import Listing
from bot.domain.market import MarketStatus
from bot.domain.money import Price, Quantity
from bot.domain.orders import Balance, Fill, Order, OrderAck, Settlement, VenuePosition
from bot.domain.quotes import Quote
from bot.domain.records import HaltRecord, StoredState


class Role(StrEnum):
    """What this instance may do. One engine serves one leadership."""

    STANDBY = "standby"
    ACTIVATING = "activating"
    LEADING = "leading"
    DRAINING = "draining"
    RELEASED = "released"


# --- markets --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketsListed:
    """These markets are watched now, with these terms. Adds and replaces, never removes."""

    received_us: int
    listings: tuple[Listing, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketsDropped:
    """These markets are not watched any more. A market with a position is never dropped."""

    received_us: int
    tickers: tuple[MarketTicker, ...]


class QuoteChanged(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The top of a trusted book, after a change. A quote also says the book is trusted.

    Like the quote no dataclass: there are thousands a second, and the collector has
    nothing to find in them.
    """

    received_us: int
    quote: Quote


@dataclass(frozen=True, slots=True, kw_only=True)
class BooksDistrusted:
    """The books of these markets are wrong until their next ``QuoteChanged``."""

    received_us: int
    tickers: tuple[MarketTicker, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketPhaseChanged:
    """The venue moved a market through its life; ``None`` means unchanged.

    ``value`` is what one YES contract pays, known from ``determined`` on.
    """

    received_us: int
    ticker: MarketTicker
    status: MarketStatus | None
    close_us: int | None
    value: Price | None


# --- the venue and the way to it ------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedConnected:
    """The WebSocket is up; books come back one snapshot at a time."""

    received_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedLost:
    """The WebSocket is down; every book is distrusted."""

    received_us: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedHeard:
    """A frame of any kind arrived, pings included."""

    received_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeStatusRead:
    """The exchange's own word on whether it works and trades."""

    received_us: int
    is_exchange_active: bool
    is_trading_active: bool
    resume_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiCallsCounted:
    """Calls to the exchange since the last count. ``failed``: timeouts, connection, 5xx, 401.

    Business refusals (insufficient balance, post-only cross ...) and our own
    rate limiting are calls, not failures.
    """

    received_us: int
    calls: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockCompared:
    """Our clock minus the exchange's, in microseconds (the server's has 1 s resolution)."""

    received_us: int
    skew_us: int


# --- our orders -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAcknowledged:
    """The venue took an order."""

    received_us: int
    ack: OrderAck


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRefused:
    """The venue refused an order: it does not exist there."""

    received_us: int
    client_order_id: ClientOrderId
    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderNotSent:
    """We did not send it: the gate was shut, the fence or the store refused, or time ran out."""

    received_us: int
    client_order_id: ClientOrderId
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderOutcomeUnknown:
    """It was sent and the answer was lost. Never sent again; looked up until known."""

    received_us: int
    client_order_id: ClientOrderId
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAcknowledged:
    """The venue cancelled what was left: ``reduced_by`` contracts will never fill."""

    received_us: int
    client_order_id: ClientOrderId
    reduced_by: Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelUnsettled:
    """A cancel was answered ``not_found`` or not at all: look the order up before acting."""

    received_us: int
    client_order_id: ClientOrderId
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReported:
    """The venue's view of an order: private channel, lookup or poll. May be foreign."""

    received_us: int
    order: Order


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderMissing:
    """A complete lookup (every page, history included) did not find our order."""

    received_us: int
    client_order_id: ClientOrderId


@dataclass(frozen=True, slots=True, kw_only=True)
class FillReported:
    """An execution of the account, from the private channel or a poll; repeats are ignored.

    ``client_order_id`` where the source carries it; else ``fill.order_id`` decides.
    """

    received_us: int
    fill: Fill
    client_order_id: ClientOrderId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderGroupTripped:
    """The venue triggered one of our order groups. The runner drops those it asked for."""

    received_us: int
    order_group_id: OrderGroupId


# --- the account ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementReported:
    """A market paid out."""

    received_us: int
    settlement: Settlement


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeTruth:
    """The account as the venue states it, every page read, nothing left out."""

    positions: tuple[VenuePosition, ...]
    orders: tuple[Order, ...]
    """Every resting order, and every order created since the last stored one."""
    fills: tuple[Fill, ...]
    """Since the stored cursor minus an overlap, oldest first."""
    settlements: tuple[Settlement, ...]
    balance: Balance


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeRead:
    """The outcome of ``ReadExchange``: reconcile now. ``requested_us`` is when reading began."""

    received_us: int
    requested_us: int
    truth: ExchangeTruth


# --- leadership, time -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleChanged:
    """Leadership gave us a role. ``clean`` says whether the predecessor released properly."""

    received_us: int
    role: Role
    epoch: Epoch
    is_clean: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadDoubted:
    """The database has not confirmed our lead for so long that no order may be sent; or does."""

    received_us: int
    is_doubted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StateLoaded:
    """The store's memory, once per leadership, before any trading."""

    received_us: int
    state: StoredState


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeAdvanced:
    """A second has passed, or more. Drives every timeout, stop confirmation and breaker."""

    received_us: int


# --- operator -------------------------------------------------------------------------------
# ``command_id`` is the number the operator sees; a repeated one has no second effect.


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltCommanded:
    """Stop entries now. Acts in every role."""

    received_us: int
    command_id: int
    actor: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnhaltCommanded:
    """End the halt. Breakers stay as they are."""

    received_us: int
    command_id: int
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltSaved:
    """The store holds this halt or unhalt now."""

    received_us: int
    command_id: int
    instead: HaltRecord | None = None
    """For an unhalt that was refused: the other halt that the store holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltFound:
    """The store holds a halt that this process did not set: somebody wrote it there by SQL."""

    received_us: int
    record: HaltRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerResetCommanded:
    """Reset one breaker. ``is_forced`` grants the extra allowance the breaker states."""

    received_us: int
    command_id: int
    actor: str
    name: str
    is_forced: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseCommanded:
    """Flatten our position in one market, or all of ours with ``ticker`` ``None``."""

    received_us: int
    command_id: int
    actor: str
    ticker: MarketTicker | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PanicCommanded:
    """Halt, cancel and sell all that is ours; with ``is_everything`` a person's as well."""

    received_us: int
    command_id: int
    actor: str
    is_everything: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryJudged:
    """A person approves a proposed entry, or skips it.

    ``contracts`` are whole ones; ``None`` approves as many as were asked for.
    """

    received_us: int
    command_id: int
    actor: str
    proposal: str
    is_approved: bool
    contracts: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileCommanded:
    """Compare with the exchange now, and say what came of it."""

    received_us: int
    command_id: int
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntriesCancelCommanded:
    """Cancel our resting entries; take-profits stay.

    ``chosen`` is the exchange's id of one, or a ticker; ``None`` means every one.
    """

    received_us: int
    command_id: int
    actor: str
    chosen: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitCommanded:
    """Set a limit of ``risk.adjustable``, in its own integer."""

    received_us: int
    command_id: int
    actor: str
    name: str
    value: int
    may_loosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyCommanded:
    """Let a strategy enter or not; every one with ``name`` ``None``."""

    received_us: int
    command_id: int
    actor: str
    name: str | None
    is_on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BracketCommanded:
    """Move the stop or the target of our position.

    New ones are in the held side's prices, ``None`` leaves one as it is. ``seen`` are those of
    the YES leg that the person was shown: others void the command.
    """

    received_us: int
    command_id: int
    actor: str
    ticker: MarketTicker
    own_stop: Price | None
    own_target: Price | None
    seen_stop: Price | None
    seen_target: Price | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignAcknowledged:
    """A person has seen what is not ours in this market: entries may go on there."""

    received_us: int
    command_id: int
    actor: str
    ticker: MarketTicker


MarketEvent: TypeAlias = (
    MarketsListed | MarketsDropped | QuoteChanged | BooksDistrusted | MarketPhaseChanged
)
VenueEvent: TypeAlias = (
    FeedConnected | FeedLost | FeedHeard | ExchangeStatusRead | ApiCallsCounted | ClockCompared
)
OrderEvent: TypeAlias = (
    OrderAcknowledged
    | OrderRefused
    | OrderNotSent
    | OrderOutcomeUnknown
    | CancelAcknowledged
    | CancelUnsettled
    | OrderReported
    | OrderMissing
    | FillReported
    | OrderGroupTripped
)
AccountEvent: TypeAlias = SettlementReported | ExchangeRead
ControlEvent: TypeAlias = (
    RoleChanged | LeadDoubted | StateLoaded | TimeAdvanced | HaltSaved | HaltFound
)
CommandEvent: TypeAlias = (
    HaltCommanded
    | UnhaltCommanded
    | BreakerResetCommanded
    | CloseCommanded
    | PanicCommanded
    | EntryJudged
    | ReconcileCommanded
    | EntriesCancelCommanded
    | ForeignAcknowledged
    | LimitCommanded
    | StrategyCommanded
    | BracketCommanded
)
Event: TypeAlias = (
    MarketEvent | VenueEvent | OrderEvent | AccountEvent | ControlEvent | CommandEvent
)
