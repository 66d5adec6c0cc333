"""What discovery, backfill and the closed cleanup are told."""

from dataclasses import dataclass

from bot.collect.macro_filter import MACRO_SERIES
from bot.domain.ids import SeriesTicker

EVENT_STATUSES = ("unopened", "open", "closed", "settled")
"""The venue's filter words for events."""
PERIODS_MINUTES = (1, 60, 1_440)
"""The venue makes no others."""
HORIZONS_MINUTES = (5, 15, 60, 360, 1_440, 10_080)
"""How long before its close a market's prices enter the ledger."""
_HOUR_MINUTES, _DAY_HOURS = 60, 24
_SETTLING_DAYS = 7
"""So long a market may take from its close to its result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistorySettings:
    """Knobs of reading the past.

    ``full_discovery_s``: between complete listings; passes in between ask for changes only,
    from ``overlap_s`` before the last one, as the venue's cache lags. ``lookback_h`` is how
    far the first regular pass over a market reaches back. ``margin_s``: nothing younger is
    read, so that what is read is complete. ``outages_max`` unanswered calls in a row end a
    pass: each was tried several times already. ``refresh_after_h``: a market that closed so
    long ago and still seems unsettled is listed again before its past is read. Candles and
    public trades go after ``retention_days``; 0 keeps them for ever.
    """

    series: tuple[SeriesTicker, ...] = MACRO_SERIES
    discovery_statuses: tuple[str, ...] = ("open",)
    full_discovery_s: int = 86_400
    overlap_s: int = 300
    heartbeat_s: int = 60
    minutes_for_hour: int = 1
    minutes_for_day: int = 60
    minutes_for_other: int = 60
    lookback_h: int = 72
    margin_s: int = 60
    grace_minutes: int = 30
    refresh_after_h: int = 24
    horizons_minutes: tuple[int, ...] = HORIZONS_MINUTES
    concurrency: int = 4
    outages_max: int = 5
    pages_max: int = 2_000
    retention_days: int = 0

    def __post_init__(self) -> None:
        _check_series(self.series)
        _check_words("discovery_statuses", self.discovery_statuses, EVENT_STATUSES)
        for name in ("minutes_for_hour", "minutes_for_day", "minutes_for_other"):
            if getattr(self, name) not in PERIODS_MINUTES:
                raise ValueError(f"history {name}: set it to 1, 60 or 1440")
        for name, lowest in _LOWEST.items():
            if getattr(self, name) < lowest:
                raise ValueError(f"history {name}: set it to {lowest} or more")
        if not self.horizons_minutes or min(self.horizons_minutes) < 1:
            raise ValueError("history horizons_minutes: name at least one, each from 1 up")
        self._check_retention()

    def _check_retention(self) -> None:
        """What is removed must have been used, and must not be read again at once."""
        horizon_h = -(-max(self.horizons_minutes) // _HOUR_MINUTES)
        lowest = -(-max(horizon_h, self.lookback_h) // _DAY_HOURS) + _SETTLING_DAYS
        if self.retention_days and self.retention_days < lowest:
            raise ValueError(
                f"history retention_days: set it to 0 (for ever) or to {lowest} or more: a market's"
                " prices before its close are taken from its candles when it settles"
            )


_LOWEST = {
    "full_discovery_s": 0,
    "overlap_s": 0,
    "heartbeat_s": 1,
    "lookback_h": 1,
    "margin_s": 0,
    "grace_minutes": 0,
    "refresh_after_h": 1,
    "concurrency": 1,
    "outages_max": 1,
    "pages_max": 1,
    "retention_days": 0,
}


def _check_series(series: tuple[SeriesTicker, ...]) -> None:
    if not series:
        raise ValueError("history series: name at least one series, e.g. KXFED")
    if len(set(series)) != len(series):
        raise ValueError("history series: remove the series that is listed twice")


def _check_words(name: str, given: tuple[str, ...], known: tuple[str, ...]) -> None:
    if not given or set(given) - set(known):
        raise ValueError(f"history {name}: name one or more of {', '.join(known)}")
