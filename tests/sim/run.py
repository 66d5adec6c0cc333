"""One seed, from the first start to the verdict."""

import gc
import logging
import warnings
from dataclasses import dataclass

from bot.kit.times import SECOND_US
from tests.sim.database import Database
from tests.sim.defences import NOTHING, Removed
from tests.sim.judge import broken
from tests.sim.market import Market
from tests.sim.process import Site
from tests.sim.storm import Storm
from tests.sim.watch import Observer
from tests.sim.world import World

SEEDS = range(200)
"""Those of the ordinary tests."""
STORM_US = 75 * SECOND_US
CALM_US = 65 * SECOND_US
QUIET_US = 3 * SECOND_US


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one seed came to."""

    seed: int
    broken: tuple[str, ...]
    counts: dict[str, int]

    @property
    def names(self) -> tuple[str, ...]:
        """Only the invariants."""
        return tuple(sorted({one.split()[0] for one in self.broken}))


def run(seed: int, removed: Removed = NOTHING) -> Verdict:
    """Live through one history."""
    logging.disable(logging.CRITICAL)
    gc.freeze()  # so that only what this run left is looked through at its end
    try:
        with warnings.catch_warnings():
            # What a killed process was about to do is never done.
            warnings.filterwarnings("ignore", "coroutine .* was never awaited")
            verdict = _run(seed, removed)
            gc.collect()
            return verdict
    finally:
        gc.unfreeze()
        logging.disable(logging.NOTSET)


def _run(seed: int, removed: Removed) -> Verdict:
    world = World(seed)
    database = Database(world, removed)
    market = Market(world)
    observer = Observer(world, database)
    storm = Storm(Site(world, database, market, observer, removed))
    storm.deploy(1)
    storm.look_after()
    storm.signal()
    storm.repeat()
    storm.back_up()
    world.after(5 * SECOND_US, storm.strike)
    world.run_until(STORM_US)
    storm.calm()
    world.run_until(STORM_US + CALM_US)
    # What has happened is written down before it is looked at.
    market.is_quiet = True
    world.run_until(STORM_US + CALM_US + QUIET_US)
    found = broken(storm.site, storm)
    counts = observer.counts | {
        "orders": len(market.accepted),
        "leaders": len(database.won),
        "signals": market.signals,
    }
    for loop in world.loops:
        loop.wind_up()
    return Verdict(seed, tuple(found), counts)
