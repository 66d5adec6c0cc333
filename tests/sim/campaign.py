"""Many seeds, on several processors, and what came of them."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing import get_context

from tests.sim.defences import NOTHING, Removed
from tests.sim.run import Verdict, run

OnDone = Callable[[int, int, str], None]


@dataclass(slots=True)
class Tally:
    """The sum of many verdicts."""

    seeds: int = 0
    failing: dict[int, tuple[str, ...]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, verdict: Verdict) -> None:
        self.seeds += 1
        self.counts.update(verdict.counts)
        if verdict.broken:
            self.failing[verdict.seed] = verdict.broken

    def by_invariant(self) -> Counter[str]:
        """How many seeds broke each."""
        return Counter(
            name
            for broken in self.failing.values()
            for name in sorted({one.split()[0] for one in broken})
        )


def verdicts(seeds: Iterable[int], removed: Removed, jobs: int) -> Iterator[Verdict]:
    """One after the other, in the order of the seeds."""
    tasks = [(seed, removed) for seed in seeds]
    if jobs == 1:
        yield from map(_run, tasks)
        return
    with get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(_run, tasks)


def tally(
    seeds: range, removed: Removed = NOTHING, jobs: int = 1, done: OnDone | None = None
) -> Tally:
    """Every seed of a range."""
    found = Tally()
    for verdict in verdicts(seeds, removed, jobs):
        found.add(verdict)
        if done is not None:
            done(found.seeds, len(seeds), f"{len(found.failing)} failing")
    return found


def first_catch(
    seeds: range, removed: Removed, wanted: frozenset[str], jobs: int = 1
) -> Verdict | None:
    """The first seed that breaks one of the wanted invariants, if any does."""
    for verdict in verdicts(seeds, removed, jobs):
        if wanted & set(verdict.names):
            return verdict
    return None


def _run(task: tuple[int, Removed]) -> Verdict:
    return run(*task)
