"""Reads the pages of the configured series and stores each as it comes.

Pages are fetched a few series at a time and stored one at a time, so the
stored progress never claims a page whose snapshots are not stored. What went
wrong in one series never stops another; only an exchange that answers nobody
ends the walk early. Calls are not retried here: the client does that.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from bot.collect.macro_filter import classify, probability_bucket
from bot.collect.settings import CollectSettings
from bot.domain.errors import (
    CredentialsRefused,
    ExchangeUnavailable,
    InvalidMessage,
    RequestRefused,
)
from bot.domain.ids import SeriesTicker
from bot.kit.clock import Clock
from bot.kit.times import format_seconds
from bot.ports.collection import (
    CollectionStore,
    Cycle,
    QuarantinedItem,
    SeriesProgress,
    Snapshot,
)
from bot.ports.exchange import ListedMarket, MarketPage, MarketQuery

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

OnProgress = Callable[[CycleProgress], None]
"""Called after every page and every failure; must return at once."""


def snapshot_of(listed: ListedMarket, series: SeriesTicker, hour: str, at_us: int) -> Snapshot:
    """The hourly snapshot of one listed market, with its calibration fields."""
    market = listed.market
    return Snapshot(
        market_id=market.ticker,
        snapshot_hour_utc=hour,
        payload_json=listed.raw.decode("utf-8", "backslashreplace"),
        created_at_utc=format_seconds(at_us),
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


class SeriesWalk:
    """One run over a cycle's unfinished series. ``cycle`` is always its newest state."""

    def __init__(
        self,
        settings: CollectSettings,
        exchange: MarketPages,
        store: CollectionStore,
        clock: Clock,
        cycle: Cycle,
    ) -> None:
        self._settings = settings
        self._exchange = exchange
        self._store = store
        self._clock = clock
        self._base = cycle
        self._inserted = cycle.inserted
        self._progress = _to_do(settings.series, cycle.progress)
        self._fetching = asyncio.Semaphore(settings.concurrency)
        self._saving = asyncio.Lock()
        self._outages = 0
        self._deadline_us = clock.monotonic_us() + settings.deadline_s * 1_000_000

    @property
    def cycle(self) -> Cycle:
        """The cycle with what has been read so far."""
        return replace(self._base, inserted=self._inserted, progress=tuple(self._progress.values()))

    async def run(self, on_progress: OnProgress) -> None:
        """Read every series to its last page or its first failure.

        Raises, inside an exception group:
            CycleTakenOver: another run continues this cycle.
            StorageUnavailable: a page could not be stored.
        """
        async with asyncio.TaskGroup() as group:
            for progress in tuple(self._progress.values()):
                if not progress.is_done:
                    group.create_task(self._read(progress.series, on_progress))
        if unasked := [each for each in self._progress.values() if each.failure == _NOT_ASKED]:
            logger.error(
                "exchange does not answer: check the network and KALSHI_ENVIRONMENT",
                extra={"series_not_asked": len(unasked)},
            )

    async def _read(self, series: SeriesTicker, on_progress: OnProgress) -> None:
        seen: set[str] = set()
        async with self._fetching:
            while not self._is_over(series):
                cursor = self._progress[series].cursor
                seen.add(cursor)
                page, failure = await self._fetch(series, cursor)
                if page is not None:
                    await self._save(series, page)
                    failure = self._why_not_on(series, seen)
                if failure is not None:
                    self._fail(series, failure)
                on_progress(self._report(series))

    def _is_over(self, series: SeriesTicker) -> bool:
        progress = self._progress[series]
        return progress.is_done or progress.failure is not None

    async def _fetch(
        self, series: SeriesTicker, cursor: str
    ) -> tuple[MarketPage | None, str | None]:
        """A page, or why there is none."""
        if self._outages >= self._settings.outages_max:
            return None, _NOT_ASKED
        query = MarketQuery(series_ticker=series)
        left_s = (self._deadline_us - self._clock.monotonic_us()) / 1_000_000
        try:
            # Only the read is cut short: a save that was cancelled could have been committed.
            async with asyncio.timeout(left_s):
                page = await self._exchange.market_page(query, cursor, self._settings.page_limit)
        except TimeoutError:
            return None, f"not read within the {self._settings.deadline_s} s of a cycle"
        except ExchangeUnavailable as fault:
            self._outages += 1
            return None, _reason(fault)
        except (CredentialsRefused, RequestRefused, InvalidMessage) as fault:
            return None, _reason(fault)
        self._outages = 0
        return page, None

    async def _save(self, series: SeriesTicker, page: MarketPage) -> None:
        now_us = self._clock.now_us()
        hour = self._base.snapshot_hour_utc
        snapshots = [snapshot_of(each, series, hour, now_us) for each in page.markets]
        quarantined = [
            QuarantinedItem(name=each.name, reason=each.reason, raw=each.raw, at_us=now_us)
            for each in page.quarantined
        ]
        async with self._saving:
            # In memory only what is stored: a failed save must not look read.
            before = self._progress[series]
            self._progress[series] = _advanced(before, page)
            try:
                self._inserted += await self._store.save_page(self.cycle, snapshots, quarantined)
            except BaseException:
                self._progress[series] = before
                raise
        for item in quarantined:
            logger.warning("market quarantined", extra={"ticker": item.name, "why": item.reason})

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


def _advanced(progress: SeriesProgress, page: MarketPage) -> SeriesProgress:
    return replace(
        progress,
        cursor=page.cursor,
        pages=progress.pages + 1,
        scanned=progress.scanned + len(page.markets) + len(page.quarantined),
        quarantined=progress.quarantined + len(page.quarantined),
        is_done=not page.cursor,
    )


def _reason(fault: Exception) -> str:
    return f"{type(fault).__name__}: {fault}"
