"""``GapStore`` in memory. Passes ``tests/contract/test_gap_store.py``."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

from bot.domain.errors import StorageUnavailable
from bot.domain.ids import MarketTicker, SeriesTicker
from bot.kit.times import HOUR_US, parse_rfc3339
from bot.ports.gaps import (
    Closure,
    ExchangeSpell,
    InstanceLife,
    MarketHole,
    Repair,
    Unreadable,
)
from tests.fakes.collection import MemoryCollectionStore


def _between(
    market: MarketTicker, own: dict[str, SeriesTicker | None], hours: list[str]
) -> list[MarketHole]:
    """Hours between two that have the market, where both were collected by its series."""
    held = sorted(own)
    return [
        MarketHole(market=market, series=series, hour=hour)
        for before, after in itertools.pairwise(held)
        if own[before] is not None and (series := own[after]) is not None
        for hour in hours
        if before < hour < after
    ]


class MemoryGapStore:
    """Keeps its facts in lists; snapshots and quarantine are those of ``collection``."""

    def __init__(self, collection: MemoryCollectionStore | None = None) -> None:
        self.collection = collection or MemoryCollectionStore()
        self.seen: list[ExchangeSpell] = []
        self.planned: list[Closure] = []
        self.lived: list[InstanceLife] = []
        self.kept: dict[tuple[str, str, int, int], Repair] = {}
        self.open_markets: list[tuple[MarketTicker, SeriesTicker, int, int]] = []
        """Ticker, series, opening and close of markets the venue spoke of."""
        self.is_down = False
        self.refused = 0

    async def note_exchange(self, seen: ExchangeSpell, pause_us: int) -> None:
        if self.is_down:
            self.refused += 1
            raise StorageUnavailable("the test took the database away")
        newest = max(self.seen, key=lambda spell: spell.since_us, default=None)
        if (
            newest is not None
            and newest.state is seen.state
            and seen.until_us - pause_us <= newest.until_us <= seen.until_us
        ):
            self.seen[self.seen.index(newest)] = replace(seen, since_us=newest.since_us)
        elif all(each.since_us != seen.since_us for each in self.seen):
            self.seen.append(seen)

    async def note_closures(self, closures: Sequence[Closure], at_us: int) -> None:
        kept = [each for each in self.planned if each.start_us <= at_us]
        ends = {(each.start_us, each.end_us): each for each in (*kept, *closures)}
        self.planned = [ends[key] for key in sorted(ends)]

    async def spells(self, from_us: int, to_us: int) -> Sequence[ExchangeSpell]:
        found = [each for each in self.seen if each.until_us >= from_us and each.since_us <= to_us]
        return sorted(found, key=lambda each: each.since_us)

    async def closures(self, from_us: int, to_us: int) -> Sequence[Closure]:
        return [each for each in self.planned if each.end_us >= from_us and each.start_us <= to_us]

    async def lives(self, from_us: int, to_us: int) -> Sequence[InstanceLife]:
        return [
            each
            for each in self.lived
            if each.started_us <= to_us and each.seen_until_us >= from_us
        ]

    async def series_known(self) -> Sequence[SeriesTicker]:
        found = {each.series_ticker for each in self.collection.snapshots.values()}
        return sorted(each for each in found if each is not None)

    async def market_holes(
        self, first_hour: str, last_hour: str, series: SeriesTicker | None, limit: int
    ) -> Sequence[MarketHole]:
        hours = list(await self.collection.snapshot_hours(first_hour, last_hour))
        held: dict[MarketTicker, dict[str, SeriesTicker | None]] = {}
        for each in self.collection.snapshots.values():
            if each.snapshot_hour_utc in hours:
                own = held.setdefault(each.market_id, {})
                own[each.snapshot_hour_utc] = each.series_ticker
        holes = [hole for market, own in held.items() for hole in _between(market, own, hours)]
        collected = {one for own in held.values() for one in own.values()}
        for market, one, open_us, close_us in self.open_markets:
            own = held.get(market, {})
            holes += [
                MarketHole(market=market, series=one, hour=hour, is_known_open=True)
                for hour in hours
                if one in collected
                and not (own and min(own) <= hour <= max(own))
                and open_us <= parse_rfc3339(hour) <= close_us - HOUR_US
            ]
        wanted = [hole for hole in holes if series in (None, hole.series)]
        return sorted(wanted, key=lambda hole: (hole.hour, hole.market))[:limit]

    async def unreadable(self, first_hour: str, last_hour: str) -> Sequence[Unreadable]:
        cycles = self.collection.stored_cycles
        return [
            Unreadable(name=item.name, hour=cycles[cycle].snapshot_hour_utc, reason=item.reason)
            for cycle, item in self.collection.quarantine
            if first_hour <= cycles[cycle].snapshot_hour_utc <= last_hour
        ]

    async def record_repair(self, repair: Repair) -> None:
        key = (repair.what, repair.subject, repair.from_us, repair.to_us)
        before = self.kept.get(key)
        self.kept[key] = replace(repair, rows=repair.rows + (before.rows if before else 0))

    async def repairs(self, from_us: int, to_us: int) -> Sequence[Repair]:
        found = [
            each for each in self.kept.values() if each.to_us >= from_us and each.from_us <= to_us
        ]
        return sorted(found, key=lambda one: (one.from_us, one.to_us, one.what, one.subject))
