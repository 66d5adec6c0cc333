"""What an operator can take hold of: entries that rest, proposals that wait."""

from dataclasses import dataclass

from bot.domain.ids import MarketTicker, OrderId
from bot.domain.money import Price, Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryView:
    """An entry of ours that rests at the exchange. ``own_price`` is the bought side's."""

    ticker: MarketTicker
    order_id: OrderId
    is_yes: bool
    own_price: Price
    left: Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalView:
    """An entry that waits for a person's yes."""

    name: str
    ticker: MarketTicker
    own_price: Price
    quantity: Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitHandle:
    """A limit that a person may change. Values are texts with their units."""

    name: str
    help: str
    value: str
    configured: str
    set_by: str
    """Who changed it; empty where the configuration holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitChange:
    """What setting a limit would do."""

    name: str
    before: str
    after: str
    is_looser: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyHandle:
    """A strategy and whether it may enter."""

    name: str
    is_on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BracketHandle:
    """A position of ours with its ends, in the held side's prices."""

    ticker: MarketTicker
    held: Quantity
    own_entry: Price
    own_stop: Price | None
    own_target: Price | None
    own_bid: Price | None
