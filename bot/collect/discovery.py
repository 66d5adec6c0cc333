"""Finds the events and markets of the configured series and keeps them as last listed.

The first pass, and one a day, lists everything that is open. Passes in between ask
for what changed since, which finds new markets and changed terms; opening and
closing by time change nothing at the venue and are told by the times themselves.
A series' mark moves only when its last page is stored, and ``last_discovery_ts``
only when no series failed: an outage never looks like a quiet exchange.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from bot.collect.asking import Asking, Past, Unanswered, pieces
from bot.collect.cursors import (
    DISCOVERY,
    DISCOVERY_HEARTBEAT,
    discovery_key,
    full_discovery_key,
    read_instant,
    write_instant,
)
from bot.domain.errors import InvalidMessage
from bot.domain.ids import EventTicker, SeriesTicker
from bot.kit.metrics import Metric, emit
from bot.kit.times import SECOND_US
from bot.ports.history_reads import EVENTS_PER_PAGE, EventQuery, ListingPage, RecordQuery

OnSeries = Callable[[int, int, str], None]
"""Told after each series: done, total, a few words. Must return at once."""


@dataclass(slots=True)
class DiscoveryReport:
    """What one pass found. ``error`` is ``None`` where every page was read and stored."""

    series: int = 0
    events: int = 0
    markets: int = 0
    new_markets: int = 0
    calls: int = 0
    errors: int = 0
    error: str | None = None
    duration_us: int = 0
    failed_series: list[SeriesTicker] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is lacking."""
        return not self.failed_series

    @property
    def facts(self) -> dict[str, object]:
        """For people and for ``--json``."""
        return {
            "outcome": "complete" if self.is_complete else "partial",
            "series": self.series,
            "events": self.events,
            "markets": self.markets,
            "new_markets": self.new_markets,
            "calls": self.calls,
            "errors": self.errors,
            "error": self.error,
            "failed_series": list(self.failed_series),
        }


class Discovery:
    """Runs passes, one at a time."""

    def __init__(self, past: Past) -> None:
        self._past = past
        self._failures = 0
        self._beat_us = 0

    async def run(
        self,
        *,
        series: Sequence[SeriesTicker] = (),
        is_full: bool = False,
        on_series: OnSeries | None = None,
    ) -> DiscoveryReport:
        """One pass over ``series``, or all configured ones. Faults of the exchange are its result.

        Raises:
            StorageUnavailable: what was found could not be stored.
        """
        began_us, start_us = self._past.clock.monotonic_us(), self._past.clock.now_us()
        wanted = tuple(series) or self._past.settings.series
        asking = Asking(self._past.settings.outages_max, Metric.DISCOVERY_ITEM_ERROR)
        report = DiscoveryReport(series=len(wanted))
        for number, one in enumerate(wanted, start=1):
            if not await self._read(one, asking, report, is_full=is_full):
                report.failed_series.append(one)
            if on_series is not None:
                on_series(number, len(wanted), f"{one}: {report.markets} markets")
        report.calls, report.errors = asking.calls, len(asking.errors)
        report.error = asking.summary()
        report.duration_us = self._past.clock.monotonic_us() - began_us
        # A pass over some of the series says nothing about the others.
        if report.is_complete and set(wanted) >= set(self._past.settings.series):
            await self._mark({DISCOVERY: write_instant(start_us)})
        self._tell(report)
        return report

    async def _read(
        self, series: SeriesTicker, asking: Asking, report: DiscoveryReport, *, is_full: bool
    ) -> bool:
        """One series to its last page; whether that was reached."""
        if asking.is_over:
            return False
        start_us = self._past.clock.now_us()
        since_us = None if is_full else await self._changes_since(series, start_us)
        try:
            if since_us is None:
                await self._list(series, asking, report)
            else:
                await self._changes(series, since_us, asking, report)
        except Unanswered:
            return False
        done = {discovery_key(series): write_instant(start_us)}
        if since_us is None:
            done |= {full_discovery_key(series): write_instant(start_us)}
        await self._mark(done)
        return True

    async def _changes_since(self, series: SeriesTicker, now_us: int) -> int | None:
        """From when on changes suffice; ``None`` where everything is to be listed."""
        settings = self._past.settings
        keys = [discovery_key(series), full_discovery_key(series)]
        marks = await self._past.store.marks(keys)
        last, full = (read_instant(marks.get(key, "")) for key in keys)
        if last is None or full is None or last > now_us:
            return None
        if now_us - full >= settings.full_discovery_s * SECOND_US:
            return None
        return last - settings.overlap_s * SECOND_US

    async def _list(self, series: SeriesTicker, asking: Asking, report: DiscoveryReport) -> None:
        for status in self._past.settings.discovery_statuses:
            query = EventQuery(series_ticker=series, status=status)
            async for page in self._event_pages(query, asking):
                await self._store(page, asking, report)

    async def _changes(
        self, series: SeriesTicker, since_us: int, asking: Asking, report: DiscoveryReport
    ) -> None:
        query = RecordQuery(series_ticker=series, min_updated_us=since_us)
        events: list[EventTicker] = []
        async for page in record_pages(self._past, query, asking):
            events += [each.event_ticker for each in page.markets]
            await self._store(page, asking, report)
        missing = await self._past.store.missing_events(events)
        for at in range(0, len(missing), EVENTS_PER_PAGE):
            some = tuple(missing[at : at + EVENTS_PER_PAGE])
            async for page in self._event_pages(EventQuery(tickers=some), asking):
                await self._store(page, asking, report)

    def _event_pages(self, query: EventQuery, asking: Asking) -> AsyncIterator[ListingPage]:
        what = f"events of {query.series_ticker or query.tickers[0]}"
        return pages(
            self._past, asking, what, lambda cursor: self._past.reads.event_page(query, cursor)
        )

    async def _store(self, page: ListingPage, asking: Asking, report: DiscoveryReport) -> None:
        await self._past.set_aside(asking, page.quarantined)
        now_us = self._past.clock.now_us()
        events = page.events
        for markets in pieces(page.markets):
            report.new_markets += await self._past.store.save_listing(events, markets, [], now_us)
            events = ()
        report.events += len(page.events)
        report.markets += len(page.markets)
        if now_us - self._beat_us >= self._past.settings.heartbeat_s * SECOND_US:
            self._beat_us = now_us
            await self._mark({DISCOVERY_HEARTBEAT: write_instant(now_us)})

    async def _mark(self, marks: dict[str, str]) -> None:
        await self._past.store.put_marks(marks, self._past.clock.now_us())

    def _tell(self, report: DiscoveryReport) -> None:
        self._failures = 0 if report.is_complete else self._failures + 1
        emit(
            Metric.DISCOVERY,
            level=logging.INFO if report.is_complete else logging.WARNING,
            success=None if report.is_complete else False,
            consecutive_failures=self._failures or None,
            duration_s=report.duration_us / SECOND_US,
            events=report.events,
            markets=report.markets,
            new=report.new_markets,
            errors_total=report.errors,
        )


async def record_pages(
    past: Past, query: RecordQuery, asking: Asking
) -> AsyncIterator[ListingPage]:
    """Every page of a listing of markets.

    Raises:
        Unanswered: the listing could not be finished.
    """
    what = f"markets of {query.series_ticker}"
    async for page in pages(past, asking, what, lambda at: past.reads.record_page(query, at)):
        yield page


async def pages(
    past: Past, asking: Asking, what: str, ask: Callable[[str], Awaitable[ListingPage]]
) -> AsyncIterator[ListingPage]:
    """Every page of a listing, from the first to the one without a cursor.

    Raises:
        Unanswered: the listing could not be finished.
    """
    cursor, seen = "", {""}
    for _ in range(past.settings.pages_max):
        page = await asking.ask(what, ask(cursor))
        yield page
        cursor = page.cursor
        if not cursor:
            return
        if cursor in seen:
            # The venue answers a cursor it does not know with page one.
            break
        seen.add(cursor)
    asking.failed(what, InvalidMessage("the listing does not end, or begins again"))
    raise Unanswered(is_missing=False)
