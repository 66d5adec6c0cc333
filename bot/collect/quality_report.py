"""The data-quality report of one hour: how often each rule is broken, and the worst examples."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import chain

from bot.collect.quality import (
    QUOTE_RULES,
    Finding,
    Rule,
    Severity,
    duplicates,
    frozen,
    skews,
    times,
)
from bot.kit.threads import in_thread
from bot.kit.times import HOUR_US, hour_key, parse_rfc3339
from bot.ports.quality import FrozenQuote, QualityReads, QuoteSource, SeenQuote

_FROZEN_HOURS = 24
_FROZEN_HOURS_MIN = 12
_EXAMPLES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleCount:
    """One broken rule. ``worst`` are the worst examples, the worst first."""

    rule: Rule
    source: QuoteSource
    severity: Severity
    count: int
    worst: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityReport:
    """What was looked at and what was found. ``without_terms``: markets discovery never saw.

    Ladders, event sums and the clock are not judged for those.
    """

    hour: str | None
    snapshots: int
    ticks: int
    without_terms: int
    rules: tuple[RuleCount, ...]

    @property
    def wrong(self) -> int:
        """Findings that contradict the data itself."""
        return sum(each.count for each in self.rules if each.severity is Severity.WRONG)

    @property
    def facts(self) -> dict[str, object]:
        """For ``--json``."""
        return {**asdict(self), "wrong": self.wrong}


async def judge_quality(reads: QualityReads, hour: str | None = None) -> QualityReport:
    """Judge an hour, by default the newest stored one.

    Raises:
        StorageUnavailable: it could not be read.
    """
    hour = hour or await reads.last_hour()
    if hour is None:
        return QualityReport(hour=None, snapshots=0, ticks=0, without_terms=0, rules=())
    hour_us = parse_rfc3339(hour)
    quotes = await reads.quotes(hour)
    ticks = await reads.latest_ticks(hour_us, hour_us + HOUR_US)
    first = hour_key(hour_us - (_FROZEN_HOURS - 1) * HOUR_US)
    still = await reads.frozen(first, hour, _FROZEN_HOURS_MIN)
    # Thousands of markets: not on the loop, which whoever trades may share.
    return await in_thread(lambda: _judged(hour, quotes, ticks, still))


def _judged(
    hour: str,
    quotes: Sequence[SeenQuote],
    ticks: Sequence[SeenQuote],
    still: Sequence[FrozenQuote],
) -> QualityReport:
    hour_us = parse_rfc3339(hour)
    of_snapshots = chain(_broken(quotes), times(quotes, hour_us), duplicates(quotes), frozen(still))
    return QualityReport(
        hour=hour,
        snapshots=len(quotes),
        ticks=len(ticks),
        without_terms=sum(each.is_exclusive is None for each in quotes),
        rules=(
            *_counted(of_snapshots, QuoteSource.SNAPSHOT),
            *_counted(chain(_broken(ticks), skews(ticks)), QuoteSource.TICK),
        ),
    )


def quality_lines(report: QualityReport) -> list[str]:
    """The report for people: a summary, then each broken rule with its worst examples."""
    if report.hour is None:
        return ["no snapshots yet"]
    if not report.snapshots:
        return [f"{report.hour}: no snapshots of this hour; `python -m bot gaps` says why"]
    looked_at = f"{report.snapshots} snapshots, {report.ticks} markets with ticks"
    lines = [f"{report.hour}: {looked_at}, {report.wrong} findings that are wrong"]
    if report.without_terms:
        lines.append(
            f"{report.without_terms} markets unknown to discovery: no ladders, sums or clock judged"
        )
    for each in report.rules:
        lines.append(f"{each.severity:<5} {each.source} {each.rule}: {each.count}")
        lines += [f"      {one.subject}: {one.detail}" for one in each.worst]
    return lines


def _broken(quotes: Sequence[SeenQuote]) -> Iterable[Finding]:
    return chain.from_iterable(rule(quotes) for rule in QUOTE_RULES)


def _counted(findings: Iterable[Finding], source: QuoteSource) -> list[RuleCount]:
    """By rule, the wrong ones first, then in the order of the rules."""
    by_rule: dict[Rule, list[Finding]] = {}
    for each in findings:
        by_rule.setdefault(each.rule, []).append(each)
    counts = [
        RuleCount(
            rule=rule,
            source=source,
            severity=found[0].severity,
            count=len(found),
            worst=tuple(sorted(found, key=lambda one: (-one.excess, one.subject))[:_EXAMPLES]),
        )
        for rule in Rule
        if (found := by_rule.get(rule))
    ]
    return sorted(counts, key=lambda one: one.severity is Severity.ODD)
