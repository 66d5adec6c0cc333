"""``GapStore`` in memory. Passes ``tests/contract/test_gap_store.py``."""

from collections.abc import Sequence
from dataclasses import replace

from bot.domain.errors import StorageUnavailable
from bot.domain.ids import MarketTicker, SeriesTicker
from bot.ports.gaps import (
    Closure,
    ExchangeSpell,
    InstanceLife,
    MarketHole,
    Repair,
    Unreadable,
)
from tests.fakes.collection import MemoryCollectionStore


class MemoryGapStore:
    """Keeps its facts in lists; snapshots and quarantine are those of ``collection``."""

    def __init__(self, collection: MemoryCollectionStore | None = None) -> None:
        self.collection = collection or MemoryCollectionStore()
        self.seen: list[ExchangeSpell] = []
        self.planned: list[Closure] = []
        self.lived: list[InstanceLife] = []
        self.kept: dict[tuple[str, str, int, int], Repair] = {}
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
        held: dict[tuple[MarketTicker, SeriesTicker | None], list[int]] = {}
        for each in self.collection.snapshots.values():
            if each.snapshot_hour_utc in hours and series in (None, each.series_ticker):
                places = held.setdefault((each.market_id, each.series_ticker), [])
                places.append(hours.index(each.snapshot_hour_utc))
        holes = [
            MarketHole(market=market, series=own, hour=hours[place])
            for (market, own), places in held.items()
            for place in range(min(places), max(places))
            if place not in places
        ]
        return sorted(holes, key=lambda hole: (hole.hour, hole.market))[:limit]

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
