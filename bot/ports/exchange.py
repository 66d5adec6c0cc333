"""The exchange as the bot sees it: reads, orders, and a live feed.

Every call may raise ``ExchangeUnavailable`` (after its retries), and
``CredentialsRefused`` where the key is not accepted. Reads are retried inside;
writes never are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from bot.domain.ids import (
    ClientOrderId,
    EventTicker,
    MarketTicker,
    OrderGroupId,
    OrderId,
    SeriesTicker,
)
from bot.domain.market import FeeTerms, Market
from bot.domain.money import Price, Quantity
from bot.domain.orders import (
    Balance,
    CancelAck,
    Fill,
    Order,
    OrderAck,
    OrderIntent,
    OrderStatus,
    Settlement,
    VenuePosition,
)
from bot.domain.quotes import BookDelta, BookSnapshot, PublicTrade, TickerUpdate


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeStatus:
    """Whether the exchange works at all, and whether it trades. Per shard where it says so."""

    is_exchange_active: bool
    is_trading_active: bool
    resume_us: int | None
    server_us: int | None
    """The server's clock from the answer's ``Date`` header (1 s resolution)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketQuery:
    """Which markets to list. ``status`` is the venue's filter word (``open``, ``settled`` ...)."""

    series_ticker: SeriesTicker | None = None
    status: str | None = "open"
    tickers: tuple[MarketTicker, ...] = ()
    min_close_us: int | None = None
    max_close_us: int | None = None
    min_updated_us: int | None = None
    excludes_combos: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedMarket:
    """A market and the JSON object it was read from, as received."""

    market: Market
    raw: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """An item of a page that could not be read: the others are still good."""

    name: str
    """Its ticker where one could be read, else ``?``."""
    reason: str
    raw: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketPage:
    """One page of a listing; ``cursor`` is empty on the last."""

    markets: tuple[ListedMarket, ...]
    quarantined: tuple[Quarantined, ...]
    cursor: str
    server_us: int | None = None
    """The server's clock from the answer's ``Date`` header (1 s resolution)."""
    unknown_fields: tuple[str, ...] = ()
    """A name for each market with a field that is in no document: read on, and told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventTerms:
    """What markets of one event share. ``fees`` overrides the series' terms where given."""

    event_ticker: EventTicker
    is_exclusive: bool
    fees: FeeTerms | None


class ExchangeReads(Protocol):
    """Public and account reads."""

    async def status(self) -> ExchangeStatus:
        """The exchange's own statement of whether it is open."""
        ...

    async def market_page(
        self, query: MarketQuery, cursor: str = "", limit: int = 1000
    ) -> MarketPage:
        """One page. The venue answers an unknown cursor with page one: callers guard loops."""
        ...

    async def market(self, ticker: MarketTicker) -> ListedMarket:
        """One market. Raises ``RequestRefused`` (404) where it is unknown."""
        ...

    async def order_book(self, ticker: MarketTicker) -> BookSnapshot:
        """The full book now."""
        ...

    async def fee_terms(self, series: SeriesTicker) -> FeeTerms:
        """The fee type and multiplier of a series."""
        ...

    async def event_terms(self, series: SeriesTicker) -> Sequence[EventTerms]:
        """The open events of a series (all pages)."""
        ...

    async def balance(self) -> Balance:
        """Cash over all shards."""
        ...

    async def positions(self) -> Sequence[VenuePosition]:
        """Every open position (all pages)."""
        ...

    async def orders(
        self,
        *,
        status: OrderStatus | None = None,
        ticker: MarketTicker | None = None,
        min_created_us: int | None = None,
    ) -> Sequence[Order]:
        """Orders of the account (all pages), ours and foreign; ``status`` in the venue's words."""
        ...

    async def fills(
        self, *, since_us: int | None = None, order_id: OrderId | None = None
    ) -> Sequence[Fill]:
        """Fills of the account (all pages), oldest first."""
        ...

    async def settlements(self, *, since_us: int | None = None) -> Sequence[Settlement]:
        """Settlements of the account (all pages), oldest first."""
        ...


class ExchangeOrders(Protocol):
    """The writes. Callers hold the lead and have committed the intent."""

    async def create_order(
        self, intent: OrderIntent, *, order_group_id: OrderGroupId | None
    ) -> OrderAck:
        """Send one order, once. It may leave in the call: whoever calls also awaits.

        Raises:
            OrderRejected: the venue refused it; it does not exist.
            OutcomeUnknown: it may exist; look it up by ``client_order_id``.
        """
        ...

    async def cancel_order(self, order_id: OrderId, ticker: MarketTicker) -> CancelAck:
        """Cancel one order.

        Raises:
            OrderRejected: code ``not_found`` - canceled, executed or unknown; the venue does
                not say which.
            OutcomeUnknown: the answer was lost.
        """
        ...

    async def cancel_all(self) -> None:
        """Cancel every resting order of the account, also what is placed in the next minute."""
        ...

    async def find_order(
        self, client_order_id: ClientOrderId, ticker: MarketTicker, min_created_us: int
    ) -> Order | None:
        """The order that carries our id, or ``None`` after reading every page."""
        ...

    async def create_order_group(self, limit: Quantity, exchange_index: int) -> OrderGroupId:
        """A new group whose matched volume over 15 s may not pass ``limit``."""
        ...

    async def trigger_order_group(self, group: OrderGroupId) -> None:
        """Cancel the group's orders and block new ones until it is reset (we never do)."""
        ...

    async def order_groups(self) -> Sequence[OrderGroupId]:
        """Every group of the account that still exists."""
        ...


class Exchange(ExchangeReads, ExchangeOrders, Protocol):
    """Both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedUp:
    """The socket is connected and subscriptions are being made."""

    received_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedDown:
    """The socket is lost; every book is stale until its next snapshot."""

    received_us: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedGap:
    """Messages were lost: the books of these markets are wrong until their next snapshot."""

    tickers: tuple[MarketTicker, ...]
    reason: str
    received_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedAlive:
    """Any frame, pings included. At most one a second."""

    received_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFill:
    """An execution of ours, from the private channel."""

    fill: Fill
    client_order_id: ClientOrderId | None
    received_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnOrder:
    """A change of one of our orders, from the private channel."""

    order: Order
    received_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketLifecycle:
    """A market was created, activated, deactivated, determined, settled, or its close moved."""

    ticker: MarketTicker
    kind: str
    """The venue's ``event_type``."""
    close_us: int | None
    result: str | None
    settlement_value: str | None
    received_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderGroupChanged:
    """The venue changed one of our order groups (``triggered``, ``reset`` ...)."""

    order_group_id: OrderGroupId
    kind: str
    received_us: int


FeedNews: TypeAlias = (
    FeedUp
    | FeedDown
    | FeedGap
    | FeedAlive
    | TickerUpdate
    | PublicTrade
    | OwnFill
    | OwnOrder
    | MarketLifecycle
    | OrderGroupChanged
)
"""Everything but books."""

FeedEvent: TypeAlias = FeedNews | BookSnapshot | BookDelta
"""Everything a stream tells, for who wants it as values."""


class KeptBook(Protocol):
    """A listener's book of one market: takes its changes, level by level.

    ``change`` is signed. The venue's stamp stays in its own milliseconds, as it is
    rarely looked at.
    """

    def change_bid(
        self, price: Price, change: Quantity, received_us: int, exchange_ms: int | None
    ) -> None:
        """More or less is wanted at a price."""
        ...

    def change_ask(
        self, price: Price, change: Quantity, received_us: int, exchange_ms: int | None
    ) -> None:
        """More or less is offered at a price."""
        ...


class FeedListener(Protocol):
    """Who is told what the stream says, at once and in order, on the event loop.

    Nothing here may wait: the socket is not read meanwhile. An exception ends the stream.
    """

    def book(self, snapshot: BookSnapshot) -> KeptBook:
        """A whole book. Returns who takes its changes, until its next snapshot or its loss."""
        ...

    def news(self, event: FeedNews) -> None:
        """Anything else."""
        ...

    def read_ended(self) -> None:
        """All that one read of the socket brought is told. Said after every read."""
        ...


class MarketFeed(Protocol):
    """The live stream. Reconnects and resubscribes by itself, for ever, with backoff."""

    async def run(self, listener: FeedListener) -> None:
        """Connect and tell the listener what happens. Cancelling closes the socket."""
        ...

    async def watch(self, tickers: Sequence[MarketTicker]) -> None:
        """Make this the set of markets whose books, tickers and trades are wanted."""
        ...

    def refresh(self, tickers: Sequence[MarketTicker]) -> None:
        """What was told of these books does not add up: nothing more until a new snapshot."""
        ...

    def hold(self, *, is_held: bool) -> None:
        """Leave the socket unread, or read on. What was read already is still told."""
        ...
