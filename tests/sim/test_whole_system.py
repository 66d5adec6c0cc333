"""Seeded histories of whole processes: no invariant breaks, and somebody trades in the end.

The long run is ``python -m tests.sim --seeds 0-3999``. A failing seed is its parameter.
"""

import pytest

from tests.sim.run import SEEDS, run

pytestmark = pytest.mark.sim


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_breaks(seed: int) -> None:
    assert run(seed).broken == ()


def test_a_seed_is_one_history() -> None:
    assert run(7) == run(7)
