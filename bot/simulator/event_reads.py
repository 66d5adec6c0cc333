"""The public endpoints of series and events."""

from collections.abc import Iterator

from bot.domain.ids import EventTicker, SeriesTicker
from bot.domain.money import Quantity
from bot.simulator.bodies import Json, event_body, market_body, series_body
from bot.simulator.calls import Call, Query, Reply, Route, SortKey, ok, page
from bot.simulator.catalog import Event, MarketInfo
from bot.simulator.errors import details_only, nested
from bot.simulator.exchange import Exchange
from bot.simulator.market_reads import STATUSES, is_historical
from bot.venue.markets import MarketView

_EVENTS_MAX = 200
_EVENT_STATUSES = frozenset(STATUSES) - {"paused"}


def series_list(exchange: Exchange, call: Call) -> Reply:
    """Every series of a category, unpaginated."""
    query = Query("GetSeriesList", call.query)
    category, tags = query.text("category"), set(query.names("tags"))
    wants_volume = query.flag("include_volume")
    query.flag("include_product_metadata")
    query.seconds("min_updated_ts")
    found = [
        series_body(series, _series_volume(exchange, series.ticker) if wants_volume else None)
        for series in exchange.catalog.series.values()
        if category in {"", series.category} and (not tags or tags & set(series.tags))
    ]
    return ok({"series": found})


def one_series(exchange: Exchange, call: Call) -> Reply:
    """One series."""
    query = Query("GetSeries", call.query)
    series = exchange.catalog.series.get(SeriesTicker(call.params["series_ticker"]))
    if series is None:
        raise nested(404, "not_found")
    volume = _series_volume(exchange, series.ticker) if query.flag("include_volume") else None
    return ok({"series": series_body(series, volume)})


def _series_volume(exchange: Exchange, series: SeriesTicker) -> Quantity:
    total = 0
    for info in exchange.catalog.markets.values():
        view = exchange.market(info.ticker) if info.series_ticker == series else None
        total += info.prior_volume + view.volume if view else 0
    return Quantity(total)


def series_fee_changes(exchange: Exchange, call: Call) -> Reply:
    """Announced fee changes; a simulated exchange announces none."""
    del exchange
    Query("GetSeriesFeeChanges", call.query).flag("show_historical")
    return ok({"series_fee_change_arr": []})


def event_fee_changes(exchange: Exchange, call: Call) -> Reply:
    """Announced fee overrides of events; none either."""
    del exchange
    Query("GetEventFeeChanges", call.query).limit()
    return ok({"event_fee_changes": [], "cursor": ""})


def events(exchange: Exchange, call: Call) -> Reply:
    """Events, filtered by series, tickers and the state of their markets."""
    query = Query("GetEvents", call.query)
    status, series = query.text("status"), query.text("series_ticker")
    if status and status not in _EVENT_STATUSES:
        raise details_only("invalid status filter")
    tickers, min_close_us = set(query.names("tickers")), query.seconds("min_close_ts")
    query.flag("with_milestones")
    query.seconds("min_updated_ts")
    limit = query.limit(_EVENTS_MAX, _EVENTS_MAX)
    chosen = [
        event
        for event in exchange.catalog.events.values()
        if series in {"", event.series_ticker}
        and (not tickers or event.ticker in tickers)
        and _has_market(exchange, event, status, min_close_us)
    ]
    found, cursor = page(chosen, _event_key, query.text("cursor"), limit)
    nests = query.flag("with_nested_markets")
    return ok({"events": [_event(exchange, e, nests=nests) for e in found], "cursor": cursor})


def _event_key(event: Event) -> SortKey:
    return -event.created_us, event.ticker


def _has_market(exchange: Exchange, event: Event, status: str, min_close_us: int | None) -> bool:
    if not status and min_close_us is None:
        return True
    views = _views(exchange, event.ticker)
    return any(
        (not status or view.status in STATUSES[status])
        and (min_close_us is None or view.close_us >= min_close_us)
        for _, view in views
    )


def _views(exchange: Exchange, event: EventTicker) -> Iterator[tuple[MarketInfo, MarketView]]:
    for info in exchange.catalog.markets_of(event):
        view = exchange.market(info.ticker)
        if view is not None and not is_historical(exchange, view):
            yield info, view


def _event(exchange: Exchange, event: Event, *, nests: bool) -> Json:
    body = event_body(event, exchange.catalog.series[event.series_ticker])
    if nests:
        body["markets"] = [market_body(*pair) for pair in _views(exchange, event.ticker)]
    return body


def multivariate_events(exchange: Exchange, call: Call) -> Reply:
    """Combo events: there are none."""
    del exchange
    query = Query("GetMultivariateEvents", call.query)
    query.limit(_EVENTS_MAX, _EVENTS_MAX)
    query.flag("with_nested_markets")
    return ok({"events": [], "cursor": ""})


def one_event(exchange: Exchange, call: Call) -> Reply:
    """One event, with its markets inside or beside it."""
    query = Query("GetEvent", call.query)
    nests, excludes = query.flag("with_nested_markets"), query.flag("exclude_markets")
    if nests and excludes:
        raise nested(400, "invalid_parameters", details="exclude_markets and with_nested_markets")
    event = exchange.catalog.events.get(EventTicker(call.params["event_ticker"]))
    if event is None:
        raise nested(404, "not_found")
    beside = [] if nests or excludes else [market_body(*p) for p in _views(exchange, event.ticker)]
    return ok({"event": _event(exchange, event, nests=nests), "markets": beside})


def event_metadata(exchange: Exchange, call: Call) -> Reply:
    """Pictures and sources of an event."""
    event = exchange.catalog.events.get(EventTicker(call.params["event_ticker"]))
    if event is None:
        raise nested(404, "not_found")
    details = [
        {"market_ticker": info.ticker, "image_url": "", "color_code": ""}
        for info in exchange.catalog.markets_of(event.ticker)
    ]
    return ok({"image_url": "", "market_details": details, "settlement_sources": []})


ROUTES = (
    Route("GET", "/series", series_list),
    Route("GET", "/series/fee_changes", series_fee_changes),
    Route("GET", "/series/{series_ticker}", one_series),
    Route("GET", "/events", events),
    Route("GET", "/events/fee_changes", event_fee_changes),
    Route("GET", "/events/multivariate", multivariate_events),
    Route("GET", "/events/{event_ticker}", one_event),
    Route("GET", "/events/{event_ticker}/metadata", event_metadata),
)
