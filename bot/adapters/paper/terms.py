"""What orders cost in each market, learnt from the listings that pass through.

A market does not say which series it belongs to; the listing it was found in
does. Of a market that was never listed the dearer common fees are assumed.
"""

from collections.abc import Iterable

from bot.domain.ids import EventTicker, SeriesTicker
from bot.domain.market import FeeTerms, Market
from bot.ports.exchange import EventTerms, ExchangeReads

_DEARER = FeeTerms(fee_type="quadratic_with_maker_fees", multiplier_e6=1_000_000)


class FeeMemory:
    """Fees by series, and by event where an event has its own."""

    def __init__(self) -> None:
        self._series_of: dict[EventTicker, SeriesTicker] = {}
        self._series: dict[SeriesTicker, FeeTerms] = {}
        self._events: dict[EventTicker, FeeTerms] = {}

    def saw_market(self, market: Market) -> None:
        """A listing named the series of this market."""
        if market.series_ticker is not None:
            self._series_of[market.event_ticker] = market.series_ticker

    def saw_series(self, series: SeriesTicker, fees: FeeTerms) -> None:
        """The fees of a series were read."""
        self._series[series] = fees

    def saw_events(self, events: Iterable[EventTerms]) -> None:
        """The open events of a series were read."""
        for event in events:
            if event.fees is not None:
                self._events[event.event_ticker] = event.fees
            else:
                self._events.pop(event.event_ticker, None)

    def known(self, event: EventTicker) -> FeeTerms | None:
        """The fees of an event's markets as far as they have been seen."""
        series = self._series_of.get(event)
        return self._events.get(event) or (self._series.get(series) if series else None)

    async def fees_of(self, event: EventTicker, exchange: ExchangeReads) -> FeeTerms:
        """The same, read from the exchange where it was not seen."""
        known = self.known(event)
        series = self._series_of.get(event)
        if known is not None or series is None:
            return known or _DEARER
        fees = await exchange.fee_terms(series)
        self.saw_series(series, fees)
        return fees
