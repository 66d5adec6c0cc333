"""Which markets are missing from hours in which others have snapshots, and why.

A market that the exchange did not list as open in that hour is not missing: it is counted
apart, so that the difference between "not offered" and "not kept" stays visible.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bot.collect.gap_reasons import (
    Circumstances,
    GapReason,
    Reason,
    progress_of,
    reason_of_hole,
)
from bot.collect.gaps import circumstances
from bot.domain.ids import MarketTicker, SeriesTicker
from bot.kit.threads import in_thread
from bot.kit.times import HOUR_US, parse_rfc3339
from bot.ports.collection import CollectionStore, Cycle
from bot.ports.gaps import GapStore, MarketHole

HOLES_MAX = 50_000
_EXAMPLES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketGap:
    """Markets of one series missing for one reason from consecutive stored hours.

    ``missing`` counts markets times hours, ``markets`` different ones; ``examples`` are a few.
    """

    series: SeriesTicker
    first_hour: str
    last_hour: str
    markets: int
    missing: int
    reason: GapReason
    error: str | None
    examples: tuple[MarketTicker, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketGapReport:
    """Missing snapshots of single markets. ``is_cut`` when there are more than were read."""

    missing: int
    not_listed: int
    is_cut: bool
    gaps: tuple[MarketGap, ...]


async def find_market_gaps(
    store: CollectionStore,
    facts: GapStore,
    *,
    first_hour: str,
    last_hour: str,
    series: SeriesTicker | None = None,
    limit: int = HOLES_MAX,
) -> MarketGapReport:
    """The markets missing between two hours, both included."""
    found = await facts.market_holes(first_hour, last_hour, series, limit + 1)
    if not found:
        return MarketGapReport(missing=0, not_listed=0, is_cut=False, gaps=())
    cycles = await store.cycles(first_hour, last_hour)
    known = await circumstances(facts, first_hour, last_hour, cycles)
    unreadable: dict[str, dict[str, str]] = defaultdict(dict)
    for each in await facts.unreadable(first_hour, last_hour):
        unreadable[each.hour][each.name] = each.reason
    # A second's work where much is missing, and whoever trades may share the loop.
    return await in_thread(
        lambda: _reported(
            _explained(found[:limit], cycles, unreadable, known), is_cut=len(found) > limit
        )
    )


def _reported(found: Iterable[tuple[MarketHole, Reason]], *, is_cut: bool) -> MarketGapReport:
    explained = list(found)
    missing = [one for one in explained if one[1].kind is not GapReason.NOT_LISTED]
    return MarketGapReport(
        missing=len(missing),
        not_listed=len(explained) - len(missing),
        is_cut=is_cut,
        gaps=tuple(_grouped(missing)),
    )


def market_gap_lines(report: MarketGapReport) -> list[str]:
    """The report for people: a summary, then one line for each gap."""
    more = "at least " if report.is_cut else ""
    lines = [f"{more}{report.missing} snapshots of single markets missing from other hours"]
    if report.not_listed:
        lines[0] += f" ({report.not_listed} not listed as open by the exchange)"
    for gap in report.gaps:
        hours = (
            gap.first_hour
            if gap.first_hour == gap.last_hour
            else f"{gap.first_hour} to {gap.last_hour}"
        )
        error = f" ({gap.error})" if gap.error else ""
        rest = gap.markets - len(gap.examples)
        names = ", ".join(gap.examples) + (f" and {rest} more" if rest else "")
        count = f"{gap.markets} market{'s' if gap.markets > 1 else ''}"
        lines.append(f"{gap.series} {hours}: {count}, {gap.reason}{error}: {names}")
    return lines


def _explained(
    holes: Sequence[MarketHole],
    cycles: Sequence[Cycle],
    unreadable: dict[str, dict[str, str]],
    known: Circumstances,
) -> Iterator[tuple[MarketHole, Reason]]:
    last_cycle = {cycle.snapshot_hour_utc: cycle for cycle in cycles}
    for hole in holes:
        cycle = last_cycle.get(hole.hour)
        if hole.is_known_open and (cycle is None or progress_of(cycle, hole.series) is None):
            continue  # the series was not meant to be collected then
        yield hole, reason_of_hole(hole, cycle, unreadable.get(hole.hour, {}), known)


def _grouped(missing: Sequence[tuple[MarketHole, Reason]]) -> Iterator[MarketGap]:
    """By series and reason, consecutive hours together; oldest first."""
    by_kind: dict[tuple[str, GapReason], dict[str, list[tuple[MarketHole, Reason]]]] = {}
    for hole, reason in missing:
        hours = by_kind.setdefault((hole.series, reason.kind), {})
        hours.setdefault(hole.hour, []).append((hole, reason))
    gaps = [_gap(run) for hours in by_kind.values() for run in _runs(hours)]
    yield from sorted(gaps, key=lambda gap: (gap.first_hour, gap.series, gap.reason))


def _runs(
    hours: dict[str, list[tuple[MarketHole, Reason]]],
) -> Iterator[list[tuple[MarketHole, Reason]]]:
    run: list[tuple[MarketHole, Reason]] = []
    for hour in sorted(hours):
        if run and parse_rfc3339(hour) - parse_rfc3339(run[-1][0].hour) > HOUR_US:
            yield run
            run = []
        run = run + hours[hour]
    yield run


def _gap(run: Sequence[tuple[MarketHole, Reason]]) -> MarketGap:
    markets = sorted({hole.market for hole, _ in run})
    first, reason = run[0]
    return MarketGap(
        series=first.series,
        first_hour=first.hour,
        last_hour=run[-1][0].hour,
        markets=len(markets),
        missing=len(run),
        reason=reason.kind,
        error=next((each.detail for _, each in reversed(run) if each.detail), None),
        examples=tuple(markets[:_EXAMPLES]),
    )
