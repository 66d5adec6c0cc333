"""``gaps --repair``: the gaps that were found, and the parts that fetch what can be fetched."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from bot.adapters.kalshi.gateway import KalshiExchange
from bot.adapters.storage.collection import SqlCollectionStore
from bot.adapters.storage.database import Database
from bot.adapters.storage.gaps import SqlGapStore
from bot.adapters.storage.market_history import SqlMarketHistoryStore
from bot.adapters.storage.stream_reads import SqlStreamReads
from bot.app.basics import Means, open_existing_database, real_means
from bot.app.build import collect_settings, exchange_of, signer_of
from bot.app.gaps import GapAnswer, GapQuestion, answer
from bot.app.settings import BotSettings
from bot.collect.asking import Past
from bot.collect.backfill import CANDLES, TRADES, Backfill, BackfillProgress
from bot.collect.candle_backfill import Reading
from bot.collect.discovery import Discovery
from bot.collect.history_settings import EVENT_STATUSES, HistorySettings
from bot.collect.repair import (
    SNAPSHOTS,
    Missing,
    OnAdvance,
    PastRead,
    Repairer,
    RepairReport,
    whole_hours,
)
from bot.collect.series_walk import CycleProgress
from bot.collect.settling import ClosedCleanup
from bot.collect.snapshots import MODE, Collector
from bot.kit.times import HOUR_US, SECOND_US, hour_key, parse_rfc3339
from bot.ports.collection import CycleOutcome
from bot.ports.gaps import Repair, RepairOutcome
from bot.ports.market_history import KnownMarket
from bot.ports.stream import GapReason

_LATE = "collected late in its own hour"
_STREAM = "the live stream missed it"


class ExchangePast:
    """``PastReader`` over discovery's markets and the exchange's history."""

    def __init__(self, past: Past) -> None:
        self._past = past
        self._backfill = Backfill(past)
        self._has_discovered = False

    async def candles(self, missing: Missing, on_advance: OnAdvance) -> PastRead:
        """See the port."""
        return await self._read(missing, CANDLES, on_advance)

    async def trades(self, missing: Missing, on_advance: OnAdvance) -> PastRead:
        """See the port."""
        return await self._read(missing, TRADES, on_advance)

    async def settlements(self, on_advance: OnAdvance) -> PastRead:
        """See the port."""
        report = await ClosedCleanup(self._past).run(on_series=on_advance)
        left = report.closed - report.settled if report.error else 0
        return PastRead(markets=report.closed, rows=report.settled, left=left, error=report.error)

    async def _markets(self, missing: Missing, on_advance: OnAdvance) -> Sequence[KnownMarket]:
        """Those open at that time; where none is known, the exchange is asked once for all."""
        series = (missing.series,) if missing.series else self._past.settings.series
        known = partial(
            self._past.store.markets_of,
            series=series,
            open_before_us=missing.to_us,
            live_since_us=missing.from_us,
        )
        markets = await known()
        if markets or self._has_discovered:
            return markets
        self._has_discovered = True
        settings = replace(self._past.settings, discovery_statuses=EVENT_STATUSES)
        discovery = Discovery(replace(self._past, settings=settings))
        await discovery.run(is_full=True, on_series=on_advance)
        return await known()

    async def _read(self, missing: Missing, kind: str, on_advance: OnAdvance) -> PastRead:
        markets = await self._markets(missing, on_advance)
        if not markets:
            return PastRead(markets=0, rows=0, left=0)

        def show(progress: BackfillProgress) -> None:
            on_advance(progress.done, progress.total, f"{kind} {hour_key(missing.from_us)}")

        # Cursors of its own: the regular ones must not jump, and a second run goes on here.
        label = f"repair-{missing.from_us // SECOND_US}-{missing.to_us // SECOND_US}"
        reading = Reading(until_us=missing.to_us, from_us=missing.from_us, label=label)
        report = await self._backfill.run(markets, reading, [kind], on_progress=show)
        rows = report.candles + report.trades
        return PastRead(markets=len(markets), rows=rows, left=len(report.left), error=report.error)


class LateHour:
    """``RunningHour``: one more cycle for an hour that has none that is complete."""

    def __init__(self, store: SqlCollectionStore, collector: Collector, means: Means) -> None:
        self._store = store
        self._collector = collector
        self._means = means

    async def collect(self, on_advance: OnAdvance) -> Repair | None:
        """See the port."""
        hour = hour_key(self._means.clock.now_us())
        cycles = [one for one in await self._store.cycles(hour, hour) if one.mode == MODE]
        if any(one.outcome in {CycleOutcome.COMPLETE, CycleOutcome.RUNNING} for one in cycles):
            return None

        def show(progress: CycleProgress) -> None:
            on_advance(progress.series_done, progress.series_total, f"hour {hour}")

        report = await self._collector.run(show)
        cycle = report.cycle
        if cycle.outcome is CycleOutcome.TAKEN_OVER:
            return None
        begin_us = parse_rfc3339(cycle.snapshot_hour_utc)
        return Repair(
            what=SNAPSHOTS,
            subject="",
            from_us=begin_us,
            to_us=begin_us + HOUR_US,
            outcome=RepairOutcome.REFETCHED if report.is_success else RepairOutcome.FAILED,
            rows=cycle.inserted,
            reason=_LATE if report.is_success else cycle.error or cycle.outcome.value,
            at_us=report.finished_us,
        )


async def repair_gaps(
    settings: BotSettings, question: GapQuestion, on_advance: OnAdvance
) -> tuple[GapAnswer, RepairReport]:
    """Find the gaps and fetch what can be fetched; the answer is what is missing still.

    Raises:
        StorageUnavailable: there is no database, or something could not be stored.
        UnknownSeries: nobody ever heard of the series.
    """
    means = real_means()
    async with (
        open_existing_database(settings) as database,
        exchange_of(settings, means, signer_of(settings)).open() as exchange,
    ):
        found = await answer(settings, database, question, means.clock.now_us())
        missing = await missing_of(found, database)
        repairer = repairer_of(settings, means, database, exchange)
        report = await repairer.run(missing, on_advance)
        return await answer(settings, database, question, means.clock.now_us()), report


def repairer_of(
    settings: BotSettings, means: Means, database: Database, exchange: KalshiExchange
) -> Repairer:
    """The repair over real parts."""
    collecting = collect_settings(settings)
    past = Past(
        settings=HistorySettings(series=collecting.series),
        reads=exchange.history,
        store=SqlMarketHistoryStore(database),
        clock=means.clock,
    )
    store = SqlCollectionStore(database)
    collector = Collector(collecting, exchange, store, means.clock, means.ids)
    hour = LateHour(store, collector, means)
    return Repairer(SqlGapStore(database), ExchangePast(past), means.clock, hour)


async def missing_of(found: GapAnswer, database: Database) -> Sequence[Missing]:
    """Each gap as a time to be repaired, oldest first."""
    missing = [
        Missing(
            from_us=parse_rfc3339(gap.first_hour),
            to_us=parse_rfc3339(gap.last_hour) + HOUR_US,
            series=gap.series,
            reason=gap.reason.value,
        )
        for gap in found.hours.gaps
    ]
    missing += [
        Missing(
            from_us=parse_rfc3339(gap.first_hour),
            to_us=parse_rfc3339(gap.last_hour) + HOUR_US,
            series=gap.series,
            reason=gap.reason.value,
        )
        for gap in found.markets.gaps
    ]
    if found.ticks.gaps and found.hours.first_hour and found.hours.last_hour:
        begin_us = parse_rfc3339(found.hours.first_hour)
        end_us = parse_rfc3339(found.hours.last_hour) + HOUR_US
        spans = [
            (max(one.from_us, begin_us), min(one.to_us or end_us, end_us))
            for one in await SqlStreamReads(database).gaps(begin_us, end_us)
            # Let go on purpose, and for long: the regular passes read what such a market traded.
            if one.reason is not GapReason.UNWATCHED
        ]
        missing += [
            Missing(from_us=from_us, to_us=to_us, series=None, reason=_STREAM, of_stream=True)
            for from_us, to_us in whole_hours(spans)
        ]
    return sorted(missing, key=lambda one: (one.from_us, one.to_us, one.series or ""))
