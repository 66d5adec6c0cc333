"""The historical tier: what settled so long ago that the live endpoints have forgotten it."""

from collections.abc import Iterator
from functools import partial

from bot.kit.times import format_rfc3339
from bot.simulator.bodies import market_body
from bot.simulator.calls import Call, Query, Reply, Route, SortKey, market_or_404, ok, page
from bot.simulator.catalog import MarketInfo
from bot.simulator.errors import failed_validation, nested
from bot.simulator.exchange import Exchange
from bot.simulator.market_reads import cutoff_us, is_historical, trades
from bot.venue.markets import MarketView


def historical_cutoff(exchange: Exchange, call: Call) -> Reply:
    """From when on the live endpoints know everything."""
    del call
    at = format_rfc3339(cutoff_us(exchange))
    names = ("market_settled_ts", "trades_created_ts", "orders_updated_ts")
    return ok(dict.fromkeys((*names, "market_positions_last_updated_ts"), at))


def historical_markets(exchange: Exchange, call: Call) -> Reply:
    """Markets settled long ago, newest first."""
    query = Query("GetHistoricalMarkets", call.query)
    event, series = query.text("event_ticker"), query.text("series_ticker")
    tickers, limit = set(query.names("tickers")), query.limit()
    if query.text("mve_filter") not in {"", "exclude"}:
        raise failed_validation(query.operation, "MveFilter", "oneof")
    chosen = [
        (info, view)
        for info, view in _historical_views(exchange)
        if event in {"", info.event_ticker}
        and series in {"", info.series_ticker}
        and (not tickers or info.ticker in tickers)
    ]
    found, cursor = page(chosen, _newest_settled, query.text("cursor"), limit)
    return ok({"markets": [market_body(*pair) for pair in found], "cursor": cursor})


def _historical_views(exchange: Exchange) -> Iterator[tuple[MarketInfo, MarketView]]:
    for info in exchange.catalog.markets.values():
        view = exchange.market(info.ticker)
        if view is not None and is_historical(exchange, view):
            yield info, view


def historical_market(exchange: Exchange, call: Call) -> Reply:
    """One market settled long ago."""
    ticker = market_or_404(exchange, call.params["ticker"])
    view = exchange.market(ticker)
    if view is None or not is_historical(exchange, view):
        raise nested(404, "not_found")
    return ok({"market": market_body(exchange.catalog.markets[ticker], view)})


def _newest_settled(pair: tuple[MarketInfo, MarketView]) -> SortKey:
    return -(pair[1].settled_us or 0), pair[0].ticker


ROUTES = (
    Route("GET", "/historical/cutoff", historical_cutoff),
    Route("GET", "/historical/markets", historical_markets),
    Route("GET", "/historical/markets/{ticker}", historical_market),
    Route("GET", "/historical/trades", partial(trades, historical=True)),
)
