"""What the data-quality report looks at: quotes of one hour, with the terms of their markets."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from bot.domain.ids import EventTicker, MarketTicker
from bot.domain.money import Price


class QuoteSource(StrEnum):
    """Where a quote comes from."""

    SNAPSHOT = "snapshot"
    TICK = "tick"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenQuote:
    """The best prices of one market as stored, of the YES leg; ``None`` is an empty side.

    ``seen_us`` is when we got them, by our clock; ``venue_us`` the newest moment the venue
    had told of the market by then. Terms are ``None`` where discovery has not seen the market.
    """

    market: MarketTicker
    event: EventTicker
    source: QuoteSource
    bid: Price | None
    ask: Price | None
    seen_us: int
    close_us: int | None = None
    venue_us: int | None = None
    strike_type: str | None = None
    floor_strike: str | None = None
    cap_strike: str | None = None
    is_exclusive: bool | None = None
    fee_multiplier_e6: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenQuote:
    """A market whose stored quotes never moved over ``hours`` though its open interest did."""

    market: MarketTicker
    hours: int
    bid: Price | None
    ask: Price | None


class QualityReads(Protocol):
    """Reads for the report. Every call may raise ``StorageUnavailable``."""

    async def last_hour(self) -> str | None:
        """The newest hour with a snapshot."""
        ...

    async def quotes(self, hour: str) -> Sequence[SeenQuote]:
        """Every snapshot of the hour, by event and market."""
        ...

    async def latest_ticks(self, from_us: int, to_us: int) -> Sequence[SeenQuote]:
        """The last tick of each market in a time, by event and market."""
        ...

    async def frozen(
        self, first_hour: str, last_hour: str, hours_min: int
    ) -> Sequence[FrozenQuote]:
        """Markets of the last hour whose quotes stood still over the window, both ends included.

        Only those with at least ``hours_min`` snapshots in it.
        """
        ...
