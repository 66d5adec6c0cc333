"""The exchange port and the feed port over REST and WebSocket.

Knows which call answers which question; pacing, retries, signatures and JSON are
others' business. What is ours at the venue is returned completely or not at
all: a listing that cannot be finished raises.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any, TypeVar
from urllib.parse import quote

from bot.adapters.kalshi.budget import Cost, Lane, Priority
from bot.adapters.kalshi.history import KalshiHistory
from bot.adapters.kalshi.request_rehearsal import RequestRehearsal
from bot.adapters.kalshi.rest import CREATE_ORDER_PATH, Call, CallCounter, Reply, RestClient
from bot.adapters.kalshi.settings import Hosts, RestSettings, StreamSettings
from bot.adapters.kalshi.signing import Signer
from bot.adapters.kalshi.socket import StreamSocket
from bot.adapters.kalshi.wire import account, events, keys, limits, markets, requests, schedule
from bot.adapters.kalshi.wire.account import Page
from bot.adapters.kalshi.wire.requests import Params
from bot.domain.errors import (
    ExchangeUnavailable,
    InvalidMessage,
    OutcomeUnknown,
    RequestRefused,
)
from bot.domain.ids import ClientOrderId, MarketTicker, OrderGroupId, OrderId, SeriesTicker
from bot.domain.market import FeeTerms
from bot.domain.money import Quantity
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
from bot.domain.quotes import BookSnapshot
from bot.kit.clock import Clock
from bot.kit.loop_breaker import LoopBreaker
from bot.kit.times import DAY_US, HOUR_US, MINUTE_US
from bot.ports.exchange import (
    EventTerms,
    ExchangeStatus,
    FeedListener,
    ListedMarket,
    MarketPage,
    MarketQuery,
)
from bot.ports.gaps import Closure
from bot.ports.recording import TapeMaker

T = TypeVar("T")

_PAGE_LIMIT = "1000"
_IN_A_THREAD_FROM = 100_000
"""Bytes of a listing."""
_EVENT_PAGE_LIMIT = "200"
# The venue's live tier reaches back weeks; only older questions need its cutoff.
_SURELY_LIVE_US = DAY_US
_CUTOFF_KEPT_US = HOUR_US
# A lookup by our clock must not miss an order stamped by theirs.
_CLOCK_MARGIN_US = MINUTE_US


class KalshiExchange:
    """Implements ``Exchange``. Without a signer only public reads work.

    Use inside ``async with exchange.open()``. From a write, ``ExchangeUnavailable``
    and ``CredentialsRefused`` also say that nothing happened at the venue.
    """

    def __init__(
        self,
        hosts: Hosts,
        settings: RestSettings,
        *,
        signer: Signer | None,
        clock: Clock,
        random: Random,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._is_signed = signer is not None
        self._rest = RestClient(hosts.rest_url, settings, signer=signer, clock=clock, random=random)
        self._hosts = hosts
        self._rehearsal: RequestRehearsal | None = None
        self._group_shards: dict[OrderGroupId, int] = {}
        self._cutoff: limits.HistoricalCutoff | None = None
        self._cutoff_us = 0
        self._cutoff_turn = asyncio.Lock()

    @asynccontextmanager
    async def open(self) -> AsyncIterator["KalshiExchange"]:
        """Hold the connections; leaving closes them."""
        async with self._rest.open():
            yield self

    @property
    def counter(self) -> CallCounter:
        """How the calls went; ``take`` feeds the API error breaker."""
        return self._rest.counter

    @property
    def signed_inline(self) -> int:
        """Creates that found no signature ready; 0 while ``OrderPathKeeper`` keeps up."""
        return self._rest.signed_inline

    @property
    def history(self) -> KalshiHistory:
        """The venue's past, asked for after everything else."""
        return KalshiHistory(self._rest, self._clock, is_signed=self._is_signed)

    def refresh_signatures(self) -> int:
        """Renew the signatures kept ready for creates; returns how many were made."""
        return self._rest.refresh_signatures()

    async def replace_signatures(self) -> None:
        """Wait until a create has used a signature, and make up for it."""
        await self._rest.replace_signatures()

    async def warm(self) -> None:
        """See that an order finds a connection.

        Raises:
            ExchangeUnavailable: none can be made now.
        """
        await self._rest.warm()

    async def adopt_limits(self) -> limits.RateLimits | None:
        """Pace calls by the account's own limits. ``None`` without a key."""
        if not self._is_signed:
            return None
        call = Call(method="GET", path="/account/limits", priority=Priority.ACCOUNT)
        granted = limits.read_limits((await self._rest.read(call)).body)
        self._rest.budget.adopt(granted)
        return granted

    async def attested_until_us(self) -> int | None:
        """Until when the key's owner has attested their location; ``None``: not told.

        Raises:
            ExchangeUnavailable: no answer now.
            RequestRefused: this key may not ask.
        """
        if not self._is_signed:
            return None
        call = Call(method="GET", path="/api_keys", priority=Priority.ACCOUNT)
        return keys.read_attestation((await self._rest.read(call)).body)

    # --- public reads -----------------------------------------------------------------------

    async def status(self) -> ExchangeStatus:
        """See :meth:`ExchangeReads.status`. An outage may answer 500 to 504 with the same body."""
        call = Call(
            method="GET",
            path="/exchange/status",
            priority=Priority.ACCOUNT,
            is_signed=False,
            accepts=frozenset({200, 500, 503, 504}),
        )
        reply = await self._rest.read(call)
        try:
            return markets.read_status(reply.body, reply.server_us)
        except InvalidMessage as error:
            raise ExchangeUnavailable(f"no status in an HTTP {reply.status}: {error}") from error

    async def planned_closures(self, from_us: int, to_us: int) -> Sequence[Closure]:
        """See :meth:`bot.ports.gaps.ExchangeHours.planned_closures`."""
        reply = await self._public("/exchange/schedule")
        return schedule.read_closures(reply.body, from_us, to_us)

    async def market_page(
        self, query: MarketQuery, cursor: str = "", limit: int = 1000
    ) -> MarketPage:
        """See :meth:`ExchangeReads.market_page`."""
        params = requests.market_params(query, cursor, limit)
        reply = await self._public("/markets", params)
        told = reply.body, query.series_ticker, reply.server_us
        if len(reply.body) < _IN_A_THREAD_FROM:
            return markets.read_market_page(*told)
        # A whole page would hold up quotes and orders for tens of milliseconds.
        return await asyncio.to_thread(markets.read_market_page, *told)

    async def market(self, ticker: MarketTicker) -> ListedMarket:
        """See :meth:`ExchangeReads.market`."""
        return markets.read_market((await self._public(f"/markets/{_segment(ticker)}")).body)

    async def order_book(self, ticker: MarketTicker) -> BookSnapshot:
        """See :meth:`ExchangeReads.order_book`."""
        reply = await self._public(f"/markets/{_segment(ticker)}/orderbook")
        return markets.read_order_book(reply.body, ticker, self._clock.now_us())

    async def fee_terms(self, series: SeriesTicker) -> FeeTerms:
        """See :meth:`ExchangeReads.fee_terms`."""
        return markets.read_fee_terms((await self._public(f"/series/{_segment(series)}")).body)

    async def event_terms(self, series: SeriesTicker) -> Sequence[EventTerms]:
        """See :meth:`ExchangeReads.event_terms`."""
        rows = await self._pages(
            "/events",
            (("series_ticker", series), ("status", "open")),
            events.read_events,
            limit=_EVENT_PAGE_LIMIT,
            priority=Priority.MARKET,
        )
        shared = await self.fee_terms(series) if any(row.needs_series for row in rows) else None
        unique = {row.event_ticker: row for row in rows}
        return [row.terms(shared) for row in unique.values()]

    # --- account reads ----------------------------------------------------------------------

    async def balance(self) -> Balance:
        """See :meth:`ExchangeReads.balance`."""
        call = Call(
            method="GET",
            path="/portfolio/balance",
            params=self._mine(),
            cost=Cost(lane=Lane.BALANCE, tokens=1),
            priority=Priority.ACCOUNT,
        )
        return account.read_balance((await self._rest.read(call)).body)

    async def positions(self) -> Sequence[VenuePosition]:
        """See :meth:`ExchangeReads.positions`."""
        params = self._mine(extra=(("count_filter", "position"),))
        rows = await self._pages("/portfolio/positions", params, account.read_positions)
        return list({row.ticker: row for row in rows}.values())

    async def orders(
        self,
        *,
        status: OrderStatus | None = None,
        ticker: MarketTicker | None = None,
        min_created_us: int | None = None,
    ) -> Sequence[Order]:
        """See :meth:`ExchangeReads.orders`; orders moved to the archive are included."""
        extra = (("status", None if status is None else status.value),)
        params = self._mine(ticker=ticker, since_us=min_created_us, extra=extra)
        rows = await self._pages("/portfolio/orders", params, account.read_orders)
        # The archive cannot be asked by status, and a resting order is never in it.
        if status is not OrderStatus.RESTING and await self._is_archived(
            min_created_us, lambda cutoff: cutoff.orders_us
        ):
            older = self._mine(ticker=ticker, since_us=min_created_us)
            archived = await self._archive("/historical/orders", older, account.read_orders)
            rows = [row for row in archived if status in (None, row.status)] + rows
        return sorted({row.order_id: row for row in rows}.values(), key=_creation)

    async def fills(
        self, *, since_us: int | None = None, order_id: OrderId | None = None
    ) -> Sequence[Fill]:
        """See :meth:`ExchangeReads.fills`; fills moved to the archive are included."""
        params = self._mine(since_us=since_us, extra=(("order_id", order_id),))
        rows = await self._pages("/portfolio/fills", params, account.read_fills)
        if await self._is_archived(since_us, lambda cutoff: cutoff.trades_us):
            older = self._mine(since_us=since_us)
            archived = await self._archive("/historical/fills", older, account.read_fills)
            rows = [row for row in archived if order_id in (None, row.order_id)] + rows
        unique = {row.fill_id: row for row in rows}
        return sorted(unique.values(), key=lambda fill: (fill.executed_us, fill.fill_id))

    async def settlements(self, *, since_us: int | None = None) -> Sequence[Settlement]:
        """See :meth:`ExchangeReads.settlements`."""
        params = self._mine(since_us=since_us)
        rows = await self._pages("/portfolio/settlements", params, account.read_settlements)
        unique = {(row.ticker, row.settled_us): row for row in rows}
        return sorted(unique.values(), key=lambda row: (row.settled_us, row.ticker))

    # --- writes -----------------------------------------------------------------------------

    def create_order(
        self, intent: OrderIntent, *, order_group_id: OrderGroupId | None
    ) -> Coroutine[Any, Any, OrderAck]:
        """See :meth:`ExchangeOrders.create_order`. The order leaves in the call, where it can."""
        body = requests.create_order_body(intent, order_group_id, self._settings.subaccount)
        return _created(self._rest.create_order(body), intent.client_order_id)

    def rehearse_order(self, intent: OrderIntent, order_group_id: OrderGroupId | None) -> None:
        """Make the request of a create and throw it away. Nothing is sent, nothing used up."""
        if self._rehearsal is None:
            self._rehearsal = RequestRehearsal(self._hosts.rest_url, self._settings, self._clock)
        body = requests.create_order_body(intent, order_group_id, self._settings.subaccount)
        self._rehearsal.make(body)

    async def cancel_order(self, order_id: OrderId, ticker: MarketTicker) -> CancelAck:
        """See :meth:`ExchangeOrders.cancel_order`. The ticker routes it to the right shard."""
        call = Call(
            method="DELETE",
            path=f"{CREATE_ORDER_PATH}/{_segment(order_id)}",
            params=self._mine(extra=(("market_ticker", ticker),)),
            cost=Cost(lane=Lane.WRITE, tokens=2),
            priority=Priority.ORDER,
        )
        reply = await self._rest.write_order(call)
        return _certain(lambda: account.read_canceled(reply.body, order_id))

    async def cancel_all(self) -> None:
        """See :meth:`ExchangeOrders.cancel_all`."""
        call = Call(
            method="DELETE",
            path=CREATE_ORDER_PATH,
            params=self._mine(),
            cost=Cost(lane=Lane.WRITE, tokens=2),
            priority=Priority.ORDER,
        )
        await self._rest.write(call)

    async def find_order(
        self, client_order_id: ClientOrderId, ticker: MarketTicker, min_created_us: int
    ) -> Order | None:
        """See :meth:`ExchangeOrders.find_order`; the venue has no filter by client id."""
        rows = await self.orders(ticker=ticker, min_created_us=min_created_us - _CLOCK_MARGIN_US)
        return next((row for row in rows if row.client_order_id == client_order_id), None)

    async def create_order_group(self, limit: Quantity, exchange_index: int) -> OrderGroupId:
        """See :meth:`ExchangeOrders.create_order_group`."""
        call = Call(
            method="POST",
            path="/portfolio/order_groups/create",
            body=requests.create_group_body(limit, exchange_index, self._settings.subaccount),
            cost=Cost(lane=Lane.WRITE),
            priority=Priority.ORDER,
        )
        reply = await self._rest.write(call)
        group = _certain(lambda: account.read_group_created(reply.body))
        self._group_shards[group] = exchange_index
        return group

    async def trigger_order_group(self, group: OrderGroupId) -> None:
        """See :meth:`ExchangeOrders.trigger_order_group`."""
        if group not in self._group_shards:
            # Made by a predecessor: its shard is in the listing.
            await self.order_groups()
        shard = self._group_shards.get(group, 0)
        call = Call(
            method="PUT",
            path=f"/portfolio/order_groups/{_segment(group)}/trigger",
            params=self._mine(extra=(("exchange_index", str(shard)),)),
            cost=Cost(lane=Lane.WRITE),
            priority=Priority.ORDER,
        )
        await self._rest.write(call)

    async def order_groups(self) -> Sequence[OrderGroupId]:
        """See :meth:`ExchangeOrders.order_groups`."""
        call = Call(
            method="GET",
            path="/portfolio/order_groups",
            params=self._mine(),
            priority=Priority.ORDER,
        )
        rows = account.read_groups((await self._rest.read(call)).body)
        self._group_shards |= {row.order_group_id: row.exchange_index for row in rows}
        return [row.order_group_id for row in rows]

    # --- shared -----------------------------------------------------------------------------

    async def _public(self, path: str, params: Params = ()) -> Reply:
        # Signed where we can: an account's limits are better than an address's.
        return await self._rest.read(
            Call(method="GET", path=path, params=params, is_signed=self._is_signed)
        )

    def _mine(
        self,
        *,
        ticker: MarketTicker | None = None,
        since_us: int | None = None,
        extra: Sequence[tuple[str, str | None]] = (),
    ) -> Params:
        return requests.account_params(
            subaccount=self._settings.subaccount, ticker=ticker, since_us=since_us, extra=extra
        )

    async def _pages(
        self,
        path: str,
        params: Params,
        read: Callable[[bytes], Page[T]],
        *,
        limit: str = _PAGE_LIMIT,
        priority: Priority = Priority.ACCOUNT,
    ) -> list[T]:
        """Every page. A repeated cursor means page one again: the listing cannot be trusted."""
        rows: list[T] = []
        cursor, seen = "", set[str]()
        for _ in range(self._settings.pages_max):
            paging: Params = (("limit", limit), ("cursor", cursor))
            call = Call(
                method="GET",
                path=path,
                params=params + (paging if cursor else paging[:1]),
                priority=priority,
                is_signed=self._is_signed or priority is not Priority.MARKET,
            )
            page = read((await self._rest.read(call)).body)
            rows += page.items
            cursor = page.cursor
            if not cursor:
                return rows
            if cursor in seen:
                raise InvalidMessage(f"{path}: the cursor repeats")
            seen.add(cursor)
        raise InvalidMessage(f"{path}: more than {self._settings.pages_max} pages")

    async def _archive(
        self, path: str, params: Params, read: Callable[[bytes], Page[T]]
    ) -> list[T]:
        try:
            return await self._pages(path, params, read)
        except RequestRefused as error:
            if error.status != 404:  # noqa: PLR2004 - an HTTP status is its own name
                raise
            # The venue answers so for an account without an archive.
            return []

    async def _is_archived(
        self, since_us: int | None, border: Callable[[limits.HistoricalCutoff], int]
    ) -> bool:
        """Whether a question from ``since_us`` on reaches behind the live tier."""
        if since_us is None:
            return True
        now_us = self._clock.now_us()
        if since_us > now_us - _SURELY_LIVE_US:
            return False
        # Several ask at once at a take-over, where every read counts.
        async with self._cutoff_turn:
            if self._cutoff is None or now_us - self._cutoff_us >= _CUTOFF_KEPT_US:
                answer = await self._public("/historical/cutoff")
                self._cutoff, self._cutoff_us = limits.read_cutoff(answer.body), now_us
            # It only moves forward, by a day a day: what is kept may lag that much.
            return since_us < border(self._cutoff) + _CUTOFF_KEPT_US


class KalshiFeed:
    """Implements ``MarketFeed``. Kalshi's WebSocket needs a key even for public channels."""

    def __init__(
        self,
        hosts: Hosts,
        settings: StreamSettings,
        *,
        signer: Signer,
        clock: Clock,
        random: Random,
        tapes: TapeMaker | None = None,
    ) -> None:
        """``tapes`` keeps what every connection hears and says."""
        self._socket = StreamSocket(
            hosts.stream_url, settings, signer=signer, clock=clock, random=random, tapes=tapes
        )

    @property
    def reconnects(self) -> int:
        """Connections lost or refused since the start."""
        return self._socket.reconnects

    @property
    def breaker(self) -> LoopBreaker:
        """Connections that failed in a row, and whether it rests."""
        return self._socket.breaker

    async def run(self, listener: FeedListener) -> None:
        """See :meth:`MarketFeed.run`."""
        await self._socket.run(listener)

    async def watch(self, tickers: Sequence[MarketTicker]) -> None:
        """See :meth:`MarketFeed.watch`."""
        await self._socket.watch(tickers)

    def refresh(self, tickers: Sequence[MarketTicker]) -> None:
        """See :meth:`MarketFeed.refresh`. The snapshot is asked for within seconds."""
        self._socket.refresh(tickers)

    def hold(self, *, is_held: bool) -> None:
        """See :meth:`MarketFeed.hold`."""
        self._socket.hold(is_held=is_held)


async def _created(writing: Awaitable[Reply], mine: ClientOrderId) -> OrderAck:
    reply = await writing
    return _certain(lambda: account.read_created(reply.body, mine))


def _certain(read: Callable[[], T]) -> T:
    """An accepted write whose answer cannot be read has happened somehow."""
    try:
        return read()
    except InvalidMessage as error:
        raise OutcomeUnknown(f"unreadable answer: {error}") from error


def _segment(text: str) -> str:
    return quote(text, safe="")


def _creation(order: Order) -> tuple[int, str]:
    return order.created_us, order.order_id
