"""One row of the matrix: a fault, what should come of it, and what did."""

import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chaos.arena import Arena


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one run showed."""

    seconds: float | None = None
    """How long nobody traded, or what else the row measures."""
    zombies: int = 0
    """Orders accepted from an old leader after the new one's first."""
    refused: int = 0
    """Orders of an old leader that the venue turned away."""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A fault and how often it is tried."""

    key: str
    fault: str
    expected: str
    runs: int
    short_runs: int
    run: Callable[["Arena"], Awaitable[Seen]]
    limit_s: float | None = None
    """What no run may exceed with the real timings."""
    median_s: float | None = None
    """What half of the runs may not exceed."""


@dataclass(slots=True)
class Outcome:
    """A row and its runs."""

    row: Row
    runs: int
    """How many there shall be."""
    seen: list[Seen] = field(default_factory=list)

    @property
    def seconds(self) -> list[float]:
        """The measured times."""
        return [one.seconds for one in self.seen if one.seconds is not None]

    @property
    def median(self) -> float | None:
        """Half of the runs took no longer."""
        return statistics.median(self.seconds) if self.seconds else None

    @property
    def worst(self) -> float | None:
        """The longest run."""
        return max(self.seconds, default=None)

    @property
    def zombies(self) -> int:
        """Over all runs."""
        return sum(one.zombies for one in self.seen)

    @property
    def refused(self) -> int:
        """Over all runs."""
        return sum(one.refused for one in self.seen)

    def problems(self, *, is_timed: bool) -> list[str]:
        """Why this row is not as it should be; ``is_timed`` also judges the seconds."""
        found = [one.problem for one in self.seen if one.problem]
        if self.zombies:
            found.append(f"{self.zombies} orders of an old leader were accepted")
        row = self.row
        if is_timed and row.limit_s is not None and (self.worst or 0) > row.limit_s:
            found.append(f"worst {self.worst:.1f} s is over {row.limit_s:g} s")
        if is_timed and row.median_s is not None and (self.median or 0) > row.median_s:
            found.append(f"median {self.median:.2f} s is over {row.median_s:g} s")
        return found

    def facts(self, *, is_timed: bool) -> dict[str, object]:
        """For machines."""
        return {
            "fault": self.row.fault,
            "expected": self.row.expected,
            "runs": len(self.seen),
            "median_s": _rounded(self.median),
            "worst_s": _rounded(self.worst),
            "zombies": self.zombies,
            "refused_by_venue": self.refused,
            "problems": self.problems(is_timed=is_timed),
        }


def table(outcomes: Sequence[Outcome], *, is_timed: bool) -> str:
    """For people."""
    head = ("fault", "runs", "expected", "median", "worst", "zombies", "")
    lines = [head, *(_cells(one, is_timed=is_timed) for one in outcomes)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    text = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    for one in outcomes:
        text += [f"{one.row.key}: {why}" for why in one.problems(is_timed=is_timed)]
    return "\n".join(text)


def _cells(one: Outcome, *, is_timed: bool) -> tuple[str, ...]:
    return (
        one.row.fault,
        str(len(one.seen)),
        one.row.expected,
        _seconds(one.median),
        _seconds(one.worst),
        str(one.zombies),
        "FAILED" if one.problems(is_timed=is_timed) else "ok",
    )


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} s"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
