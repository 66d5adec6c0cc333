"""Every defence is needed: without it, one seed or another breaks what it protects.

Where none of the seeds here catches a mutant any more, ``python -m tests.sim --mutants
--seeds 0-399`` finds the first one that does, for ``mutants.py``.
"""

import pytest

from tests.sim.defences import Defence
from tests.sim.mutants import CAUGHT, SURVIVORS, Mutant
from tests.sim.run import SEEDS, run

pytestmark = pytest.mark.sim
FALLBACK = range(60)


@pytest.mark.parametrize("mutant", CAUGHT, ids=str)
def test_its_absence_is_noticed(mutant: Mutant) -> None:
    # A change elsewhere gives every seed another history: then one of the first will do.
    assert any(
        mutant.breaks & set(run(seed, mutant.removed).names) for seed in (mutant.seed, *FALLBACK)
    )


def test_with_every_defence_the_same_histories_are_judged_as_well() -> None:
    assert {*FALLBACK, *(mutant.seed for mutant in CAUGHT)} <= set(SEEDS)


def test_no_defence_is_left_out() -> None:
    alone = [mutant.removed for mutant in (*CAUGHT, *SURVIVORS) if len(mutant.removed) == 1]
    assert set(alone) == {frozenset({one}) for one in Defence}
    assert all(mutant.survives for mutant in SURVIVORS)
