"""What a judge found, and the table of all of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

_FINDINGS_SHOWN = 12


class Result(StrEnum):
    """How a judge ended."""

    PASSED = "passed"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One row. ``findings`` are what made it fail."""

    judge: str
    checked: str
    result: Result
    findings: tuple[str, ...] = ()


class Unavailable(Exception):
    """A specification, a recording or an environment is not on this machine."""


def judged(judge: str, checked: str, findings: Iterable[str]) -> Verdict:
    """Passed without findings, failed with them. Each finding is said once."""
    said = tuple(dict.fromkeys(findings))
    result = Result.FAILED if said else Result.PASSED
    return Verdict(judge=judge, checked=checked, result=result, findings=said)


def skipped(judge: str, reason: str) -> Verdict:
    """Not judged, and why."""
    return Verdict(judge=judge, checked=reason, result=Result.SKIPPED)


def table(verdicts: Sequence[Verdict]) -> str:
    """The rows, then the findings of those that failed."""
    rows = [("judge", "result", "checked")]
    rows += [(one.judge, str(one.result), one.checked) for one in verdicts]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines = [f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}" for row in rows]
    for one in verdicts:
        if one.findings:
            lines += ["", f"{one.judge}: {len(one.findings)} findings"]
            lines += [f"  {finding}" for finding in one.findings[:_FINDINGS_SHOWN]]
    return "\n".join(lines)
