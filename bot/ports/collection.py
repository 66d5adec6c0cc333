"""Where collected market data is kept: snapshots, quarantine, cycles and the status rows.

Every call may raise ``StorageUnavailable``. A cycle is owned by one *attempt*:
whoever opens an unfinished cycle of the same hour takes it over, and the
earlier attempt's next write raises ``CycleTakenOver`` and changes nothing. So
two runs never count the same page twice, without any clock being compared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from bot.domain.ids import EventTicker, MarketTicker, SeriesTicker
from bot.domain.money import Price, Quantity


class CycleOutcome(StrEnum):
    """How a collect cycle ended. Only ``complete`` is a success."""

    RUNNING = "running"
    COMPLETE = "complete"
    PARTIAL = "partial"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    """Never finished: the process ended and nobody resumed it within its hour."""
    TAKEN_OVER = "taken_over"
    """Another run continues this cycle; only ever reported, never stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One market as listed in one hour. Unique by market and hour."""

    market_id: MarketTicker
    snapshot_hour_utc: str
    payload_json: str
    created_at_utc: str
    event_ticker: EventTicker
    series_ticker: SeriesTicker | None
    macro_event_type: str
    probability_bucket: str | None
    yes_bid: Price | None
    yes_ask: Price | None
    volume_24h: Quantity
    open_interest: Quantity
    close_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedItem:
    """A listed item that could not be read, kept as received."""

    name: str
    reason: str
    raw: bytes
    at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesProgress:
    """How far one series of a cycle has been read. ``cursor`` is of the next page to ask for."""

    series: SeriesTicker
    cursor: str = ""
    pages: int = 0
    scanned: int = 0
    quarantined: int = 0
    is_done: bool = False
    failure: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """One collect cycle as stored. ``inserted`` counts rows really inserted.

    ``filter_fingerprint`` names what it was told to collect: cycles with another one had another
    filter. Empty for cycles of builds that did not store it.
    """

    cycle_id: str
    mode: str
    snapshot_hour_utc: str
    attempt: int
    outcome: CycleOutcome
    started_us: int
    inserted: int = 0
    progress: tuple[SeriesProgress, ...] = ()
    finished_us: int | None = None
    error: str | None = None
    filter_fingerprint: str | None = None

    @property
    def scanned(self) -> int:
        """Items listed by the venue, readable or not."""
        return sum(each.scanned for each in self.progress)

    @property
    def errors(self) -> int:
        """Failed pages and quarantined items."""
        return sum(each.quarantined + (each.failure is not None) for each in self.progress)


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneRule:
    """Which snapshots are removed: those of hours before ``before_hour``.

    ``is_of_series`` says whether of the configured series or of the rest, which a
    scan of the whole exchange found. With ``keeps_last`` the newest snapshot of a
    market that has a probability bucket stays for ever: what calibration asks for.
    """

    before_hour: str
    is_of_series: bool
    keeps_last: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """One batch that was removed, and the hour to go on with."""

    hour: str
    snapshots: int
    payloads: int


class CollectionStore(Protocol):
    """The collected data and the record of how it was collected."""

    async def open_cycle(self, fresh: Cycle) -> Cycle:
        """Take over the unfinished cycle of ``fresh``'s mode and hour, else store ``fresh``.

        A cycle taken over comes back with its attempt raised and ``fresh``'s filter. Unfinished
        cycles of earlier hours become ``interrupted``.
        """
        ...

    async def save_page(
        self, cycle: Cycle, snapshots: Sequence[Snapshot], quarantined: Sequence[QuarantinedItem]
    ) -> int:
        """Store a page and ``cycle``'s progress in one transaction.

        Returns the number of snapshots really inserted, which the store adds to
        the cycle's own count; a snapshot of the same market and hour is left as
        it is.

        Raises:
            CycleTakenOver: a later attempt owns the cycle, or it has ended.
        """
        ...

    async def finish_cycle(
        self, cycle: Cycle, status: Mapping[str, str], at_us: int
    ) -> dict[str, str]:
        """Close the cycle, write the status rows, raise ``cycle_count``; returns all status rows.

        ``inserted`` stays what :meth:`save_page` counted.

        Raises:
            CycleTakenOver: a later attempt owns the cycle, or it has ended.
        """
        ...

    async def cycles(self, first_hour: str, last_hour: str) -> Sequence[Cycle]:
        """Cycles of these hours, both included, oldest first."""
        ...

    async def hours_without_market(self, first_hour: str, last_hour: str) -> Sequence[str]:
        """The hours, both ends included, of which a complete cycle found nothing; ascending."""
        ...

    async def snapshot_span(self, series: SeriesTicker | None = None) -> tuple[str, str] | None:
        """The first and the last hour with a snapshot, ``None`` when there is none."""
        ...

    async def snapshot_hours(
        self, first_hour: str, last_hour: str, series: SeriesTicker | None = None
    ) -> Sequence[str]:
        """The hours with at least one snapshot, both ends included, ascending."""
        ...

    async def read_snapshots(
        self, market: MarketTicker, hour: str | None = None, limit: int = 1
    ) -> Sequence[Snapshot]:
        """The snapshots of a market with their payloads as received, newest first."""
        ...

    async def snapshot_bytes(self) -> int:
        """What the snapshots take; on SQLite the whole file without its free pages."""
        ...

    async def prune_snapshots(self, rule: PruneRule, from_hour: str, batch: int) -> Pruned | None:
        """Remove up to ``batch`` snapshots of one hour, and the payloads only they had.

        The hour is the first one not before ``from_hour`` that has any snapshot;
        ``None`` where there is none that the rule concerns.
        """
        ...

    async def status(self) -> dict[str, str]:
        """All status rows."""
        ...

    async def put_status(self, rows: Mapping[str, str], at_us: int) -> None:
        """Insert or replace status rows."""
        ...

    async def prune_quarantine(self, before_us: int) -> int:
        """Delete quarantined items older than this; returns how many."""
        ...
