"""One seed, from the first start to the verdict."""

import logging
import warnings
from dataclasses import dataclass

from tests.sim.trading.defences import NOTHING, Removed
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


def run(seed: int, removed: Removed = NOTHING) -> Verdict:
    """Live through one history, without some of what protects it."""
    logging.disable(logging.CRITICAL)
    loop = VirtualLoop()
    try:
        with warnings.catch_warnings():
            # What a killed process was about to do is never done.
            warnings.filterwarnings("ignore", "coroutine .* was never awaited")
            return loop.run_until_complete(_run(seed, loop, removed))
    finally:
        loop.close()
        logging.disable(logging.NOTSET)


async def _run(seed: int, loop: VirtualLoop, removed: Removed) -> Verdict:
    storm = Storm(seed, loop, removed)
    await storm.run()
    found = broken(storm)
    found += [one for one in await storm.end() if one not in found]
    counts = storm.floor.happened | {"leaderships": len(storm.processes)}
    return Verdict(seed, tuple(found), dict(sorted(counts.items())))
