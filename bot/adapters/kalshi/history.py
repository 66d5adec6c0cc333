"""``HistoryReads`` over REST: the lowest priority there is, so that nothing waits for it."""

from collections.abc import Callable
from typing import TypeVar
from urllib.parse import quote

from bot.adapters.kalshi.budget import Priority
from bot.adapters.kalshi.rest import Call, Reply, RestClient
from bot.adapters.kalshi.wire import history, requests
from bot.adapters.kalshi.wire.requests import Params
from bot.kit.clock import Clock
from bot.kit.threads import in_thread
from bot.ports.history_reads import (
    CandlePage,
    CandleQuery,
    EventQuery,
    HistoryCutoff,
    ListingPage,
    RecordQuery,
    TradePage,
    TradeQuery,
)

T = TypeVar("T")
_IN_A_THREAD_FROM = 100_000
"""Bytes of an answer."""


class KalshiHistory:
    """See :class:`bot.ports.history_reads.HistoryReads`. Works while its client is open."""

    def __init__(self, rest: RestClient, clock: Clock, *, is_signed: bool) -> None:
        self._rest = rest
        self._clock = clock
        self._is_signed = is_signed

    async def cutoff(self) -> HistoryCutoff:
        """See the port."""
        return history.read_history_cutoff((await self._read("/historical/cutoff")).body)

    async def event_page(self, query: EventQuery, cursor: str = "") -> ListingPage:
        """See the port."""
        body = (await self._read("/events", requests.event_params(query, cursor))).body
        return await _understood(body, lambda: history.read_event_page(body))

    async def record_page(self, query: RecordQuery, cursor: str = "") -> ListingPage:
        """See the port."""
        path = "/historical/markets" if query.is_archived else "/markets"
        body = (await self._read(path, requests.record_params(query, cursor))).body
        return await _understood(body, lambda: history.read_record_page(body, query.series_ticker))

    async def candles(self, query: CandleQuery) -> CandlePage:
        """See the port."""
        params = requests.candle_params(query)
        if not query.is_archived:
            live = (await self._read("/markets/candlesticks", params)).body
            return await _understood(
                live, lambda: history.read_candle_batch(live, query.period_minutes)
            )
        [ticker] = query.tickers
        path = f"/historical/markets/{quote(ticker, safe='')}/candlesticks"
        body = (await self._read(path, params)).body
        return await _understood(
            body, lambda: history.read_candles(body, ticker, query.period_minutes)
        )

    async def trade_page(self, query: TradeQuery, cursor: str = "") -> TradePage:
        """See the port."""
        path = "/historical/trades" if query.is_archived else "/markets/trades"
        body = (await self._read(path, requests.trade_params(query, cursor))).body
        received_us = self._clock.now_us()
        return await _understood(body, lambda: history.read_trade_page(body, received_us))

    async def _read(self, path: str, params: Params = ()) -> Reply:
        return await self._rest.read(
            Call(
                method="GET",
                path=path,
                params=params,
                priority=Priority.HISTORY,
                is_signed=self._is_signed,
            )
        )


async def _understood(body: bytes, read: Callable[[], T]) -> T:
    """What an answer says. A large one would hold up quotes and orders for half a second."""
    return read() if len(body) < _IN_A_THREAD_FROM else await in_thread(read)
