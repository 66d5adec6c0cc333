"""A venue's past in memory: two tiers, pages, the venue's limits, and faults when a test wants.

Passes ``tests/contract/test_history_reads.py`` like the real client does.
"""

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from bot.domain.errors import RequestRefused
from bot.domain.ids import MarketTicker
from bot.domain.market import MarketStatus
from bot.domain.quotes import PublicTrade
from bot.kit.times import MINUTE_US, SECOND_US
from bot.ports.history_reads import (
    ARCHIVED_CANDLES_PER_CALL,
    CANDLE_MARKETS_PER_CALL,
    CANDLES_PER_CALL,
    CandlePage,
    CandleQuery,
    EventQuery,
    HistoryCutoff,
    ListingPage,
    RecordQuery,
    TradePage,
    TradeQuery,
)
from bot.ports.market_history import Candle, EventRecord, MarketRecord

Hook = Callable[[str, Any], Awaitable[None] | None]
"""Called before each answer with the name of the call and its query; may raise or wait."""

_STATUSES = {
    "open": {MarketStatus.ACTIVE},
    "unopened": {MarketStatus.INITIALIZED},
    "closed": {MarketStatus.CLOSED, MarketStatus.DETERMINED},
    "settled": {MarketStatus.FINALIZED},
}


class FakePast:
    """Implements ``HistoryReads``. What settled before ``border_us`` is in the archive alone."""

    def __init__(self, *, page_size: int = 3, border_us: int = 0, hook: Hook | None = None) -> None:
        self.events: dict[str, EventRecord] = {}
        self.records: dict[MarketTicker, MarketRecord] = {}
        self.held_candles: list[Candle] = []
        self.held_trades: list[PublicTrade] = []
        self.page_size = page_size
        self.border_us = border_us
        self.hook = hook
        self.calls: list[tuple[str, Any]] = []

    def named(self, name: str) -> list[Any]:
        """The queries of every call of that name."""
        return [query for called, query in self.calls if called == name]

    async def cutoff(self) -> HistoryCutoff:
        await self._reach("cutoff", None)
        return HistoryCutoff(markets_us=self.border_us, trades_us=self.border_us)

    async def event_page(self, query: EventQuery, cursor: str = "") -> ListingPage:
        await self._reach("event_page", query)
        found = [
            each
            for each in self.events.values()
            if query.series_ticker in (None, each.series_ticker)
            and (not query.tickers or each.event_ticker in query.tickers)
            and (query.status is None or self._has(each, _STATUSES[query.status]))
        ]
        some, following = self._page(found, cursor)
        nested = [
            record
            for each in some
            for record in self.records.values()
            if record.event_ticker == each.event_ticker and not self._is_archived(record)
        ]
        return ListingPage(
            events=tuple(some), markets=tuple(nested), quarantined=(), cursor=following
        )

    async def record_page(self, query: RecordQuery, cursor: str = "") -> ListingPage:
        await self._reach("record_page", query)
        found = [
            each
            for each in self.records.values()
            if (each.series_ticker == query.series_ticker or query.is_archived)
            and (not query.tickers or each.ticker in query.tickers)
            and self._is_archived(each) == query.is_archived
            and (query.min_updated_us is None or (each.updated_us or 0) >= query.min_updated_us)
        ]
        some, following = self._page(found, cursor)
        return ListingPage(events=(), markets=tuple(some), quarantined=(), cursor=following)

    async def candles(self, query: CandleQuery) -> CandlePage:
        await self._reach("candles", query)
        self._check_span(query)
        known = [
            ticker
            for ticker in query.tickers
            if ticker in self.records
            and self._is_archived(self.records[ticker]) == query.is_archived
        ]
        if query.is_archived and not known:
            raise RequestRefused(404, "not_found", "not found")
        found = [
            each
            for each in self.held_candles
            if each.ticker in known
            and each.period_minutes == query.period_minutes
            and _second(query.start_us) <= each.end_us <= _second(query.end_us)
        ]
        return CandlePage(candles=tuple(found), quarantined=(), known=frozenset(known))

    async def trade_page(self, query: TradeQuery, cursor: str = "") -> TradePage:
        await self._reach("trade_page", query)
        first_us, last_us = _second(query.min_us), -(-query.max_us // SECOND_US) * SECOND_US
        found = [
            each
            for each in self.held_trades
            if each.ticker == query.ticker
            and first_us <= each.executed_us <= last_us
            and (each.executed_us < self.border_us) == query.is_archived
        ]
        found.sort(key=lambda each: (-each.executed_us, each.trade_id))
        some, following = self._page(found, cursor)
        return TradePage(trades=tuple(some), quarantined=(), cursor=following)

    def _has(self, event: EventRecord, statuses: set[MarketStatus]) -> bool:
        return any(
            each.event_ticker == event.event_ticker
            and each.status in statuses
            and not self._is_archived(each)
            for each in self.records.values()
        )

    def _is_archived(self, record: MarketRecord) -> bool:
        return record.settled_us is not None and record.settled_us < self.border_us

    def _check_span(self, query: CandleQuery) -> None:
        assert len(query.tickers) == 1 or not query.is_archived
        assert 1 <= len(set(query.tickers)) == len(query.tickers) <= CANDLE_MARKETS_PER_CALL
        span_us = (_second(query.end_us) - _second(query.start_us)) * len(query.tickers)
        most = ARCHIVED_CANDLES_PER_CALL if query.is_archived else CANDLES_PER_CALL
        assert 0 <= span_us <= most * query.period_minutes * MINUTE_US

    def _page(self, found: Sequence[Any], cursor: str) -> tuple[list[Any], str]:
        at = int(cursor or "0")
        following = str(at + self.page_size) if at + self.page_size < len(found) else ""
        return list(found[at : at + self.page_size]), following

    async def _reach(self, name: str, query: Any) -> None:
        self.calls.append((name, query))
        if self.hook is not None:
            waited = self.hook(name, query)
            if inspect.isawaitable(waited):
                await waited


def finalized(record: MarketRecord, at_us: int, **changes) -> MarketRecord:
    """The same market after it settled at ``at_us``."""
    given = {"result": "yes", "settlement_value": 10_000, "updated_us": at_us} | changes
    return replace(record, status=MarketStatus.FINALIZED, settled_us=at_us, **given)


def _second(at_us: int) -> int:
    return at_us - at_us % SECOND_US
