"""The hidden number is a fair game and its ladder never contradicts itself."""

import itertools
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from bot.simulator.latent import Claim, Latent, Uncertainty

HOUR = 3_600_000_000


def latent(seed: int, **changes: float) -> Latent:
    facts = {"centre": 0.0, "drift": 1.0, "release": 0.5, "jumps": 1.0} | changes
    return Latent(Uncertainty(**facts), 0, HOUR, Random(seed))


@given(st.integers(0, 10_000), st.integers(0, HOUR), st.floats(-3, 3), st.floats(0, 3))
def test_a_higher_threshold_is_never_likelier(
    seed: int, at_us: int, floor: float, more: float
) -> None:
    path = latent(seed)
    path.move(at_us)
    low, high = Claim(floor=floor), Claim(floor=floor + more)
    assert 0 <= path.probability(high) <= path.probability(low) <= 1


@given(st.integers(0, 10_000), st.integers(0, HOUR))
def test_brackets_that_cover_everything_sum_to_one(seed: int, at_us: int) -> None:
    path = latent(seed)
    path.move(at_us)
    edges = [None, -1.0, 0.0, 0.5, None]
    claims = [Claim(floor=a, cap=b) for a, b in itertools.pairwise(edges)]
    assert abs(sum(path.probability(claim) for claim in claims) - 1) < 1e-9
    final = path.settle()
    assert sum(claim.holds(final) for claim in claims) == 1


def test_probabilities_are_calibrated() -> None:
    """Over many paths, what is worth p in the middle of its life wins about p of the time."""
    claim = Claim(floor=0.3)
    expected, won = 0.0, 0
    for seed in range(4_000):
        path = latent(seed)
        path.move(HOUR // 2)
        expected += path.probability(claim)
        won += claim.holds(path.settle())
    assert abs(expected - won) / 4_000 < 0.03


def test_without_a_release_the_outcome_is_known_at_the_close() -> None:
    path = latent(3, release=0.0)
    path.move(2 * HOUR)
    claim = Claim(floor=0.0)
    assert path.probability(claim) in {0.0, 1.0}
    assert claim.holds(path.settle()) == (path.probability(claim) == 1.0)
    assert path.settle() == path.settle()
