"""``CollectionStore`` in memory. Passes ``tests/contract/test_collection_store.py``."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bot.domain.errors import CycleTakenOver, StorageUnavailable
from bot.domain.ids import EventTicker, MarketTicker, SeriesTicker
from bot.domain.money import Price, Quantity
from bot.ports.collection import (
    Cycle,
    CycleOutcome,
    Pruned,
    PruneRule,
    QuarantinedItem,
    Snapshot,
)


def snapshot(
    ticker: str, hour: str = "2026-11-21T07:00:00Z", series: str = "KXFED", **changes
) -> Snapshot:
    """A stored market, text that needs quoting included."""
    plain = Snapshot(
        market_id=MarketTicker(ticker),
        snapshot_hour_utc=hour,
        payload_json='{"title": "Köln \\u0000 \\"quoted\\""}',
        created_at_utc=hour,
        event_ticker=EventTicker("KXFED-26DEC"),
        series_ticker=SeriesTicker(series),
        macro_event_type="fed_rate",
        probability_bucket="0.35-0.65",
        yes_bid=Price(4_700),
        yes_ask=Price(5_200),
        volume_24h=Quantity(100),
        open_interest=Quantity(200),
        close_us=10**15,
    )
    return replace(plain, **changes)


class MemoryCollectionStore:
    """Keeps everything in dictionaries. ``is_down`` makes every call fail."""

    def __init__(self) -> None:
        self.snapshots: dict[tuple[str, str], Snapshot] = {}
        self.quarantine: list[tuple[str, QuarantinedItem]] = []
        self.stored_cycles: dict[str, Cycle] = {}
        self.rows: dict[str, str] = {}
        self.is_down = False

    async def open_cycle(self, fresh: Cycle) -> Cycle:
        self._require_up()
        for cycle in list(self.stored_cycles.values()):
            if cycle.mode != fresh.mode or cycle.outcome is not CycleOutcome.RUNNING:
                continue
            if cycle.snapshot_hour_utc == fresh.snapshot_hour_utc:
                taken = replace(
                    cycle,
                    attempt=cycle.attempt + 1,
                    filter_fingerprint=fresh.filter_fingerprint,
                )
                self.stored_cycles[cycle.cycle_id] = taken
                return taken
            if cycle.snapshot_hour_utc < fresh.snapshot_hour_utc:
                self.stored_cycles[cycle.cycle_id] = replace(
                    cycle, outcome=CycleOutcome.INTERRUPTED, finished_us=fresh.started_us
                )
        self.stored_cycles[fresh.cycle_id] = fresh
        return fresh

    async def save_page(
        self, cycle: Cycle, snapshots: Sequence[Snapshot], quarantined: Sequence[QuarantinedItem]
    ) -> int:
        stored = self._ours(cycle)
        new = 0
        for snapshot in snapshots:
            key = (snapshot.market_id, snapshot.snapshot_hour_utc)
            new += key not in self.snapshots
            self.snapshots.setdefault(key, snapshot)
        self.quarantine += [(cycle.cycle_id, item) for item in quarantined]
        self.stored_cycles[cycle.cycle_id] = replace(
            stored, progress=cycle.progress, inserted=stored.inserted + new
        )
        return new

    async def finish_cycle(
        self, cycle: Cycle, status: Mapping[str, str], at_us: int
    ) -> dict[str, str]:
        stored = self._ours(cycle)
        self.stored_cycles[cycle.cycle_id] = replace(
            stored,
            progress=cycle.progress,
            outcome=cycle.outcome,
            error=cycle.error,
            finished_us=at_us,
        )
        count = int(self.rows.get("cycle_count", "0")) + 1
        self.rows |= dict(status) | {"cycle_count": str(count)}
        return dict(sorted(self.rows.items()))

    async def cycles(self, first_hour: str, last_hour: str) -> Sequence[Cycle]:
        self._require_up()
        found = [
            cycle
            for cycle in self.stored_cycles.values()
            if first_hour <= cycle.snapshot_hour_utc <= last_hour
        ]
        return sorted(found, key=lambda cycle: (cycle.started_us, cycle.cycle_id))

    async def hours_without_market(self, first_hour: str, last_hour: str) -> Sequence[str]:
        return sorted(
            {
                cycle.snapshot_hour_utc
                for cycle in await self.cycles(first_hour, last_hour)
                if cycle.outcome is CycleOutcome.COMPLETE and not cycle.scanned
            }
        )

    async def snapshot_span(self, series: SeriesTicker | None = None) -> tuple[str, str] | None:
        hours = await self.snapshot_hours("", "9999", series)
        return (hours[0], hours[-1]) if hours else None

    async def snapshot_hours(
        self, first_hour: str, last_hour: str, series: SeriesTicker | None = None
    ) -> Sequence[str]:
        self._require_up()
        return sorted(
            {
                snapshot.snapshot_hour_utc
                for snapshot in self.snapshots.values()
                if first_hour <= snapshot.snapshot_hour_utc <= last_hour
                and series in (None, snapshot.series_ticker)
            }
        )

    async def read_snapshots(
        self, market: MarketTicker, hour: str | None = None, limit: int = 1
    ) -> Sequence[Snapshot]:
        self._require_up()
        found = [
            one
            for one in self.snapshots.values()
            if one.market_id == market and hour in (None, one.snapshot_hour_utc)
        ]
        return sorted(found, key=lambda one: one.snapshot_hour_utc, reverse=True)[:limit]

    async def snapshot_bytes(self) -> int:
        self._require_up()
        return sum(len(one.payload_json) for one in self.snapshots.values())

    async def prune_snapshots(self, rule: PruneRule, from_hour: str, batch: int) -> Pruned | None:
        self._require_up()
        hours = {hour for _, hour in self.snapshots if from_hour <= hour < rule.before_hour}
        if not hours:
            return None
        hour = min(hours)
        going = [
            key
            for key, one in self.snapshots.items()
            if key[1] == hour
            and (one.series_ticker is not None) == rule.is_of_series
            and not (rule.keeps_last and self._is_last(one))
        ][:batch]
        texts = {self.snapshots.pop(key).payload_json for key in going}
        kept = {one.payload_json for one in self.snapshots.values()}
        return Pruned(hour=hour, snapshots=len(going), payloads=len(texts - kept))

    def _is_last(self, one: Snapshot) -> bool:
        return one.probability_bucket is not None and not any(
            other.market_id == one.market_id
            and other.snapshot_hour_utc > one.snapshot_hour_utc
            and other.probability_bucket is not None
            for other in self.snapshots.values()
        )

    async def status(self) -> dict[str, str]:
        self._require_up()
        return dict(sorted(self.rows.items()))

    async def put_status(self, rows: Mapping[str, str], at_us: int) -> None:
        self._require_up()
        self.rows |= dict(rows)

    async def prune_quarantine(self, before_us: int) -> int:
        self._require_up()
        kept = [(cycle_id, item) for cycle_id, item in self.quarantine if item.at_us >= before_us]
        pruned = len(self.quarantine) - len(kept)
        self.quarantine = kept
        return pruned

    def _ours(self, cycle: Cycle) -> Cycle:
        self._require_up()
        stored = self.stored_cycles.get(cycle.cycle_id)
        if (
            stored is None
            or stored.attempt != cycle.attempt
            or stored.outcome is not CycleOutcome.RUNNING
        ):
            raise CycleTakenOver(cycle.cycle_id)
        return stored

    def _require_up(self) -> None:
        if self.is_down:
            raise StorageUnavailable("the test took the database away")
