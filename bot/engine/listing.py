"""Reads which markets there are, with the terms the engine needs of each."""

import logging
from collections.abc import Sequence

from bot.collect.macro_filter import classify
from bot.domain.errors import ExchangeUnavailable, InvalidMessage, RequestRefused
from bot.domain.ids import EventTicker, MarketTicker, SeriesTicker
from bot.domain.listing import Listing
from bot.domain.market import FeeTerms
from bot.ports.exchange import EventTerms, ExchangeReads, MarketQuery

logger = logging.getLogger(__name__)

_PAGES_MAX = 50
_USUAL_FEES = FeeTerms(fee_type="quadratic", multiplier_e6=1_000_000)


async def read_listings(exchange: ExchangeReads, series: Sequence[SeriesTicker]) -> list[Listing]:
    """The open markets of these series; a series that cannot be read now is left out.

    Raises:
        ExchangeUnavailable: not one series could be read.
    """
    found: list[Listing] = []
    failed = 0
    for one in series:
        try:
            found += await _of_series(exchange, one)
        except RequestRefused as refusal:
            # The venue lists no such series (now): that is an answer.
            logger.debug("series refused", extra={"series": one, "reason": str(refusal)})
        except (ExchangeUnavailable, InvalidMessage) as fault:
            failed += 1
            logger.warning("series not read", extra={"series": one, "reason": str(fault)})
    if failed and failed == len(series):
        raise ExchangeUnavailable("no series could be read")
    return found


async def read_markets(exchange: ExchangeReads, tickers: Sequence[MarketTicker]) -> list[Listing]:
    """These markets, whatever their series and status; unknown ones are left out.

    A market does not name its series, so the usual fees stand in and exposure
    counts every outcome by itself, which is never too little.
    """
    if not tickers:
        return []
    query = MarketQuery(tickers=tuple(tickers), status=None, excludes_combos=False)
    page = await exchange.market_page(query)
    return [
        Listing(market=item.market, fees=_USUAL_FEES, is_exclusive=False) for item in page.markets
    ]


async def _of_series(exchange: ExchangeReads, series: SeriesTicker) -> list[Listing]:
    fees = await exchange.fee_terms(series)
    events = {terms.event_ticker: terms for terms in await exchange.event_terms(series)}
    group = classify(series).release_group
    found: dict[MarketTicker, Listing] = {}
    cursor, seen = "", set[str]()
    # An unknown cursor is answered with page one, so a listing could go round for ever.
    while cursor not in seen and len(seen) < _PAGES_MAX:
        seen.add(cursor)
        page = await exchange.market_page(MarketQuery(series_ticker=series), cursor)
        for item in page.markets:
            market = item.market
            exclusive, terms = _terms_of(events, market.event_ticker, fees)
            found[market.ticker] = Listing(
                market=market,
                fees=terms,
                is_exclusive=exclusive,
                release_group="" if group == "other" else group,
            )
        cursor = page.cursor
        if not cursor:
            break
    return list(found.values())


def _terms_of(
    events: dict[EventTicker, EventTerms], event: EventTicker, fees: FeeTerms
) -> tuple[bool, FeeTerms]:
    terms = events.get(event)
    if terms is None:
        return False, fees
    return terms.is_exclusive, terms.fees or fees
