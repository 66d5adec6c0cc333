"""What happened at the venue, in order.

Public events tell of books, trades and markets; private ones name the account
they belong to. All changes that one act makes to one market's book share that
book's ``clock``, which only grows and skips.
"""

from dataclasses import dataclass
from typing import TypeAlias

from bot.domain.ids import ClientOrderId, MarketTicker, OrderGroupId
from bot.domain.money import Money, Price, Quantity
from bot.domain.orders import BookSide, Fill
from bot.domain.quotes import PublicTrade
from bot.venue.accounts import AccountId
from bot.venue.groups import GroupChange
from bot.venue.markets import MarketChange, MarketView
from bot.venue.orders import OrderView, UpdateReason
from bot.venue.positions import PositionView, SettlementView


@dataclass(frozen=True, slots=True, kw_only=True)
class BookChanged:
    """A signed change of the resting quantity at one price, due to one order.

    ``account`` and ``client_order_id`` are that order's: for its owner only.
    """

    ticker: MarketTicker
    side: BookSide
    price: Price
    change: Quantity
    clock: int
    account: AccountId
    client_order_id: ClientOrderId | None
    at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TradePrinted:
    """A match became public. Its two fills carry the same id."""

    trade: PublicTrade


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFill:
    """One account's side of a match. ``fill.fee`` is the net fee."""

    account: AccountId
    fill: Fill
    exchange_index: int
    client_order_id: ClientOrderId | None
    post_position: Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderChanged:
    """An order came to be, changed or ended; ``reason`` is ``None`` for a new one or own cancel."""

    account: AccountId
    order: OrderView
    reason: UpdateReason | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionChanged:
    """A fill or a settlement changed a position."""

    account: AccountId
    position: PositionView


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceChanged:
    """Cash came or went by deposit, withdrawal or transfer; fills and settlements do not say so."""

    account: AccountId
    exchange_index: int
    change: Money
    at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSettled:
    """A finalized market paid one account."""

    account: AccountId
    settlement: SettlementView


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketChanged:
    """A market moved through its life; ``market`` is how it looks afterwards."""

    change: MarketChange
    market: MarketView
    at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupChanged:
    """An order group was made, triggered, reset, limited anew or deleted."""

    account: AccountId
    order_group_id: OrderGroupId
    exchange_index: int
    change: GroupChange
    limit: Quantity
    at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseChanged:
    """One shard, or the whole exchange where ``exchange_index`` is ``None``, stopped or went on."""

    exchange_index: int | None
    is_exchange_active: bool
    is_trading_active: bool
    at_us: int


VenueEvent: TypeAlias = (
    BookChanged
    | TradePrinted
    | OwnFill
    | OrderChanged
    | PositionChanged
    | BalanceChanged
    | AccountSettled
    | MarketChanged
    | GroupChanged
    | PauseChanged
)
