"""``HistoryReads`` over REST: the lowest priority there is, so that nothing waits for it."""

from urllib.parse import quote

from bot.adapters.kalshi.budget import Priority
from bot.adapters.kalshi.rest import Call, Reply, RestClient
from bot.adapters.kalshi.wire import history, requests
from bot.adapters.kalshi.wire.requests import Params
from bot.kit.clock import Clock
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
        reply = await self._read("/events", requests.event_params(query, cursor))
        return history.read_event_page(reply.body)

    async def record_page(self, query: RecordQuery, cursor: str = "") -> ListingPage:
        """See the port."""
        path = "/historical/markets" if query.is_archived else "/markets"
        reply = await self._read(path, requests.record_params(query, cursor))
        return history.read_record_page(reply.body, query.series_ticker)

    async def candles(self, query: CandleQuery) -> CandlePage:
        """See the port."""
        params = requests.candle_params(query)
        if not query.is_archived:
            reply = await self._read("/markets/candlesticks", params)
            return history.read_candle_batch(reply.body, query.period_minutes)
        [ticker] = query.tickers
        path = f"/historical/markets/{quote(ticker, safe='')}/candlesticks"
        reply = await self._read(path, params)
        return history.read_candles(reply.body, ticker, query.period_minutes)

    async def trade_page(self, query: TradeQuery, cursor: str = "") -> TradePage:
        """See the port."""
        path = "/historical/trades" if query.is_archived else "/markets/trades"
        reply = await self._read(path, requests.trade_params(query, cursor))
        return history.read_trade_page(reply.body, self._clock.now_us())

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
