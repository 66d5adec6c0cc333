"""Each promise about the account is really judged: without what keeps it, a storm notices."""

import pytest

from tests.sim.trading.defences import Defence
from tests.sim.trading.mutants import CAUGHT, MUTANTS, SURVIVORS, Mutant
from tests.sim.trading.run import SEEDS, run

pytestmark = [pytest.mark.sim, pytest.mark.looptime(False), pytest.mark.timeout(900)]


@pytest.mark.parametrize("mutant", CAUGHT, ids=str)
def test_its_absence_is_noticed(mutant: Mutant) -> None:
    # A change elsewhere gives every seed another history: then one of the others will do.
    for seed in (mutant.seed, *SEEDS):
        names = set(run(seed, mutant.removed).names)
        assert "crash" not in names, "a storm that ends with a crash judges nothing"
        if mutant.breaks & names:
            return
    pytest.fail("no seed noticed")


def test_no_defence_is_left_out() -> None:
    assert {one for mutant in MUTANTS for one in mutant.removed} == set(Defence)
    assert all(mutant.survives for mutant in SURVIVORS)
    assert all(mutant.seed in SEEDS for mutant in CAUGHT), "their histories are judged as well"
