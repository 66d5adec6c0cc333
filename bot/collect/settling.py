"""Follows closed markets to their end: final state, result, and what they showed before.

The prices at the horizons come from stored candles and snapshots. A market's last day
is read by the minute before it is entered, so that the horizons of a day or less are
exact. A market is in the ledger once it is final; until then it is looked at again.
"""

import json
import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from bot.collect.asking import Asking, Past, Unanswered
from bot.collect.candle_backfill import CandleBackfill, Reading
from bot.collect.cursors import CLEANUP, write_instant
from bot.collect.discovery import OnSeries, record_pages
from bot.collect.macro_filter import classify
from bot.domain.ids import MarketTicker, SeriesTicker
from bot.domain.market import MarketStatus
from bot.kit.metrics import Metric, emit
from bot.kit.times import HOUR_US, MINUTE_US, SECOND_US
from bot.ports.history_reads import RecordQuery
from bot.ports.market_history import KnownMarket, MarketRecord, SettlementRecord

LISTED_AT_ONCE = 100
_LAST_DAY_MINUTES = 1_440
_LABEL = "close"


@dataclass(slots=True)
class CleanupReport:
    """What one pass did. ``waiting`` markets are closed and not final yet."""

    closed: int = 0
    settled: int = 0
    waiting: int = 0
    gone: int = 0
    """Markets that neither tier lists any more."""
    calls: int = 0
    errors: int = 0
    error: str | None = None
    duration_us: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether every closed market was looked at."""
        return self.error is None

    @property
    def facts(self) -> dict[str, object]:
        """For people and for ``--json``."""
        return {
            "outcome": "complete" if self.is_complete else "partial",
            "closed": self.closed,
            "settled": self.settled,
            "waiting": self.waiting,
            "gone": self.gone,
            "calls": self.calls,
            "errors": self.errors,
            "error": self.error,
        }


async def refresh(
    past: Past, asking: Asking, markets: Sequence[KnownMarket]
) -> dict[MarketTicker, MarketRecord]:
    """List these markets again, live and then archived, and store what they are now.

    Returns what was found; a listing that failed is counted in ``asking`` and left out.
    """
    by_series: defaultdict[SeriesTicker, list[MarketTicker]] = defaultdict(list)
    for each in markets:
        by_series[each.series_ticker].append(each.ticker)
    found: dict[MarketTicker, MarketRecord] = {}
    for series, tickers in by_series.items():
        for at in range(0, len(tickers), LISTED_AT_ONCE):
            if asking.is_over:
                return found
            found |= await _listed(past, asking, series, tickers[at : at + LISTED_AT_ONCE])
    return found


async def _listed(
    past: Past, asking: Asking, series: SeriesTicker, tickers: Sequence[MarketTicker]
) -> dict[MarketTicker, MarketRecord]:
    found: dict[MarketTicker, MarketRecord] = {}
    for is_archived in (False, True):
        missing = tuple(each for each in tickers if each not in found)
        if not missing:
            break
        query = RecordQuery(series_ticker=series, tickers=missing, is_archived=is_archived)
        try:
            async for page in record_pages(past, query, asking):
                await past.set_aside(asking, page.quarantined)
                await past.store.save_listing([], page.markets, [], past.clock.now_us())
                found |= {each.ticker: each for each in page.markets if each.ticker in missing}
        except Unanswered:
            break
    return found


class ClosedCleanup:
    """Runs passes, one at a time."""

    def __init__(self, past: Past) -> None:
        self._past = past
        self._failures = 0

    async def run(
        self,
        *,
        series: Sequence[SeriesTicker] = (),
        markets: Sequence[KnownMarket] | None = None,
        on_series: OnSeries | None = None,
    ) -> CleanupReport:
        """Look at every closed market that is not in the ledger, or at ``markets`` again.

        Raises:
            StorageUnavailable: what was found could not be stored.
        """
        began_us, now_us = self._past.clock.monotonic_us(), self._past.clock.now_us()
        asking = Asking(self._past.settings.outages_max, Metric.BACKFILL_ITEM_ERROR)
        before_us = now_us - self._past.settings.grace_minutes * MINUTE_US
        chosen = markets
        if chosen is None:
            chosen = await self._past.store.unsettled(before_us, series)
        report = CleanupReport(closed=len(chosen))
        for at in range(0, len(chosen), LISTED_AT_ONCE):
            await self._settle(chosen[at : at + LISTED_AT_ONCE], asking, report)
            if on_series is not None:
                done = min(at + LISTED_AT_ONCE, len(chosen))
                on_series(done, len(chosen), f"{report.settled} settled")
        report.calls, report.errors = asking.calls, len(asking.errors)
        report.error = asking.summary()
        report.duration_us = self._past.clock.monotonic_us() - began_us
        if report.is_complete and markets is None and not series:
            await self._past.store.put_marks({CLEANUP: write_instant(now_us)}, now_us)
        self._tell(report)
        return report

    async def _settle(
        self, markets: Sequence[KnownMarket], asking: Asking, report: CleanupReport
    ) -> None:
        records = await refresh(self._past, asking, markets)
        if not asking.errors:
            report.gone += len(markets) - len(records)
        final = [each for each in markets if _is_final(records.get(each.ticker))]
        report.waiting += len(records) - len(final)
        if not final:
            return
        left = await self._read_last_days(final, records, asking)
        ready = [each for each in final if each.ticker not in left]
        settled = [await self._record(each, records[each.ticker]) for each in ready]
        await self._past.store.save_settlements(settled, self._past.clock.now_us())
        report.settled += len(settled)

    async def _read_last_days(
        self,
        markets: Sequence[KnownMarket],
        records: dict[MarketTicker, MarketRecord],
        asking: Asking,
    ) -> set[MarketTicker]:
        """Store each market's minutes before its close; returns those not read to the end."""
        try:
            cutoff = await asking.ask("the archive's border", self._past.reads.cutoff())
        except Unanswered:
            return set(records)
        left: set[MarketTicker] = set()
        by_hour: defaultdict[int, list[KnownMarket]] = defaultdict(list)
        for each in markets:
            close_us = records[each.ticker].close_us
            by_hour[close_us // HOUR_US].append(_as_listed(each, records[each.ticker]))
        for alike in by_hour.values():
            first_us = min(each.close_us for each in alike) - _LAST_DAY_MINUTES * MINUTE_US
            # An hour more: what holds at the longest horizon was said some time before it.
            reading = Reading(
                until_us=self._past.clock.now_us(), from_us=first_us - HOUR_US, label=_LABEL
            )
            backfill = CandleBackfill(self._past, asking, reading, cutoff, 1)
            async for _ in backfill.run(alike):
                pass
            left |= backfill.left
        return left

    async def _record(self, market: KnownMarket, record: MarketRecord) -> SettlementRecord:
        horizons = self._past.settings.horizons_minutes
        store = self._past.store
        details = json.loads(record.details_json)
        return SettlementRecord(
            ticker=record.ticker,
            event_ticker=record.event_ticker,
            series_ticker=record.series_ticker,
            macro_event_type=classify(record.series_ticker).event_type,
            market_type=record.market_type,
            result=record.result,
            settlement_value=record.settlement_value,
            expiration_value=str(details.get("expiration_value", "")),
            open_us=record.open_us,
            close_us=record.close_us,
            first_close_us=market.first_close_us,
            settled_us=record.settled_us,
            volume=record.volume,
            prices=tuple(await store.prices_before(record.ticker, record.close_us, horizons)),
        )

    def _tell(self, report: CleanupReport) -> None:
        self._failures = 0 if report.is_complete else self._failures + 1
        emit(
            Metric.CLOSED_CLEANUP,
            level=logging.INFO if report.is_complete else logging.WARNING,
            success=None if report.is_complete else False,
            consecutive_failures=self._failures or None,
            duration_s=report.duration_us / SECOND_US,
            closed=report.closed,
            settled=report.settled,
            waiting=report.waiting,
            errors_total=report.errors,
        )


def _is_final(record: MarketRecord | None) -> bool:
    return record is not None and record.status is MarketStatus.FINALIZED


def _as_listed(market: KnownMarket, record: MarketRecord) -> KnownMarket:
    return known_of(record, market.first_close_us, market.strike_period)


def known_of(record: MarketRecord, first_close_us: int, strike_period: str | None) -> KnownMarket:
    """A market as just listed."""
    return KnownMarket(
        ticker=record.ticker,
        event_ticker=record.event_ticker,
        series_ticker=record.series_ticker,
        market_type=record.market_type,
        status=record.status,
        strike_period=strike_period,
        open_us=record.open_us,
        close_us=record.close_us,
        first_close_us=first_close_us,
        settled_us=record.settled_us,
        result=record.result,
        settlement_value=record.settlement_value,
        volume=record.volume,
    )
