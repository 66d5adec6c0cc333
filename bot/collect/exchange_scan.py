"""The whole exchange beside the configured series: what to ask for, and from when on.

Over 120,000 markets are open. All of them are read once in so many hours; the
hours between ask for what was updated since the last scan that came to its end,
so that a scan that failed leaves no hole. The venue's update time follows a
market's terms and status, not its trading: between two whole scans only the
configured series have fresh quotes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.domain.ids import SeriesTicker
from bot.kit.times import HOUR_US, MINUTE_US, parse_rfc3339
from bot.ports.collection import Cycle
from bot.ports.exchange import MarketQuery

EXCHANGE = SeriesTicker("*")
"""Stands for the whole exchange in a cycle's progress."""

_FROM_US = "exchange_scan_from_us"
_WHOLE_HOUR = "exchange_whole_scan_hour"
# Caches in front of the venue are 15 s old, and its clock is not ours.
_OVERLAP_US = 5 * MINUTE_US


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeScan:
    """One scan: of everything open, or of what was updated since ``since_us``.

    ``refused`` says why it must not be made this hour.
    """

    since_us: int | None
    refused: str | None = None

    @property
    def query(self) -> MarketQuery:
        """What to ask. The venue takes no status beside an update time."""
        if self.since_us is None:
            return MarketQuery()
        return MarketQuery(status=None, min_updated_us=self.since_us)


def planned_scan(rows: Mapping[str, str], hour: str, whole_every_hours: int) -> ExchangeScan:
    """The scan of an hour, by the status rows of those before it."""
    last_hour, from_us = rows.get(_WHOLE_HOUR), rows.get(_FROM_US)
    if last_hour is None or from_us is None:
        return ExchangeScan(since_us=None)
    hours = (parse_rfc3339(hour) - parse_rfc3339(last_hour)) // HOUR_US
    # A second cycle of the hour repeats what the hour began with.
    if hours >= whole_every_hours or hours <= 0:
        return ExchangeScan(since_us=None)
    return ExchangeScan(since_us=int(from_us) - _OVERLAP_US)


def scan_rows(scan: ExchangeScan | None, cycle: Cycle) -> dict[str, str]:
    """The status rows that a cycle leaves: only a scan that came to its end moves a mark."""
    own = next((each for each in cycle.progress if each.series == EXCHANGE), None)
    if scan is None or own is None or not own.is_done or own.failure is not None:
        return {}
    rows = {_FROM_US: str(cycle.started_us)}
    if scan.since_us is None:
        rows[_WHOLE_HOUR] = cycle.snapshot_hour_utc
    return rows
