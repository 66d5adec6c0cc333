"""Reads the pages of the configured series and stores each as it comes.

Pages are fetched a few series at a time and stored one at a time, so the
stored progress never claims a page whose snapshots are not stored. What went
wrong in one series never stops another; only an exchange that answers nobody
ends the walk early. Calls are not retried here: the client does that.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from bot.collect.exchange_scan import EXCHANGE, ExchangeScan
from bot.collect.page_rows import PageRows, rows_of
from bot.collect.settings import CollectSettings
from bot.domain.errors import (
    CredentialsRefused,
    ExchangeUnavailable,
    InvalidMessage,
    RequestRefused,
)
from bot.domain.ids import SeriesTicker
from bot.kit.clock import Clock
from bot.kit.times import SECOND_US
from bot.ports.collection import (
    CollectionStore,
    Cycle,
    SeriesProgress,
)
from bot.ports.exchange import MarketPage, MarketQuery

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleProgress:
    """How far a running cycle is, for a progress bar."""

    series: SeriesTicker
    series_done: int
    series_total: int
    scanned: int
    inserted: int
    errors: int


class MarketPages(Protocol):
    """The one read of ``ExchangeReads`` that collecting needs."""

    async def market_page(
        self, query: MarketQuery, cursor: str = "", limit: int = 1000
    ) -> MarketPage:
        """One page. Its last page has an empty cursor."""
        ...


_NOT_ASKED = "not asked: the exchange does not answer"
_SERIES_FIRST = "not asked: a configured series was not read"
_IN_A_THREAD_FROM = 50

OnProgress = Callable[[CycleProgress], None]
"""Called after every page and every failure; must return at once."""


@dataclass(frozen=True, slots=True)
class _Fetched:
    """A page, or why there is none."""

    page: MarketPage | None
    failure: str | None


class SeriesWalk:
    """One run over a cycle's unfinished series. ``cycle`` is always its newest state."""

    def __init__(
        self,
        settings: CollectSettings,
        exchange: MarketPages,
        store: CollectionStore,
        clock: Clock,
        cycle: Cycle,
        *,
        scan: ExchangeScan | None = None,
    ) -> None:
        self._settings = settings
        self._scan = scan
        self._exchange = exchange
        self._store = store
        self._clock = clock
        self._base = cycle
        self._inserted = cycle.inserted
        wanted = (*settings.series, EXCHANGE) if scan is not None else settings.series
        self._progress = _to_do(wanted, cycle.progress)
        self.unknown_fields: Counter[str] = Counter()
        """How many markets of this run carried a field nobody documented."""
        self._fetching = asyncio.Semaphore(settings.concurrency)
        self._saving = asyncio.Lock()
        self._outages = 0
        self._deadline_us = clock.monotonic_us() + settings.deadline_s * 1_000_000

    @property
    def cycle(self) -> Cycle:
        """The cycle with what has been read so far."""
        return replace(self._base, inserted=self._inserted, progress=tuple(self._progress.values()))

    async def run(self, on_progress: OnProgress) -> None:
        """Read every series to its last page or its first failure, then the whole exchange.

        The exchange comes last and only after every series was read: its listing names
        no series, and a market's first row of an hour stays.

        Raises, inside an exception group:
            CycleTakenOver: another run continues this cycle.
            StorageUnavailable: a page could not be stored.
        """
        async with asyncio.TaskGroup() as group:
            for progress in tuple(self._progress.values()):
                if not progress.is_done and progress.series != EXCHANGE:
                    group.create_task(self._read(progress.series, on_progress))
        if self._scan is not None:
            await self._read_exchange(self._scan, on_progress)
        if unasked := [each for each in self._progress.values() if each.failure == _NOT_ASKED]:
            logger.error(
                "exchange does not answer: check the network and KALSHI_ENVIRONMENT",
                extra={"series_not_asked": len(unasked)},
            )

    async def _read_exchange(self, scan: ExchangeScan, on_progress: OnProgress) -> None:
        others = [each for name, each in self._progress.items() if name != EXCHANGE]
        why = scan.refused
        if not all(each.is_done for each in others):
            why = _SERIES_FIRST
        if why is None:
            await self._read(EXCHANGE, on_progress)
        elif not self._is_over(EXCHANGE):
            self._fail(EXCHANGE, why)
            on_progress(self._report(EXCHANGE))

    async def _read(self, series: SeriesTicker, on_progress: OnProgress) -> None:
        """Page after page; the next one is fetched while one is stored."""
        seen: set[str] = set()
        async with self._fetching, asyncio.TaskGroup() as group:
            ahead: asyncio.Task[_Fetched] | None = None
            while not self._is_over(series):
                cursor = self._progress[series].cursor
                seen.add(cursor)
                fetched = await (ahead or group.create_task(self._fetch(series, cursor)))
                ahead, failure = None, fetched.failure
                if fetched.page is not None:
                    if self._goes_on(series, fetched.page, seen):
                        ahead = group.create_task(self._fetch(series, fetched.page.cursor))
                    await self._save(series, fetched.page)
                    failure = self._why_not_on(series, seen)
                if failure is not None:
                    self._fail(series, failure)
                on_progress(self._report(series))

    def _goes_on(self, series: SeriesTicker, page: MarketPage, seen: set[str]) -> bool:
        is_last = self._progress[series].pages + 1 >= self._settings.pages_per_series_max
        return bool(page.cursor) and page.cursor not in seen and not is_last

    def _is_over(self, series: SeriesTicker) -> bool:
        progress = self._progress[series]
        return progress.is_done or progress.failure is not None

    async def _fetch(self, series: SeriesTicker, cursor: str) -> _Fetched:
        """A page, or why there is none."""
        if self._outages >= self._settings.outages_max:
            return _Fetched(None, _NOT_ASKED)
        query = MarketQuery(series_ticker=series)
        if series == EXCHANGE and self._scan is not None:
            query = self._scan.query
        left_s = (self._deadline_us - self._clock.monotonic_us()) / 1_000_000
        try:
            # Only the read is cut short: a save that was cancelled could have been committed.
            async with asyncio.timeout(left_s):
                page = await self._exchange.market_page(query, cursor, self._settings.page_limit)
        except TimeoutError:
            return _Fetched(None, f"not read within the {self._settings.deadline_s} s of a cycle")
        except ExchangeUnavailable as fault:
            self._outages += 1
            return _Fetched(None, _reason(fault))
        except (CredentialsRefused, RequestRefused, InvalidMessage) as fault:
            return _Fetched(None, _reason(fault))
        self._outages = 0
        wrong = self._clock_fault(page)
        return _Fetched(page if wrong is None else None, wrong)

    def _clock_fault(self, page: MarketPage) -> str | None:
        """Why no hour can be named: the answer's own time is far from this machine's clock."""
        if page.server_us is None:
            return None
        ahead_us = self._clock.now_us() - page.server_us
        if abs(ahead_us) <= self._settings.clock_skew_max_s * SECOND_US:
            return None
        seconds, word = abs(ahead_us) // SECOND_US, "ahead of" if ahead_us > 0 else "behind"
        return f"this machine's clock is {seconds} s {word} the exchange's: set it (NTP)"

    async def _save(self, series: SeriesTicker, page: MarketPage) -> None:
        rows = await self._rows(series, page)
        for name in page.unknown_fields:
            self.unknown_fields[name] += 1
        async with self._saving:
            # In memory only what is stored: a failed save must not look read.
            before = self._progress[series]
            self._progress[series] = _advanced(before, page, len(rows.quarantined))
            try:
                self._inserted += await self._store.save_page(
                    self.cycle, rows.snapshots, rows.quarantined
                )
            except BaseException:
                self._progress[series] = before
                raise
        for item in rows.quarantined:
            logger.warning("market quarantined", extra={"ticker": item.name, "why": item.reason})

    async def _rows(self, series: SeriesTicker, page: MarketPage) -> PageRows:
        named = None if series == EXCHANGE else series
        hour, at_us = self._base.snapshot_hour_utc, self._clock.now_us()
        if len(page.markets) < _IN_A_THREAD_FROM:
            return rows_of(page, named, hour, at_us)
        return await asyncio.to_thread(rows_of, page, named, hour, at_us)

    def _why_not_on(self, series: SeriesTicker, seen: set[str]) -> str | None:
        progress = self._progress[series]
        if progress.is_done:
            return None
        if progress.cursor in seen:
            # The venue answers a cursor it does not know with page one.
            return "the listing's cursor repeats"
        if progress.pages >= self._settings.pages_per_series_max:
            return f"more than {self._settings.pages_per_series_max} pages"
        return None

    def _fail(self, series: SeriesTicker, why: str) -> None:
        self._progress[series] = replace(self._progress[series], failure=why)
        # What was not asked is told once, in sum.
        level = logging.DEBUG if why == _NOT_ASKED else logging.WARNING
        logger.log(level, "api error: page failed", extra={"series": series, "why": why})

    def _report(self, series: SeriesTicker) -> CycleProgress:
        cycle = self.cycle
        return CycleProgress(
            series=series,
            series_done=sum(self._is_over(each) for each in self._progress),
            series_total=len(self._progress),
            scanned=cycle.scanned,
            inserted=cycle.inserted,
            errors=cycle.errors,
        )


def _to_do(
    wanted: tuple[SeriesTicker, ...], stored: tuple[SeriesProgress, ...]
) -> dict[SeriesTicker, SeriesProgress]:
    """Where each series goes on: failures are tried again, dropped series keep their counts."""
    known = {each.series: replace(each, failure=None) for each in stored}
    to_do = {series: known.pop(series, SeriesProgress(series=series)) for series in wanted}
    return to_do | {series: replace(each, is_done=True) for series, each in known.items()}


def _advanced(progress: SeriesProgress, page: MarketPage, quarantined: int) -> SeriesProgress:
    return replace(
        progress,
        cursor=page.cursor,
        pages=progress.pages + 1,
        scanned=progress.scanned + len(page.markets) + len(page.quarantined),
        quarantined=progress.quarantined + quarantined,
        is_done=not page.cursor,
    )


def _reason(fault: Exception) -> str:
    return f"{type(fault).__name__}: {fault}"
