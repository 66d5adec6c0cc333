"""The candlestick endpoints: one market, several, an event, and the historical tier."""

from typing import TYPE_CHECKING

from bot.domain.ids import EventTicker, MarketTicker
from bot.simulator.calls import Call, Query, Reply, Route, market_or_404, ok
from bot.simulator.candles import Candle
from bot.simulator.errors import details_only, failed_validation, nested
from bot.simulator.exchange import Exchange
from bot.simulator.market_reads import is_historical

if TYPE_CHECKING:
    from bot.simulator.bodies import Json

_PERIODS = frozenset({1, 60, 1_440})
_CANDLES_MAX = 5_000
_BATCH_CANDLES_MAX = 10_000
_BATCH_TICKERS_MAX = 100


def _span(query: Query, most: int, markets: int = 1) -> tuple[int, int, int]:
    start_s, end_s = query.required("start_ts"), query.required("end_ts")
    period = query.required("period_interval")
    if period not in _PERIODS:
        raise failed_validation(query.operation, "PeriodInterval", "oneof")
    if end_s < start_s:
        raise failed_validation(query.operation, "EndTs", "gtefield")
    # The venue prints its own float with six places.
    wanted_e6 = (end_s - start_s) * 1_000_000 // (period * 60) * markets
    if wanted_e6 > most * 1_000_000:
        whole, rest = divmod(wanted_e6, 1_000_000)
        raise details_only(
            f"requested time range with candlesticks: {whole}.{rest:06d}, max candlesticks: {most}"
        )
    return start_s, end_s, period


def _read(
    exchange: Exchange, ticker: MarketTicker, span: tuple[int, int, int], *, with_latest: bool
) -> list[Candle]:
    start_s, end_s, period = span
    found = exchange.candles.read(ticker, start_s, end_s, period)
    if with_latest:
        before = exchange.candles.latest_before(ticker, start_s)
        if before is not None:
            return [before, *found]
    return found


def _in_archive(exchange: Exchange, ticker: MarketTicker) -> bool:
    view = exchange.market(ticker)
    return view is not None and is_historical(exchange, view)


def market_candles(exchange: Exchange, call: Call) -> Reply:
    """One market's candles. The series in the path is not compared with the market's."""
    query = Query("GetMarketCandlesticks", call.query)
    ticker = market_or_404(exchange, call.params["ticker"])
    if _in_archive(exchange, ticker):
        raise nested(404, "not_found")
    span = _span(query, _CANDLES_MAX)
    with_latest = query.flag("include_latest_before_start")
    found = _read(exchange, ticker, span, with_latest=with_latest)
    return ok({"ticker": ticker, "candlesticks": [candle.body() for candle in found]})


def batch_candles(exchange: Exchange, call: Call) -> Reply:
    """Several markets' candles; one that is archived is left out like one that is unknown."""
    query = Query("BatchGetMarketCandlesticks", call.query)
    tickers = query.names("market_tickers", _BATCH_TICKERS_MAX)
    if not tickers:
        raise failed_validation(query.operation, "MarketTickers", "required")
    span = _span(query, _BATCH_CANDLES_MAX, len(tickers))
    with_latest = query.flag("include_latest_before_start")
    found: list[Json] = []
    for name in tickers:
        ticker = MarketTicker(name)
        if ticker in exchange.catalog.markets and not _in_archive(exchange, ticker):
            candles = _read(exchange, ticker, span, with_latest=with_latest)
            bodies = [candle.body() for candle in candles]
            found.append({"market_ticker": ticker, "candlesticks": bodies})
    return ok({"markets": found})


def event_candles(exchange: Exchange, call: Call) -> Reply:
    """The candles of every market of an event."""
    query = Query("GetMarketCandlesticksByEvent", call.query)
    event = EventTicker(call.params["event_ticker"])
    if event not in exchange.catalog.events:
        raise nested(404, "not_found")
    tickers = [info.ticker for info in exchange.catalog.markets_of(event)]
    span = _span(query, _CANDLES_MAX)
    candles = [_read(exchange, ticker, span, with_latest=False) for ticker in tickers]
    return ok(
        {
            "market_tickers": tickers,
            "market_candlesticks": [[candle.body() for candle in found] for found in candles],
            "adjusted_end_ts": span[1],
        }
    )


def historical_candles(exchange: Exchange, call: Call) -> Reply:
    """A market's candles with the historical tier's key names."""
    query = Query("GetMarketCandlesticksHistorical", call.query)
    ticker = market_or_404(exchange, call.params["ticker"])
    if not _in_archive(exchange, ticker):
        raise nested(404, "not_found")
    found = _read(exchange, ticker, _span(query, _CANDLES_MAX), with_latest=False)
    return ok({"ticker": ticker, "candlesticks": [candle.historical_body() for candle in found]})


ROUTES = (
    Route("GET", "/markets/candlesticks", batch_candles),
    Route("GET", "/series/{series_ticker}/markets/{ticker}/candlesticks", market_candles),
    Route("GET", "/series/{series_ticker}/events/{event_ticker}/candlesticks", event_candles),
    Route("GET", "/historical/markets/{ticker}/candlesticks", historical_candles),
)
