"""What a bracket asks for. The engine turns it into effects and keeps the record."""

from dataclasses import dataclass
from typing import TypeAlias

from bot.domain.ids import OrderId
from bot.domain.orders import OrderIntent
from bot.execution.order_state import TrackedOrder


@dataclass(frozen=True, slots=True)
class Place:
    """Commit and send this order. It is already part of the bracket."""

    intent: OrderIntent


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel this order."""

    order: TrackedOrder


@dataclass(frozen=True, slots=True)
class LookUp:
    """Find out what became of this order."""

    order: TrackedOrder


@dataclass(frozen=True, slots=True)
class FetchFills:
    """Fetch the executions of an order that is known to have more of them."""

    order_id: OrderId


@dataclass(frozen=True, slots=True)
class Alarm:
    """A person should look."""

    text: str


Action: TypeAlias = Place | Cancel | LookUp | FetchFills | Alarm
