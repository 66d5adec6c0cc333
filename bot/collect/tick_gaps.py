"""What is missing from the live stream, summed up: its own gap records, with the exchange's part.

Each record is a time for which something of the stream is missing. A connection that was lost
while the exchange was closed or answered nobody is put down to that.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.collect.gap_reasons import GapReason
from bot.kit.times import SECOND_US, format_seconds
from bot.ports.gaps import Closure, ExchangeSpell, ExchangeState, GapStore
from bot.ports.stream import GapReason as StreamReason
from bot.ports.stream import StreamGap


class StreamGaps(Protocol):
    """The one read of ``StreamReads`` that is needed here."""

    async def gaps(self, first_us: int, last_us: int) -> Sequence[StreamGap]:
        """Gaps that touch the time, oldest first."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TickGap:
    """Gap records of one reason.

    ``missing_us`` is the time that any of them covers, counted once; ``is_open`` whether
    one of them lasts. ``lost`` records are known to be lost; often nobody can know.
    """

    reason: str
    gaps: int
    markets: int
    missing_us: int
    lost: int
    first_us: int
    last_us: int
    is_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TickGapReport:
    """Everything missing from the stream in the window, by reason, the longest first."""

    gaps: tuple[TickGap, ...]

    @property
    def total(self) -> int:
        """Gap records."""
        return sum(gap.gaps for gap in self.gaps)


async def find_tick_gaps(
    stream: StreamGaps, facts: GapStore, from_us: int, to_us: int
) -> TickGapReport:
    """The gaps of the stream between two moments."""
    found = await stream.gaps(from_us, to_us)
    if not found:
        return TickGapReport(gaps=())
    spells = await facts.spells(from_us, to_us)
    closures = await facts.closures(from_us, to_us)
    return tick_gap_report(found, spells, closures, from_us, to_us)


def tick_gap_report(
    found: Iterable[StreamGap],
    spells: Sequence[ExchangeSpell],
    closures: Sequence[Closure],
    from_us: int,
    to_us: int,
) -> TickGapReport:
    """Pure: the records by reason, cut to the window."""
    by_reason: dict[str, list[StreamGap]] = defaultdict(list)
    for gap in found:
        by_reason[_reason(gap, spells, closures)].append(gap)
    gaps = [_summed(reason, group, from_us, to_us) for reason, group in by_reason.items()]
    return TickGapReport(gaps=tuple(sorted(gaps, key=lambda gap: (-gap.missing_us, gap.reason))))


def tick_gap_lines(report: TickGapReport) -> list[str]:
    """The report for people: a summary, then a line for each reason."""
    lines = [f"{report.total} gaps of the live stream"]
    for gap in report.gaps:
        lost = f", {gap.lost} records known to be lost" if gap.lost else ""
        until = "until now" if gap.is_open else f"to {format_seconds(gap.last_us)}"
        where = f"{gap.markets} markets" if gap.markets else "everything watched"
        lines.append(
            f"stream {format_seconds(gap.first_us)} {until}: {gap.gaps} x {gap.reason},"
            f" {gap.missing_us // SECOND_US} s in all, {where}{lost}"
        )
    return lines


def _reason(gap: StreamGap, spells: Sequence[ExchangeSpell], closures: Sequence[Closure]) -> str:
    if gap.reason is not StreamReason.DISCONNECTED:
        return gap.reason.value
    end_us = gap.to_us or gap.from_us
    states = {one.state for one in spells if one.since_us <= end_us and one.until_us >= gap.from_us}
    if not states & {ExchangeState.UNREACHABLE, ExchangeState.CLOSED}:
        return gap.reason.value
    is_planned = any(one.start_us <= end_us and one.end_us >= gap.from_us for one in closures)
    is_closed = is_planned or ExchangeState.CLOSED in states
    return (GapReason.CLOSED if is_closed else GapReason.OUTAGE).value


def _summed(reason: str, gaps: Sequence[StreamGap], from_us: int, to_us: int) -> TickGap:
    spans = sorted((max(gap.from_us, from_us), min(gap.to_us or to_us, to_us)) for gap in gaps)
    return TickGap(
        reason=reason,
        gaps=len(gaps),
        markets=len({gap.ticker for gap in gaps if gap.ticker is not None}),
        missing_us=sum(end_us - start_us for start_us, end_us in _merged(spans)),
        lost=sum(gap.lost for gap in gaps),
        first_us=spans[0][0],
        last_us=max(end_us for _, end_us in spans),
        is_open=any(gap.to_us is None for gap in gaps),
    )


def _merged(spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Sorted spans without overlap."""
    current: tuple[int, int] | None = None
    for start_us, end_us in spans:
        if current is not None and start_us <= current[1]:
            current = (current[0], max(current[1], end_us))
            continue
        if current is not None:
            yield current
        current = (start_us, end_us)
    if current is not None:
        yield current
