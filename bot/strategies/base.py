"""What a strategy is, and how one is chosen by name with checked parameters.

A strategy holds no clock, no client and no memory of orders: it looks at one
market at one moment. Whether its wish becomes an order is decided elsewhere.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Protocol, TypeAlias, TypeVar

import msgspec

from bot.domain.ids import StrategyId
from bot.domain.listing import Listing
from bot.domain.quotes import Quote
from bot.domain.signals import Signal

Params = TypeVar("Params")


class MarketView(msgspec.Struct, frozen=True, kw_only=True):
    """One market now. The quote is the top of a trusted book; ``close_us`` the latest known.

    Like the quote no dataclass: one is made for every change of a top.
    """

    listing: Listing
    quote: Quote
    close_us: int
    now_us: int


class Skip(msgspec.Struct, frozen=True):
    """No wish, and why: the answer to "why does it not trade this one"."""

    reason: str


Opinion: TypeAlias = Signal | Skip


class Strategy(Protocol):
    """Looks at a market and may want a position."""

    @property
    def strategy_id(self) -> StrategyId:
        """Stable name: it is stored with every signal and order."""
        ...

    def on_quote(self, view: MarketView) -> Opinion:
        """A wish, or the first reason for none. Called on every change of the top."""
        ...


Factory: TypeAlias = Callable[[Mapping[str, object]], Strategy]


def parameters(kind: type[Params], given: Mapping[str, object]) -> Params:
    """Fill a parameter dataclass from settings; its own checks run as well.

    Raises:
        ValueError: an unknown name or a value that is no integer, with the names that exist.
    """
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    if unknown := sorted(set(given) - known):
        raise ValueError(f"unknown parameter {unknown[0]}; known: {', '.join(sorted(known))}")
    for name, value in given.items():
        if type(value) is not int:
            raise ValueError(f"{name} must be a whole number in its unit, not {value!r}")
    return kind(**given)
