"""The read side of the accounts: what portfolio endpoints show, as late as they are told to be.

The real read models trail the matching engine. Private events wait here for
``lag_us`` before a read can see them; writes and the WebSocket never wait.
"""

from collections import deque
from dataclasses import dataclass, field

from bot.domain.ids import MarketTicker, OrderId
from bot.venue.accounts import AccountId
from bot.venue.events import AccountSettled, OrderChanged, OwnFill, PositionChanged, VenueEvent
from bot.venue.orders import OrderView
from bot.venue.positions import PositionView, SettlementView


@dataclass(slots=True, eq=False)
class Portfolio:
    """One account as reads see it; everything oldest first."""

    orders: dict[OrderId, OrderView] = field(default_factory=dict)
    fills: list[OwnFill] = field(default_factory=list)
    positions: dict[MarketTicker, PositionView] = field(default_factory=dict)
    settlements: list[SettlementView] = field(default_factory=list)


class Portfolios:
    """Every account's read model."""

    def __init__(self, lag_us: int) -> None:
        self.lag_us = lag_us
        self._waiting: deque[tuple[int, VenueEvent]] = deque()
        self._accounts: dict[AccountId, Portfolio] = {}

    def record(self, event: VenueEvent, now_us: int) -> None:
        """Take note of a private event; other events are ignored."""
        if isinstance(event, OrderChanged | OwnFill | PositionChanged | AccountSettled):
            self._waiting.append((now_us + self.lag_us, event))

    def of(self, account: AccountId, now_us: int) -> Portfolio:
        """What reads of this account show now."""
        while self._waiting and self._waiting[0][0] <= now_us:
            _, event = self._waiting.popleft()
            self._apply(event)
        return self._accounts.setdefault(account, Portfolio())

    def _apply(self, event: VenueEvent) -> None:
        match event:
            case OrderChanged():
                portfolio = self._accounts.setdefault(event.account, Portfolio())
                portfolio.orders[event.order.order_id] = event.order
            case OwnFill():
                self._accounts.setdefault(event.account, Portfolio()).fills.append(event)
            case PositionChanged():
                portfolio = self._accounts.setdefault(event.account, Portfolio())
                portfolio.positions[event.position.ticker] = event.position
            case AccountSettled():
                portfolio = self._accounts.setdefault(event.account, Portfolio())
                portfolio.settlements.append(event.settlement)
            case _:
                return
