"""Turns what happened at the venue into frames for those who listen.

Public changes go to everyone in two price views; the owner of an order gets his
own view of its delta. A ticker follows each act that changed what it shows.
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from bot.domain.ids import MarketTicker
from bot.domain.orders import BookSide
from bot.domain.quotes import PublicTrade
from bot.simulator.accounts import Accounts, Owner
from bot.simulator.frames import (
    delta_msg,
    encode,
    event_msg,
    fill_msg,
    group_msg,
    lifecycle_msg,
    position_msg,
    snapshot_msg,
    ticker_msg,
    trade_msg,
    user_order_msg,
)
from bot.simulator.session import Board
from bot.simulator.subscriptions import Channel, Hub
from bot.venue.events import (
    BookChanged,
    GroupChanged,
    MarketChanged,
    OrderChanged,
    OwnFill,
    PositionChanged,
    TradePrinted,
    VenueEvent,
)
from bot.venue.markets import MarketChange, MarketView

_Shown = tuple[object, ...]


class Publisher:
    """Encodes each event once per view and hands it to the hub."""

    def __init__(self, board: Board, hub: Hub, accounts: Accounts) -> None:
        self._board = board
        self._hub = hub
        self._accounts = accounts
        self._shown: dict[MarketTicker, _Shown] = {}

    def publish(self, events: Iterable[VenueEvent], at_us: int) -> dict[MarketTicker, MarketView]:
        """Send the events of one act, then the tickers they changed.

        Returns the touched markets as they are now.
        """
        touched: dict[MarketTicker, None] = {}
        for event in events:
            self._publish_one(event, touched)
        changed: dict[MarketTicker, MarketView] = {}
        for ticker in touched:
            view = self._board.market(ticker)
            if view is not None:
                changed[ticker] = view
                self._publish_ticker(ticker, view, at_us)
        return changed

    def _publish_one(self, event: VenueEvent, touched: dict[MarketTicker, None]) -> None:
        match event:
            case BookChanged():
                touched[event.ticker] = None
                self.delta(event)
            case TradePrinted():
                touched[event.trade.ticker] = None
                self.trade(event.trade)
            case MarketChanged():
                touched[event.market.ticker] = None
                self._lifecycle(event)
            case _:
                self._private(event)

    # Public

    def delta(self, event: BookChanged) -> None:
        """One changed level."""
        listeners = self._hub.listeners(Channel.ORDERBOOK, event.ticker)
        if not listeners:
            return
        info = self._board.catalog.markets[event.ticker]
        owner = self._accounts.owner(event.account)
        bodies: dict[tuple[bool, bool], bytes] = {}
        for listener in listeners:
            is_own = owner is not None and owner.user_id == listener.outlet.user_id
            view = (is_own, listener.use_yes_price and event.side is BookSide.ASK)
            if view not in bodies:
                subaccount = owner.subaccount if owner is not None and is_own else None
                bodies[view] = delta_msg(
                    info, event, subaccount, use_yes_price=listener.use_yes_price
                )
            self._hub.push(listener, "orderbook_delta", bodies[view])

    def snapshot(self, ticker: MarketTicker) -> None:
        """A whole book for everyone who follows it, as after a repair at the source."""
        book = self._board.book(ticker)
        if book is None:
            return
        info = self._board.catalog.markets[ticker]
        for listener in self._hub.listeners(Channel.ORDERBOOK, ticker):
            body = snapshot_msg(info, book, use_yes_price=listener.use_yes_price)
            self._hub.push(listener, "orderbook_snapshot", body)

    def trade(self, trade: PublicTrade) -> None:
        """A public trade."""
        listeners = self._hub.listeners(Channel.TRADE, trade.ticker)
        if listeners:
            body = trade_msg(trade)
            for listener in listeners:
                self._hub.push(listener, "trade", body)

    def ticker(self, ticker: MarketTicker, msg: Mapping[str, Any]) -> None:
        """A ticker as it comes from elsewhere, a recording."""
        body = encode(msg)
        for listener in self._hub.listeners(Channel.TICKER, ticker):
            self._hub.push(listener, "ticker", body)

    def refresh_ticker(self, ticker: MarketTicker, at_us: int) -> None:
        """A ticker of our own, if what it shows has changed."""
        view = self._board.market(ticker)
        if view is not None:
            self._publish_ticker(ticker, view, at_us)

    def _publish_ticker(self, ticker: MarketTicker, view: MarketView, at_us: int) -> None:
        shown = (
            view.yes_bid, view.yes_ask, view.yes_bid_size, view.yes_ask_size,
            view.last_price, view.last_size, view.volume, view.open_interest,
        )  # fmt: skip
        if self._shown.get(ticker) == shown:
            return
        self._shown[ticker] = shown
        listeners = self._hub.listeners(Channel.TICKER, ticker)
        if listeners:
            body = ticker_msg(self._board.catalog.markets[ticker], view, at_us)
            for listener in listeners:
                self._hub.push(listener, "ticker", body)

    def _lifecycle(self, event: MarketChanged) -> None:
        info = self._board.catalog.markets.get(event.market.ticker)
        listeners = self._hub.listeners(Channel.LIFECYCLE, None)
        if info is None or not listeners:
            return
        if event.change is MarketChange.CREATED:
            siblings = list(self._board.catalog.markets_of(info.event_ticker))
            if siblings and siblings[0].ticker == info.ticker:
                body = event_msg(self._board.catalog.events[info.event_ticker])
                for listener in listeners:
                    self._hub.push(listener, "event_lifecycle", body)
        msg = lifecycle_msg(info, event)
        if msg is not None:
            for listener in listeners:
                self._hub.push(listener, "market_lifecycle_v2", msg)

    # Private

    def _private(self, event: VenueEvent) -> None:
        if not isinstance(event, OwnFill | OrderChanged | PositionChanged | GroupChanged):
            return
        owner = self._accounts.owner(event.account)
        if owner is None:
            return
        channel, kind, ticker = _private_channel(event)
        listeners = [
            listener
            for listener in self._hub.listeners(channel, ticker)
            if listener.outlet.user_id == owner.user_id
        ]
        if not listeners:
            return
        body = _private_msg(event, owner)
        for listener in listeners:
            self._hub.push(listener, kind, body)


_Private: TypeAlias = OwnFill | OrderChanged | PositionChanged | GroupChanged


def _private_msg(event: _Private, owner: Owner) -> bytes:
    match event:
        case OwnFill():
            return fill_msg(event, owner.subaccount)
        case OrderChanged():
            return user_order_msg(event, owner.user_id, owner.subaccount)
        case PositionChanged():
            return position_msg(event.position, owner.user_id, owner.subaccount)
        case GroupChanged():
            return group_msg(event)


def _private_channel(event: _Private) -> tuple[Channel, str, MarketTicker | None]:
    match event:
        case OwnFill():
            return Channel.FILL, "fill", event.fill.ticker
        case OrderChanged():
            return Channel.USER_ORDERS, "user_order", event.order.ticker
        case PositionChanged():
            return Channel.POSITIONS, "market_position", event.position.ticker
        case GroupChanged():
            return Channel.GROUPS, "order_group_updates", None
