"""The public endpoints: exchange, series, events, markets, books, trades."""

from bot.domain.ids import MarketTicker
from bot.domain.market import MarketStatus
from bot.kit.times import DAY_US, format_rfc3339
from bot.simulator.bodies import (
    Json,
    book_body,
    market_body,
    trade_body,
)
from bot.simulator.calls import (
    Call,
    Query,
    Reply,
    Route,
    SortKey,
    market_or_404,
    ok,
    page,
    page_of_sorted,
)
from bot.simulator.catalog import MarketInfo
from bot.simulator.errors import details_only, failed_validation, nested
from bot.simulator.exchange import SHARDS, Exchange
from bot.simulator.limits import DEFAULT_COST, ENDPOINT_COSTS, Bucket
from bot.venue.markets import MarketView

_BOOKS_MAX = 100
_DEPTH_MAX = 100
_COMBO_PREFIX = "KXMVE"

STATUSES = {
    "unopened": frozenset({MarketStatus.INITIALIZED}),
    "open": frozenset({MarketStatus.ACTIVE}),
    "paused": frozenset({MarketStatus.INACTIVE}),
    "closed": frozenset(
        {
            MarketStatus.CLOSED,
            MarketStatus.DETERMINED,
            MarketStatus.DISPUTED,
            MarketStatus.AMENDED,
        }
    ),
    "settled": frozenset({MarketStatus.FINALIZED}),
}
"""What each word of a status filter means."""
_FAMILIES = {
    "created": frozenset({"", "unopened", "open"}),
    "close": frozenset({"", "closed"}),
    "settled": frozenset({"", "settled"}),
    "updated": frozenset({""}),
}
"""Which status filter each family of timestamps goes with; two families never go together."""


# Exchange


def exchange_status(exchange: Exchange, call: Call) -> Reply:
    """Whether the exchange works and trades, over all and per shard."""
    del call
    return ok(status_body(exchange))


def status_body(exchange: Exchange) -> Json:
    """The status object, also the body of some failures."""
    reads = exchange.venue.reads
    return {
        "exchange_active": reads.is_exchange_active(),
        "trading_active": reads.is_trading_active(),
        "intra_exchange_transfers_active": reads.is_exchange_active(),
        "exchange_index_statuses": [
            {
                "exchange_index": shard,
                "description": description,
                "exchange_active": reads.is_exchange_active(shard),
                "trading_active": reads.is_trading_active(shard),
                "intra_exchange_transfers_active": reads.is_exchange_active(shard),
            }
            for shard, description in SHARDS.items()
        ],
    }


_WHOLE_DAY = [{"open_time": "00:00", "close_time": "00:00"}]
_AROUND_THE_PAUSE = [
    {"open_time": "00:00", "close_time": "03:00"},
    {"open_time": "05:00", "close_time": "00:00"},
]


def exchange_schedule(exchange: Exchange, call: Call) -> Reply:
    """Always open but for the weekly pause; times are New York's."""
    del call
    pauses = exchange.settings.worlds.pauses_weekly
    days = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    hours: Json = {
        "start_time": format_rfc3339(exchange.clock.start_us - 365 * DAY_US),
        "end_time": format_rfc3339(exchange.clock.start_us + 365 * DAY_US),
    }
    for day in days:
        hours[day] = _AROUND_THE_PAUSE if pauses and day == "thursday" else _WHOLE_DAY
    return ok({"schedule": {"standard_hours": [hours], "maintenance_windows": []}})


def user_data_timestamp(exchange: Exchange, call: Call) -> Reply:
    """How fresh portfolio reads are."""
    del call
    fresh_us = exchange.now_us() - exchange.portfolios.lag_us
    return ok({"as_of_time": format_rfc3339(fresh_us)})


def endpoint_costs(exchange: Exchange, call: Call) -> Reply:
    """Every endpoint that does not cost the default."""
    del exchange, call
    costs = [
        {"method": method, "path": path, "cost": cost}
        for (method, path), cost in ENDPOINT_COSTS.items()
    ]
    return ok({"default_cost": DEFAULT_COST, "endpoint_costs": costs})


# Markets


def markets(exchange: Exchange, call: Call) -> Reply:
    """Markets by filter, newest first."""
    query = Query("GetMarkets", call.query)
    limit = query.limit()
    wanted = _MarketFilter(query)

    def chosen(info: MarketInfo) -> tuple[MarketInfo, MarketView] | None:
        view = _live_view(exchange, info) if wanted.names(info) else None
        return (info, view) if view is not None and wanted.accepts(info, view) else None

    place = query.text("cursor"), limit
    found, cursor = page_of_sorted(exchange.catalog.newest_first(), _market_key, chosen, place)
    return ok({"markets": [market_body(*pair) for pair in found], "cursor": cursor})


def _market_key(info: MarketInfo) -> SortKey:
    return -info.created_us, info.ticker


def cutoff_us(exchange: Exchange) -> int:
    """What settled before this is historical."""
    return exchange.now_us() - exchange.settings.historical_after_us


def is_historical(exchange: Exchange, view: MarketView) -> bool:
    """Whether only the historical endpoints know a market."""
    return view.settled_us is not None and view.settled_us < cutoff_us(exchange)


def _live_view(exchange: Exchange, info: MarketInfo) -> MarketView | None:
    view = exchange.listed(info.ticker)
    return None if view is None or is_historical(exchange, view) else view


class _MarketFilter:
    """The filters of ``GET /markets``, checked together."""

    def __init__(self, query: Query) -> None:
        self.status = query.text("status")
        if self.status and self.status not in STATUSES:
            raise details_only("invalid status filter")
        self.event, self.series = query.text("event_ticker"), query.text("series_ticker")
        self.tickers = set(query.names("tickers"))
        self.mve = query.text("mve_filter")
        if self.mve not in {"", "only", "exclude"}:
            raise failed_validation(query.operation, "MveFilter", "oneof")
        self.spans = {
            family: (query.seconds(f"min_{family}_ts"), query.seconds(f"max_{family}_ts"))
            for family in _FAMILIES
        }
        self._check_families()

    def _check_families(self) -> None:
        used = [family for family, span in self.spans.items() if span != (None, None)]
        if len(used) > 1:
            raise details_only("timestamp filters are mutually exclusive")
        if used and self.status not in _FAMILIES[used[0]]:
            raise details_only(f"{used[0]}_ts filters do not go with status {self.status}")
        if used == ["updated"] and (self.event or self.tickers):
            raise details_only("updated_ts filters go with series_ticker and mve_filter only")

    def names(self, info: MarketInfo) -> bool:
        """Whether a market is wanted by its names, which need no look at its state."""
        return (
            self.series in {"", info.series_ticker}
            and self.event in {"", info.event_ticker}
            and (not self.tickers or info.ticker in self.tickers)
            and self._accepts_kind(info)
        )

    def accepts(self, info: MarketInfo, view: MarketView) -> bool:
        """Whether a market of a wanted name is wanted as it stands."""
        is_status = not self.status or view.status in STATUSES[self.status]
        return is_status and self._accepts_times(info, view)

    def _accepts_kind(self, info: MarketInfo) -> bool:
        return not self.mve or (self.mve == "only") == info.ticker.startswith(_COMBO_PREFIX)

    def _accepts_times(self, info: MarketInfo, view: MarketView) -> bool:
        times = {
            "created": info.created_us,
            "close": view.close_us,
            "settled": view.settled_us,
            "updated": view.updated_us,
        }
        return all(within(times[family], *span) for family, span in self.spans.items())


def within(at_us: int | None, least_us: int | None, most_us: int | None) -> bool:
    """Whether a moment lies in a span; without a span even a missing one does."""
    if least_us is None and most_us is None:
        return True
    if at_us is None:
        return False
    return (least_us is None or at_us >= least_us) and (most_us is None or at_us <= most_us)


def one_market(exchange: Exchange, call: Call) -> Reply:
    """One market."""
    ticker = market_or_404(exchange, call.params["ticker"])
    view = exchange.listed(ticker)
    if view is None or is_historical(exchange, view):
        raise nested(404, "not_found")
    return ok({"market": market_body(exchange.catalog.markets[ticker], view)})


def order_book(exchange: Exchange, call: Call) -> Reply:
    """One book, never cached."""
    depth = Query("GetMarketOrderbook", call.query).integer("depth", least=0, most=_DEPTH_MAX)
    ticker = market_or_404(exchange, call.params["ticker"])
    return ok({"orderbook_fp": _book(exchange, ticker, depth or 0)})


def order_books(exchange: Exchange, call: Call) -> Reply:
    """Several books. The parameter is repeated; a comma makes one strange ticker."""
    tickers = call.query.getall("tickers", [])
    if not tickers:
        raise failed_validation("GetMarketOrderbooks", "Tickers", "required")
    if len(tickers) > _BOOKS_MAX:
        raise failed_validation("GetMarketOrderbooks", "Tickers", "max")
    known = [MarketTicker(t) for t in dict.fromkeys(tickers) if t in exchange.catalog.markets]
    found = [{"ticker": t, "orderbook_fp": _book(exchange, t, 0)} for t in known]
    return ok({"orderbooks": found})


def _book(exchange: Exchange, ticker: MarketTicker, depth: int) -> Json:
    book = exchange.book(ticker)
    assert book is not None  # every described market is listed
    return book_body(book, depth)


def trades(exchange: Exchange, call: Call, *, historical: bool = False) -> Reply:
    """Public trades, newest first. An archived or unknown ticker gives an empty list."""
    query = Query("GetTrades", call.query)
    limit, ticker = query.limit(), query.text("ticker")
    span = (query.seconds("min_ts"), query.seconds("max_ts"))
    wants_blocks = query.flag("is_block_trade") if query.text("is_block_trade") else None
    found, cursor = page(
        (
            trade
            for trade in exchange.trades(MarketTicker(ticker) if ticker else None)
            if within(trade.executed_us, *span)
            and wants_blocks in {None, trade.is_block}
            and (trade.executed_us < cutoff_us(exchange)) == historical
        ),
        lambda trade: (-trade.executed_us, trade.trade_id),
        query.text("cursor"),
        limit,
    )
    return ok({"trades": [trade_body(trade) for trade in found], "cursor": cursor})


ROUTES = (
    Route("GET", "/exchange/status", exchange_status),
    Route("GET", "/exchange/schedule", exchange_schedule),
    Route("GET", "/exchange/user_data_timestamp", user_data_timestamp),
    Route("GET", "/account/endpoint_costs", endpoint_costs, bucket=Bucket.NONE),
    Route("GET", "/markets", markets),
    Route("GET", "/markets/trades", trades),
    Route("GET", "/markets/orderbooks", order_books),
    Route("GET", "/markets/{ticker}", one_market),
    Route("GET", "/markets/{ticker}/orderbook", order_book),
)
