"""Order groups: a limit on the contracts matched over a rolling 15 seconds.

Volume above the limit cancels every resting order of the group and refuses new
ones until a reset: the exchange-side switch against runaway fills.
"""

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum

from bot.domain.ids import OrderGroupId, OrderId
from bot.domain.money import Quantity
from bot.venue.accounts import AccountId

WINDOW_US = 15_000_000
NO_QUANTITY = Quantity(0)
LIMIT_MIN = Quantity(100)
LIMIT_MAX = Quantity(100_000_000)


class GroupChange(StrEnum):
    """The venue's ``event_type`` of an order group update."""

    CREATED = "created"
    TRIGGERED = "triggered"
    RESET = "reset"
    DELETED = "deleted"
    LIMIT_UPDATED = "limit_updated"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupView:
    """An order group as a read shows it; ``orders`` are the resting ones."""

    order_group_id: OrderGroupId
    account: AccountId
    exchange_index: int
    limit: Quantity
    matched: Quantity
    is_triggered: bool
    orders: tuple[OrderId, ...]


@dataclass(slots=True, kw_only=True, eq=False)
class OrderGroup:
    """One live group and the volume it matched lately."""

    order_group_id: OrderGroupId
    account: AccountId
    exchange_index: int
    limit: Quantity
    is_triggered: bool = False
    orders: dict[OrderId, None] = field(default_factory=dict)
    _matched: Quantity = NO_QUANTITY
    _window: deque[tuple[int, Quantity]] = field(default_factory=deque)

    def record(self, quantity: Quantity, at_us: int) -> None:
        """Count a match towards the window."""
        self._window.append((at_us, quantity))
        self._matched = Quantity(self._matched + quantity)

    def matched(self, now_us: int) -> Quantity:
        """Contracts matched in the last 15 s; a match leaves exactly 15 s after it happened."""
        while self._window and self._window[0][0] <= now_us - WINDOW_US:
            _, quantity = self._window.popleft()
            self._matched = Quantity(self._matched - quantity)
        return self._matched

    def exceeds(self, now_us: int) -> bool:
        """Whether the window holds more than the limit."""
        return self.matched(now_us) > self.limit

    def reset(self) -> None:
        """Forget the window and accept orders again."""
        self._window.clear()
        self._matched = Quantity(0)
        self.is_triggered = False

    def view(self, now_us: int) -> GroupView:
        """A frozen picture of the group now."""
        return GroupView(
            order_group_id=self.order_group_id,
            account=self.account,
            exchange_index=self.exchange_index,
            limit=self.limit,
            matched=self.matched(now_us),
            is_triggered=self.is_triggered,
            orders=tuple(self.orders),
        )
