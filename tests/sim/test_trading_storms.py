"""Seeded storms of the trading engine: no invariant breaks, and the account is right in the end.

The long run is ``python -m tests.sim.trading --seeds 0-3999``. A failing seed is its parameter.
"""

import pytest

from tests.sim.trading.run import ASKING_SEEDS, SEEDS, run, run_asking

pytestmark = [pytest.mark.sim, pytest.mark.looptime(False)]


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_breaks(seed: int) -> None:
    assert run(seed).broken == ()


@pytest.mark.parametrize("seed", ASKING_SEEDS)
def test_nothing_large_is_bought_without_a_yes_of_its_own_nor_more_than_that(seed: int) -> None:
    verdict = run_asking(seed)
    assert verdict.broken == ()
    assert verdict.counts["approved orders taken"] > 0


def test_a_seed_is_one_history_in_which_something_happens() -> None:
    verdict = run(7)
    assert verdict == run(7)
    assert min(verdict.counts[name] for name in ("fills", "orders taken", "trades by hand")) > 0
    assert verdict.counts["leaderships"] > 1
