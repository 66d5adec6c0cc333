"""All that a venue knows, and the buffer of events it is telling.

The acts are functions over this state. Only ``Venue`` owns one.
"""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from bot.domain.money import Quantity
from bot.venue.accounts import AccountId
from bot.venue.events import BookChanged, OrderChanged, PositionChanged, VenueEvent
from bot.venue.fees import NO_MONEY
from bot.venue.groups import OrderGroup
from bot.venue.market_state import MarketState
from bot.venue.orders import UpdateReason, WorkingOrder
from bot.venue.positions import Position
from bot.venue.settings import VenueSettings
from bot.venue.timers import Timers

if TYPE_CHECKING:
    from bot.domain.ids import MarketTicker, OrderGroupId
    from bot.domain.quotes import PublicTrade
    from bot.venue.ledger import Ledger


class VenueState:
    """Markets, ledgers, timers, pauses. ``action`` numbers the acts and clocks the books."""

    __slots__ = (
        "_events",
        "action",
        "exchange_paused",
        "fees_collected",
        "ledgers",
        "markets",
        "new_id",
        "now_us",
        "settings",
        "timers",
        "touched",
        "touched_groups",
        "trades",
        "trading_paused",
    )

    def __init__(self, new_id: Callable[[], str], settings: VenueSettings) -> None:
        self.new_id = new_id
        self.settings = settings
        self.now_us = 0
        self.action = 0
        self.markets: dict[MarketTicker, MarketState] = {}
        self.ledgers: dict[AccountId, Ledger] = {}
        self.timers = Timers()
        self.trades: deque[PublicTrade] = deque(maxlen=settings.trades_kept)
        self.trading_paused: set[int | None] = set()
        self.exchange_paused: set[int | None] = set()
        self.fees_collected = NO_MONEY
        self.touched: dict[tuple[AccountId, int], None] = {}
        self.touched_groups: dict[tuple[AccountId, OrderGroupId], None] = {}
        self._events: list[VenueEvent] = []

    def is_exchange_active(self, exchange_index: int | None) -> bool:
        """Whether a shard takes any writes."""
        return None not in self.exchange_paused and exchange_index not in self.exchange_paused

    def is_trading_active(self, exchange_index: int | None) -> bool:
        """Whether a shard takes new orders."""
        is_paused = None in self.trading_paused or exchange_index in self.trading_paused
        return not is_paused and self.is_exchange_active(exchange_index)

    def group_of(self, order: WorkingOrder) -> OrderGroup | None:
        """The order's group, if it has one that still exists."""
        if order.order_group_id is None:
            return None
        return self.ledgers[order.account].groups.get(order.order_group_id)

    def tell(self, event: VenueEvent) -> None:
        """Append an event for everybody, or one whose owner is known to listen."""
        self._events.append(event)

    def tell_owner(self, account: AccountId, event: VenueEvent) -> None:
        """Append a private event, unless the account keeps no records."""
        if self.ledgers[account].terms.keeps_records:
            self._events.append(event)

    def tell_book(self, market: MarketState, order: WorkingOrder, change: int) -> None:
        """Tell a change of the book under the market's clock for this act."""
        market.clock = self.action
        self._events.append(
            BookChanged(
                ticker=order.ticker,
                side=order.side,
                price=order.price,
                change=Quantity(change),
                clock=market.clock,
                account=order.account,
                client_order_id=order.client_order_id,
                at_us=self.now_us,
            )
        )

    def tell_order(self, order: WorkingOrder, reason: UpdateReason | None) -> None:
        """Stamp an order with its latest reason and tell its owner."""
        order.updated_us = self.now_us
        order.last_reason = reason
        if self.ledgers[order.account].terms.keeps_records:
            event = OrderChanged(account=order.account, order=order.view(), reason=reason)
            self._events.append(event)

    def tell_position(self, position: Position) -> None:
        """Stamp a position and tell its owner."""
        position.updated_us = self.now_us
        if self.ledgers[position.account].terms.keeps_records:
            event = PositionChanged(account=position.account, position=position.view())
            self._events.append(event)

    def drain(self) -> tuple[VenueEvent, ...]:
        """Hand out the events told so far, once."""
        events = tuple(self._events)
        self._events.clear()
        return events
