"""A page of the listing as rows: snapshots, and what is set aside with its reason.

Nothing is guessed: a market whose quote is on no price it accepts is kept as
received in the quarantine, and every other market of the page is stored.
"""

from dataclasses import dataclass

from bot.collect.macro_filter import classify, probability_bucket
from bot.domain.errors import InvalidAmount
from bot.domain.ids import SeriesTicker
from bot.domain.market import Market, MarketStatus
from bot.domain.money import Price, format_price
from bot.kit.times import format_seconds
from bot.ports.collection import QuarantinedItem, Snapshot
from bot.ports.exchange import ListedMarket, MarketPage


@dataclass(frozen=True, slots=True)
class PageRows:
    """What one page gives."""

    snapshots: list[Snapshot]
    quarantined: list[QuarantinedItem]


def rows_of(page: MarketPage, series: SeriesTicker | None, hour: str, at_us: int) -> PageRows:
    """The rows of a page that was received at ``at_us``.

    A listing by update time also names markets that are closed by now; they have no
    snapshot.
    """
    rows = PageRows(
        [],
        [
            QuarantinedItem(name=one.name, reason=one.reason, raw=one.raw, at_us=at_us)
            for one in page.quarantined
        ],
    )
    created = format_seconds(at_us)
    for listed in page.markets:
        market = listed.market
        if series is None and market.status is not MarketStatus.ACTIVE:
            continue
        if (reason := off_grid(market)) is not None:
            rows.quarantined.append(
                QuarantinedItem(name=market.ticker, reason=reason, raw=listed.raw, at_us=at_us)
            )
            continue
        rows.snapshots.append(_snapshot(listed, series, hour, created))
    return rows


def off_grid(market: Market) -> str | None:
    """Why a quote of the market cannot be, ``None`` where both are prices it accepts."""
    for side, price in (("bid", market.yes_bid), ("ask", market.yes_ask)):
        if price is not None and not _is_accepted(market, price):
            return f"{side} {format_price(price)} is off the market's price grid"
    return None


def _is_accepted(market: Market, price: Price) -> bool:
    try:
        return market.grid.accepts(price)
    except InvalidAmount:
        return False


def _snapshot(
    listed: ListedMarket, series: SeriesTicker | None, hour: str, created: str
) -> Snapshot:
    market = listed.market
    return Snapshot(
        market_id=market.ticker,
        snapshot_hour_utc=hour,
        payload_json=listed.raw.decode("utf-8", "backslashreplace"),
        created_at_utc=created,
        event_ticker=market.event_ticker,
        series_ticker=series,
        macro_event_type=classify(series).event_type,
        probability_bucket=probability_bucket(market.yes_bid, market.yes_ask),
        yes_bid=market.yes_bid,
        yes_ask=market.yes_ask,
        volume_24h=market.volume_24h,
        open_interest=market.open_interest,
        close_us=market.close_us,
    )
