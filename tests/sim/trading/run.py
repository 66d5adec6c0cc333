"""One seed, from the first start to the verdict."""

import logging
import warnings
from dataclasses import dataclass

from tests.sim.trading.defences import ASKING, NOTHING, Removed
from tests.sim.trading.judge import broken
from tests.sim.trading.loop import VirtualLoop
from tests.sim.trading.storm import Storm

SEEDS = range(20)
"""Those of the ordinary tests."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one seed came to."""

    seed: int
    broken: tuple[str, ...]
    counts: dict[str, int]

    @property
    def names(self) -> tuple[str, ...]:
        """Only the first words: what kind of promise was broken."""
        return tuple(sorted({one.split()[0].rstrip(":") for one in self.broken}))


ASKING_SEEDS = range(4)
"""Those of them where a person is asked."""
APPROVE_ABOVE_E6 = 20_000_000
"""A fifth of the largest order: most entries wait for a person, some do not."""


def run_asking(seed: int, removed: Removed = NOTHING) -> Verdict:
    """The same where larger entries wait for a person, who answers at random."""
    return run(seed, removed, APPROVE_ABOVE_E6)


def run(seed: int, removed: Removed = NOTHING, approve_above_e6: int = 0) -> Verdict:
    """Live through one history, without some of what protects it."""
    if removed & ASKING:
        approve_above_e6 = APPROVE_ABOVE_E6
    logging.disable(logging.CRITICAL)
    loop = VirtualLoop()
    try:
        with warnings.catch_warnings():
            # What a killed process was about to do is never done.
            warnings.filterwarnings("ignore", "coroutine .* was never awaited")
            return loop.run_until_complete(_run(seed, loop, removed, approve_above_e6))
    finally:
        loop.close()
        logging.disable(logging.NOTSET)


async def _run(seed: int, loop: VirtualLoop, removed: Removed, approve_above_e6: int) -> Verdict:
    storm = Storm(seed, loop, removed, approve_above_e6=approve_above_e6)
    await storm.run()
    found = broken(storm)
    found += [one for one in await storm.end() if one not in found]
    counts = storm.floor.happened | {
        "leaderships": len(storm.processes),
        "approved orders taken": storm.floor.approvals.taken,
    }
    return Verdict(seed, tuple(found), dict(sorted(counts.items())))
