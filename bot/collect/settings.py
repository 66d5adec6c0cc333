"""What the collect cycle is told: which series, how fast, and where its reports go."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from bot.collect.macro_filter import MACRO_SERIES
from bot.domain.ids import SeriesTicker

PAGE_LIMIT_MAX = 1_000
"""The venue answers a larger ``limit`` with 400."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectSettings:
    """Knobs of one collect cycle.

    ``outages_max`` unanswered calls in a row end the cycle early: the calls are
    retried by the client already, and the remaining series would only repeat
    the same wait. ``reports_kept`` bounds the report directory; 30 days of
    hourly reports by default. With ``whole_exchange`` every other open market is
    read too: all of them every ``whole_every_hours``, what was updated in between.
    """

    series: tuple[SeriesTicker, ...] = MACRO_SERIES
    reports_dir: Path = Path("reports")
    status_file: Path = Path("status.json")
    page_limit: int = PAGE_LIMIT_MAX
    pages_per_series_max: int = 200
    concurrency: int = 4
    outages_max: int = 5
    deadline_s: int = 1_800
    reports_kept: int = 720
    clock_skew_max_s: int = 120
    whole_exchange: bool = False
    whole_every_hours: int = 24
    storage_budget: int = 0
    """Bytes that snapshots may take before the whole exchange is left out; 0 is no limit."""

    @property
    def fingerprint(self) -> str:
        """Names what is collected: equal for equal filters, in whatever order they are written."""
        wanted: dict[str, object] = {"series": sorted(self.series)}
        if self.whole_exchange:
            wanted["whole_exchange"] = True
        told = json.dumps(wanted, separators=(",", ":"))
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    def __post_init__(self) -> None:
        if not self.series:
            raise ValueError("collect series: name at least one series, e.g. KXFED")
        if len(set(self.series)) != len(self.series):
            raise ValueError("collect series: remove the series that is listed twice")
        _check("page_limit", self.page_limit, PAGE_LIMIT_MAX)
        _check("pages_per_series_max", self.pages_per_series_max, 100_000)
        _check("concurrency", self.concurrency, 32)
        _check("outages_max", self.outages_max, 1_000)
        # A cycle that outlived its hour would have its slot taken over by the next.
        _check("deadline_s", self.deadline_s, 3_300)
        _check("reports_kept", self.reports_kept, 100_000)
        # Half an hour more and the hour itself would be another one.
        _check("clock_skew_max_s", self.clock_skew_max_s, 1_800)
        _check("whole_every_hours", self.whole_every_hours, 168)


def _check(name: str, value: int, highest: int) -> None:
    if not 1 <= value <= highest:
        raise ValueError(f"collect {name}: set it between 1 and {highest}, not {value}")
