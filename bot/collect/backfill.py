"""Reads what is lacking of the past of markets: candles of their periods, and trades.

A regular pass covers every market that was alive since the last complete pass.
``last_min_close_ts`` says when that was: it moves only when nothing is left, so a
market that closed before it has been read to its end, or for two weeks could not be:
each pass would be about everything since one that the venue forgot. A separate reading, over
chosen markets from a chosen time, has cursors of its own and can be interrupted
and repeated like a regular one.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bot.collect.asking import Asking, Past, Unanswered
from bot.collect.candle_backfill import CandleBackfill, Reading
from bot.collect.cursors import MIN_CLOSE, read_instant
from bot.collect.gap_reasons import OUTAGE_WORDS
from bot.collect.settling import known_of, refresh
from bot.collect.trade_backfill import TradeBackfill
from bot.domain.ids import MarketTicker
from bot.domain.market import MarketStatus
from bot.kit.metrics import Metric, emit
from bot.kit.times import DAY_US, HOUR_US, SECOND_US
from bot.ports.history_reads import HistoryCutoff
from bot.ports.market_history import KnownMarket

CANDLES, TRADES = "candles", "trades"
KINDS = (CANDLES, TRADES)
_FIRST_PASS_US = 7 * DAY_US
# A market's last period may end so long after its close: a day of New York.
_LAST_PERIOD_US = 26 * HOUR_US
_GIVEN_UP_US = 14 * DAY_US
"""So long after its close a market that cannot be read holds up the mark no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillProgress:
    """How far a running pass is, for a progress bar."""

    kind: str
    done: int
    total: int
    candles: int
    trades: int
    errors: int


OnBackfill = Callable[[BackfillProgress], None]
"""Called after every step; must return at once."""


@dataclass(slots=True)
class BackfillReport:
    """What one pass read. Counts are of rows that are new, or differ from the stored ones."""

    markets: int = 0
    candles: int = 0
    trades: int = 0
    calls: int = 0
    errors: int = 0
    error: str | None = None
    duration_us: int = 0
    left: set[MarketTicker] = field(default_factory=set)
    """Markets that were not read to the end."""

    @property
    def is_complete(self) -> bool:
        """Whether nothing is lacking."""
        return not self.left and self.error is None

    @property
    def facts(self) -> dict[str, object]:
        """For people and for ``--json``."""
        return {
            "outcome": "complete" if self.is_complete else "partial",
            "markets": self.markets,
            "candles": self.candles,
            "trades": self.trades,
            "left": len(self.left),
            "calls": self.calls,
            "errors": self.errors,
            "error": self.error,
        }


class Backfill:
    """Runs passes, one at a time."""

    def __init__(self, past: Past) -> None:
        self._past = past
        self._failures = 0

    async def run_regular(self) -> BackfillReport:
        """Read on in every market that was alive since the last complete pass.

        Raises:
            StorageUnavailable: what was read could not be stored.
        """
        settings, now_us = self._past.settings, self._past.clock.now_us()
        until_us = now_us - settings.margin_s * SECOND_US
        mark = (await self._past.store.marks([MIN_CLOSE])).get(MIN_CLOSE, "")
        since_us = read_instant(mark) or now_us - _FIRST_PASS_US
        markets = await self._past.store.markets_of(
            series=settings.series,
            open_before_us=until_us,
            live_since_us=since_us - _LAST_PERIOD_US,
        )
        reading = Reading(until_us=until_us, from_us=until_us - settings.lookback_h * HOUR_US)
        report = await self.run(markets, reading, KINDS)
        long_closed = {each.ticker for each in markets if each.close_us < until_us - _GIVEN_UP_US}
        was_answered = not any(word in (report.error or "") for word in OUTAGE_WORDS)
        if report.is_complete or (was_answered and report.left <= long_closed):
            # Epoch seconds, as its readers expect of this mark alone.
            done = {MIN_CLOSE: str(until_us // SECOND_US)}
            await self._past.store.put_marks(done, now_us)
        return report

    async def run(
        self,
        markets: Sequence[KnownMarket],
        reading: Reading,
        kinds: Sequence[str],
        *,
        minutes: Sequence[int] = (),
        on_progress: OnBackfill | None = None,
    ) -> BackfillReport:
        """One pass over these markets. Faults of the exchange are its result.

        Args:
            markets: as stored.
            reading: what to read of each.
            kinds: of :data:`KINDS`.
            minutes: period lengths; by default each market's own.
            on_progress: for a progress bar.

        Raises:
            StorageUnavailable: what was read could not be stored.
        """
        began_us = self._past.clock.monotonic_us()
        asking = Asking(self._past.settings.outages_max, Metric.BACKFILL_ITEM_ERROR)
        report = BackfillReport(markets=len(markets))
        one = _Pass(self._past, asking, reading, report, on_progress or _ignore)
        try:
            cutoff = await asking.ask("the archive's border", self._past.reads.cutoff())
        except Unanswered:
            report.left = {each.ticker for each in markets}
        else:
            fresh = await one.refreshed(markets)
            if CANDLES in kinds:
                await one.read_candles(fresh, cutoff, minutes)
            if TRADES in kinds:
                await one.read_trades(fresh, cutoff)
        report.calls, report.errors = asking.calls, len(asking.errors)
        report.error = asking.summary()
        report.duration_us = self._past.clock.monotonic_us() - began_us
        self._tell(report)
        return report

    def _tell(self, report: BackfillReport) -> None:
        self._failures = 0 if report.is_complete else self._failures + 1
        emit(
            Metric.BACKFILL,
            level=logging.INFO if report.is_complete else logging.WARNING,
            success=None if report.is_complete else False,
            consecutive_failures=self._failures or None,
            duration_s=report.duration_us / SECOND_US,
            markets=report.markets,
            candles=report.candles,
            trades=report.trades,
            left=len(report.left),
            errors_total=report.errors,
        )


class _Pass:
    """The steps of one pass."""

    def __init__(
        self,
        past: Past,
        asking: Asking,
        reading: Reading,
        report: BackfillReport,
        on_progress: OnBackfill,
    ) -> None:
        self._past = past
        self._asking = asking
        self._reading = reading
        self._report = report
        self._on_progress = on_progress

    async def refreshed(self, markets: Sequence[KnownMarket]) -> list[KnownMarket]:
        """The markets, those that closed long ago and seem unsettled as they are now.

        What is settled may be in the archive, and only the listing says whether it is.
        """
        limit_us = self._past.clock.now_us() - self._past.settings.refresh_after_h * HOUR_US
        stale = [
            each
            for each in markets
            if each.close_us < limit_us and each.status is not MarketStatus.FINALIZED
        ]
        found = await refresh(self._past, self._asking, stale)
        return [
            known_of(found[each.ticker], each.first_close_us, each.strike_period)
            if each.ticker in found
            else each
            for each in markets
        ]

    async def read_candles(
        self, markets: Sequence[KnownMarket], cutoff: HistoryCutoff, minutes: Sequence[int]
    ) -> None:
        """Read every period length in turn."""
        wanted: defaultdict[int, list[KnownMarket]] = defaultdict(list)
        for each in markets:
            for period in minutes or (self._period_of(each),):
                wanted[period].append(each)
        for period, chosen in sorted(wanted.items()):
            backfill = CandleBackfill(self._past, self._asking, self._reading, cutoff, period)
            before = self._report.candles
            async for done in backfill.run(chosen):
                self._report.candles = before + backfill.changed
                self._show(f"{CANDLES} of {period} min", done, len(chosen))
            self._report.left |= backfill.left

    async def read_trades(self, markets: Sequence[KnownMarket], cutoff: HistoryCutoff) -> None:
        """Read the trades of several markets at a time.

        Raises:
            StorageUnavailable: trades could not be stored.
        """
        backfill = TradeBackfill(self._past, self._asking, self._reading, cutoff)
        waiting = list(reversed(markets))

        async def work() -> None:
            while waiting:
                market = waiting.pop()
                if self._asking.is_over or not await backfill.run(market):
                    self._report.left.add(market.ticker)
                self._report.trades = backfill.new
                self._show(TRADES, len(markets) - len(waiting), len(markets))

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._past.settings.concurrency):
                    group.create_task(work())
        except ExceptionGroup as faults:
            # One reason is enough to end the pass; the others are most likely the same.
            raise faults.exceptions[0] from faults

    def _period_of(self, market: KnownMarket) -> int:
        settings = self._past.settings
        if market.strike_period == "hour":
            return settings.minutes_for_hour
        return (
            settings.minutes_for_day
            if market.strike_period == "day"
            else (settings.minutes_for_other)
        )

    def _show(self, kind: str, done: int, total: int) -> None:
        self._on_progress(
            BackfillProgress(
                kind=kind,
                done=done,
                total=total,
                candles=self._report.candles,
                trades=self._report.trades,
                errors=len(self._asking.errors),
            )
        )


def _ignore(_: BackfillProgress) -> None:
    """Nobody watches."""
