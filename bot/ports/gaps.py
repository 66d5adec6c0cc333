"""Why something is missing, and what was done about it: the facts that explain gaps.

Every call may raise ``StorageUnavailable``. Times are microseconds UTC, hours are hour keys
(``2026-11-21T07:00:00Z``), a window includes both of its ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from bot.domain.ids import InstanceId, MarketTicker, SeriesTicker
from bot.ports.exchange import ExchangeStatus


class ExchangeState(StrEnum):
    """How the exchange was found when it was asked."""

    OPEN = "open"
    PAUSED = "trading_paused"
    """It answers and takes cancels, but nothing trades."""
    CLOSED = "closed"
    """Maintenance: by its own word nothing works."""
    UNREACHABLE = "unreachable"
    """No usable answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeSpell:
    """One state, seen again and again from ``since_us`` to ``until_us`` without a longer pause."""

    state: ExchangeState
    since_us: int
    until_us: int
    resume_us: int | None = None
    detail: str = ""


class ClosureKind(StrEnum):
    """Why the exchange plans to be closed."""

    HOURS = "trading hours"
    MAINTENANCE = "maintenance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Closure:
    """A time for which the exchange's own schedule says it does not trade."""

    start_us: int
    end_us: int
    kind: ClosureKind


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceLife:
    """From when to when a process of the bot gave signs of life."""

    instance_id: InstanceId
    started_us: int
    seen_until_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketHole:
    """A market without a snapshot in an hour in which others have one.

    It has one before and one after, so it was open in between; or ``is_known_open``:
    the exchange's own opening and close say so.
    """

    market: MarketTicker
    series: SeriesTicker
    hour: str
    is_known_open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A quarantined item, by the hour of its cycle."""

    name: str
    hour: str
    reason: str


class RepairOutcome(StrEnum):
    """What came of trying to fetch something again."""

    REFETCHED = "refetched"
    IMPOSSIBLE = "impossible"
    """The exchange keeps no history of it."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What was fetched later for a gap. ``rows`` are new ones, of all repairs of this key."""

    what: str
    """``snapshots``, ``candles``, ``trades``, ``settlements`` or ``order books``."""
    subject: str
    """The market or series; empty for everything of the window."""
    from_us: int
    to_us: int
    outcome: RepairOutcome
    rows: int
    reason: str
    at_us: int


class ExchangeHours(Protocol):
    """What the exchange says of itself, for knowing later why something is missing."""

    async def status(self) -> ExchangeStatus:
        """Whether it works and trades now. Raises ``ExchangeUnavailable``."""
        ...

    async def planned_closures(self, from_us: int, to_us: int) -> Sequence[Closure]:
        """When it plans not to trade. Raises ``ExchangeUnavailable``, ``InvalidMessage``."""
        ...


class GapStore(Protocol):
    """The facts around the collected data."""

    async def note_exchange(self, seen: ExchangeSpell, pause_us: int) -> None:
        """Add one look at the exchange (``since_us`` equals ``until_us``).

        It prolongs the newest spell if that has the same state and was confirmed within
        ``pause_us``; otherwise a new spell begins: what was not looked at is not claimed.
        """
        ...

    async def note_closures(self, closures: Sequence[Closure], at_us: int) -> None:
        """Keep what the schedule plans from ``at_us`` on: it replaces what was planned before."""
        ...

    async def spells(self, from_us: int, to_us: int) -> Sequence[ExchangeSpell]:
        """What the exchange was found like, oldest first."""
        ...

    async def closures(self, from_us: int, to_us: int) -> Sequence[Closure]:
        """What was planned, oldest first."""
        ...

    async def lives(self, from_us: int, to_us: int) -> Sequence[InstanceLife]:
        """Processes of the bot that lived then, oldest first."""
        ...

    async def series_known(self) -> Sequence[SeriesTicker]:
        """Every series with a snapshot, ascending."""
        ...

    async def market_holes(
        self, first_hour: str, last_hour: str, series: SeriesTicker | None, limit: int
    ) -> Sequence[MarketHole]:
        """Markets missing from hours that have snapshots, by hour and market; at most ``limit``.

        Only what was collected by its series: a scan of the whole exchange is not due every hour.
        """
        ...

    async def unreadable(self, first_hour: str, last_hour: str) -> Sequence[Unreadable]:
        """What was quarantined in these hours."""
        ...

    async def record_repair(self, repair: Repair) -> None:
        """Keep it. A repair of the same key adds its rows and replaces the outcome."""
        ...

    async def repairs(self, from_us: int, to_us: int) -> Sequence[Repair]:
        """Repairs of gaps that touch the window, by gap."""
        ...
