"""Removes what is older than it is kept, a small batch at a time: snapshots, candles and trades.

The configured series and the rest of the exchange are kept by rules of their own.
With ``keeps_last`` the newest snapshot of a market that calibration can use stays
for ever: the market's probability before it was settled is found nowhere else.
"""

import asyncio
from dataclasses import dataclass

from bot.collect.asking import Past
from bot.collect.gaps import KEPT_FROM
from bot.domain.ids import MarketTicker
from bot.kit.clock import Clock
from bot.kit.times import DAY_US, HOUR_US, hour_key, parse_rfc3339
from bot.ports.collection import CollectionStore, PruneRule

_PAUSE_S = 0.05
_MARKETS_AT_ONCE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionSettings:
    """Days that snapshots are kept; 0 is for ever. ``batch`` rows go in one transaction."""

    series_days: int = 0
    exchange_days: int = 0
    keeps_last: bool = True
    batch: int = 2_000

    def __post_init__(self) -> None:
        if min(self.series_days, self.exchange_days) < 0 or self.batch < 1:
            raise ValueError("collect retention: days start at 0 (for ever), batch at 1")


class Retention:
    """The leader's job. What one day's first run has looked through is not looked at again."""

    def __init__(self, settings: RetentionSettings, store: CollectionStore, clock: Clock) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._day = -1
        self._seen: dict[bool, str] = {}

    async def run(self) -> int:
        """Remove what is due; returns how many snapshots went.

        Raises:
            StorageUnavailable: the rest is removed by the next run.
        """
        now_us = self._clock.now_us()
        if now_us // DAY_US != self._day:
            self._day, self._seen = now_us // DAY_US, {}
        kept_days = {True: self._settings.series_days, False: self._settings.exchange_days}
        removed = 0
        for is_of_series, days in kept_days.items():
            if days:
                before = hour_key(now_us - days * DAY_US)
                if is_of_series:
                    await self._note_border(before, now_us)
                removed += await self._remove(is_of_series=is_of_series, before_hour=before)
        return removed

    async def _remove(self, *, is_of_series: bool, before_hour: str) -> int:
        rule = PruneRule(
            before_hour=before_hour,
            is_of_series=is_of_series,
            keeps_last=self._settings.keeps_last,
        )
        removed, hour = 0, self._seen.get(is_of_series, "")
        batch = self._settings.batch
        while (done := await self._store.prune_snapshots(rule, hour, batch)) is not None:
            removed += done.snapshots
            hour = done.hour
            if done.snapshots < batch:
                hour = hour_key(parse_rfc3339(hour) + HOUR_US)
            # Others write too: a removal of months must not stand in their way.
            await asyncio.sleep(_PAUSE_S)
        self._seen[is_of_series] = before_hour
        return removed

    async def _note_border(self, before_hour: str, now_us: int) -> None:
        """What goes from here on is not missing. What went once stays gone, whatever is set."""
        before = (await self._store.status()).get(KEPT_FROM, "")
        if before_hour > before:
            await self._store.put_status({KEPT_FROM: before_hour}, now_us)


class PastRetention:
    """The leader's job: candles and public trades of days that are not kept."""

    def __init__(self, past: Past, batch: int = 2_000) -> None:
        self._past = past
        self._batch = batch

    async def run(self) -> int:
        """Remove what is due; returns how many rows went.

        Raises:
            StorageUnavailable: the rest is removed by the next run.
        """
        store, days = self._past.store, self._past.settings.retention_days
        if not days:
            return 0
        before_us = self._past.clock.now_us() - days * DAY_US
        removed, last = 0, MarketTicker("")
        while tickers := await store.markets_with_past(before_us, last, _MARKETS_AT_ONCE):
            gone = self._batch
            while gone >= self._batch:
                gone = await store.prune_past(tickers, before_us, self._batch)
                removed += gone
                await asyncio.sleep(_PAUSE_S)
            last = tickers[-1]
        return removed
