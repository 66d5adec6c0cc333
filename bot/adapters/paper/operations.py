"""Everything that can be done to the paper account, as values that survive in a journal.

An operation holds all that its outcome depends on, the market's liquidity
included, so that doing it again from the journal gives the same account.
"""

import json
from dataclasses import dataclass
from typing import TypeAlias

from bot.domain.errors import InvariantBroken
from bot.domain.ids import MarketTicker, OrderGroupId, OrderId
from bot.domain.market import FeeTerms, PriceGrid
from bot.domain.money import Money, Price, Quantity
from bot.domain.orders import BookSide
from bot.domain.quotes import BookLevel
from bot.kit.values import from_plain, to_plain
from bot.venue.markets import MarketResult, MarketTerms
from bot.venue.orders import OrderRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposit:
    """Cash comes, or goes where ``amount`` is below zero."""

    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class ListMarket:
    """A market is traded here for the first time. ``exchange_index`` is its real shard."""

    terms: MarketTerms
    exchange_index: int
    is_active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTerms:
    """The real market's price grid or fees changed."""

    ticker: MarketTicker
    grid: PriceGrid
    fees: FeeTerms


@dataclass(frozen=True, slots=True, kw_only=True)
class SetActive:
    """The real market was stopped or started."""

    ticker: MarketTicker
    is_active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveClose:
    """The real market closes at another time, or has closed."""

    ticker: MarketTicker
    close_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """The real market paid out; ``value`` is for a scalar result only."""

    ticker: MarketTicker
    result: MarketResult
    value: Price | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """The real exchange stopped or went on."""

    is_exchange_active: bool
    is_trading_active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOrder:
    """An order of ours, and the displayed levels that it may take, best first."""

    request: OrderRequest
    liquidity: tuple[BookLevel, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseTrade:
    """Somebody trades with our resting order; ``side`` is theirs. ``cause`` is for people."""

    ticker: MarketTicker
    side: BookSide
    price: Price
    quantity: Quantity
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrder:
    """We cancel one order."""

    order_id: OrderId


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAll:
    """We cancel every resting order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateGroup:
    """We make an order group."""

    limit: Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerGroup:
    """We trigger an order group."""

    order_group_id: OrderGroupId


Operation: TypeAlias = (
    Deposit
    | ListMarket
    | SetTerms
    | SetActive
    | MoveClose
    | Settle
    | Pause
    | PlaceOrder
    | HouseTrade
    | CancelOrder
    | CancelAll
    | CreateGroup
    | TriggerGroup
)

_KINDS: dict[str, type[Operation]] = {
    "deposit": Deposit,
    "list_market": ListMarket,
    "set_terms": SetTerms,
    "set_active": SetActive,
    "move_close": MoveClose,
    "settle": Settle,
    "pause": Pause,
    "order": PlaceOrder,
    "house_trade": HouseTrade,
    "cancel": CancelOrder,
    "cancel_all": CancelAll,
    "create_group": CreateGroup,
    "trigger_group": TriggerGroup,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def write_operation(operation: Operation) -> tuple[str, str]:
    """Kind and JSON, as the journal holds them."""
    data = json.dumps(to_plain(operation), separators=(",", ":"))
    return _NAMES[type(operation)], data


def read_operation(kind: str, data_json: str) -> Operation:
    """What ``write_operation`` wrote.

    Raises:
        InvariantBroken: the journal holds something else.
    """
    known = _KINDS.get(kind)
    if known is None:
        raise InvariantBroken(f"paper journal: {kind!r} is unknown; newer code wrote it")
    try:
        return from_plain(known, json.loads(data_json))
    except ValueError as error:
        raise InvariantBroken(f"paper journal: {kind} cannot be read: {error}") from error
