"""Why an hour or a market is missing, from what is known about that time.

The first thing that explains it is told: a cycle that failed for want of the database is not
put down to an exchange that happened to be closed, and an hour nobody could have collected is
not put down to anything that happened in it. The SQL view ``missing_hours`` says the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from bot.domain.ids import SeriesTicker
from bot.kit.times import HOUR_US, parse_rfc3339
from bot.ports.collection import Cycle, CycleOutcome, SeriesProgress
from bot.ports.gaps import Closure, ExchangeSpell, ExchangeState, InstanceLife, MarketHole

OUTAGE_WORDS = ("ExchangeUnavailable", "does not answer")
"""How a cycle's error names an exchange that gave no usable answer."""
DATABASE_WORD = "database:"


class GapReason(StrEnum):
    """Why it is missing."""

    NOT_RUNNING = "the bot was not running"
    NOT_COLLECTED_BY_ANY = "no instance collected: stand-by or hand-over"
    DATABASE = "the database was away"
    CLOSED = "the exchange was closed"
    OUTAGE = "the exchange did not answer"
    FAILED = "the cycle failed"
    PARTIAL = "the cycle was partial"
    INTERRUPTED = "the cycle was interrupted"
    RUNNING = "the cycle is still running"
    FILTER_CHANGED = "the filter was another one"
    NOT_COLLECTED = "the series was not collected"
    LOST = "the cycle was complete but its rows are gone"
    UNREADABLE = "it was sent and could not be read"
    NOT_LISTED = "the exchange did not list it as open"


_OUTCOMES = {
    CycleOutcome.FAILED: GapReason.FAILED,
    CycleOutcome.PARTIAL: GapReason.PARTIAL,
    CycleOutcome.INTERRUPTED: GapReason.INTERRUPTED,
    CycleOutcome.RUNNING: GapReason.RUNNING,
    CycleOutcome.COMPLETE: GapReason.LOST,
}
_NEVER_READ = frozenset({CycleOutcome.COMPLETE, CycleOutcome.PARTIAL})


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What is known about a time. ``filters`` are the filters of cycles, by series."""

    spells: Sequence[ExchangeSpell] = ()
    closures: Sequence[Closure] = ()
    lives: Sequence[InstanceLife] = ()
    filters: Mapping[SeriesTicker, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason and, where there is more to say, the words of what happened."""

    kind: GapReason
    detail: str | None = None


def reason_of_hour(
    hour: str, cycle: Cycle | None, series: SeriesTicker | None, known: Circumstances
) -> Reason:
    """Why an hour has no snapshot; ``cycle`` is the last one of the hour."""
    start_us = parse_rfc3339(hour)
    if cycle is None:
        lived = any(
            one.started_us < start_us + HOUR_US and one.seen_until_us >= start_us
            for one in known.lives
        )
        return Reason(GapReason.NOT_COLLECTED_BY_ANY if lived else GapReason.NOT_RUNNING)
    if series is not None:
        return _reason_of_series(cycle, series, known)
    return _reason_of_cycle(cycle, cycle.error, known)


def reason_of_hole(
    hole: MarketHole, cycle: Cycle | None, unreadable: Mapping[str, str], known: Circumstances
) -> Reason:
    """Why a market has no snapshot in an hour in which others have one.

    ``unreadable`` are that hour's quarantined items: what each name could not be read for.
    """
    if hole.market in unreadable:
        return Reason(GapReason.UNREADABLE, unreadable[hole.market])
    if cycle is None:
        return Reason(GapReason.LOST)
    own = progress_of(cycle, hole.series)
    if own is not None and own.is_done and own.failure is None:
        return Reason(GapReason.NOT_LISTED)
    return _reason_of_series(cycle, hole.series, known)


def progress_of(cycle: Cycle, series: SeriesTicker | None) -> SeriesProgress | None:
    """How far the cycle read the series, ``None`` where it did not ask for it."""
    return next((each for each in cycle.progress if each.series == series), None)


def filters_by_series(cycles: Iterable[Cycle]) -> dict[SeriesTicker, frozenset[str]]:
    """For each series, the fingerprints of the filters that asked for it."""
    found: dict[SeriesTicker, frozenset[str]] = {}
    for cycle in cycles:
        if cycle.filter_fingerprint is None:
            continue
        for each in cycle.progress:
            before = found.get(each.series, frozenset())
            found[each.series] = before | {cycle.filter_fingerprint}
    return found


def _reason_of_series(cycle: Cycle, series: SeriesTicker, known: Circumstances) -> Reason:
    own = progress_of(cycle, series)
    if own is not None:
        return _reason_of_cycle(cycle, own.failure, known)
    if cycle.outcome not in _NEVER_READ:
        return _reason_of_cycle(cycle, cycle.error, known)
    others = known.filters.get(series, frozenset())
    has_changed = cycle.filter_fingerprint is not None and bool(others - {cycle.filter_fingerprint})
    return Reason(GapReason.FILTER_CHANGED if has_changed else GapReason.NOT_COLLECTED)


def _reason_of_cycle(cycle: Cycle, error: str | None, known: Circumstances) -> Reason:
    plain = _OUTCOMES[cycle.outcome]
    if plain is GapReason.LOST:
        return Reason(plain, error)
    if (error or "").startswith(DATABASE_WORD):
        return Reason(GapReason.DATABASE, error)
    begin_us, end_us = cycle.started_us, cycle.finished_us or cycle.started_us + HOUR_US
    states = {
        one.state for one in known.spells if one.since_us <= end_us and one.until_us >= begin_us
    }
    is_cut_off = (
        any(word in (error or "") for word in OUTAGE_WORDS)
        or ExchangeState.UNREACHABLE in states
        or ExchangeState.CLOSED in states
    )
    if not is_cut_off:
        return Reason(plain, error)
    is_planned = any(one.start_us <= end_us and one.end_us >= begin_us for one in known.closures)
    is_closed = is_planned or ExchangeState.CLOSED in states
    return Reason(GapReason.CLOSED if is_closed else GapReason.OUTAGE, error)
