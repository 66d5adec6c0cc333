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
